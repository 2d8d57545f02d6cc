"""The service, with a pool of real keys and no network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from moto import mock_aws

from app import create_app
from cognises.testing import FakePool, isolated


@pytest.fixture
def app() -> Flask:
    """The service, with no settings from the environment or from `.env`."""
    return create_app(isolated())


@pytest.fixture(scope="module")
def shared_app() -> Iterator[Flask]:
    """One service for tests that change nothing in it: to make one takes longer than a request.

    Views with `user_client` call moto.
    """
    with mock_aws():
        yield create_app(isolated())


@pytest.fixture
def client(app: Flask, pool: object) -> FlaskClient:
    """A client without a token."""
    return app.test_client()


@pytest.fixture
def browser(pool: FakePool) -> FlaskClient:
    """A client with a session of browser sign-in: pages show all their links."""
    site = "https://service.example.org"
    pool.attach(app := create_app(isolated(COGNITO_DOMAIN=site, COGNISES_PUBLIC_URL=site)))
    client = app.test_client()
    client.set_cookie("token_cookie", "of a session")
    return client
