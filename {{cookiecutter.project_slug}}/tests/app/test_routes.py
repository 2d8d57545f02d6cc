"""Every route of the app, called for every group of groups.json, and without a token.

Nothing here names a route or a group: a new one is tested as soon as it exists.
"""

from __future__ import annotations

import json

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from cognises import settings_of
from cognises.access import Row, report
from cognises.testing import AsGroup, isolated

_app = create_app(isolated())
MANIFEST = json.loads(settings_of(_app).groups_file.read_text(encoding="utf-8"))
WEBSOCKETS = {(rule.rule, rule.endpoint) for rule in _app.url_map.iter_rules() if rule.websocket}
ROWS = [
    row
    for row in report(_app).rows
    if "<" not in row.path and row.endpoint.split(".")[0] not in ("static", "signin")
    if (row.path, row.endpoint) not in WEBSOCKETS  # no client of tests opens one
]

every_route = pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.path}")
every_group = pytest.mark.parametrize("group", MANIFEST, ids=lambda group: group["group_name"])


@pytest.fixture
def app(shared_app: Flask) -> Flask:
    """These tests change nothing in the app."""
    return shared_app


def is_listed(row: Row, group: dict[str, list[str]]) -> bool:
    """Whether a group's list has the route: by each function, endpoint, blueprint, or `*`."""
    blueprints = row.endpoint.split(".")[:-1]
    entries = {".".join(blueprints[: end + 1]) + ".*" for end in range(len(blueprints))}
    every = {"*", row.endpoint, *entries}
    return all({name, *every} & set(group["allowed_functions"]) for name in row.names)


@every_route
@every_group
def test_a_route_is_open_to_the_groups_that_list_it_and_to_no_other(
    row: Row, group: dict[str, list[str]], as_group: AsGroup
) -> None:
    status = as_group(group["group_name"]).open(row.path, method=row.method, json={}).status_code

    if row.needs and not is_listed(row, group):
        assert status == 403
    else:
        assert status not in (401, 403)


@every_route
def test_a_route_refuses_requests_without_a_token_and_users_in_no_group_unless_it_needs_neither(
    row: Row, client: FlaskClient, as_group: AsGroup
) -> None:
    without_token, in_no_group = (
        each.open(row.path, method=row.method, json={}).status_code for each in (client, as_group())
    )

    if row.is_public:
        assert without_token not in (401, 403)
    else:
        assert without_token == 401
    if row.needs:
        assert in_no_group == 403
    else:
        assert in_no_group not in (401, 403)


def test_routes_and_groups_json_agree(app: Flask) -> None:
    """Every route is public or guarded, open to a group, and every listed function exists."""
    assert report(app).problems == ()
