"""Browser sign-in against a token endpoint on loopback that signs with real keys."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import replace
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from token_endpoint import (
    HTML,
    PUBLIC_URL,
    SAME,
    TokenEndpoint,
    at_hash,
    begin,
    cookie_names,
    signed_in,
)

from cognises.signin import sign_in
from cognises.signin.cookies import Attempt
from cognises.signin.managed_login import SignInProblem, Tokens
from cognises.web.state import state_of


def test_login_asks_for_a_code_with_pkce_state_and_nonce(browser, endpoint, cognito):
    answer = browser.get("/login?next=/page")

    url = urlsplit(answer.location)
    sent = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert (f"{url.scheme}://{url.netloc}", url.path) == (endpoint.url, "/oauth2/authorize")
    assert sent["response_type"] == "code"
    assert sent["client_id"] == cognito.client_id
    assert sent["redirect_uri"] == f"{PUBLIC_URL}/callback"
    assert sent["code_challenge_method"] == "S256"
    assert len(sent["code_challenge"]) == 43
    assert set(sent["scope"].split()) == {"openid", "email", "profile"}
    assert len(sent["state"]) >= 43
    assert len(sent["nonce"]) >= 43
    assert sent["state"] != sent["nonce"]


def test_a_person_who_opens_a_guarded_page_signs_in_and_comes_back_to_it(browser, endpoint):
    away = browser.get("/search/a%20b?page=2&q=x%26y", headers=HTML)
    assert away.status_code == 302
    assert urlsplit(away.location).path == "/login"

    to_cognito = browser.get(away.location, headers=HTML)
    sent = {n: v[0] for n, v in parse_qs(urlsplit(to_cognito.location).query).items()}
    endpoint.nonce = sent["nonce"]
    back = browser.get("/callback", query_string={"code": "the-code", "state": sent["state"]})

    assert back.status_code == 302
    assert back.location == "/search/a%20b?page=2&q=x%26y"
    assert browser.get(back.location, headers=HTML).text == "a b"
    path, form = endpoint.forms[0]
    assert path == "/oauth2/token"
    assert form["grant_type"] == "authorization_code"
    assert form["code"] == "the-code"
    challenge = urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
    assert challenge.decode() == sent["code_challenge"]


def test_locally_a_sign_in_goes_on_at_the_host_whose_cookies_the_callback_will_see(app):
    browser = app.test_client()
    elsewhere = browser.get("http://127.0.0.1/login?next=/page", headers=HTML)
    assert elsewhere.headers["Location"] == f"{PUBLIC_URL}/login?next=/page"
    assert "Set-Cookie" not in elsewhere.headers


def test_tokens_live_in_httponly_lax_cookies_and_nowhere_else(browser, endpoint):
    sent = begin(browser, endpoint)
    answer = browser.get("/callback", query_string={"code": "c", "state": sent["state"]})

    cookies = answer.headers.getlist("Set-Cookie")
    assert all("HttpOnly" in cookie and "SameSite=Lax" in cookie for cookie in cookies)
    assert all("Path=/" in cookie and "Domain" not in cookie for cookie in cookies)
    assert cookie_names(browser) == {"token_cookie", "refresh"}
    assert "eyJ" not in answer.location
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_no_cache_keeps_an_answer_of_sign_in_where_decorators_alone_guard(tmp_path):
    app = Flask("service", root_path=str(tmp_path))
    sign_in(app)

    for path in ("/login", "/callback"):
        headers = app.test_client().get(path).headers
        assert headers["Cache-Control"] == "private, no-store"
        assert {"Authorization", "Cookie"} <= set(headers["Vary"].split(", "))


@pytest.mark.parametrize("token_cookie", ["__Host-token", "token_cookie", "__Secure-token"])
def test_on_https_every_cookie_has_the_host_prefix_and_is_secure(token_cookie, app, cognito):
    app.config.update(
        COGNISES_LOCAL="0",
        COGNISES_PUBLIC_URL="https://service.example.org",
        COGNITO_DOMAIN="https://login.example.org",
        COGNITO_COOKIE_NAME=token_cookie,
    )
    cognito.attach(app)

    answer = app.test_client().get("/login", base_url="https://service.example.org")

    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert cookie.startswith("__Host-signin-")
    assert "Secure" in cookie
    assert "Max-Age=600" in cookie


PROGRAMS = {
    "no Accept": {},
    "anything": {"Accept": "*/*"},
    "JSON": {"Accept": "application/json"},
    "JSON before HTML": {"Accept": "application/json, text/html;q=0.9"},
    "fetch from a page": {**HTML, "Sec-Fetch-Mode": "cors"},
}


@pytest.mark.parametrize("headers", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_a_program_gets_the_refusal_in_json(headers, browser):
    answer = browser.get("/page", headers=headers)

    assert answer.status_code == 401
    assert answer.json["reason"] == "missing_token"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "Accept" in answer.headers["Vary"]


def test_a_form_without_a_session_gets_a_page_that_says_how_to_continue(browser):
    answer = browser.post("/change", headers=SAME)

    assert answer.status_code == 401
    assert "Nothing was saved" in answer.text
    assert 'target="_blank"' in answer.text
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "Location" not in answer.headers


@pytest.mark.parametrize("headers", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_a_program_that_posts_without_a_session_gets_the_refusal_in_json(headers, browser):
    answer = browser.post("/change", headers=headers)

    assert answer.status_code == 401
    assert answer.json["reason"] == "missing_token"


FOREIGN = [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/%2Fevil.example",
    "/%5cevil.example",
    "/%2f%2fevil.example",
    "/page%0d%0aX: y",
    "/page\r\nSet-Cookie: a=b",
    "/\tevil.example",
    "/page\x00",
    " /page",
    "page",
    "javascript:alert(1)",
    "/nowhere",
    "/change",
    "/login",
    "/callback",
    "/search//evil.example",
    "/search/..",
    "/search/%2E%2e",
    "/static/../login",
    "/static/%2e/%2e%2e/logout",
    "/search/é",
    "/page#fragment\\",
    "",
    "/" + "a" * 2000,
]


@pytest.mark.parametrize("target", FOREIGN)
def test_an_open_redirect_is_refused(target, browser, endpoint):
    sent = begin(browser, endpoint, target)

    back = browser.get("/callback", query_string={"code": "c", "state": sent["state"]})

    assert back.status_code == 302
    assert back.location == "/"


@pytest.mark.parametrize(
    "query",
    [
        {"code": "c"},
        {"code": "c", "state": ""},
        {"code": "c", "state": "another-state"},
        {"code": "c", "state": "x" * 5000},
        {"code": "c", "state": "stäte"},
    ],
)
def test_a_tampered_state_is_refused_and_nothing_is_fetched(query, browser, endpoint):
    begin(browser, endpoint)

    answer = browser.get("/callback", query_string=query, headers=HTML)

    assert answer.status_code == 400
    assert "cannot be finished" in answer.text
    assert endpoint.forms == []


def test_a_callback_that_another_browser_began_is_refused(app, endpoint):
    """Login CSRF: the attacker's code in the victim's browser."""
    sent = begin(app.test_client(), endpoint)

    answer = app.test_client().get(
        "/callback", query_string={"code": "c", "state": sent["state"]}, headers=HTML
    )

    assert answer.status_code == 400
    assert endpoint.forms == []


def test_a_replayed_callback_is_refused(browser, endpoint):
    sent = begin(browser, endpoint)
    query = {"code": "c", "state": sent["state"]}
    assert browser.get("/callback", query_string=query).status_code == 302
    browser.delete_cookie("token_cookie")

    assert browser.get("/callback", query_string=query).status_code == 400
    assert len(endpoint.forms) == 1


def test_a_signed_in_user_who_returns_to_a_used_callback_continues(browser, endpoint):
    sent = begin(browser, endpoint)
    query = {"code": "c", "state": sent["state"]}
    browser.get("/callback", query_string=query)

    again = browser.get("/callback", query_string=query)

    assert (again.status_code, again.location) == (302, "/")
    assert len(endpoint.forms) == 1
    assert not [line for line in again.headers.getlist("Set-Cookie") if "token" in line]


def test_an_attempt_older_than_ten_minutes_is_refused(browser, endpoint, monkeypatch):
    sent = begin(browser, endpoint)
    now = __import__("time").time()
    monkeypatch.setattr("cognises.signin.cookies.time.time", lambda: now + 601)

    answer = browser.get("/callback", query_string={"code": "c", "state": sent["state"]})

    assert answer.status_code == 400
    assert endpoint.forms == []


@pytest.mark.parametrize("value", ["", "!!!", "bm8", "W10", "WzEsMiwzLDQsNV0", "bnVsbA"])
def test_an_attempt_cookie_that_sign_in_did_not_write_is_refused(value, browser, endpoint):
    sent = begin(browser, endpoint)
    (name,) = [name for name in cookie_names(browser) if name.startswith("signin-")]
    browser.set_cookie(name, value)

    answer = browser.get("/callback", query_string={"code": "c", "state": sent["state"]})

    assert answer.status_code == 400
    assert endpoint.forms == []


def test_two_tabs_can_sign_in_at_once(browser, endpoint):
    first = begin(browser, endpoint)
    first_nonce = endpoint.nonce
    second = begin(browser, endpoint, "/search/x")

    two = browser.get("/callback", query_string={"code": "c", "state": second["state"]})
    endpoint.nonce = first_nonce
    one = browser.get("/callback", query_string={"code": "c", "state": first["state"]})

    assert (one.location, two.location) == ("/page", "/search/x")


def test_unfinished_attempts_do_not_pile_up(browser, endpoint):
    for _ in range(20):
        begin(browser, endpoint)

    assert len([name for name in cookie_names(browser) if name.startswith("signin-")]) <= 6


def _another_nonce(endpoint: TokenEndpoint) -> tuple[int, object]:
    return 200, endpoint.tokens(nonce="another")


def _access_of_another(endpoint: TokenEndpoint) -> tuple[int, object]:
    access = endpoint.pool.token(["editors"], token_use="access", sub="mallory")
    return 200, {**endpoint.tokens(at_hash=at_hash(access)), "access_token": access}


def _swapped(endpoint: TokenEndpoint) -> tuple[int, object]:
    body = endpoint.tokens()
    return 200, {**body, "id_token": body["access_token"], "access_token": body["id_token"]}


MIXED_UP = {
    "another nonce": _another_nonce,
    "no nonce": lambda e: (200, e.tokens(nonce=None)),
    "a nonce that is no text": lambda e: (200, e.tokens(nonce=["x"])),
    "another at_hash": lambda e: (200, e.tokens(at_hash="x" * 22)),
    "an at_hash that is no text": lambda e: (200, e.tokens(at_hash=7)),
    "an access token of another user": _access_of_another,
    "swapped tokens": _swapped,
    "an expired ID token": lambda e: (200, e.tokens(exp=1)),
    "another client's ID token": lambda e: (200, e.tokens(aud="anotherclient")),
    "no sub": lambda e: (200, e.tokens(sub=None)),
    "no ID token": lambda e: (200, {**e.tokens(), "id_token": None}),
    "an ID token that is no text": lambda e: (200, {**e.tokens(), "id_token": ["x"]}),
    "no access token": lambda e: (200, {"id_token": e.tokens()["id_token"]}),
    "an array": lambda e: (200, []),
    "a text": lambda e: (200, "tokens"),
    "no JSON": lambda e: (200, b"<html>"),
    "not UTF-8": lambda e: (200, b"\xff"),
    "tokens with an error status": lambda e: (418, e.tokens()),
    "invalid_client": lambda e: (400, {"error": "invalid_client"}),
    "an error of its own": lambda e: (400, {"error": "x", "error_description": "<script>"}),
    "invalid_grant": lambda e: (400, {"error": "invalid_grant"}),
    "a broken server": lambda e: (500, b""),
    "a redirect": lambda e: (302, b""),
}


@pytest.mark.parametrize("make", MIXED_UP.values(), ids=MIXED_UP.keys())
def test_tokens_that_are_not_this_attempts_are_refused(make, browser, endpoint, caplog):
    sent = begin(browser, endpoint)
    endpoint.change = lambda body: make(endpoint)

    answer = browser.get(
        "/callback", query_string={"code": "c0de", "state": sent["state"]}, headers=HTML
    )

    assert answer.status_code in {400, 502, 503}
    assert "<script>" not in answer.text
    assert cookie_names(browser) == set()
    assert "eyJ" not in caplog.text
    assert "c0de" not in caplog.text


def test_an_authorization_without_openid_is_refused_and_no_failure(browser, endpoint):
    """A user's own browser may remove the scope: no client causes a 5xx."""
    state, whole = begin(browser, endpoint)["state"], endpoint.change
    endpoint.change = lambda body: (200, {k: v for k, v in body.items() if k != "id_token"})
    without, json = endpoint.change, {**SAME, "Accept": "application/json"}

    assert browser.get(f"/callback?code=c&state={state}", headers=HTML).status_code == 400
    endpoint.change = whole
    signed_in(browser, endpoint)
    endpoint.change = without
    assert browser.post("/session/refresh", headers=json).json["reason"] == "no_session"


NAMED = {
    "another issuer": (lambda e: (200, e.tokens(iss="http://127.0.0.1/x")), "iss is not the"),
    "another client": (lambda e: (200, e.tokens(aud="anotherclient")), "wrong_client"),
    "a wrong client id": (lambda e: (400, {"error": "invalid_client"}), "invalid_client"),
    "an error of its own": (lambda e: (400, {"error": "call 555"}), "an error of its own"),
}


@pytest.mark.parametrize(("make", "why"), NAMED.values(), ids=NAMED.keys())
def test_the_log_names_the_check_that_a_sign_in_failed(make, why, browser, endpoint, caplog):
    sent = begin(browser, endpoint)
    endpoint.change = lambda body: make(endpoint)

    browser.get("/callback", query_string={"code": "c", "state": sent["state"]}, headers=HTML)

    assert why in caplog.text
    assert "127.0.0.1/x" not in caplog.text
    assert "555" not in caplog.text


def test_a_missing_at_hash_is_refused_outside_local_mode(app, endpoint):
    endpoint.nonce = "n"
    body = endpoint.tokens(at_hash=None)
    tokens = Tokens(body["id_token"], body["access_token"], None)
    service, state = app.extensions["cognises.signin"], state_of(app)
    service.check_new(tokens, "n")

    state.settings = replace(state.settings, local=False)
    with pytest.raises(SignInProblem, match="at_hash"):
        service.check_new(tokens, "n")


ERRORS = {"access_denied": 403, "server_error": 403, "<script>alert(1)</script>": 403}


@pytest.mark.parametrize(("error", "status"), ERRORS.items())
def test_an_error_is_a_page_that_restarts_nothing_and_repeats_nothing(
    error, status, browser, endpoint, caplog
):
    sent = begin(browser, endpoint)
    query = {"error": error, "error_description": "<b>call 555</b>", "state": sent["state"]}

    answer = browser.get("/callback", query_string=query, headers=HTML)

    assert answer.status_code == status
    assert "555" not in answer.text
    assert "alert" not in answer.text + caplog.text
    assert (error if error.isidentifier() else "an error of its own") in caplog.text
    assert "Location" not in answer.headers
    assert "http-equiv" not in answer.text


def test_a_token_too_large_for_a_cookie_gets_a_page_and_no_loop(browser, endpoint):
    sent = begin(browser, endpoint)
    endpoint.change = lambda body: (
        200,
        endpoint.tokens(**{"cognito:groups": [f"group-{n:04}" for n in range(1500)]}),
    )

    answer = browser.get(
        "/callback", query_string={"code": "c", "state": sent["state"]}, headers=HTML
    )

    assert answer.status_code == 500
    assert "too many groups" in answer.text
    assert cookie_names(browser) == set()


def test_refresh_goes_on_with_new_tokens(browser, endpoint, cognito):
    signed_in(browser, endpoint)
    browser.set_cookie("token_cookie", cognito.token(["editors"], sub=endpoint.sub, exp=1))

    answer = browser.post("/session/refresh", data={"next": "/page"}, headers=SAME)

    assert answer.status_code == 303
    assert answer.location == "/page"
    assert browser.get("/page").status_code == 200
    assert endpoint.forms[-1][1]["grant_type"] == "refresh_token"
    assert endpoint.forms[-1][1]["refresh_token"] == "the-refresh-token"


def test_refresh_answers_a_program_in_json(browser, endpoint):
    signed_in(browser, endpoint)

    answer = browser.post("/session/refresh", headers={"Sec-Fetch-Site": "same-origin"})

    assert answer.status_code == 200
    assert answer.is_json
    assert "eyJ" not in answer.text


def test_refreshed_tokens_of_another_user_are_refused(browser, endpoint):
    signed_in(browser, endpoint)
    endpoint.sub = "mallory"

    answer = browser.post("/session/refresh", headers=SAME)

    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("token", ["", "rubbish", "a.b.c"])
def test_refresh_without_a_session_to_go_on_is_refused(token, browser, endpoint):
    signed_in(browser, endpoint)
    browser.set_cookie("token_cookie", token)

    assert browser.post("/session/refresh", headers=SAME).status_code == 401


def test_a_refused_renewal_deletes_no_cookie_that_another_answer_may_have_set(browser, endpoint):
    signed_in(browser, endpoint)
    endpoint.change = lambda body: (400, {"error": "invalid_grant"})

    answer = browser.post("/session/refresh", headers=SAME)

    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers


def test_a_refresh_during_an_outage_keeps_the_session(browser, endpoint):
    signed_in(browser, endpoint)
    endpoint.change = lambda body: (503, b"")

    answer = browser.post("/session/refresh", headers=SAME)

    assert answer.status_code == 503
    assert cookie_names(browser) == {"token_cookie", "refresh"}


FROM_ELSEWHERE = {
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "a sibling": {"Sec-Fetch-Site": "same-site"},
    "another origin": {"Origin": "https://evil.example"},
    "a null origin": {"Origin": "null"},
    "no proof": {},
}


@pytest.mark.parametrize("headers", FROM_ELSEWHERE.values(), ids=FROM_ELSEWHERE.keys())
@pytest.mark.parametrize("address", ["/logout", "/session/refresh"])
def test_a_form_on_another_site_can_neither_sign_out_nor_refresh(
    address, headers, browser, endpoint
):
    signed_in(browser, endpoint)
    before = len(endpoint.forms)

    answer = browser.post(address, headers=headers)

    assert answer.status_code == 403
    assert answer.json["reason"] == "cross_site"
    assert len(endpoint.forms) == before
    assert cookie_names(browser) == {"token_cookie", "refresh"}


@pytest.mark.parametrize("status", [200, 500])
def test_logout_revokes_clears_and_visits_cognito_even_if_revocation_fails(
    status, browser, endpoint, cognito
):
    signed_in(browser, endpoint)
    endpoint.change = lambda body: (status, b"")

    answer = browser.post("/logout", headers=SAME)

    assert answer.status_code == 303
    url = urlsplit(answer.location)
    assert (f"{url.scheme}://{url.netloc}", url.path) == (endpoint.url, "/logout")
    assert parse_qs(url.query) == {
        "client_id": [cognito.client_id],
        "logout_uri": [f"{PUBLIC_URL}/"],
    }
    assert endpoint.forms[-1] == (
        "/oauth2/revoke",
        {"token": "the-refresh-token", "client_id": cognito.client_id},
    )
    assert cookie_names(browser) == set()
    assert browser.get("/page").status_code == 401


@pytest.mark.parametrize("address", ["/logout", "/session/refresh"])
def test_a_get_does_not_sign_out_or_refresh(address, browser):
    assert browser.get(address).status_code == 405


def test_a_person_without_the_group_gets_a_page_with_403(browser, endpoint):
    signed_in(browser, endpoint)

    answer = browser.get("/closed", headers=HTML)

    assert answer.status_code == 403
    assert "not open to you" in answer.text
    assert "ada@example.org" in answer.text
    assert "editors" in answer.text
    assert "owners" not in answer.text
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_without_a_domain_refusals_stay_json_and_the_addresses_answer_404(app, cognito):
    app.config.update(COGNITO_DOMAIN="", COGNISES_PUBLIC_URL="")
    cognito.attach(app)
    client = app.test_client()

    assert client.get("/page", headers=HTML).json["reason"] == "missing_token"
    assert client.get("/login").status_code == 404
    assert client.get("/callback").status_code == 404
    assert client.post("/logout", headers=SAME).status_code == 404


def test_two_refresh_cookies_are_none(app, endpoint, cognito):
    token = cognito.token(["editors"], sub=endpoint.sub)

    answer = app.test_client(use_cookies=False).post(
        "/session/refresh",
        headers={**SAME, "Cookie": f"token_cookie={token}; refresh=b; refresh=c"},
    )

    assert answer.status_code == 401
    assert endpoint.forms == []


def test_an_endpoint_that_does_not_answer_is_a_page(app, cognito, browser, endpoint):
    app.config.update(COGNITO_DOMAIN="http://127.0.0.1:9")
    cognito.attach(app)
    answer = browser.get("/login")
    sent = {n: v[0] for n, v in parse_qs(urlsplit(answer.location).query).items()}

    answer = browser.get(
        "/callback", query_string={"code": "c", "state": sent["state"]}, headers=HTML
    )

    assert answer.status_code == 503


def test_a_script_that_signs_out_gets_the_address_to_go_to(browser, endpoint):
    signed_in(browser, endpoint)

    answer = browser.post("/logout", headers={**SAME, "Accept": "application/json"})

    assert answer.status_code == 200
    assert answer.json["next"].startswith(f"{endpoint.url}/logout?")
    assert browser.get("/page").status_code == 401


@pytest.mark.parametrize("path", ["/search/%C3%A9", "/search/x?q=%C3%A9", "/search/a%20b"])
def test_an_address_with_letters_of_every_kind_is_come_back_to(path, browser):
    answer = browser.get(path, headers=HTML)

    assert parse_qs(urlsplit(answer.headers["Location"]).query)["next"] == [path]


def test_a_previous_users_refresh_token_does_not_outlive_a_new_sign_in(browser, endpoint):
    signed_in(browser, endpoint)
    endpoint.change = lambda body: (200, {k: v for k, v in body.items() if k != "refresh_token"})
    signed_in(browser, endpoint)

    assert browser.get_cookie("refresh") is None


def test_a_session_whose_token_cookie_is_gone_is_renewed_by_its_refresh_token(browser, endpoint):
    signed_in(browser, endpoint)
    browser.delete_cookie("token_cookie")

    assert browser.post("/session/refresh", headers=SAME).status_code == 303
    assert browser.get("/page").status_code == 200


ODD_ANSWERS = {
    "an error that is no text": (200, {"error": ["x"]}),
    "a life without end": (200, b'{"id_token": "a", "access_token": "b", "expires_in": 1e999}'),
    "a list": (200, b"[]"),
    "no text at all": (200, b"\xff\xfe"),
}


@pytest.mark.parametrize("answer", ODD_ANSWERS.values(), ids=ODD_ANSWERS.keys())
def test_whatever_the_token_endpoint_says_a_person_gets_a_page(answer, browser, endpoint):
    state = begin(browser, endpoint)["state"]
    endpoint.change = lambda body: answer

    page = browser.get(f"/callback?code=c&state={state}", headers=HTML)

    assert page.status_code == 502
    assert "token_cookie" not in page.headers.get("Set-Cookie", "")


@pytest.mark.parametrize("started", [10**400, -1, 0, "1", None, 1.5])
def test_an_attempt_that_never_began_is_none(started):
    fields = ["s", "n", "v", "/", started]
    value = urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")

    assert Attempt.from_cookie(value) is None


def test_sign_in_works_where_the_server_mounts_the_app_below_a_path(browser, endpoint):
    below = {"SCRIPT_NAME": "/svc"}
    away = browser.get("/page", headers=HTML, environ_overrides=below)
    assert away.location == "/svc/login?next=/svc/page"

    begun = browser.get("/login?next=/svc/page", headers=HTML, environ_overrides=below)
    sent = {n: v[0] for n, v in parse_qs(urlsplit(begun.location).query).items()}
    endpoint.nonce = sent["nonce"]
    query = {"code": "c", "state": sent["state"]}
    back = browser.get("/callback", query_string=query, environ_overrides=below)

    assert sent["redirect_uri"] == f"{PUBLIC_URL}/svc/callback"
    assert endpoint.forms[0][1]["redirect_uri"] == f"{PUBLIC_URL}/svc/callback"
    assert back.location == "/svc/page"


@pytest.mark.parametrize("target", ["/page", "/svc", "/svc/../page", "/svcpage", "/svc//evil"])
def test_below_a_path_no_page_outside_of_it_is_returned_to(target, browser, endpoint):
    below = {"SCRIPT_NAME": "/svc"}
    begun = browser.get("/login", query_string={"next": target}, environ_overrides=below)
    sent = {n: v[0] for n, v in parse_qs(urlsplit(begun.location).query).items()}
    endpoint.nonce = sent["nonce"]
    query = {"code": "c", "state": sent["state"]}

    back = browser.get("/callback", query_string=query, environ_overrides=below)

    assert back.location == "/svc/"


def test_an_emulator_may_have_its_endpoints_below_a_path(app, cognito, endpoint):
    app.config["COGNITO_DOMAIN"] = f"{endpoint.url}/cognito-idp"
    cognito.attach(app)
    browser = app.test_client()
    begun = browser.get("/login", headers=HTML).headers["Location"]
    state = parse_qs(urlsplit(begun).query)["state"][0]
    browser.get(f"/callback?code=c&state={state}")

    assert begun.startswith(f"{endpoint.url}/cognito-idp/oauth2/authorize?")
    assert endpoint.forms[-1][0] == "/cognito-idp/oauth2/token"
