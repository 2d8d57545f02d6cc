"""Two tabs of one browser at a service of two workers, while tokens end every two seconds.

The app client has a secret, refresh tokens rotate, and the service lives below a path. The short
form ends after some renewals; `make browse` goes on for ten minutes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from deployed import LIFETIME, WORKER, Deployed, deployed, until_every_worker
from steps import PEOPLE, pick

HTML = {"Accept": "text/html"}
VIEWER = PEOPLE["viewers"]
PAGES = ("/protected", "/access")
RENEWALS = 8
PAUSE = 500  # milliseconds: people look at pages
TEN_MINUTES = 600.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, chrome: Any) -> Iterator[Deployed]:
    with deployed(tmp_path_factory.mktemp("deployed")) as running:
        yield running


class Watched:
    """What the tabs of a browser ask for and are answered."""

    def __init__(self, context: Any, address: str) -> None:
        self.address = address
        self.elsewhere: list[str] = []
        self.failures: list[str] = []
        self.workers: set[str] = set()
        context.on("response", self._note)

    def _note(self, response: Any) -> None:
        if not response.url.startswith(self.address) or "/login" in response.url:
            self.elsewhere.append(response.url.partition("?")[0])
        self.workers |= {response.headers.get(WORKER.lower(), "")} - {""}
        if response.status >= 400:
            self.failures.append(f"{response.status} {response.url}")


def sign_in(page: Any, address: str, group: str = "viewers") -> None:
    page.goto(f"{address}/protected")
    pick(page, group)
    page.wait_for_url(f"{address}/protected")


def token(page: Any) -> str:
    return str(next(c["value"] for c in page.context.cookies() if c["name"] == "token_cookie"))


def open_both(tabs: list[Any], addresses: list[str]) -> list[int]:
    """Open a page in each of two tabs at the same moment; their statuses."""
    first, second = tabs
    with first.expect_navigation() as one, second.expect_navigation() as other:
        for tab, address in zip(tabs, addresses, strict=True):
            tab.evaluate("address => { setTimeout(() => { location = address; }) }", address)
    return [one.value.status, other.value.status]


def browse(page: Any, running: Deployed, is_over: Any) -> Watched:
    """Open pages in two tabs at once until `is_over(renewals)`."""
    sign_in(page, running.address)
    tabs = [page, page.context.new_page()]
    watched, held = Watched(page.context, running.address), {token(page)}
    number = 0
    while not is_over(len(held) - 1):
        number += 1
        addresses = [running.address + PAGES[(number + shift) % len(PAGES)] for shift in (0, 1)]
        assert open_both(tabs, addresses) == [200, 200], addresses
        assert [tab.url for tab in tabs] == addresses
        held.add(token(page))
        page.wait_for_timeout(PAUSE)
    return watched


def test_two_tabs_navigate_while_tokens_end_and_refresh_tokens_rotate(page: Any, running: Deployed):
    watched = browse(page, running, lambda renewals: renewals >= RENEWALS)

    assert (watched.elsewhere, watched.failures) == ([], [])
    assert len(watched.workers) == 2


@pytest.mark.ten_minutes
def test_two_tabs_navigate_for_ten_minutes(page: Any, running: Deployed):
    end, seen = time.monotonic() + TEN_MINUTES, [0]

    def is_over(renewals: int) -> bool:
        seen[0] = renewals
        return time.monotonic() > end

    watched = browse(page, running, is_over)

    assert (watched.elsewhere, watched.failures) == ([], [])
    assert seen[0] > TEN_MINUTES / LIFETIME / 2
    print(f"{seen[0]} renewals")


def test_a_group_change_applies_to_the_next_page_after_the_tokens_lifetime(
    page: Any, running: Deployed
):
    sign_in(page, running.address, "editors")
    watched = Watched(page.context, running.address)
    assert page.goto(f"{running.address}/admin").status == 403

    running.add(PEOPLE["editors"], "admins")
    page.wait_for_timeout(1000 * LIFETIME)
    assert page.goto(f"{running.address}/admin").status == 200

    running.remove(PEOPLE["editors"], "admins")
    page.wait_for_timeout(1000 * LIFETIME)
    assert page.goto(f"{running.address}/admin").status == 403
    assert watched.elsewhere == []


def test_who_leaves_a_group_is_refused_by_every_worker_within_the_tokens_lifetime(
    page: Any, running: Deployed
):
    sign_in(page, running.address)
    page.wait_for_timeout(1000 * LIFETIME)
    page.goto(f"{running.address}/protected")  # a token that has its whole life before it
    cookies = {each["name"]: each["value"] for each in page.context.cookies()}

    def ask(path: str, headers: dict[str, str]) -> requests.Response:
        address = running.address + path
        # A connection of its own each time: whichever worker is free takes it.
        return requests.get(address, headers=headers, cookies=cookies, timeout=10)

    before = until_every_worker(lambda: ask("/protected", {}))
    running.remove(VIEWER, "viewers")
    try:
        page.wait_for_timeout(1000 * LIFETIME)
        browsers = until_every_worker(lambda: ask("/protected", HTML))
        programs = until_every_worker(lambda: ask("/protected", {}))
    finally:
        running.add(VIEWER, "viewers")

    assert {answer.status_code for answer in before.values()} == {200}
    assert {answer.status_code for answer in browsers.values()} == {403}
    assert {answer.json()["reason"] for answer in programs.values()} == {"token_expired"}
    assert before.keys() == browsers.keys() == programs.keys()


def test_a_user_with_a_10_kb_token_signs_in_works_and_signs_out(page: Any, running: Deployed):
    running.make_token_large(PEOPLE["admins"])
    sign_in(page, running.address, "admins")

    kept = {each["name"]: each["value"] for each in page.context.cookies()}
    pieces = [value for name, value in kept.items() if name.startswith("token_cookie")]
    assert sum(map(len, pieces)) > 10_000
    assert {"token_cookie", "token_cookie-2", "token_cookie-3", "refresh-orders"} <= kept.keys()
    page.wait_for_timeout(1000 * LIFETIME)
    assert page.goto(f"{running.address}/admin").status == 200
    assert page.evaluate("sessionFetch('protected').then(answer => answer.status)") == 200

    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{running.address}/")
    left = {each["name"] for each in page.context.cookies()}
    assert not {name for name in left if name.startswith(("token_cookie", "refresh"))}
