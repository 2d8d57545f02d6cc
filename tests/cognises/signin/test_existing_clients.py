"""Sign-in with app clients that were not made by `bootstrap`: a secret, scopes, a path."""

from __future__ import annotations

from base64 import b64decode
from urllib.parse import parse_qs, urlsplit

import pytest
from token_endpoint import HTML, SAME, begin, signed_in

SECRET = "s3cr3t+/=%:&x"


@pytest.fixture
def with_secret(app, cognito):
    app.config["COGNITO_CLIENT_SECRET"] = SECRET
    cognito.attach(app)
    return app.test_client()


def test_a_client_secret_is_sent_by_http_basic_and_nowhere_else(with_secret, endpoint, cognito):
    signed_in(with_secret, endpoint)
    with_secret.post("/session/refresh", headers=SAME)
    with_secret.post("/logout", headers=SAME)

    assert [path for path, _ in endpoint.forms] == [
        "/oauth2/token",
        "/oauth2/token",
        "/oauth2/revoke",
    ]
    for authorization in endpoint.authorizations:
        scheme, _, credentials = authorization.partition(" ")
        assert scheme == "Basic"
        # RFC 6749 section 2.3.1: both parts are form-encoded before they are joined.
        assert b64decode(credentials).decode() == f"{cognito.client_id}:s3cr3t%2B%2F%3D%25%3A%26x"
    assert all(SECRET not in str(form) for _, form in endpoint.forms)


def test_without_a_secret_no_authorization_is_sent(browser, endpoint):
    signed_in(browser, endpoint)

    assert endpoint.authorizations == [None]


def test_the_log_names_a_wrong_secret_without_the_secret(with_secret, endpoint, caplog):
    query = {"code": "c", "state": begin(with_secret, endpoint)["state"]}
    endpoint.change = lambda body: (400, {"error": "invalid_client"})

    assert with_secret.get("/callback", query_string=query, headers=HTML).status_code == 502
    assert "COGNITO_CLIENT_SECRET is not the secret" in caplog.text
    assert "s3cr3t" not in caplog.text


def test_the_scopes_of_the_settings_are_asked_for(app, cognito):
    app.config["COGNITO_SCOPES"] = "openid phone reports/read"
    cognito.attach(app)

    location = app.test_client().get("/login").location

    assert parse_qs(urlsplit(location).query)["scope"] == ["openid phone reports/read"]


@pytest.fixture
def below(app, cognito):
    app.config["COGNISES_PUBLIC_URL"] = "http://localhost/prod"
    cognito.attach(app)
    return app.test_client()


STRIPPED = {
    "an HTTP API with a named stage keeps the path": ("/prod", {}),
    "a REST API takes it away": ("", {}),
    "a server mounts the app": ("", {"SCRIPT_NAME": "/prod"}),
    "a proxy strips another path": ("", {"SCRIPT_NAME": "/other"}),
    "a server names the root": ("/prod", {"SCRIPT_NAME": "/"}),
    "it follows a stage that was taken off": ("/prod", {"SCRIPT_NAME": "/stage"}),
}


@pytest.mark.parametrize(("prefix", "environ"), STRIPPED.values(), ids=STRIPPED)
def test_sign_in_works_below_the_path_of_the_public_address(prefix, environ, below, endpoint):
    def get(path: str, **options: object):
        return below.get(f"{prefix}{path}", headers=HTML, environ_overrides=environ, **options)

    away = get("/search/a%20b?q=1")
    assert away.location == "/prod/login?next=/prod/search/a%2520b?q%3D1"
    begun = get("/login", query_string={"next": "/prod/search/a%20b?q=1"})
    sent = {n: v[0] for n, v in parse_qs(urlsplit(begun.location).query).items()}
    endpoint.nonce = sent["nonce"]
    back = get("/callback", query_string={"code": "c", "state": sent["state"]})

    assert sent["redirect_uri"] == "http://localhost/prod/callback"
    assert back.location == "/prod/search/a%20b?q=1"
    assert get("/search/a%20b").text == "a b"
    assert all("Path=/" in cookie for cookie in back.headers.getlist("Set-Cookie"))


def test_a_stage_may_be_the_start_of_the_path_of_the_public_address(app, cognito):
    app.config["COGNISES_PUBLIC_URL"] = "http://localhost/prod/v1"
    cognito.attach(app)
    stage = {"SCRIPT_NAME": "/prod"}  # as lambda_entry.py takes it off

    assert app.test_client().get("/v1/closed", environ_overrides=stage).status_code == 401


def test_sign_out_below_a_path_returns_to_its_front_page(below, endpoint):
    answer = below.post("/prod/logout", headers=SAME)

    assert parse_qs(urlsplit(answer.location).query)["logout_uri"] == ["http://localhost/prod/"]


@pytest.mark.parametrize("path", ["/product", "/prod-x/page", "/Prod/page", "/prodpage"])
def test_only_whole_segments_are_the_public_path(path, below):
    assert below.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/prod/closed", "/closed", "/prod//closed", "/prod/prod/closed"])
def test_no_spelling_of_the_path_gets_past_a_guard(path, below):
    assert below.get(path).status_code in {308, 401, 404}


def test_services_below_two_paths_of_a_host_keep_their_refresh_tokens_apart(
    below, browser, endpoint
):
    sent = parse_qs(urlsplit(below.get("/prod/login").location).query)
    endpoint.nonce = sent["nonce"][0]
    below.get("/prod/callback", query_string={"code": "c", "state": sent["state"][0]})

    assert below.get_cookie("refresh-prod") is not None
    assert below.get_cookie("refresh") is None
