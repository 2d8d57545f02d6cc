"""A session whose token has ended continues by its refresh token, without a click."""

from __future__ import annotations

import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask, Response, request
from token_endpoint import HTML, SAME, begin, cookie_names, signed_in

from cognises import login_check
from cognises.signin.managed_login import SignInProblem, Tokens
from cognises.signin.session import MAX_REFUSED, MAX_RENEWALS, SHARED_SECONDS, Renewals

REFUSED = (400, {"error": "invalid_grant"})


def end_token(browser, endpoint, cognito) -> None:
    browser.set_cookie("token_cookie", cognito.token(["editors"], sub=endpoint.sub, exp=1))


def lose_token(browser, endpoint, cognito) -> None:
    browser.delete_cookie("token_cookie")


@pytest.fixture(params=[end_token, lose_token], ids=["expired token", "no token cookie"])
def away(request, browser, endpoint, cognito):
    """A browser that has signed in and comes back later."""
    signed_in(browser, endpoint)
    request.param(browser, endpoint, cognito)
    endpoint.forms.clear()
    return browser


def test_an_opened_page_is_shown_without_a_click_and_with_new_cookies(away, endpoint):
    answer = away.get("/page?a=1", headers=HTML)

    assert (answer.status_code, answer.text) == (200, "page of sub-of-ada")
    assert [form["grant_type"] for _, form in endpoint.forms] == ["refresh_token"]
    assert answer.headers["Cache-Control"] == "private, no-store"
    cookies = answer.headers.getlist("Set-Cookie")
    assert [cookie.partition("=")[0] for cookie in cookies] == ["token_cookie", "refresh"]
    assert away.get("/page", headers=HTML).status_code == 200
    assert len(endpoint.forms) == 1


def test_new_groups_apply_to_the_page_that_renews(away, endpoint):
    endpoint.change = lambda body: (200, endpoint.tokens(**{"cognito:groups": ["owners"]}))

    assert away.get("/closed", headers=HTML).status_code == 200
    assert away.get("/page", headers=HTML).status_code == 403
    assert len(endpoint.forms) == 1


def test_a_page_that_stays_closed_after_renewal_still_carries_the_new_cookies(away, endpoint):
    answer = away.get("/closed", headers=HTML)

    assert answer.status_code == 403
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert away.get("/page", headers=HTML).status_code == 200
    assert len(endpoint.forms) == 1


def test_no_cache_keeps_new_cookies_even_where_a_view_says_public(app, browser, endpoint, cognito):
    @app.get("/cached")
    @login_check
    def cached(response: Any) -> Response:
        return Response("x", headers={"Cache-Control": "public, max-age=3600"})

    signed_in(browser, endpoint)
    assert browser.get("/cached").headers["Cache-Control"] == "public, max-age=3600"
    end_token(browser, endpoint, cognito)

    answer = browser.get("/cached", headers=HTML)

    assert "token_cookie" in answer.headers["Set-Cookie"]
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_the_view_sees_the_new_token_alone(app, browser, endpoint, cognito):
    seen = []

    @app.get("/look")
    @login_check
    def look(response: Any) -> str:
        seen.append((request.cookies.getlist("token_cookie"), request.cookies.get("other")))
        return ""

    signed_in(browser, endpoint)
    browser.set_cookie("other", "kept")
    end_token(browser, endpoint, cognito)
    browser.get("/look", headers=HTML)

    ((tokens, other),) = seen
    assert (len(tokens), other) == (1, "kept")
    assert tokens == [browser.get_cookie("token_cookie").value]


def test_decorators_alone_renew_as_well(tmp_path, cognito, endpoint, app):
    from cognises.signin import sign_in

    plain = Flask("plain", root_path=app.root_path)
    plain.config.update(app.config)

    @plain.get("/page")
    @login_check
    def page(response: Any) -> str:
        return f"page of {response.sub}"

    sign_in(plain)
    cognito.attach(plain)
    browser = signed_in(plain.test_client(), endpoint)
    end_token(browser, endpoint, cognito)

    assert browser.get("/page", headers=HTML).text == "page of sub-of-ada"


NOT_RENEWED = {
    "a program": {},
    "JSON": {"Accept": "application/json"},
    "a script": {**HTML, "Sec-Fetch-Mode": "cors"},
    "an image": {**HTML, "Sec-Fetch-Mode": "no-cors"},
}


@pytest.mark.parametrize("headers", NOT_RENEWED.values(), ids=NOT_RENEWED.keys())
def test_what_is_not_an_opened_page_is_refused_and_renews_nothing(headers, away, endpoint):
    answer = away.get("/page", headers=headers)

    assert answer.status_code == 401
    assert answer.json["reason"] in {"token_expired", "missing_token"}
    assert endpoint.forms == []


def test_a_header_is_never_replaced_by_a_renewed_cookie(browser, endpoint, cognito):
    signed_in(browser, endpoint)
    endpoint.forms.clear()
    expired = cognito.token(["editors"], sub=endpoint.sub, exp=1)

    answer = browser.get("/page", headers={**HTML, "Authorization": f"Bearer {expired}"})

    assert answer.status_code != 200
    assert endpoint.forms == []


@pytest.mark.parametrize("token", ["", "rubbish", "a.b.c"])
def test_a_token_that_was_never_good_is_not_renewed(token, browser, endpoint):
    signed_in(browser, endpoint)
    browser.set_cookie("token_cookie", token)
    endpoint.forms.clear()

    assert browser.get("/page", headers=HTML).status_code == 401
    assert endpoint.forms == []


def test_two_token_cookies_are_not_renewed(app, endpoint, cognito):
    token = cognito.token(["editors"], sub=endpoint.sub, exp=1)
    cookies = f"token_cookie={token}; token_cookie={token}; refresh=r"

    for method, path in (("GET", "/page"), ("POST", "/session/refresh")):
        answer = app.test_client(use_cookies=False).open(
            path, method=method, headers={**SAME, "Cookie": cookies}
        )
        assert answer.status_code in {400, 401}
    assert endpoint.forms == []


def test_a_refused_renewal_leads_to_sign_in_and_deletes_no_cookie(away, endpoint):
    endpoint.change = lambda body: REFUSED
    before = cookie_names(away)

    answer = away.get("/page?a=1", headers=HTML)

    assert answer.status_code == 302
    assert urlsplit(answer.location).path == "/login"
    assert parse_qs(urlsplit(answer.location).query)["next"] == ["/page?a=1"]
    assert "Set-Cookie" not in answer.headers
    assert cookie_names(away) == before
    to_managed_login = away.get(answer.location, headers=HTML)
    assert to_managed_login.location.startswith(f"{endpoint.url}/oauth2/authorize?")


def test_the_tab_that_loses_finds_the_tokens_of_the_tab_that_wins(away, endpoint, cognito):
    endpoint.change = lambda body: REFUSED
    answer = away.get("/page", headers=HTML)
    away.set_cookie("token_cookie", cognito.token(["editors"], sub=endpoint.sub))  # the other tab

    assert away.get(answer.location, headers=HTML).location == "/page"


def test_a_renewal_for_another_user_is_refused(browser, endpoint, cognito):
    signed_in(browser, endpoint)
    end_token(browser, endpoint, cognito)
    endpoint.sub = "mallory"

    answer = browser.get("/page", headers=HTML)

    assert answer.status_code == 302
    assert "Set-Cookie" not in answer.headers


PROBLEMS = {
    "an outage": ((503, b""), 503),
    "no tokens": ((200, b"[]"), 502),
    "another client's token": (None, 502),
}


@pytest.mark.parametrize(("answer", "status"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_a_renewal_that_fails_is_a_page_and_keeps_the_session(answer, status, away, endpoint):
    endpoint.change = lambda body: answer or (200, endpoint.tokens(aud="anotherclient"))

    page = away.get("/page", headers=HTML)

    assert page.status_code == status
    assert "Set-Cookie" not in page.headers
    endpoint.change = lambda body: (200, body)
    assert away.get("/page", headers=HTML).status_code == 200


NO_REFUSALS = {
    "a limit of Cognito": (429, {"error": "TooManyRequestsException", "message": "Rate exceeded"}),
    "a limit with a known error": (429, {"error": "invalid_grant"}),
    "a limit in plain text": (429, b"slow down"),
    "a firewall": (403, {"message": "Forbidden"}),
    "a firewall's page": (403, b"<html>"),
    "a timeout": (408, b""),
    "a redirect": (302, b""),
    "no content": (204, b""),
    "an unknown error": (400, {"error": "TooManyRequestsException"}),
    "an error that is no text": (400, {"error": ["x"]}),
    "no error": (400, {"message": "Rate exceeded"}),
    "no JSON": (400, b"<html>"),
    "tokens without success": (401, {"id_token": "a", "access_token": "b"}),
    "an outage by its name": (400, {"error": "temporarily_unavailable"}),
    "an outage": (503, {"error": "invalid_grant"}),
}


@pytest.mark.parametrize("answer", NO_REFUSALS.values(), ids=NO_REFUSALS.keys())
def test_what_is_no_refusal_ends_no_session(answer, away, endpoint):
    endpoint.change = lambda body: answer
    state = begin(away, endpoint)["state"]

    page = away.get("/page", headers=HTML)
    json = {**SAME, "Accept": "application/json"}
    called = away.post("/session/refresh", headers=json)
    callback = away.get("/callback", query_string={"code": "c", "state": state}, headers=json)

    assert (page.status_code, page.mimetype) == (503, "text/html")
    assert [each.json["reason"] for each in (called, callback)] == ["unreachable"] * 2
    for each in (called, callback):
        assert each.status_code == 503
        assert each.headers["Retry-After"] == "15"
    endpoint.change = lambda body: (200, body)
    assert away.get("/page", headers=HTML).status_code == 200


@pytest.mark.parametrize("status", [400, 401])
@pytest.mark.parametrize("error", ["invalid_grant", "invalid_request"])
def test_a_known_error_with_400_or_401_is_a_refusal(status, error, away, endpoint):
    endpoint.change = lambda body: (status, {"error": error})

    answer = away.post("/session/refresh", headers={**SAME, "Accept": "application/json"})

    assert (answer.status_code, answer.json["reason"]) == (401, "no_session")
    assert "Retry-After" not in answer.headers


def test_without_a_refresh_token_an_ended_session_leads_to_sign_in(browser, endpoint, cognito):
    end_token(browser, endpoint, cognito)

    answer = browser.get("/page", headers=HTML)

    assert answer.status_code == 302
    assert urlsplit(answer.location).path == "/login"
    assert endpoint.forms == []


def test_a_form_sent_after_the_session_ended_saves_nothing_and_renews_it(away, endpoint):
    answer = away.post("/change", data={"text": "x"}, headers=SAME)

    assert answer.status_code == 401
    assert "Nothing was saved" in answer.text
    assert "Reload this page" in answer.text
    assert away.post("/change", data={"text": "x"}, headers=SAME).text == "changed"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_a_form_of_another_site_renews_nothing(site, away, endpoint):
    answer = away.post("/change", headers={**HTML, "Sec-Fetch-Site": site})

    assert answer.status_code in {401, 403}
    assert "Set-Cookie" not in answer.headers
    assert endpoint.forms == []


def test_equal_requests_share_one_renewal(app, browser, endpoint, cognito):
    """As tabs do, with refresh-token rotation: the second use of a refresh token is refused."""
    signed_in(browser, endpoint)
    end_token(browser, endpoint, cognito)
    cookies = "; ".join(f"{c.key}={c.value}" for c in browser._cookies.values())
    endpoint.forms.clear()
    gate = threading.Barrier(4, timeout=30)
    endpoint.change = lambda body: REFUSED if len(endpoint.forms) > 1 else (200, body)

    def open_page(_: int) -> Any:
        gate.wait()
        client = app.test_client(use_cookies=False)
        return client.get("/page", headers={**HTML, "Cookie": cookies})

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(open_page, range(4)))

    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({tuple(answer.headers.getlist("Set-Cookie")) for answer in answers}) == 1
    assert len(endpoint.forms) == 1


def tokens(name: str) -> Tokens:
    return Tokens(name, name, name)


def test_a_renewal_is_shared_for_seconds_and_forgotten_then(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("cognises.signin.session.time.monotonic", lambda: now[0])
    renewals = Renewals()

    assert renewals.share("r", "t", lambda: tokens("first")) == tokens("first")
    assert renewals.share("r", "t", lambda: tokens("second")) == tokens("first")
    assert renewals.share("r", "new", lambda: tokens("third")) == tokens("third")
    now[0] = SHARED_SECONDS + 1
    assert renewals.share("r", "t", lambda: tokens("fourth")) == tokens("fourth")


def test_a_renewal_without_a_token_is_shared_only_while_it_is_under_way():
    renewals = Renewals()

    assert renewals.share("r", None, lambda: tokens("first")) == tokens("first")
    assert renewals.share("r", None, lambda: tokens("second")) == tokens("second")


def test_an_outage_is_not_remembered():
    renewals = Renewals()

    def fail() -> Tokens:
        raise SignInProblem("unreachable", "x")

    with pytest.raises(SignInProblem):
        renewals.share("r", "t", fail)
    assert renewals.share("r", "t", lambda: tokens("then")) == tokens("then")


def test_an_error_of_our_own_releases_those_who_wait():
    renewals = Renewals()

    def fail() -> Tokens:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        renewals.share("r", "t", fail)
    assert renewals.share("r", "t", lambda: tokens("then")) == tokens("then")


def test_renewals_are_bounded():
    renewals = Renewals()
    for number in range(2 * MAX_RENEWALS):
        assert renewals.share("r", str(number), lambda: tokens("x")) == tokens("x")

    assert len(renewals._shared) == MAX_RENEWALS


def invent(app, number: int, token: str | None) -> Any:
    """A browser's request for a page, with an invented refresh token."""
    cookies = f"refresh=invented-{number}" + (f"; token_cookie={token}" if token else "")
    client = app.test_client(use_cookies=False)
    return client.get("/page", headers={**HTML, "Cookie": cookies})


@pytest.mark.parametrize("has_token", [False, True], ids=["no token", "a user's expired token"])
def test_invented_refresh_tokens_cost_few_calls_and_lock_no_user_out(
    has_token, app, browser, endpoint, cognito
):
    signed_in(browser, endpoint)
    end_token(browser, endpoint, cognito)
    token = cognito.token(["editors"], sub="mallory", exp=1) if has_token else None
    endpoint.forms.clear()
    endpoint.change = lambda body: REFUSED

    answers = [invent(app, number, token) for number in range(3 * MAX_REFUSED)]

    refused, limited = answers[:MAX_REFUSED], answers[MAX_REFUSED:]
    assert {(each.status_code, urlsplit(each.location).path) for each in refused} == {
        (302, "/login")
    }
    assert {(each.status_code, each.mimetype) for each in limited} == {(429, "text/html")}
    assert len(endpoint.forms) == MAX_REFUSED
    endpoint.change = lambda body: (200, body)
    assert browser.get("/page", headers=HTML).text == "page of sub-of-ada"


def test_a_refused_refresh_token_is_not_sent_again_at_once(app, endpoint):
    endpoint.change = lambda body: REFUSED

    statuses = {invent(app, 1, None).status_code for _ in range(5)}

    assert statuses == {302}
    assert len(endpoint.forms) == 1


def test_calls_for_invented_refresh_tokens_are_allowed_again_later(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("cognises.signin.session.time.monotonic", lambda: now[0])
    renewals, calls = Renewals(), []

    def refuse() -> Tokens:
        calls.append(now[0])
        raise SignInProblem("no_session", "the refresh token is refused")

    for now[0] in (0.0, SHARED_SECONDS + 1):
        for number in range(2 * MAX_REFUSED):
            with pytest.raises(SignInProblem):
                renewals.share(str(number), None, refuse)

    assert calls == [0.0] * MAX_REFUSED + [SHARED_SECONDS + 1] * MAX_REFUSED


def test_a_shared_refusal_does_not_grow_with_the_requests_that_get_it():
    def refuse() -> Tokens:
        raise SignInProblem("no_session", "the refresh token is refused")

    renewals = Renewals()
    for _ in range(50):
        with pytest.raises(SignInProblem):
            renewals.share("refresh token", "previous token", refuse)

    ((_, future),) = renewals._shared.values()
    problem = future.result()
    assert isinstance(problem, SignInProblem)
    assert len(list(traceback.walk_tb(problem.__traceback__))) < 5


def test_beyond_the_limit_a_program_reads_when_to_try_again(app, endpoint):
    endpoint.change = lambda body: REFUSED
    for number in range(MAX_REFUSED):
        invent(app, number, None)
    headers = {**SAME, "Accept": "application/json", "Cookie": "refresh=good"}

    answer = app.test_client(use_cookies=False).post("/session/refresh", headers=headers)

    assert (answer.status_code, answer.json["reason"]) == (429, "too_many_renewals")
    assert answer.headers["Retry-After"] == "15"
    assert len(endpoint.forms) == MAX_REFUSED


def test_the_limit_counts_by_user_whatever_token_of_the_user_is_sent(app, endpoint, cognito):
    endpoint.change = lambda body: REFUSED
    for number in range(3 * MAX_REFUSED):
        invent(app, number, cognito.token(["editors"], sub="mallory", exp=1 + number))

    assert len(endpoint.forms) == MAX_REFUSED
    invent(app, 0, cognito.token(["editors"], sub="ada", exp=1))
    assert len(endpoint.forms) == MAX_REFUSED + 1


def refuse() -> Tokens:
    raise SignInProblem("no_session", "the refresh token is refused")


def fill(renewals: Renewals) -> None:
    for number in range(2 * MAX_RENEWALS):
        with pytest.raises(SignInProblem):
            renewals.share(f"invented {number}", "t", refuse, f"user {number // MAX_REFUSED}")


def test_refusals_fill_the_store_but_switch_off_neither_limit_nor_sharing():
    renewals = Renewals()
    assert renewals.share("r", "t", lambda: tokens("first"), "ada") == tokens("first")
    fill(renewals)

    assert len(renewals._shared) == MAX_RENEWALS
    assert renewals.share("r", "t", lambda: tokens("second"), "ada") == tokens("first")
    assert renewals.share("q", "t", lambda: tokens("third"), "ben") == tokens("third")
    assert renewals.share("q", "t", lambda: tokens("fourth"), "ben") == tokens("third")
    calls = []
    for number in range(2 * MAX_REFUSED):
        with pytest.raises(SignInProblem):
            renewals.share(str(number), "t", lambda: calls.append(1) or refuse(), "mallory")
    assert len(calls) == MAX_REFUSED


def test_unfinished_renewals_are_shared_however_many_there_are():
    renewals, start = Renewals(), []
    depth = MAX_RENEWALS + 2

    def nested() -> Tokens:
        """Each renewal starts the next one before it ends."""
        start.append(1)
        if len(start) < depth:
            renewals.share("r", "t", nested, f"user {len(start)}")
        else:
            start.append(len(renewals._shared))
        return tokens("x")

    renewals.share("r", "t", nested, "user 0")

    assert start[-1] == depth
    renewals.share("new", "t", lambda: tokens("x"), "user 0")
    assert len(renewals._shared) == depth


def test_no_renewal_is_shared_after_its_refresh_token_has_ended():
    renewals = Renewals()
    renewals.share("r0", "t0", lambda: tokens("r1"), "ada")
    renewals.share("r1", "t1", lambda: tokens("r2"), "ada")
    renewals.share("other", "t", lambda: tokens("kept"), "ada")

    renewals.end("r2")

    for spent, held in (("r0", "t0"), ("r1", "t1")):
        with pytest.raises(SignInProblem):
            renewals.share(spent, held, refuse, "ada")
    assert renewals.share("other", "t", refuse, "ada") == tokens("kept")


def test_a_renewal_that_is_under_way_when_its_refresh_token_ends_is_not_shared_afterwards():
    renewals = Renewals()

    def end() -> Tokens:
        renewals.end("r")
        return tokens("new")

    assert renewals.share("r", "t", end, "ada") == tokens("new")
    with pytest.raises(SignInProblem):
        renewals.share("r", "t", refuse, "ada")


def test_signing_out_does_not_reset_the_limit():
    renewals, calls = Renewals(), []
    for _ in range(2 * MAX_REFUSED):
        with pytest.raises(SignInProblem):
            renewals.share("r", "t", lambda: calls.append(1) or refuse(), "mallory")
        renewals.end("r")

    assert len(calls) == MAX_REFUSED


def test_old_cookies_get_no_shared_answer_after_logout(browser, app, endpoint, cognito):
    signed_in(browser, endpoint)
    end_token(browser, endpoint, cognito)
    old = "; ".join(f"{cookie.key}={cookie.value}" for cookie in browser._cookies.values())
    endpoint.change = lambda body: (200, {**body, "refresh_token": "the-rotated-refresh-token"})
    assert browser.get("/page", headers=HTML).status_code == 200
    assert browser.post("/logout", headers=SAME).status_code == 303
    endpoint.change = lambda body: REFUSED

    answer = app.test_client(use_cookies=False).get("/page", headers={**HTML, "Cookie": old})

    assert (answer.status_code, urlsplit(answer.location).path) == (302, "/login")
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("make", "calls"),
    [
        (lambda cognito: cognito.token(["editors"], sub="ada"), ["/oauth2/revoke"]),
        (lambda cognito: cognito.token(["editors"], sub="ada", exp=1), ["/oauth2/revoke"]),
        (lambda cognito: cognito.token(["editors"], sub="ada")[:-6] + "AAAAAA", []),
        (lambda cognito: "rubbish", []),
        (lambda cognito: "", []),
    ],
    ids=["valid", "expired", "another signature", "rubbish", "no token"],
)
def test_logout_revokes_only_with_a_token_of_the_pool(make, calls, app, endpoint, cognito):
    cookies = f"refresh=invented; token_cookie={make(cognito)}"
    client = app.test_client(use_cookies=False)

    answer = client.post("/logout", headers={**SAME, "Cookie": cookies})

    assert answer.status_code == 303
    assert [path for path, _ in endpoint.forms] == calls
    assert any(each.startswith("refresh=;") for each in answer.headers.getlist("Set-Cookie"))
