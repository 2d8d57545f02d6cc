"""A single-page app on another loopback port signs in at the stand-in, by CORS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from running_cognito import PUBLIC_URL
from test_managed_login import CHALLENGE, VERIFIER, claims

from local_aws.cognito import LocalCognito, serving
from local_aws.environment import isolate

OWN = "http://localhost:5173"
FOREIGN = "http://localhost:5174"
CALLBACK = f"{OWN}/signed-in"


@pytest.fixture(scope="module")
def made() -> Iterator[tuple[str, LocalCognito]]:
    with patch.dict(os.environ):
        isolate()
        with serving(origins=[OWN]) as address:
            cognito = LocalCognito(address, PUBLIC_URL)
            cognito.add_users([])
            yield address, cognito


@pytest.fixture
def document(made) -> dict[str, str]:
    address, cognito = made
    url = f"{address}/{cognito.pool_id}/.well-known/openid-configuration"
    return requests.get(url, headers={"Origin": OWN}, timeout=10).json()


def authorize(made, document, redirect_uri: str) -> requests.Response:
    query = {
        "response_type": "code",
        "client_id": made[1].client_id,
        "redirect_uri": redirect_uri,
        "scope": "openid email",
        "state": "s",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return requests.get(document["authorization_endpoint"], params=query, timeout=10)


def sign_in(made, document) -> requests.Response:
    page = authorize(made, document, CALLBACK)
    username = page.text.split('name="username" value="')[1].split('"')[0]
    form = {
        "response_type": "code",
        "client_id": made[1].client_id,
        "redirect_uri": CALLBACK,
        "scope": "openid email",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "username": username,
    }
    address = made[0]
    back = requests.post(
        f"{address}/login",
        data=form,
        headers={"Origin": address},
        allow_redirects=False,
        timeout=10,
    )
    code = parse_qs(urlsplit(back.headers["Location"]).query)["code"][0]
    form = {
        "grant_type": "authorization_code",
        "client_id": made[1].client_id,
        "redirect_uri": CALLBACK,
        "code": code,
        "code_verifier": VERIFIER,
    }
    return requests.post(document["token_endpoint"], data=form, headers={"Origin": OWN}, timeout=10)


def test_discovery_names_every_endpoint_and_the_issuer_of_the_tokens(made, document):
    address, _ = made
    tokens = sign_in(made, document).json()

    assert claims(tokens["id_token"])["iss"] == document["issuer"]
    for name, address_of in document.items():
        if name.endswith("_endpoint"):
            assert address_of.startswith(f"{address}/")
    assert requests.get(document["jwks_uri"], headers={"Origin": OWN}, timeout=10).json()["keys"]


def test_a_single_page_app_gets_tokens_and_the_claims_of_its_user(made, document):
    answer = sign_in(made, document)
    bearer = {"Origin": OWN, "Authorization": f"Bearer {answer.json()['access_token']}"}
    user = requests.get(document["userinfo_endpoint"], headers=bearer, timeout=10)

    assert answer.headers["Access-Control-Allow-Origin"] == OWN
    assert user.json()["email"] == "newcomer@example.org"
    assert user.json()["sub"] == claims(answer.json()["id_token"])["sub"]
    assert user.headers["Access-Control-Allow-Origin"] == OWN


@pytest.mark.parametrize("credentials", ["", "Bearer", "Bearer x", "Bearer a.b.c", "Basic eDp5"])
def test_user_info_refuses_what_is_not_an_access_token(document, credentials):
    headers = {"Authorization": credentials} if credentials else {}

    answer = requests.get(document["userinfo_endpoint"], headers=headers, timeout=10)

    assert answer.status_code == 401


def test_user_info_refuses_an_id_token(made, document):
    token = sign_in(made, document).json()["id_token"]
    headers = {"Authorization": f"Bearer {token}"}

    assert (
        requests.get(document["userinfo_endpoint"], headers=headers, timeout=10).status_code == 401
    )


@pytest.mark.parametrize("name", ["token_endpoint", "userinfo_endpoint", "jwks_uri"])
@pytest.mark.parametrize("origin", [FOREIGN, "null", "https://evil.example", f"{OWN}.evil.example"])
def test_another_origin_is_not_answered(document, name, origin):
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    for method in ("GET", "POST", "OPTIONS"):
        answer = requests.request(method, document[name], headers=headers, timeout=10)
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Origin" in answer.headers["Vary"]


def test_a_preflight_of_the_configured_origin_is_allowed(document):
    headers = {"Origin": OWN, "Access-Control-Request-Method": "POST"}
    answer = requests.options(document["token_endpoint"], headers=headers, timeout=10)

    assert answer.ok
    assert answer.headers["Access-Control-Allow-Origin"] == OWN
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "redirect_uri",
    [f"{FOREIGN}/signed-in", f"{OWN}.evil.example/", f"{OWN}@evil.example/", OWN[5:]],
)
def test_no_address_of_another_origin_gets_a_code(made, document, redirect_uri):
    assert authorize(made, document, redirect_uri).status_code == 400


@pytest.mark.parametrize("path", ["/oauth2/authorize", "/logout", "/login", "/local/token"])
def test_pages_are_shared_with_no_origin(made, path):
    answer = requests.get(f"{made[0]}{path}", headers={"Origin": OWN}, timeout=10)

    assert "Access-Control-Allow-Origin" not in answer.headers
