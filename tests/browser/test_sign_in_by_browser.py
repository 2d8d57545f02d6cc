"""People in a real browser: they sign in, see what is theirs, and leave. Attackers do not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from steps import PEOPLE, expectation, pick, press, sign_in

from app import create_app
from cognises.manifest import load_groups
from cognises.settings.sources import PROJECT_FOLDER
from local_aws import demo


@pytest.mark.parametrize("group", ["admins", "editors", "viewers"])
def test_every_button_answers_what_the_manifest_says(page: Any, service: str, group: str):
    manifest = {each.name: each for each in load_groups(PROJECT_FOLDER / "groups.json")}
    app = create_app({"TESTING": True})
    sign_in(page, service, group)

    for route in demo.callable_routes(app)[0]:
        status = press(page, route.method, route.path)
        said = expectation(app, route, manifest[group])
        assert (status == 403) == (said == "403"), f"{route.method} {route.path}: {status}"
        assert status in {200, 400, 403}
        listed = page.locator("li.route", has=page.locator(f'form[data-path="{route.path}"]'))
        row = listed.filter(has=page.locator(f'form[data-method="{route.method}"]'))
        assert ("open to me" in row.inner_text()) == (said == "open")


def test_only_those_allowed_see_the_whole_matrix(page: Any, service: str):
    sign_in(page, service, "editors")
    assert page.get_by_role("heading", name="Who may call what").count() == 0

    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{service}/")
    sign_in(page, service, "admins")

    cells = page.get_by_role("table").get_by_role("row").filter(has_text="/access/matrix")
    assert cells.get_by_role("cell").all_inner_texts() == ["yes", "no", "no"]


def test_a_user_in_no_group_reads_that_the_page_is_not_open(page: Any, service: str):
    page.goto(f"{service}/access")
    pick(page, None)
    page.wait_for_url(f"{service}/access")

    assert page.get_by_role("heading", name="This page is not open to you").is_visible()
    page.get_by_role("button", name="Sign in as another user").click()
    page.wait_for_url(f"{service}/")
    assert page.get_by_role("link", name="Sign in").is_visible()


def test_who_opens_a_guarded_page_comes_back_to_it_after_signing_in(page: Any, service: str):
    page.goto(f"{service}/data?page=2")
    assert page.get_by_role("heading", name="Sign in as").is_visible()
    pick(page, "viewers")
    page.wait_for_url(f"{service}/data?page=2")

    assert "Shared files" in page.inner_text("body")


def test_after_signing_out_nothing_is_shown_not_even_by_the_back_button(page: Any, service: str):
    sign_in(page, service, "editors")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{service}/")

    page.go_back()

    assert page.get_by_role("heading", name="Sign in as").is_visible()
    assert page.get_by_role("heading", name="Who I am").count() == 0
    page.goto(f"{service}/access")
    assert page.get_by_role("heading", name="Sign in as").is_visible()
    kept = {cookie["name"] for cookie in page.context.cookies(service)}
    assert not kept & {"token_cookie", "refresh"}


def test_tokens_are_out_of_the_reach_of_scripts(page: Any, service: str):
    sign_in(page, service, "editors")

    assert page.evaluate("document.cookie") == ""
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert stored == "[{},{}]"
    kept = {cookie["name"]: cookie for cookie in page.context.cookies(service)}
    assert {"token_cookie", "refresh"} <= set(kept)
    for name in ("token_cookie", "refresh"):
        assert kept[name]["httpOnly"]
        assert kept[name]["sameSite"] == "Lax"


def test_a_state_of_another_attempt_starts_no_session(page: Any, service: str):
    page.goto(f"{service}/access")
    page.evaluate("document.querySelector('input[name=state]').value = 'somebody-elses'")
    pick(page, "editors")

    assert page.get_by_role("heading", name="This sign-in cannot be finished").is_visible()
    assert "token_cookie" not in {cookie["name"] for cookie in page.context.cookies()}


def test_a_nonce_of_another_attempt_starts_no_session(page: Any, service: str):
    page.goto(f"{service}/access")
    page.evaluate("document.querySelector('input[name=nonce]').value = 'somebody-elses'")
    pick(page, "editors")

    assert page.get_by_role("heading", name="This sign-in cannot be finished").is_visible()
    assert "token_cookie" not in {cookie["name"] for cookie in page.context.cookies()}


def test_a_callback_that_was_used_is_not_used_again(page: Any, service: str):
    seen: list[str] = []
    page.on("request", lambda request: "/callback?" in request.url and seen.append(request.url))
    sign_in(page, service, "editors")
    page.goto(seen[0])
    page.wait_for_url(f"{service}/")  # a signed-in user continues
    page.context.clear_cookies()
    page.goto(seen[0])

    assert page.get_by_role("heading", name="This sign-in cannot be finished").is_visible()


def test_a_cancelled_sign_in_is_reported_and_can_be_repeated(page: Any, service: str):
    page.goto(f"{service}/access")
    page.get_by_role("button", name="Cancel").click()

    assert page.get_by_role("heading", name="You were not signed in").is_visible()
    page.get_by_role("link", name="Sign in again").click()
    pick(page, "viewers")
    page.wait_for_url(f"{service}/access")


def test_where_a_script_may_not_sign_out_the_form_does(page: Any, service: str):
    sign_in(page, service, "editors")
    refused = {"status": 403, "json": {"status": 403, "reason": "cross_site_request"}}
    page.route(
        "**/logout",
        lambda route: route.continue_() if route.request.is_navigation_request()
        else route.fulfill(**refused),
    )  # fmt: skip
    page.get_by_role("button", name="Sign out").click()

    page.wait_for_url(f"{service}/")
    assert "token_cookie" not in {cookie["name"] for cookie in page.context.cookies()}


@pytest.fixture
def elsewhere(service: str) -> Iterator[str]:
    """Another site's page, with forms that act on the service."""
    forms = "".join(
        f'<form method="post" action="{service}{path}"><button>{path}</button></form>'
        for path in ("/logout", "/session/refresh", "/data")
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            if self.path == "/":
                self.wfile.write(f"<html><body>{forms}</body></html>".encode())

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("path", ["/logout", "/session/refresh"])
def test_forms_of_another_site_do_nothing(page: Any, service: str, elsewhere: str, path: str):
    sign_in(page, service, "editors")
    page.goto(elsewhere)
    with page.expect_navigation() as moved:
        page.get_by_role("button", name=path).click()

    assert moved.value.status == 403
    page.goto(f"{service}/access")
    assert page.get_by_text(PEOPLE["editors"]).first.is_visible()


def test_a_session_goes_on_by_its_refresh_token(page: Any, service: str):
    sign_in(page, service, "editors")
    before = {cookie["name"]: cookie["value"] for cookie in page.context.cookies(service)}
    page.wait_for_timeout(1100)  # tokens count in seconds
    status = page.evaluate("fetch('/session/refresh', {method: 'POST'}).then(a => a.status)")
    after = {cookie["name"]: cookie["value"] for cookie in page.context.cookies(service)}

    assert status == 200
    assert after["token_cookie"] != before["token_cookie"]
    assert after["refresh"] == before["refresh"]


def forget(page: Any, name: str) -> None:
    """Let the browser lose one cookie."""
    page.context.clear_cookies(name=name)


def test_a_lost_token_is_renewed_without_a_click(page: Any, service: str):
    sign_in(page, service, "editors")
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url))
    forget(page, "token_cookie")
    page.goto(f"{service}/access")

    assert page.get_by_role("heading", name="Who I am").is_visible()
    assert all(url.startswith(service) for url in seen)
    assert "token_cookie" in {cookie["name"] for cookie in page.context.cookies(service)}


def calls_of(page: Any, service: str) -> list[str]:
    """What the page requests of the service from now on, its static files apart."""
    calls: list[str] = []

    def note(request: Any) -> None:
        path = request.url.removeprefix(service)
        if "/static/" not in path:
            calls.append(path)

    page.on("request", note)
    return calls


def test_a_script_renews_the_session_after_a_401_and_repeats_its_call_once(page: Any, service: str):
    sign_in(page, service, "viewers")
    forget(page, "token_cookie")
    calls = calls_of(page, service)

    both = "Promise.all([sessionFetch('/data'), sessionFetch('/protected')])"
    statuses = page.evaluate(f"{both}.then(all => all.map(each => each.status))")

    assert statuses == [200, 200]
    assert calls.count("/session/refresh") == 1
    assert calls.count("/data") == 2


def test_a_script_may_pass_a_request_whose_body_is_sent_again(page: Any, service: str):
    sign_in(page, service, "viewers")
    forget(page, "token_cookie")
    calls = calls_of(page, service)

    body = "{method: 'POST', body: new URLSearchParams({text: 'this'})}"
    call = f"sessionFetch(new Request('/form', {body})).then(answer => answer.text())"

    assert page.evaluate(call) == "saved this"
    assert calls == ["/form", "/session/refresh", "/form"]


def test_a_script_without_a_session_gets_its_401_once(page: Any, service: str):
    page.goto(service)
    calls = calls_of(page, service)

    assert page.evaluate("sessionFetch('/data').then(answer => answer.status)") == 401
    assert calls == ["/data", "/session/refresh"]


def test_a_form_that_was_sent_too_late_is_sent_again_after_a_reload(page: Any, service: str):
    sign_in(page, service, "viewers")
    page.goto(f"{service}/form")
    page.get_by_role("textbox").fill("what I wrote")
    forget(page, "token_cookie")
    page.get_by_role("button", name="Save").click()
    assert page.get_by_role("heading", name="Nothing was saved yet").is_visible()
    assert "has been renewed" in page.inner_text("main")

    page.reload()

    assert page.inner_text("body") == "saved what I wrote"
