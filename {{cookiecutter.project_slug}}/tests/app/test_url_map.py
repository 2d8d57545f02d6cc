"""Walks the URL map: every endpoint is public or guarded, in step with groups.json."""

from __future__ import annotations

import json

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cognises import Cognises
from cognises.settings.sources import PROJECT_FOLDER
from cognises.testing import FakePool
from cognises.testing.fixtures import AsGroup
from cognises.web.route_metadata import PermissionGuard
from cognises.web.routes import function_name, own_static_view, routes

MANIFEST = json.loads((PROJECT_FOLDER / "groups.json").read_text(encoding="utf-8"))


def test_every_route_is_public_or_guarded(app: Flask) -> None:
    static = own_static_view(app)

    undeclared = [
        f"{route.method} {route.path}"
        for route in routes(app)
        if app.view_functions[route.endpoint] is not static
        and not route.declaration.is_public
        and not route.declaration.guards
    ]

    assert undeclared == []


def test_every_guarded_route_turns_a_stranger_away(app: Flask, client: FlaskClient) -> None:
    statuses = {
        f"{route.method} {route.path}": client.open(route.path, method=route.method).status_code
        for route in routes(app)
        if route.declaration.guards and "<" not in route.path
    }

    assert set(statuses.values()) <= {401}, statuses


def test_every_function_of_the_manifest_is_a_guarded_view(app: Flask) -> None:
    carried = {
        name
        for route in routes(app)
        for guard in route.declaration.guards
        if isinstance(guard, PermissionGuard)
        for name in (guard.name or function_name(app, route.endpoint), route.endpoint)
    }
    listed = {name for group in MANIFEST for name in group["allowed_functions"]}

    assert {name for name in listed if "*" not in name} <= carried


def test_every_guarded_view_is_open_to_some_group(app: Flask, as_group: AsGroup) -> None:
    every_group = as_group(*(group["group_name"] for group in MANIFEST))

    for route in routes(app):
        if route.declaration.guards and "<" not in route.path:
            answer = every_group.open(route.path, method=route.method, json={})
            assert answer.status_code not in (401, 403), route


def test_a_route_that_somebody_forgets_to_guard_is_denied(pool: FakePool, app: Flask) -> None:
    app.add_url_rule("/forgotten", "forgotten", lambda: "never")
    client = app.test_client()

    assert client.get("/forgotten").status_code == 401
    answer = client.get("/forgotten", headers=pool.bearer(["admins"]))
    assert answer.status_code == 403


def test_no_environment_turns_authentication_off(monkeypatch, client: FlaskClient) -> None:
    for name in ("TESTING", "FLASK_TESTING", "AUTH_DISABLED", "LOGIN_DISABLED", "COGNISES_SKIP"):
        monkeypatch.setenv(name, "1")

    assert client.get("/protected").status_code == 401


@pytest.mark.parametrize("name", ["LOGIN_DISABLED", "AUTH_DISABLED", "COGNISES_DISABLED"])
def test_no_config_turns_authentication_off(name: str, app: Flask, client: FlaskClient) -> None:
    app.config[name] = True

    assert client.get("/protected").status_code == 401


def test_the_guard_stands_once_however_often_it_is_made(app: Flask, pool: FakePool) -> None:
    Cognises(app)

    client = app.test_client()

    assert client.get("/protected", headers=pool.bearer(["viewers"])).status_code == 200
    assert client.get("/admin", headers=pool.bearer(["viewers"])).status_code == 403
