"""The access page agrees with the answers of the routes, and executes no markup of users."""

from __future__ import annotations

import json
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask import Flask
from request_side import manifest

from app import create_app
from cognises import Cognises, login_check, permission_required, public
from cognises.access import Row, init_access_pages, report
from cognises.testing import AsGroup, FakePool, isolated
from cognises.web.routes import routes

GROUPS = ("admins", "editors", "viewers")


@pytest.fixture
def app() -> Flask:
    """The service that is generated, which has a layout and a style of its own."""
    return create_app(isolated())


class Page(HTMLParser):
    """The tags of a page, with their attributes; a wrong nesting is an error."""

    VOID = ("meta", "link", "input", "br", "hr", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


def shown(text: str) -> dict[tuple[str, str], bool]:
    """Route by route, whether the page shows it as open."""
    found = re.findall(
        r'<li class="route (open|closed)">.*?method-\w+">([A-Z]+)<.*?class="path"[^>]*>([^<]+)<',
        text,
        re.S,
    )
    return {(method, unescape(path)): word == "open" for word, method, path in found}


@pytest.mark.parametrize("group", GROUPS)
def test_the_page_agrees_with_the_answers_of_the_routes(group: str, as_group: AsGroup) -> None:
    client = as_group(group)
    on_page = shown(client.get("/access").text)
    assert len(on_page) > 8

    for (method, path), is_open in on_page.items():
        if path not in {"/login", "/callback", "/logout", "/session/refresh"}:
            status = client.open(path, method=method, json={}).status_code
            assert (status not in {401, 403}) == is_open, (method, path, status)


def test_every_route_of_the_url_map_is_on_the_page(app: Flask, as_group: AsGroup) -> None:
    on_page = shown(as_group("viewers").get("/access").text)

    assert set(on_page) == {
        (route.method, route.path)
        for route in routes(app)
        if route.endpoint not in ("static", "access.static")
    }


REQUIREMENTS = {
    "a scope": ({"scopes": "files/read"}, "a scope that the token does not have"),
    "an access token": ({"token_use": "access"}, "the other kind of token"),
    "another client": ({"client_ids": "another"}, "tokens of another client"),
    "another pool": (
        {"region": "eu-west-1", "pool_id": "eu-west-1_Other", "client_ids": "c"},
        "tokens of another kind",
    ),
}


@pytest.mark.parametrize(("required", "why"), REQUIREMENTS.values(), ids=REQUIREMENTS.keys())
def test_a_route_whose_token_requirements_are_not_met_is_not_shown_as_open(
    required: dict[str, str], why: str, app: Flask, as_group: AsGroup
) -> None:
    view = login_check(**required)(lambda response: "")
    app.add_url_rule("/more", "more", view)

    text = as_group("admins").get("/access").text

    assert shown(text)["GET", "/more"] is False
    assert why in text


def test_a_group_called_everybody_opens_nothing_to_everybody(as_group: AsGroup) -> None:
    row = Row("GET", "/x", "x", "x", ("everybody",), by_group=True)
    assert not row.is_public


def test_only_users_whose_groups_list_the_matrix_get_it(as_group: AsGroup) -> None:
    assert "<table>" in as_group("admins").get("/access").text
    assert "<table>" not in as_group("editors").get("/access").text
    assert as_group("editors").get("/access/matrix").status_code == 403


def test_the_matrix_as_json_names_every_group(as_group: AsGroup) -> None:
    found = as_group("admins").get("/access/matrix").json

    assert found["groups"] == ["admins", "editors", "viewers"]
    assert {"method": "PUT", "path": "/data", "function": "update_data",
            "open_to": ["admins", "editors"]} in found["routes"]  # fmt: skip


def test_markup_in_an_email_a_group_or_a_docstring_is_shown_as_text(
    app: Flask, as_group: AsGroup
) -> None:
    def odd() -> str:
        return ""

    odd.__doc__ = "<script>alert(1)</script>"
    app.add_url_rule("/odd", view_func=permission_required(odd))

    text = as_group("viewers", "<i>g</i>", email='"><script>alert(2)</script>').get("/access").text

    assert "<script>alert" not in text
    assert "<i>g" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "&lt;script&gt;alert(2)" in text


@pytest.mark.parametrize("path", ["/", "/access", "/nowhere"])
def test_a_page_is_well_formed_and_holds_nothing_inline_or_from_elsewhere(
    path: str, as_group: AsGroup
) -> None:
    text = as_group("admins").get(path, headers={"Accept": "text/html"}).text

    for tag, attributes in Page(text).tags:
        assert tag != "style"
        assert tag != "script" or (attributes.get("src") or "").startswith(
            ("/static/", "/access/static/")
        )
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("src", "href", "action"):
            assert (attributes.get(name) or "/").startswith(("/", "#"))


@pytest.mark.parametrize("path", ["/", "/nowhere", "/admin"])
def test_every_page_offers_sign_out_to_signed_in_users_only(
    path: str, app: Flask, pool: FakePool
) -> None:
    app.config.update(
        COGNITO_DOMAIN="https://login.example.org", COGNISES_PUBLIC_URL="https://localhost"
    )
    pool.attach(app)
    browser = app.test_client()
    without = browser.get(path, headers={"Accept": "text/html"})
    browser.set_cookie("token_cookie", pool.token(["viewers"]))
    signed_in = browser.get(path, headers={"Accept": "text/html"})

    assert "Sign out" not in without.text
    assert "Sign out" in signed_in.text
    assert "session.js" in signed_in.text
    assert ">Sign in<" not in signed_in.text
    assert signed_in.headers["Cache-Control"] == "private, no-store"
    assert "Cookie" in signed_in.headers["Vary"]


def test_the_script_of_the_page_is_served_without_a_token(app: Flask, pool: FakePool) -> None:
    client = app.test_client()
    page = client.get("/access", headers=pool.bearer(["viewers"])).text
    (address,) = re.findall(r'<script src="(/access/[^"]+)"', page)

    assert client.get(address).mimetype == "text/javascript"
    assert client.get("/access/static/../pages.py").status_code == 404


@pytest.fixture
def bare(tmp_path: Path) -> Flask:
    """An app without templates and without a style."""
    app = Flask("bare", root_path=str(tmp_path))
    app.config.update(isolated())
    groups = manifest(readers=["access"], owners=["access", "access_matrix"])
    (tmp_path / "groups.json").write_text(json.dumps(groups))
    app.add_url_rule("/", "home", public(lambda: "home"))
    init_access_pages(app)
    Cognises(app)
    FakePool().attach(app)
    return app


def test_an_app_without_a_layout_has_the_page_too(bare: Flask) -> None:
    pool = FakePool().attach(bare)
    answers = {
        group: bare.test_client().get("/access", headers=pool.bearer([group]))
        for group in ("readers", "owners", "others")
    }

    assert {group: answer.status_code for group, answer in answers.items()} == {
        "readers": 200,
        "owners": 200,
        "others": 403,
    }
    assert "<table>" in answers["owners"].text
    assert Page(answers["readers"].text).tags[0][0] == "html"
    assert "stylesheet" not in answers["readers"].text
    assert report(bare).problems == ()
