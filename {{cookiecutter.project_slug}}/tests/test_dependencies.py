"""One test for each place where a newer package could break this service: see `make bump`."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from flask import Flask, request

import provision
from cognises import Cognises, CognisesError, Verifier, login_check, settings_of
from cognises.access import access_side
from cognises.signin import sign_in
from cognises.testing import FakePool, isolated
from cognises.web import prefers_html

MakeApp = Callable[..., Flask]


@pytest.fixture
def make_app(tmp_path: Path) -> MakeApp:
    """An app with one guarded route, in a folder of its own."""

    def make(**config: object) -> Flask:
        app = Flask("service", root_path=str(tmp_path))
        app.config.update(config)
        app.add_url_rule("/me", "me", login_check(lambda response: {"groups": response.groups}))
        return app

    return make


def test_jose_verifies_a_signature_and_refuses_a_wrong_one(cognito: FakePool) -> None:
    verifier = Verifier(cognito.id, [cognito.client_id], token_use="id")
    verifier.load_jwks(cognito.jwks)
    head, payload, signature = cognito.token(["editors"]).split(".")

    assert verifier.verify(f"{head}.{payload}.{signature}")["token_use"] == "id"
    with pytest.raises(CognisesError) as refused:
        verifier.verify(f"{head}.{payload}.{'A' * len(signature)}")
    assert refused.value.reason == "invalid_token"


@pytest.fixture
def key_server(cognito: FakePool) -> Iterator[str]:
    """The pool's keys over HTTP, on loopback."""

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(cognito.jwks).encode())

        def log_message(self, *args: object) -> None:
            """Prints nothing."""

    with HTTPServer(("127.0.0.1", 0), Keys) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/jwks.json"
        server.shutdown()


def test_requests_fetches_the_keys_of_the_pool(
    cognito: FakePool, make_app: MakeApp, key_server: str
) -> None:
    ids = {"COGNITO_USER_POOL_ID": cognito.id, "COGNITO_CLIENT_ID": cognito.client_id}
    app = make_app(**isolated(COGNISES_LOCAL="1", COGNITO_JWKS_URL=key_server, **ids))

    answer = app.test_client().get("/me", headers=cognito.bearer(["editors"]))

    assert answer.json == {"groups": ["editors"]}


def test_dotenv_reads_quotes_and_comments_and_fills_nothing_in(
    tmp_path: Path, make_app: MakeApp
) -> None:
    (tmp_path / ".flaskenv").write_text("COGNITO_TOKEN_USE=access\nCOGNISES_REALM=shared\n")
    (tmp_path / ".env").write_text(
        "# yours\nexport COGNISES_REALM='a name'  # wins\nCOGNITO_CLIENT_ID=\"one,two\"\n"
    )

    settings = settings_of(make_app())

    assert settings.realm == "a name"
    assert settings.client_ids == {"one", "two"}
    assert settings.token_use == {"access"}


def test_werkzeug_keeps_the_prefix_of_a_cookies_name(cognito: FakePool, make_app: MakeApp) -> None:
    """Versions 3.1.0 to 3.1.8 strip control characters from it (docs/security.md)."""
    app = make_app(**isolated(COGNITO_COOKIE_NAME="__Host-token"))
    cognito.attach(app)
    token = cognito.token()
    names = {"__Host-token": 200, "\x1f__Host-token": 401, "\x1c__Host-token": 401}
    client = app.test_client(use_cookies=False)

    for name, status in names.items():
        assert client.get("/me", headers={"Cookie": f"{name}={token}"}).status_code == status


@pytest.mark.parametrize(
    ("accept", "is_html"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("text/html;q=0.5, application/json", False),
        ("application/json", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_werkzeug_weighs_the_accept_header(accept: str, is_html: bool) -> None:
    with Flask("a").test_request_context(headers={"Accept": accept}):
        assert prefers_html(request) is is_html


def test_werkzeug_holds_rules_in_the_order_in_which_it_tries_them() -> None:
    app = Flask("a", static_folder=None)
    for rule in ("/<path:rest>", "/<int:number>", "/x"):
        app.add_url_rule(rule, rule, lambda **_: "")

    assert [each["path"] for each in access_side(app)] == ["/x", "/<int:number>", "/<path:rest>"]


def test_flask_runs_an_async_view(cognito: FakePool, make_app: MakeApp) -> None:
    async def later(response: object) -> str:
        return "done"

    app = make_app(**isolated())
    app.add_url_rule("/later", "later", login_check(later))
    cognito.attach(app)

    assert app.test_client().get("/later", headers=cognito.bearer()).text == "done"


def test_click_prints_the_access_report(make_app: MakeApp) -> None:
    app = make_app(**isolated())
    Cognises(app)

    result = app.test_cli_runner().invoke(args=["cognises", "access", "--format", "markdown"])

    assert result.exit_code == 0
    assert "| GET | /me |" in result.output


@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), (["plann"], 64), ([], 64)])
def test_click_tells_help_from_bad_usage(
    arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert provision.main(arguments) == code
    assert "Usage:" in "".join(capsys.readouterr())


def test_oauthlib_builds_the_request_of_a_sign_in(make_app: MakeApp) -> None:
    """Authorization code with PKCE: RFC 6749 section 4.1.1, RFC 7636 section 4.3."""
    ids = {"COGNITO_USER_POOL_ID": "us-east-1_AbCdEfGhI", "COGNITO_CLIENT_ID": "client"}
    urls = {"COGNITO_DOMAIN": "https://login.example.org", "COGNISES_PUBLIC_URL": "https://s.test"}
    app = make_app(**isolated(**ids, **urls))
    sign_in(app)

    location = app.test_client().get("/login").headers["Location"]

    assert location.startswith("https://login.example.org/oauth2/authorize?")
    for part in ("response_type=code", "code_challenge_method=S256", "state=", "nonce="):
        assert part in location


def test_boto3_retries_in_the_standard_mode_and_knows_the_errors_we_handle() -> None:
    import boto3
    from botocore.config import Config

    config = Config(retries={"mode": "standard", "max_attempts": 2})
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    cognito = boto3.client("cognito-idp", config=config, **keys)
    iam = boto3.client("iam", config=config, **keys)

    assert cognito.meta.config.retries == {"mode": "standard", "total_max_attempts": 3}
    assert cognito.exceptions.GroupExistsException
    assert iam.exceptions.EntityAlreadyExistsException
    assert iam.can_paginate("get_account_authorization_details")
