"""Tokens of up to 12 KB live in up to four cookies."""

from __future__ import annotations

import pytest
from token_endpoint import HTML, SAME, begin, cookie_names, signed_in
from werkzeug.datastructures import MultiDict

from cognises import CognisesError
from cognises.web.credentials import MAX_TOKEN_IN_COOKIES, join_token, split_token

NAME = "__Host-token"


@pytest.mark.parametrize("size", [1, 4000, 4020, 4021, 4030, 8000, 8100, 12000, 12288])
def test_pieces_join_to_the_token_and_each_fits_a_cookie(size):
    token = ("eyJhbGciOiJSUzI1NiJ9." * 1000)[:size]
    pieces = split_token(NAME, token)

    assert pieces is not None
    assert join_token(MultiDict(pieces), NAME) == token
    assert len(pieces) <= 4
    for name, value in pieces.items():
        assert name.startswith(NAME)
        attributes = "=; Secure; HttpOnly; Path=/; SameSite=Lax"
        assert len(name) + len(value) + len(attributes) <= 4096


def test_above_12_kb_there_are_no_pieces():
    assert split_token(NAME, "x" * (MAX_TOKEN_IN_COOKIES + 1)) is None


BROKEN = {
    "a missing second": {"t": "2:a"},
    "a missing third": {"t": "3:a", "t-2": "b"},
    "a missing second of three": {"t": "3:a", "t-3": "c"},
    "a missing first": {"t-2": "b"},
    "a surplus piece": {"t": "2:a", "t-2": "b", "t-3": "c"},
    "a surplus piece of one": {"t": "a", "t-2": "b"},
    "a number that cannot be": {"t": "5:a", "t-2": "b", "t-3": "c", "t-4": "d"},
    "a zero": {"t": "0:a", "t-2": "b"},
    "another digit": {"t": "\u0662:a", "t-2": "b"},
}


@pytest.mark.parametrize("cookies", BROKEN.values(), ids=BROKEN)
def test_a_missing_or_surplus_piece_is_no_credential(cookies):
    found = join_token(MultiDict(cookies), "t")

    assert found is None or ":" in found  # which no token holds


@pytest.mark.parametrize("name", ["t", "t-2", "t-3"])
def test_a_doubled_piece_is_refused(name):
    cookies = MultiDict([("t", "2:a"), ("t-2", "b"), (name, "x"), (name, "x")])

    with pytest.raises(CognisesError) as caught:
        join_token(cookies, "t")
    assert caught.value.reason == "invalid_request"


@pytest.fixture
def large(browser, endpoint):
    """A browser that has signed in with a token of 10 KB."""
    endpoint.extra = {"custom:note": "n" * 7000}
    signed_in(browser, endpoint)
    return browser


def test_a_user_with_a_10_kb_token_signs_in_works_and_signs_out(large):
    token = join_token(MultiDict({c.key: c.value for c in large._cookies.values()}), "token_cookie")
    assert len(token or "") > 9500
    assert cookie_names(large) == {"token_cookie", "token_cookie-2", "token_cookie-3", "refresh"}
    assert large.get("/page", headers=HTML).text == "page of sub-of-ada"
    assert large.post("/change", headers=SAME).text == "changed"
    assert large.post("/session/refresh", headers=SAME).status_code == 303
    assert (
        large.post("/change", headers={**HTML, "Sec-Fetch-Site": "cross-site"}).status_code == 403
    )

    large.post("/logout", headers=SAME)

    assert cookie_names(large) == set()


def test_a_token_that_shrinks_leaves_no_piece_behind(large, endpoint):
    endpoint.extra = {}

    assert large.post("/session/refresh", headers=SAME).status_code == 303
    assert cookie_names(large) == {"token_cookie", "refresh"}
    assert large.get("/page", headers=HTML).status_code == 200


def test_a_lost_piece_is_renewed(large, endpoint):
    large.delete_cookie("token_cookie-2")

    assert large.get("/page", headers=HTML).status_code == 200
    assert cookie_names(large) == {"token_cookie", "token_cookie-2", "token_cookie-3", "refresh"}


def test_a_large_token_is_renewed_when_it_has_expired(large, endpoint, cognito):
    old = cognito.token(["editors"], sub=endpoint.sub, exp=1, **{"custom:note": "n" * 7000})
    for name, value in (split_token("token_cookie", old) or {}).items():
        large.set_cookie(name, value)

    assert large.get("/page", headers=HTML).status_code == 200


def test_a_refresh_token_too_large_for_a_cookie_gets_a_page_and_no_loop(browser, endpoint):
    state = begin(browser, endpoint)["state"]
    endpoint.change = lambda body: (200, {**body, "refresh_token": "r" * 5000})

    answer = browser.get(f"/callback?code=c&state={state}", headers=HTML)

    assert answer.status_code == 500
    assert cookie_names(browser) == set()


def test_a_page_view_that_renews_a_token_that_shrinks_leaves_no_piece_behind(
    large, endpoint, cognito
):
    endpoint.extra = {}
    expired = cognito.token(["editors"], sub=endpoint.sub, exp=1, **{"custom:note": "n" * 7000})
    for name, value in (split_token("token_cookie", expired) or {}).items():
        large.set_cookie(name, value)
    endpoint.forms.clear()

    assert large.get("/page", headers=HTML).status_code == 200
    assert cookie_names(large) == {"token_cookie", "refresh"}
    assert large.get("/page", headers=HTML).status_code == 200
    assert len(endpoint.forms) == 1
