"""The stand-in for managed login, over HTTP: what it gives, and what it refuses."""

from __future__ import annotations

import http.client
import json
import re
import time
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlsplit

import pytest
import requests
from running_cognito import PUBLIC_URL, Client, Running

from local_aws.issuer import Issuer

VERIFIER = "a-verifier-that-is-long-enough-to-be-one-0123456789"
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
CALLBACK = f"{PUBLIC_URL}/callback"


def asked(cognito: Running, **changes: str | None) -> dict[str, str]:
    """The parameters of a good authorization request, but for the changes."""
    good: dict[str, str | None] = {
        "response_type": "code",
        "client_id": cognito.cognito.client_id,
        "redirect_uri": CALLBACK,
        "scope": "openid email profile",
        "state": "a-state",
        "nonce": "a-nonce",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def open_page(browser: requests.Session, cognito: Running, **changes: str | None) -> Any:
    return browser.get(
        f"{cognito.address}/oauth2/authorize",
        params=asked(cognito, **changes),
        allow_redirects=False,
        timeout=10,
    )


def choose(
    browser: requests.Session,
    cognito: Running,
    group: str | None = "editors",
    **changes: str | None,
) -> Any:
    """Pick a user of that group on the page; None cancels."""
    page = open_page(browser, cognito, **changes).text
    found = re.findall(r'value="([^"]*)">\s*<span class="name">([^<]+)</span>', page)
    usernames = {name: username for username, name in found}
    username = "" if group is None else usernames[cognito.users[group].name]
    return browser.post(
        f"{cognito.address}/login",
        data={**asked(cognito, **changes), "username": username},
        headers={"Origin": cognito.address},
        allow_redirects=False,
        timeout=10,
    )


def answer(response: Any) -> dict[str, str]:
    """The parameters that a redirect brings back."""
    assert response.status_code == 302, response.text
    assert response.headers["Location"].startswith(f"{CALLBACK}?")
    query = parse_qs(urlsplit(response.headers["Location"]).query)
    return {name: values[0] for name, values in query.items()}


def code_of(browser: requests.Session, cognito: Running, group: str = "editors") -> str:
    return answer(choose(browser, cognito, group))["code"]


def redeem(cognito: Running, code: str, **changes: str) -> Any:
    form = {
        "grant_type": "authorization_code",
        "client_id": cognito.cognito.client_id,
        "redirect_uri": CALLBACK,
        "code": code,
        "code_verifier": VERIFIER,
    }
    return requests.post(f"{cognito.address}/oauth2/token", data=form | changes, timeout=10)


def basic(client_id: str, secret: str) -> dict[str, str]:
    """HTTP Basic as RFC 6749 section 2.3.1 has it: both parts are form-encoded."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def refresh(cognito: Running, token: str) -> Any:
    form = {
        "grant_type": "refresh_token",
        "client_id": cognito.cognito.client_id,
        "refresh_token": token,
    }
    return requests.post(f"{cognito.address}/oauth2/token", data=form, timeout=10)


def claims(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def test_who_is_picked_comes_back_with_a_code_and_gets_three_tokens(browser, cognito):
    back = answer(choose(browser, cognito))
    given = redeem(cognito, back["code"])

    assert back["state"] == "a-state"
    assert given.status_code == 200
    assert given.headers["Cache-Control"] == "no-store"
    tokens = given.json()
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 300
    identity, access = claims(tokens["id_token"]), claims(tokens["access_token"])
    assert identity["sub"] == access["sub"]
    assert identity["nonce"] == "a-nonce"
    assert identity["email"] == "editors@example.org"
    assert identity["email_verified"] is True
    assert identity["cognito:groups"] == access["cognito:groups"] == ["editors"]
    assert identity["cognito:preferred_role"].endswith(":role/local-editors")
    assert identity["aud"] == access["client_id"] == cognito.cognito.client_id
    assert access["scope"] == "openid email profile"
    assert identity["exp"] - identity["iat"] == 300
    half = sha256(tokens["access_token"].encode()).digest()[:16]
    assert identity["at_hash"] == urlsafe_b64encode(half).rstrip(b"=").decode()


def test_somebody_in_no_group_has_no_group_and_no_role(browser, cognito):
    tokens = redeem(cognito, code_of(browser, cognito, "")).json()

    assert not {"cognito:groups", "cognito:roles"} & claims(tokens["id_token"]).keys()


def test_a_browser_that_has_picked_once_is_not_asked_again_until_it_signs_out(browser, cognito):
    choose(browser, cognito)
    again = open_page(browser, cognito)
    browser.get(
        f"{cognito.address}/logout",
        params={"client_id": cognito.cognito.client_id, "logout_uri": f"{PUBLIC_URL}/"},
        allow_redirects=False,
        timeout=10,
    )

    assert "code" in answer(again)
    assert open_page(browser, cognito).status_code == 200


def test_signing_out_goes_to_an_address_of_the_client_alone(browser, cognito):
    def leave(uri: str) -> Any:
        params = {"client_id": cognito.cognito.client_id, "logout_uri": uri}
        return browser.get(
            f"{cognito.address}/logout", params=params, allow_redirects=False, timeout=10
        )

    assert leave(f"{PUBLIC_URL}/").headers["Location"] == f"{PUBLIC_URL}/"
    for uri in ("https://evil.example", f"{PUBLIC_URL}/x", PUBLIC_URL, ""):
        assert leave(uri).status_code == 400


def test_who_cancels_comes_back_denied(browser, cognito):
    assert answer(choose(browser, cognito, None)) == {
        "error": "access_denied",
        "state": "a-state",
    }


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unauthorized_client"),
        ({"response_type": None}, "unauthorized_client"),
        ({"scope": "openid aws.cognito.signin.user.admin"}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
    ],
)
def test_a_request_that_asks_wrongly_comes_back_with_an_error(browser, cognito, changes, error):
    assert answer(open_page(browser, cognito, **changes)) == {"error": error, "state": "a-state"}


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "unknown"},
        {"client_id": None},
        {"redirect_uri": f"{CALLBACK}/"},
        {"redirect_uri": f"{CALLBACK}?x=1"},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": None},
    ],
)
def test_a_request_of_an_unknown_client_or_to_another_address_is_not_redirected(
    browser, cognito, changes
):
    page = open_page(browser, cognito, **changes)

    assert page.status_code == 400
    assert "Location" not in page.headers


def test_a_form_from_another_site_or_for_an_unknown_user_is_refused(browser, cognito):
    form = {**asked(cognito), "username": "nobody"}
    own = {"Origin": cognito.address}
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {}, own):
        sent = browser.post(
            f"{cognito.address}/login",
            data=form,
            headers=headers,
            allow_redirects=False,
            timeout=10,
        )
        assert sent.status_code == 400


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": VERIFIER + "x"}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_grant"),
        ({"redirect_uri": f"{PUBLIC_URL}/"}, "invalid_grant"),
        ({"client_id": "unknown"}, "invalid_client"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_a_code_is_worth_nothing_to_others(browser, cognito, changes, error):
    refused = redeem(cognito, code_of(browser, cognito), **changes)

    assert (refused.status_code, refused.json()) == (400, {"error": error})


def test_a_code_used_twice_ends_what_it_gave(browser, cognito):
    code = code_of(browser, cognito)
    tokens = redeem(cognito, code).json()

    assert redeem(cognito, code).json() == {"error": "invalid_grant"}
    assert refresh(cognito, tokens["refresh_token"]).json() == {"error": "invalid_grant"}


def test_a_refresh_token_gives_new_tokens_of_the_same_user_until_it_is_revoked(browser, cognito):
    tokens = redeem(cognito, code_of(browser, cognito)).json()
    renewed = refresh(cognito, tokens["refresh_token"])
    form = {"token": tokens["refresh_token"], "client_id": cognito.cognito.client_id}
    revoked = requests.post(f"{cognito.address}/oauth2/revoke", data=form, timeout=10)

    assert renewed.status_code == 200
    assert "refresh_token" not in renewed.json()
    fresh = claims(renewed.json()["id_token"])
    assert fresh["sub"] == claims(tokens["id_token"])["sub"]
    assert "nonce" not in fresh
    assert claims(renewed.json()["access_token"])["scope"] == "openid email profile"
    assert revoked.status_code == 200
    assert refresh(cognito, tokens["refresh_token"]).json() == {"error": "invalid_grant"}


@pytest.mark.parametrize(("grace", "later", "status"), [(0, 0, 400), (10, 9, 200), (10, 11, 400)])
def test_a_rotated_refresh_token_works_for_its_grace_period(
    grace, later, status, browser, cognito, monkeypatch
):
    rotation = {"Feature": "ENABLED", "RetryGracePeriodSeconds": grace}
    client = Issuer(cognito.cognito.client_id).client
    monkeypatch.setitem(client, "RefreshTokenRotation", rotation)
    first = redeem(cognito, code_of(browser, cognito)).json()["refresh_token"]
    second = refresh(cognito, first).json()["refresh_token"]
    now = time.monotonic() + later
    monkeypatch.setattr("local_aws.grants.time", SimpleNamespace(monotonic=lambda: now))

    assert refresh(cognito, first).status_code == status
    assert refresh(cognito, second).status_code == 200


@pytest.fixture
def odd(confidential: Client) -> Client:
    """The client with a secret that HTTP Basic must encode; moto makes only plain ones."""
    odd = Client(confidential.id, "s3cr3t+/=%:&x")
    Issuer(odd.id)._pool.clients[odd.id].secret = odd.secret
    return odd


# What each call sends of the client's id and secret: the form's fields, and the headers.
Credentials = tuple[dict[str, str], dict[str, str]]
ACCEPTED: dict[str, Callable[[Client], Credentials]] = {
    "HTTP Basic": lambda c: ({}, basic(*c)),
    "HTTP Basic, and the id in the form": lambda c: ({"client_id": c.id}, basic(*c)),
    "the form": lambda c: ({"client_id": c.id, "client_secret": c.secret}, {}),
}
REFUSED: dict[str, Callable[[Client], Credentials]] = {
    "no secret": lambda c: ({"client_id": c.id}, {}),
    "an empty secret": lambda c: ({"client_id": c.id, "client_secret": ""}, {}),
    "a wrong secret": lambda c: ({"client_id": c.id, "client_secret": f"{c.secret}x"}, {}),
    "a secret outside ASCII": lambda c: ({"client_id": c.id, "client_secret": "s\u00e9cret"}, {}),
    "HTTP Basic with a wrong secret": lambda c: ({}, basic(c.id, f"{c.secret}x")),
    "HTTP Basic without a secret": lambda c: ({}, basic(c.id, "")),
    "HTTP Basic for another id than the form's": lambda c: ({"client_id": "x"}, basic(*c)),
    "HTTP Basic and the form": lambda c: (
        {"client_id": c.id, "client_secret": c.secret}, basic(*c)),
    "malformed HTTP Basic": lambda c: ({"client_id": c.id}, {"Authorization": "Basic !"}),
    "another scheme": lambda c: (
        {"client_id": c.id, "client_secret": c.secret}, {"Authorization": f"Bearer {c.secret}"}),
}  # fmt: skip


def call(cognito: Running, path: str, credentials: Credentials, **fields: str) -> Any:
    form, headers = credentials
    url = f"{cognito.address}{path}"
    return requests.post(url, data=form | fields, headers=headers, timeout=10)


def code_fields(browser: requests.Session, cognito: Running, client: Client) -> dict[str, str]:
    code = answer(choose(browser, cognito, client_id=client.id))["code"]
    fields = {"grant_type": "authorization_code", "redirect_uri": CALLBACK}
    return {**fields, "code": code, "code_verifier": VERIFIER}


@pytest.mark.parametrize("credentials", ACCEPTED.values(), ids=ACCEPTED)
def test_a_client_with_a_secret_gets_tokens_refreshes_and_revokes_with_it(
    credentials, browser, cognito, odd
):
    own = credentials(odd)
    given = call(cognito, "/oauth2/token", own, **code_fields(browser, cognito, odd))
    assert given.status_code == 200, given.text
    token = given.json()["refresh_token"]
    fields = {"grant_type": "refresh_token", "refresh_token": token}
    renewed = call(cognito, "/oauth2/token", own, **fields)
    revoked = call(cognito, "/oauth2/revoke", own, token=token)

    assert claims(given.json()["id_token"])["aud"] == odd.id
    assert (renewed.status_code, revoked.status_code) == (200, 200)
    assert call(cognito, "/oauth2/token", own, **fields).json() == {"error": "invalid_grant"}


@pytest.mark.parametrize("credentials", REFUSED.values(), ids=REFUSED)
def test_without_its_secret_a_client_gets_nothing_and_its_code_stays_good(
    credentials, browser, cognito, odd
):
    fields = code_fields(browser, cognito, odd)
    used_header = "Authorization" in credentials(odd)[1]
    for path in ("/oauth2/token", "/oauth2/revoke"):
        refused = call(cognito, path, credentials(odd), **fields)
        assert (refused.status_code, refused.json()) == (401, {"error": "invalid_client"})
        challenge = refused.headers.get("WWW-Authenticate", "")
        assert challenge.startswith("Basic realm=") is used_header

    given = call(cognito, "/oauth2/token", ACCEPTED["HTTP Basic"](odd), **fields)
    assert given.status_code == 200


@pytest.mark.parametrize("secret", ["", "x"])
def test_a_client_without_a_secret_may_send_none(secret, browser, cognito):
    code, own_id = code_of(browser, cognito), cognito.cognito.client_id
    fields = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "code": code,
              "code_verifier": VERIFIER}  # fmt: skip
    for credentials in (({}, basic(own_id, secret)),
                        ({"client_id": own_id, "client_secret": secret}, {})):  # fmt: skip
        assert call(cognito, "/oauth2/token", credentials, **fields).status_code == 401
    assert redeem(cognito, code).status_code == 200


def test_a_user_who_was_disabled_gets_nothing_more(browser, cognito):
    tokens = redeem(cognito, code_of(browser, cognito, "")).json()
    who = {"UserPoolId": cognito.cognito.pool_id, "Username": "newcomer@example.org"}
    cognito.cognito._cognito.admin_disable_user(**who)
    try:
        page = open_page(requests.Session(), cognito).text
        assert "newcomer" not in page
        assert refresh(cognito, tokens["refresh_token"]).status_code == 400
    finally:
        cognito.cognito._cognito.admin_enable_user(**who)


def test_a_program_gets_the_token_of_a_group_or_of_a_user_and_a_browser_gets_none(cognito):
    def ask(who: str, **headers: str) -> Any:
        form = {"client_id": cognito.cognito.client_id, "who": who}
        return requests.post(
            f"{cognito.address}/local/token", data=form, headers=headers, timeout=10
        )

    assert claims(ask("editors").text)["email"] == "editors@example.org"
    assert claims(ask("newcomer@example.org").text)["email"] == "newcomer@example.org"
    unknown = ask("stranger")
    assert unknown.status_code == 404
    assert "; there are editors, editors@example.org, newcomer@example.org" in unknown.text
    assert ask("editors", Origin="https://evil.example").status_code == 403


@pytest.mark.parametrize(
    ("header", "value"),
    [("Host", "evil.example"), ("Host", "evil.example:80"), ("X-Forwarded-For", "10.0.0.1")],
)
def test_only_this_machine_is_answered(cognito, header, value):
    where = urlsplit(cognito.address)
    connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=10)
    connection.putrequest("GET", "/oauth2/authorize", skip_host=header == "Host")
    connection.putheader(header, value)
    connection.endheaders()

    assert connection.getresponse().status == 403
    connection.close()


def test_the_page_runs_no_script_and_is_in_no_frame(browser, cognito):
    headers = open_page(browser, cognito).headers

    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert f"form-action 'self' {PUBLIC_URL}" in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "none"}]
)
def test_pages_in_a_browser_do_not_reach_the_aws_behind_it(cognito, headers):
    url = f"{cognito.address}/moto-api/reset"

    assert requests.post(url, headers=headers, timeout=10).status_code == 403


def test_the_aws_behind_it_answers_this_machine_alone(cognito):
    url = f"{cognito.address}/moto-api/data.json"

    assert requests.get(url, headers={"Host": "evil.example"}, timeout=10).status_code == 403
