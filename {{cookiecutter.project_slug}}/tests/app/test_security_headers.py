"""The headers that narrow what a browser does with an answer."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.security_headers import policy
from cognises.settings.sources import NAMES
from cognises.testing import FakePool

PATHS = ["/", "/health", "/nowhere", "/protected", "/static/style.css"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_them(path: str, client: FlaskClient) -> None:
    headers = client.get(path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere() -> None:
    text = policy(None)

    assert "unsafe" not in text
    assert "http" not in text
    assert text.startswith("default-src 'none'")


def test_the_sign_out_form_may_end_at_managed_login() -> None:
    assert "form-action 'self' https://login.example.org;" in policy("https://login.example.org")


def test_browsers_are_told_to_stay_on_https_only_where_the_service_is_on_https(
    pool: FakePool, client: FlaskClient
) -> None:
    unset = {name: "" for name in NAMES if name != "COGNISES_GROUPS_FILE"}
    secure = create_app(
        unset | {"TESTING": True, "COGNISES_PUBLIC_URL": "https://service.example.org"}
    )
    pool.attach(secure)

    assert "Strict-Transport-Security" in secure.test_client().get("/").headers
    assert "Strict-Transport-Security" in client.get("https://localhost/").headers
    assert "Strict-Transport-Security" not in client.get("/").headers
