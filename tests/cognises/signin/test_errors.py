"""What a person is shown and what the operator's log says where a sign-in fails."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from markupsafe import escape
from token_endpoint import HTML, SAME, begin, cookie_names, signed_in

from cognises import login_check
from cognises.errors import ANSWERS, CognisesError
from cognises.signin.managed_login import REFUSALS
from cognises.web.responses import refusal

DESCRIPTIONS = {
    "a trigger": (
        "PreSignUp failed with error Only employees may register.",
        "PreSignUp failed with error Only employees may register.",
    ),
    "an identity provider": (
        "Already found an entry for username google_1234567890",
        "Already found an entry for username [redacted]",
    ),
    "an e-mail address": ("User ada@example.org is not allowed", "User [redacted] is not allowed"),
    "a token": ("bad token " + "eyJhbGciOi" * 5, "bad token [redacted]"),
    "a telephone number": ("call +44 20 7946 0958 now", "call [redacted] now"),
    "line breaks": ("one\r\ntwo\u2028three", r"one\r\ntwo\u2028three"),
    "a direction override": ("a\u202eb", r"a\u202eb"),
}


@pytest.mark.parametrize("state", ["own", "unknown", None])
@pytest.mark.parametrize(("said", "logged"), DESCRIPTIONS.values(), ids=DESCRIPTIONS.keys())
def test_a_refusal_can_be_tried_again_and_its_description_is_in_the_log_alone(
    said, logged, state, browser, endpoint, caplog
):
    own = begin(browser, endpoint)["state"]
    query = {"error": "invalid_request", "error_description": said}
    if state:
        query["state"] = own if state == "own" else "x"

    answer = browser.get("/callback", query_string=query, headers=HTML)

    assert answer.status_code == 403
    assert "Sign in again" in answer.text
    assert said not in answer.text
    assert f"managed login: invalid_request: {logged}" in caplog.text


def test_a_long_description_is_shortened_in_the_log(browser, endpoint, caplog):
    query = {"error": "invalid_request", "error_description": "word " * 2000}

    browser.get("/callback", query_string=query, headers=HTML)

    (record,) = [record for record in caplog.records if record.name == "cognises.signin"]
    assert 200 < len(record.getMessage()) < 300


def test_who_tries_again_returns_to_the_page_that_was_asked_for(browser, endpoint):
    state = begin(browser, endpoint, "/search/x")["state"]
    query = {"error": "access_denied", "state": state}

    answer = browser.get("/callback", query_string=query, headers=HTML)

    assert 'href="/login?next=/search/x"' in answer.text


@pytest.mark.parametrize("reason", sorted({*REFUSALS} & {*ANSWERS}))
def test_a_refusal_is_a_page_for_people_and_json_for_programs(
    reason, app, cognito, browser, endpoint
):
    @app.get("/refused")
    @login_check
    def refused(response):
        raise refusal(CognisesError(reason, "a detail for the log"), "a realm")

    title, text = REFUSALS[reason]
    signed_in(browser, endpoint)

    page = browser.get("/refused", headers=HTML)
    program = app.test_client().get("/refused", headers=cognito.bearer(["admins"]))

    assert (page.status_code, page.mimetype) == (ANSWERS[reason].status, "text/html")
    assert title in page.text
    assert escape(text) in page.text
    assert "a detail" not in page.text
    assert (program.status_code, program.json["reason"]) == (page.status_code, reason)


FROM_MANAGED_LOGIN = {
    "a scope": ({"error": "invalid_scope"}, "COGNITO_SCOPES"),
    "a scope, as Cognito says it": (
        {"error": "invalid_request", "error_description": "invalid_scope"},
        "COGNITO_SCOPES",
    ),
    "the callback": ({"error": "redirect_mismatch"}, "http://localhost/callback"),
}


@pytest.mark.parametrize(("query", "hint"), FROM_MANAGED_LOGIN.values(), ids=FROM_MANAGED_LOGIN)
def test_the_log_names_the_setting_that_managed_login_refuses(
    query, hint, browser, endpoint, caplog
):
    query = {**query, "state": begin(browser, endpoint)["state"]}

    assert browser.get("/callback", query_string=query, headers=HTML).status_code == 403
    assert hint in caplog.text


FROM_TOKEN_ENDPOINT = {
    "no secret": ({"error": "invalid_client"}, 502, "set COGNITO_CLIENT_SECRET"),
    "no grant": ({"error": "unauthorized_client"}, 502, "authorization code grant"),
    "a used code": ({"error": "invalid_grant"}, 400, "invalid_grant"),
    "an odd code": ({"error": "invalid_request"}, 400, "invalid_request"),
}


@pytest.mark.parametrize(
    ("said", "status", "hint"), FROM_TOKEN_ENDPOINT.values(), ids=FROM_TOKEN_ENDPOINT
)
def test_the_log_names_the_setting_that_the_token_endpoint_refuses(
    said, status, hint, browser, endpoint, caplog
):
    query = {"code": "c", "state": begin(browser, endpoint)["state"]}
    endpoint.change = lambda body: (400, said)

    assert browser.get("/callback", query_string=query, headers=HTML).status_code == status
    assert hint in caplog.text


@pytest.mark.parametrize(
    ("claims", "cause"),
    [
        ({"cognito:groups": [f"group-{n:04}" for n in range(1500)]}, "too many groups"),
        ({"cognito:roles": ["arn:aws:iam::1:role/x"] * 700}, "too many groups"),
        ({"custom:note": "x" * 15000}, "too many attributes"),
    ],
    ids=["groups", "roles", "attributes"],
)
def test_the_page_for_a_token_that_is_too_large_names_the_cause(claims, cause, browser, endpoint):
    query = {"code": "c", "state": begin(browser, endpoint)["state"]}
    endpoint.change = lambda body: (200, endpoint.tokens(**claims))

    answer = browser.get("/callback", query_string=query, headers=HTML)

    assert answer.status_code == 500
    assert cause in answer.text
    assert cookie_names(browser) == set()


MARK = "zqx7"
ODD = ["", MARK, f"<script>{MARK}", f"//{MARK}.example", "\x00", "\r\nX-A: b", "é", "%ff",
       "x" * 9000, "'\";--", "{{7*7}}", "\ud7ff\U0010ffff", "/\\" + MARK]  # fmt: skip
NAMES = ["next", "code", "state", "error", "error_description", "renewal", "identity_provider",
         "idp_identifier", "login_hint", "lang", "prompt", "scope", "redirect_uri",
         "client_id"]  # fmt: skip
PATHS = ["/login", "/callback", "/logout", "/session/refresh"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("value", range(len(ODD)))
@pytest.mark.parametrize("session", [False, True], ids=["signed out", "signed in"])
def test_no_query_and_no_form_brings_about_a_5xx_an_open_redirect_or_an_echo(
    path, value, session, browser, endpoint
):
    if session:
        signed_in(browser, endpoint)
    endpoint.change = lambda body: (400, {"error": "invalid_grant"})
    for method in ("GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE"):
        for query in (dict.fromkeys(NAMES, ODD[value]), {NAMES[1]: ODD[value], "state": "x"}):
            for sent in ({"query_string": query}, {"data": query}):
                answer = browser.open(path, method=method, headers=SAME, **sent)

                assert answer.status_code < 500
                assert MARK not in answer.text
                target = answer.headers.get("Location", "/")
                assert target.startswith(("/", f"{endpoint.url}/"))
                assert not target.startswith(("//", "/\\"))


COOKIES = ["", "x", '"', "=;=", "a.b.c", "\x80\xff", "x" * 9000, "2:a", "9:", "4:a.b.c"]


@pytest.mark.parametrize("path", [*PATHS, "/page", "/change"])
@pytest.mark.parametrize("value", range(len(COOKIES)))
def test_no_cookie_brings_about_a_5xx_or_an_echo(path, value, app, endpoint):
    text = COOKIES[value]
    endpoint.change = lambda body: (400, {"error": "invalid_request"})
    client = app.test_client(use_cookies=False)
    names = ["token_cookie", "token_cookie-2", "refresh", "signin-2d711642b726b044", "signin-x"]
    header = "; ".join(f"{name}={text}" for name in names)
    for method in ("GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE"):
        for headers in (SAME, HTML, {}):
            answer = client.open(
                f"{path}?state=x&code=c", method=method, headers={**headers, "Cookie": header}
            )
            assert answer.status_code < 500
            assert "x" * 9000 not in answer.text


FORWARDED = {
    "identity_provider": ["Google", "LoginWithAmazon", "my SAML provider"],
    "idp_identifier": ["example.com"],
    "login_hint": ["ada@example.org"],
    "lang": ["en", "pt-BR", "zh-CN"],
    "prompt": ["none", "login", "select_account", "login select_account"],
}


@pytest.mark.parametrize(("name", "values"), FORWARDED.items(), ids=FORWARDED)
def test_login_forwards_what_chooses_how_to_sign_in(name, values, browser):
    for value in values:
        location = browser.get("/login", query_string={name: value}).location
        assert parse_qs(urlsplit(location).query)[name] == [value]


@pytest.mark.parametrize(
    "query",
    [
        {"scope": "aws.cognito.signin.user.admin"},
        {"redirect_uri": "https://evil.example"},
        {"client_id": "x"},
        {"state": "x"},
        {"nonce": "x"},
        {"code_challenge": "x"},
        {"response_type": "token"},
        {"resource": "x"},
        {"prompt": "evil"},
        {"prompt": "none\n"},
        {"lang": "en&scope=x"},
        {"identity_provider": "x" * 200},
        {"login_hint": ["a", "b"]},
        {"login_hint": "a\x00"},
    ],
    ids=str,
)
def test_login_forwards_nothing_else(query, browser, cognito):
    sent = parse_qs(urlsplit(browser.get("/login", query_string=query).location).query)

    assert set(sent) == {"response_type", "client_id", "redirect_uri", "scope", "state", "nonce",
                         "code_challenge", "code_challenge_method"}  # fmt: skip
    assert sent["client_id"] == [cognito.client_id]
    assert "admin" not in sent["scope"][0]
    assert len(sent["state"][0]) >= 43
