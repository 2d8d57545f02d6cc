"""Logging is process-wide: what an app of one test configures does not reach the next test."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def decisions_are_logged() -> Iterator[None]:
    """`cognises.decisions` follows the root logger, as in a process that configures nothing."""
    decisions = logging.getLogger("cognises.decisions")
    decisions.setLevel(logging.NOTSET)
    yield
    decisions.setLevel(logging.NOTSET)
