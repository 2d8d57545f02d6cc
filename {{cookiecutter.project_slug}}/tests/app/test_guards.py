"""Nothing opens a route but `@public`, a guard that passes, and groups.json."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cognises import Cognises, login_check
from cognises.access import report
from cognises.testing import FakePool


@pytest.fixture
def client(app: Flask, pool: object) -> FlaskClient:
    """A client without a token, of an app with one more route."""
    app.add_url_rule("/guarded", "guarded", login_check(lambda: "never"))
    return app.test_client()


def test_a_route_without_a_guard_is_denied(pool: FakePool, app: Flask) -> None:
    app.add_url_rule("/forgotten", "forgotten", lambda: "never")
    client = app.test_client()

    assert client.get("/forgotten").status_code == 401
    assert client.get("/forgotten", headers=pool.bearer(["admins"])).status_code == 403


def test_no_variable_and_no_config_key_turns_authentication_off(
    monkeypatch: pytest.MonkeyPatch, app: Flask, client: FlaskClient
) -> None:
    for name in ("TESTING", "AUTH_DISABLED", "LOGIN_DISABLED", "COGNISES_DISABLED"):
        monkeypatch.setenv(name, "1")
        app.config[name] = True

    assert client.get("/guarded").status_code == 401


def test_guarding_an_app_twice_changes_nothing(app: Flask, client: FlaskClient) -> None:
    Cognises(app)

    assert client.get("/ready").status_code == 200
    assert client.get("/guarded").status_code == 401


@pytest.mark.parametrize(
    ("token", "reason"),
    [("not-a-token", "invalid_token"), ("", "invalid_request")],
)
def test_what_is_not_a_token_is_refused_with_a_reason(
    token: str, reason: str, client: FlaskClient
) -> None:
    answer = client.get("/guarded", headers={"Authorization": f"Bearer {token}"})

    assert answer.json["reason"] == reason


def test_a_token_of_another_pool_is_refused(client: FlaskClient, pool: FakePool) -> None:
    headers = pool.bearer(["admins"], iss=f"{pool.issuer}2")

    assert client.get("/guarded", headers=headers).status_code == 401


def test_an_expired_token_is_refused(client: FlaskClient, pool: FakePool) -> None:
    answer = client.get("/guarded", headers=pool.bearer(["admins"], exp=1))

    assert answer.json["reason"] == "token_expired"


def test_every_page_of_the_app_is_in_the_report(app: Flask) -> None:
    rules = {rule.rule for rule in app.url_map.iter_rules()}

    assert {row.path for row in report(app).rows} == rules
