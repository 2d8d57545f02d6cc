"""Other OAuth clients sign in at the stand-in for managed login, as they do at Cognito."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import requests_oauthlib
from authlib.integrations.requests_client import OAuth2Session
from playwright._impl._driver import compute_driver_executable
from requests.auth import HTTPBasicAuth
from running_cognito import PUBLIC_URL, Client, Running

from cognises import Verifier
from cognises.tokens.verifier import pool_key_set
from cognises.user_pool import UserPool
from local_aws.issuer import moto_keys

VERIFIER = "a-verifier-that-is-long-enough-to-be-one-0123456789"
CALLBACK = f"{PUBLIC_URL}/callback"
SCOPES = ["openid", "email", "profile"]


@pytest.fixture(autouse=True)
def _the_stand_in_has_no_https(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")


def callback_of(browser: requests.Session, cognito: Running, url: str) -> str:
    """Where the browser returns to, once the editor is picked on the page at `url`."""
    page = browser.get(url, allow_redirects=False, timeout=10).text
    found = re.findall(r'value="([^"]*)">\s*<span class="name">([^<]+)</span>', page)
    usernames = {name: username for username, name in found}
    fields = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    answer = browser.post(
        f"{cognito.address}/login",
        data={**fields, "username": usernames[cognito.users["editors"].name]},
        headers={"Origin": cognito.address},
        allow_redirects=False,
        timeout=10,
    )
    return str(answer.headers["Location"])


def verify(cognito: Running, client_id: str, token: dict[str, Any], nonce: str | None) -> None:
    """The service accepts the ID token, which is of the editor and answers this attempt."""
    pool = UserPool.parse(cognito.cognito.pool_id)
    keys = pool_key_set(pool, load=lambda kid: moto_keys(), local=True)
    claims = Verifier(pool.id, [client_id], token_use="id", key_set=keys).verify(token["id_token"])

    assert claims["email"] == cognito.users["editors"].name
    assert claims.get("nonce") == nonce


def sign_in_by_authlib(
    browser: requests.Session, cognito: Running, client: OAuth2Session, client_id: str
) -> None:
    url, _ = client.create_authorization_url(
        f"{cognito.address}/oauth2/authorize", code_verifier=VERIFIER, nonce="n"
    )
    token = client.fetch_token(
        f"{cognito.address}/oauth2/token",
        authorization_response=callback_of(browser, cognito, url),
        code_verifier=VERIFIER,
    )
    verify(cognito, client_id, token, "n")
    assert client.get(f"{cognito.address}/oauth2/userInfo").json()["email_verified"] is True
    renewed = client.refresh_token(f"{cognito.address}/oauth2/token", token["refresh_token"])
    verify(cognito, client_id, renewed, None)


def authlib_client(client_id: str, secret: str | None, method: str) -> OAuth2Session:
    client = OAuth2Session(
        client_id,
        secret,
        token_endpoint_auth_method=method,
        scope=" ".join(SCOPES),
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
    )
    client.trust_env = False
    return client


def test_authlib_signs_in_and_refreshes(browser, cognito):
    client_id = cognito.cognito.client_id
    with authlib_client(client_id, None, "none") as client:
        sign_in_by_authlib(browser, cognito, client, client_id)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib_signs_in_and_refreshes_with_a_client_secret(
    method: str, browser: requests.Session, cognito: Running, confidential: Client
) -> None:
    with authlib_client(*confidential, method) as client:
        sign_in_by_authlib(browser, cognito, client, confidential.id)


def sign_in_by_requests_oauthlib(
    browser: requests.Session, cognito: Running, client_id: str, **credentials: Any
) -> None:
    """`credentials` go with each call of the token endpoint."""
    token_url = f"{cognito.address}/oauth2/token"
    with requests_oauthlib.OAuth2Session(
        client_id, redirect_uri=CALLBACK, scope=SCOPES, pkce="S256"
    ) as client:
        client.trust_env = False
        url, _ = client.authorization_url(f"{cognito.address}/oauth2/authorize", nonce="n")
        token = client.fetch_token(
            token_url,
            authorization_response=callback_of(browser, cognito, url),
            include_client_id=True,
            **credentials,
        )
        verify(cognito, client_id, token, "n")
        assert client.get(f"{cognito.address}/oauth2/userInfo").json()["email_verified"] is True
        renewed = client.refresh_token(token_url, client_id=client_id, **credentials)
        verify(cognito, client_id, renewed, None)


def test_requests_oauthlib_signs_in_and_refreshes(browser, cognito):
    sign_in_by_requests_oauthlib(browser, cognito, cognito.cognito.client_id)


SECRETS = {
    "client_secret_basic": lambda client: {"auth": HTTPBasicAuth(*client)},
    "client_secret_post": lambda client: {"client_secret": client.secret},
}


@pytest.mark.parametrize("credentials", SECRETS.values(), ids=SECRETS)
def test_requests_oauthlib_signs_in_and_refreshes_with_a_client_secret(
    credentials, browser, cognito, confidential
):
    sign_in_by_requests_oauthlib(browser, cognito, confidential.id, **credentials(confidential))


def sign_in_by_openid_client(
    browser: requests.Session, cognito: Running, client: Client, method: str
) -> None:
    """In the Node that playwright brings; `method` is the library's name for it."""
    authority = f"{cognito.address}/{cognito.cognito.pool_id}"
    server = requests.get(f"{authority}/.well-known/openid-configuration", timeout=10).json()
    node, _ = compute_driver_executable()
    script = Path(__file__).with_name("openid_client.mjs")
    with subprocess.Popen(
        [node, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout

        def say(line: str) -> Any:
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        asked = {"server": server, "clientId": client.id, "secret": client.secret,
                 "method": method, "redirectUri": CALLBACK}  # fmt: skip
        url = say(json.dumps(asked))
        given = say(callback_of(browser, cognito, url))
        refused = json.loads(process.stdout.readline())

    verify(cognito, client.id, given["tokens"], given["nonce"])
    verify(cognito, client.id, given["renewed"], None)
    assert given["user"]["email"] == cognito.users["editors"].name
    assert refused == "invalid_grant"


def test_openid_client_signs_in_refreshes_and_revokes(browser, cognito):
    client = Client(cognito.cognito.client_id, "")
    sign_in_by_openid_client(browser, cognito, client, "None")


@pytest.mark.parametrize("method", ["ClientSecretBasic", "ClientSecretPost"])
def test_openid_client_signs_in_refreshes_and_revokes_with_a_client_secret(
    method, browser, cognito, confidential
):
    sign_in_by_openid_client(browser, cognito, confidential, method)
