"""Every route by every group: this table is the contract of groups.json. Yours to extend."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cognises.testing import FakePool
from cognises.testing.fixtures import AsGroup

EVERYBODY = ("admins", "editors", "viewers")

# method, path, the groups that may, and whether nobody in particular may, too
ROUTES = [
    ("GET", "/", EVERYBODY, True),
    ("GET", "/health", EVERYBODY, True),
    ("GET", "/ready", EVERYBODY, True),
    ("GET", "/access", EVERYBODY, False),
    ("GET", "/access/matrix", ("admins",), False),
    ("GET", "/protected", EVERYBODY, False),
    ("GET", "/admin", ("admins",), False),
    ("GET", "/data", EVERYBODY, False),
    ("PUT", "/data", ("admins", "editors"), False),
]

every_route = pytest.mark.parametrize(("method", "path", "groups", "is_public"), ROUTES)


@every_route
@pytest.mark.parametrize("group", EVERYBODY)
def test_a_route_answers_its_groups_and_no_other(
    method: str, path: str, groups: tuple[str, ...], is_public: bool, group: str, as_group: AsGroup
) -> None:
    answer = as_group(group).open(path, method=method, json={"greeting": "hello"})

    assert answer.status_code == (200 if group in groups else 403)


@every_route
def test_a_route_asks_a_stranger_to_sign_in_unless_it_is_public(
    method: str, path: str, groups: tuple[str, ...], is_public: bool, client: FlaskClient
) -> None:
    answer = client.open(path, method=method, json={})

    assert answer.status_code == (200 if is_public else 401)


@every_route
def test_a_user_in_no_group_gets_no_further_than_a_stranger(
    method: str, path: str, groups: tuple[str, ...], is_public: bool, as_group: AsGroup
) -> None:
    answer = as_group().open(path, method=method, json={})

    assert answer.status_code == (200 if is_public else 403)


def test_the_protected_page_tells_who_i_am(as_group: AsGroup) -> None:
    answer = as_group("viewers", email="ada@example.org").get("/protected")

    assert answer.json == {"user": "ada@example.org", "groups": ["viewers"]}


def test_the_admin_page_tells_the_name_of_the_admin(as_group: AsGroup) -> None:
    assert as_group("admins").get("/admin").json == {"admin": "ada"}


def test_an_editor_changes_what_a_viewer_reads(as_group: AsGroup) -> None:
    as_group("editors").put("/data", json={"greeting": "good evening"})

    assert as_group("viewers").get("/data").json["greeting"] == "good evening"
    as_group("editors").put("/data", json={"greeting": "hello"})


@pytest.mark.parametrize("body", ["[]", '"text"', "1", "null", "{"])
def test_data_that_is_no_object_is_a_bad_request(body: str, as_group: AsGroup) -> None:
    answer = as_group("editors").put("/data", data=body, content_type="application/json")

    assert answer.status_code == 400


def test_the_front_page_has_the_projects_name_in_it(app: Flask, pool: FakePool) -> None:
    app.config["PROJECT_NAME"] = "<b>Name</b>"

    page = app.test_client().get("/").text

    assert "&lt;b&gt;Name&lt;/b&gt;" in page
    assert "<b>Name" not in page


def test_the_table_above_covers_the_whole_url_map(app: Flask) -> None:
    covered = {(method, path) for method, path, *_ in ROUTES}

    assert covered == {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint != "static" and not rule.endpoint.startswith("signin.")
    }
