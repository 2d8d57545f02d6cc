"""Error pages, and the headers that restrict what a browser does with a response."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.security_headers import policy
from cognises.testing import FakePool, isolated


@pytest.mark.parametrize("path", ["/ready", "/nowhere", "/denied", "/static/style.css"])
def test_every_response_has_them(path: str, app: Flask, client: FlaskClient) -> None:
    app.add_url_rule("/denied", "denied", lambda: "never")
    headers = client.get(path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_the_policy_allows_nothing_inline_and_nothing_from_other_sites() -> None:
    text = policy(None)

    assert "unsafe" not in text
    assert "http" not in text
    assert text.startswith("default-src 'none'")


def test_the_sign_out_form_may_be_redirected_to_managed_login() -> None:
    assert "form-action 'self' https://login.example.org;" in policy("https://login.example.org")


def test_browsers_are_told_to_stay_on_https_only_where_the_service_is_on_https(
    pool: FakePool, client: FlaskClient
) -> None:
    secure = create_app(isolated(COGNISES_PUBLIC_URL="https://service.example.org"))
    pool.attach(secure)

    assert "Strict-Transport-Security" in secure.test_client().get("/ready").headers
    assert "Strict-Transport-Security" in client.get("https://localhost/ready").headers
    assert "Strict-Transport-Security" not in client.get("/ready").headers


def test_an_app_with_wrong_settings_fails_and_still_sends_them(app: Flask) -> None:
    app.config.update(TESTING=False, COGNITO_TOKEN_USE="wrong")

    answer = app.test_client().get("/ready")

    assert answer.status_code == 500
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_an_error_is_a_page_with_every_link_for_browsers_and_json_for_programs(
    browser: FlaskClient, client: FlaskClient
) -> None:
    page = browser.get("/nowhere", headers={"Accept": "text/html"})
    answer = client.get("/nowhere")

    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert (answer.status_code, answer.json["status"]) == (404, 404)


def test_an_error_keeps_the_headers_of_its_kind(client: FlaskClient) -> None:
    answer = client.delete("/ready", headers={"Accept": "application/json"})

    assert answer.json["status"] == 405
    assert "GET" in answer.headers["Allow"]
