"""The service as it is generated, with a pool of real keys and no network."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app


@pytest.fixture
def app() -> Flask:
    """The service, its settings put beyond the reach of the environment and of `.env`."""
    return create_app({"TESTING": True, "COGNISES_LOCAL": "0", "COGNITO_TOKEN_USE": "id"})


@pytest.fixture
def client(app: Flask, pool: object) -> FlaskClient:
    """Nobody: a client without a token."""
    return app.test_client()
