"""The service as it is generated, with a pool of real keys and no network."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from cognises.settings.sources import NAMES


@pytest.fixture
def app() -> Flask:
    """The service, its settings put beyond the reach of the environment and of `.env`."""
    unset = {name: "" for name in NAMES if name != "COGNISES_GROUPS_FILE"}
    return create_app(unset | {"TESTING": True})


@pytest.fixture
def client(app: Flask, pool: object) -> FlaskClient:
    """Nobody: a client without a token."""
    return app.test_client()
