"""Pytest fixtures for your own routes. In conftest.py:

    pytest_plugins = ["cognises.testing.fixtures"]

They need a fixture `app` of yours that returns a Flask app with `TESTING` set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cognises.testing.fake_pool import FakePool

AsGroup = Callable[..., FlaskClient]


@pytest.fixture(scope="session")
def _session_pool() -> FakePool:
    """Making RSA keys takes a moment: once a run."""
    return FakePool()


@pytest.fixture
def pool(app: Flask, _session_pool: FakePool) -> FakePool:
    """A FakePool that `app` trusts."""
    return _session_pool.attach(app)


@pytest.fixture
def as_group(app: Flask, pool: FakePool) -> AsGroup:
    """`as_group("editors")` is a test client signed in as a user of those groups."""

    def client_of(*groups: str, **claims: Any) -> FlaskClient:
        client = app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {pool.token(groups, **claims)}"
        return client

    return client_of
