"""The processes of `flask cognises mutate`; what it finds is in tests/template/test_mutation.py."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from cognises.testing import mutate


def ended(code: int) -> int:
    """The id of a child process that ends at once."""
    if (pid := os.fork()) == 0:
        os._exit(code)
    return pid


def test_a_process_that_the_app_started_may_end_at_any_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ended(0)  # the app's
    codes = iter((1, 0, 1))
    monkeypatch.setattr(mutate, "start", lambda *_: ended(next(codes)))
    mutants: list[Any] = ["found", "not found", "found too"]

    assert mutate.survivors(mutants, "tests", tmp_path) == ["not found"]
