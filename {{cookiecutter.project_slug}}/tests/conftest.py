"""Tests run on settings of their own: none come from the environment or from `.env`."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from unittest.mock import patch

import pytest

from cognises.testing import FakePool

pytest_plugins = ["cognises.testing.fixtures"]

for name in list(os.environ):
    if name.startswith(("AWS_", "COGNITO_", "COGNISES_", "FLASK_")):
        del os.environ[name]


@pytest.fixture(scope="session")
def cognito(_session_pool: FakePool) -> FakePool:
    """The pool of real keys of this run; the fixture `pool` is the same one, attached to `app`."""
    return _session_pool


@pytest.fixture(scope="module")
def local_environment() -> Iterator[None]:
    """An environment that names no real account.

    Variables and log handlers may be changed: both are restored.
    """
    import botocore.loaders

    from local_aws.environment import isolate

    models = botocore.loaders.create_loader(None)  # every session would parse them again
    with (
        patch.dict(os.environ),
        patch.object(logging.root, "handlers", []),
        patch("botocore.session.create_loader", lambda path=None: models),
    ):
        isolate()
        yield
