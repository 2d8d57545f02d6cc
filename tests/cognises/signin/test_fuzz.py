"""Whatever a browser sends to the addresses of sign-in: no 5xx, no open redirect, no echo."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from token_endpoint import PUBLIC_URL, TokenEndpoint, begin, signed_in

MARK = "zqx7"
PATHS = ["/login", "/callback", "/logout", "/session/refresh"]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", MARK]
NAMES = ["next", "code", "state", "error", "error_description", "renewal", "identity_provider",
         "idp_identifier", "login_hint", "lang", "prompt", "iss", MARK]  # fmt: skip
COOKIES = ["token_cookie", "token_cookie-2", "token_cookie-4", "refresh", "signin-", "session"]
HEADERS: dict[str, list[str]] = {
    "Accept": ["text/html", "application/json", "*/*", "text/html;q=x", MARK],
    "Sec-Fetch-Site": ["same-origin", "cross-site", "none", MARK],
    "Sec-Fetch-Mode": ["navigate", "cors", MARK],
    "Origin": [PUBLIC_URL, "null", f"https://{MARK}.example", "http://[", MARK],
    "Authorization": ["Bearer x", "Bearer", "Basic eDp5", MARK, ""],
    "Referer": [f"https://{MARK}.example/", "http://["],
    "X-Forwarded-Prefix": ["/evil", "//evil.example"],
    "X-Original-URL": ["/closed"],
    "Content-Type": ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b",
                     "multipart/form-data", "application/json", MARK],
    "Content-Length": ["5", "0"],
    "Content-Encoding": ["gzip"],
    "Expect": ["100-continue"],
}  # fmt: skip
TEXTS = ["", "/page", "/page?a=1#b", "/closed", "/login", f"//{MARK}.example", f"/\\{MARK}.example",
         f"https:{MARK}.example", f"/%2f{MARK}.example", f"/page/../..//{MARK}.example", "refused",
         "access_denied", "none", f"<script>{MARK}</script>", "{{7*7}}", f"\r\nX-{MARK}: 1", "\x00",
         "é", "\ud7ff\U0010ffff", "%", "%ff%", f"javascript:{MARK}", "a.b.c", "4:a", "9" * 400,
         "=" * 9]  # fmt: skip
values = (
    st.sampled_from(TEXTS) | st.binary(max_size=40).map(quote_from_bytes) | st.text(max_size=40)
)
cookie_values = st.sampled_from(TEXTS) | st.text(
    st.characters(min_codepoint=32, max_codepoint=255), max_size=40
)
requests = st.fixed_dictionaries(
    {
        "path": st.sampled_from(PATHS),
        "method": st.sampled_from(["GET", "POST"]) | st.sampled_from(METHODS),
        "query": st.lists(st.tuples(st.sampled_from(NAMES), values), max_size=5),
        "raw": st.none() | st.binary(max_size=30),
        "form": st.none()
        | st.binary(max_size=60)
        | st.dictionaries(st.sampled_from(NAMES), values, max_size=3),
        "cookies": st.lists(st.tuples(st.sampled_from(COOKIES), cookie_values), max_size=4),
        "headers": st.fixed_dictionaries(
            {}, optional={name: st.sampled_from(given) for name, given in HEADERS.items()}
        ),
        "is_own": st.booleans(),  # with the cookies of a session and an attempt, and its state
    }
)


@pytest.fixture
def own(app: Flask, endpoint: TokenEndpoint) -> tuple[str, list[tuple[str, str]]]:
    """The state and the cookies of a browser that is signed in and signs in again."""
    browser = signed_in(app.test_client(), endpoint)
    state = begin(browser, endpoint)["state"]
    endpoint.change = lambda body: (400, {"error": "invalid_grant"})
    return state, [(cookie.key, cookie.value) for cookie in browser._cookies.values()]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=requests)
def test_nothing_that_is_sent_brings_about_a_5xx_an_open_redirect_or_an_echo(
    app: Flask, endpoint: TokenEndpoint, own: tuple[str, list[tuple[str, str]]], sent: Any
):
    state, cookies = own if sent["is_own"] else ("", [])
    query = [(name, state if name == "state" else value) for name, value in sent["query"]]
    pairs = "; ".join(f"{name}={value}" for name, value in (*cookies, *sent["cookies"]))
    cookie = pairs.encode().decode("latin-1").replace("\r\n", " ")

    answer = app.test_client(use_cookies=False).open(
        sent["path"],
        method=sent["method"],
        query_string=query if sent["raw"] is None else sent["raw"].decode("latin-1"),
        data=sent["form"],
        headers={"Cookie": cookie, "Sec-Fetch-Site": "same-origin"} | sent["headers"],
    )

    assert answer.status_code < 500
    assert MARK not in answer.text
    assert not [name for name, _ in answer.headers if MARK in name.lower()]
    target = answer.headers.get("Location", "/")
    assert target.startswith(("/", f"{endpoint.url}/oauth2/authorize?", f"{endpoint.url}/logout?"))
    assert not target.startswith(("//", "/\\"))
    assert sent["method"] != "TRACE" or answer.status_code == 405
