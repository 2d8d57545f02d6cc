"""werkzeug's own redirects say nothing of the Host that the client wrote."""

from __future__ import annotations

import pytest
from flask import Flask, redirect
from werkzeug.routing import Rule

from cognises import login_check, public

REDIRECTS = {
    "/folder": "/folder/",
    "/folder?a=1&b=%20": "/folder/?a=1&b=%20",
    "/access//matrix": "/access/matrix",
    "/%20": "/%20/",
    "/old": "/folder/",
}


@pytest.mark.parametrize("path", REDIRECTS, ids=range(len(REDIRECTS)))
@pytest.mark.parametrize("script_root", ["", "/svc"])
def test_a_redirect_of_the_router_is_relative(path, script_root, make_app):
    def views(app: Flask) -> None:
        app.add_url_rule("/folder/", "folder", public(lambda: "folder"))
        app.add_url_rule("/access/matrix", "matrix", login_check(lambda: "matrix"))
        app.add_url_rule("/%20/", "blank", public(lambda: "blank"))
        app.add_url_rule("/ /", "space", public(lambda: "space"))
        app.url_map.add(Rule("/old", endpoint="old", redirect_to="folder/"))

    client = make_app(views).test_client()
    answer = client.get(path, base_url=f"http://evil.example{script_root}")

    assert answer.status_code == 308
    assert answer.headers["Location"] == f"{script_root}{REDIRECTS[path]}"
    assert "evil.example" not in answer.text


@pytest.mark.parametrize("path", ["//evil.example/x", "///evil.example", "/\\evil.example"])
def test_no_redirect_of_the_router_leads_to_another_host(path, make_app):
    def views(app: Flask) -> None:
        app.url_map.merge_slashes = False
        app.add_url_rule("/<path:anything>/", "anything", public(lambda anything: anything))

    answer = make_app(views).test_client().get(path)

    assert answer.status_code == 308
    assert not answer.headers["Location"].startswith(("//", "/\\"))
    assert answer.headers["Location"].startswith("/")


def test_a_redirect_of_the_app_is_its_own(make_app):
    def views(app: Flask) -> None:
        app.get("/out", endpoint="out")(public(lambda: redirect("https://other.example/x")))
        app.url_map.add(Rule("/moved", endpoint="m", redirect_to="https://other.example/y"))

    client = make_app(views).test_client()

    assert client.get("/out").headers["Location"] == "https://other.example/x"
    assert client.get("/moved").headers["Location"] == "https://other.example/y"
