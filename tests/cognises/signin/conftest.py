"""An app with browser sign-in, its token endpoint, and a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from token_endpoint import GROUPS, PUBLIC_URL, TokenEndpoint

from cognises import Cognises, login_check, permission_required, public
from cognises.signin import sign_in
from cognises.testing import FakePool


@pytest.fixture
def endpoint(cognito: FakePool) -> Iterator[TokenEndpoint]:
    endpoint = TokenEndpoint(cognito)
    yield endpoint
    endpoint.close()


@pytest.fixture
def app(tmp_path: Path, cognito: FakePool, endpoint: TokenEndpoint) -> Flask:
    (tmp_path / "groups.json").write_text(json.dumps(GROUPS))
    app = Flask("service", root_path=str(tmp_path))
    app.config.update(
        TESTING=True,
        COGNISES_LOCAL="1",
        COGNITO_DOMAIN=endpoint.url,
        COGNISES_PUBLIC_URL=PUBLIC_URL,
    )

    @app.get("/")
    @public
    def home() -> str:
        return "home"

    @app.get("/page")
    @permission_required
    def page(response: Any) -> str:
        return f"page of {response.sub}"

    @app.get("/search/<word>")
    @permission_required
    def search(response: Any, word: str) -> str:
        return word

    @app.get("/closed")
    @permission_required
    def closed(response: Any) -> str:
        return "never"

    @app.post("/change")
    @login_check
    def change(response: Any) -> str:
        return "changed"

    sign_in(app)
    Cognises(app)
    cognito.attach(app)
    return app


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    return app.test_client()
