"""Who may call which route, as you intend it. Yours to edit.

test_routes.py follows groups.json wherever it goes. This table does not: it fails when an edit
of groups.json or of a guard opens or closes a route that is listed here. List the routes for which
that must not happen unnoticed. A row is: method, path, and the groups that may call it, or PUBLIC.
"""

from __future__ import annotations

import json

import pytest
from flask import Flask

from cognises import settings_of
from cognises.testing import AsGroup

PUBLIC = None
INTENT = [
    ("GET", "/", PUBLIC),
    ("GET", "/health", PUBLIC),
    ("GET", "/access", {"admins", "editors", "viewers"}),
    ("GET", "/access/matrix", {"admins"}),
    ("GET", "/protected", {"admins", "editors", "viewers"}),
    ("GET", "/admin", {"admins"}),
    ("GET", "/data", {"admins", "editors", "viewers"}),
    ("PUT", "/data", {"admins", "editors"}),
]


@pytest.fixture
def app(shared_app: Flask) -> Flask:
    """These tests change nothing in the app."""
    return shared_app


@pytest.mark.parametrize(("method", "path", "groups"), INTENT)
def test_a_route_answers_200_to_the_groups_intended_and_403_to_all_others(
    method: str, path: str, groups: set[str] | None, app: Flask, as_group: AsGroup
) -> None:
    manifest = json.loads(settings_of(app).groups_file.read_text(encoding="utf-8"))
    names = {group["group_name"] for group in manifest}
    expected = {name: 200 if groups is PUBLIC or name in groups else 403 for name in names}

    statuses = {
        name: as_group(name).open(path, method=method, json={}).status_code for name in names
    }

    assert statuses == expected
    assert groups is PUBLIC or groups <= names
