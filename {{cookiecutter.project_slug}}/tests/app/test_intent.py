"""Who may call which route, as you intend it. Yours to edit.

test_routes.py follows groups.json wherever it goes. This table does not: it fails when an edit
of groups.json or of a guard opens or closes a route that is listed here. List the routes for which
that must not happen unnoticed. A row is: method, path, and the groups that may call it; PUBLIC
where no token is needed. A route behind `login_check` alone is open to all groups and to NO_GROUP,
the users in no group. The path of a route with a variable is a concrete one: `/orders/7` for
`/orders/<int:number>`.
"""

from __future__ import annotations

import json

import pytest
from flask import Flask

from cognises import settings_of
from cognises.testing import AsGroup

PUBLIC, NO_GROUP = None, ""
INTENT = [
    ("GET", "/", PUBLIC),
    ("GET", "/health", PUBLIC),
    ("GET", "/access", {"admins", "editors", "viewers"}),
    ("GET", "/access/matrix", {"admins"}),
    ("GET", "/openapi.json", {"admins", "editors", "viewers"}),
    ("GET", "/protected", {"admins", "editors", "viewers"}),
    ("GET", "/admin", {"admins"}),
    ("POST", "/admin/change", {"admins"}),
    ("GET", "/data", {"admins", "editors", "viewers"}),
    ("PUT", "/data", {"admins", "editors"}),
    ("POST", "/data", {"admins", "editors"}),
]
ACCESS_TOKENS: list[str] = []  # the paths of routes that accept them; all others take ID tokens


@pytest.fixture
def app(shared_app: Flask) -> Flask:
    """These tests change nothing in the app."""
    return shared_app


@pytest.mark.parametrize(("method", "path", "groups"), INTENT)
def test_a_route_admits_the_groups_intended_and_answers_403_to_all_others(
    method: str, path: str, groups: set[str] | None, app: Flask, as_group: AsGroup
) -> None:
    manifest = json.loads(settings_of(app).groups_file.read_text(encoding="utf-8"))
    names = {NO_GROUP, *(group["group_name"] for group in manifest)}
    intended = names if groups is PUBLIC else groups
    statuses = {
        name: as_group(*filter(None, [name])).open(path, method=method, json={}).status_code
        for name in names
    }
    refused = {name: status for name, status in statuses.items() if status in (401, 403)}
    without_token = app.test_client().open(path, method=method, json={}).status_code

    # What an admitted request gets beyond that is up to the view: 200, 201, 400, 404, 409.
    assert refused == dict.fromkeys(names - intended, 403)
    assert (without_token == 401) == (groups is not PUBLIC)
    assert max(statuses.values()) < 500
    assert intended <= names


def test_every_row_names_a_route_of_the_app(app: Flask) -> None:
    unknown = []
    for method, path, _ in INTENT:
        with app.test_request_context(path, method=method) as context:
            if context.request.routing_exception is not None:
                unknown.append(f"{method} {path}")

    assert unknown == []


def test_access_tokens_are_accepted_where_intended(as_group: AsGroup) -> None:
    client = as_group("admins", token_use="access")
    guarded = [row for row in INTENT if row[2] is not PUBLIC]
    answers = [(path, client.open(path, method=method, json={})) for method, path, _ in guarded]

    accepted = [path for path, answer in answers if answer.status_code != 401]
    assert accepted == [path for path, _ in answers if path in ACCESS_TOKENS]
