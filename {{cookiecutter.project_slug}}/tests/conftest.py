"""Tests run on settings of their own: none come from the environment or from `.env`."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterator
from functools import cache
from unittest.mock import patch

import pytest

from cognises.testing import FakePool

gc.set_threshold(50_000, 20, 20)  # a short run makes little garbage; looking for it takes longer

pytest_plugins = ["cognises.testing.fixtures"]

for name in list(os.environ):
    if name.startswith(("AWS_", "COGNITO_", "COGNISES_", "FLASK_")):
        del os.environ[name]


@pytest.fixture(scope="session")
def cognito(_session_pool: FakePool) -> FakePool:
    """The pool of real keys of this run; the fixture `pool` is the same one, attached to `app`."""
    return _session_pool


@pytest.fixture(scope="session", autouse=True)
def _aws_models() -> Iterator[None]:
    """botocore parses each description of a service once, not once for each session."""
    from botocore.loaders import JSONFileLoader

    gc.freeze()
    load_file = cache(JSONFileLoader().load_file)
    with patch.object(JSONFileLoader, "load_file", lambda _, path: load_file(path)):
        yield


@pytest.fixture(scope="module")
def local_environment() -> Iterator[None]:
    """An environment that names no real account.

    Variables and log handlers may be changed: both are restored.
    """
    from local_aws.environment import isolate

    with patch.dict(os.environ), patch.object(logging.root, "handlers", []):
        isolate()
        yield
