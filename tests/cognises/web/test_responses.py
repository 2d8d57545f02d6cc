"""A refusal as HTTP: one JSON shape, the challenge of RFC 6750, nothing that helps a stranger."""

from __future__ import annotations

import json

import pytest
from flask import Flask
from request_side import manifest
from werkzeug.exceptions import HTTPException

from cognises import CognisesError, login_check, permission_required
from cognises.errors import ANSWERS, ManifestError, ProvisionBlocked, SettingsError
from cognises.testing import FakePool
from cognises.tokens.http import FetchError
from cognises.web.responses import refusal
from cognises.web.state import state_of

# The contract, written here a second time.
CONTRACT = {
    "missing_token": (401, 'Bearer realm="r"'),
    "invalid_request": (400, 'Bearer realm="r", error="invalid_request"'),
    "invalid_token": (401, 'Bearer realm="r", error="invalid_token"'),
    "token_expired": (401, 'Bearer realm="r", error="invalid_token"'),
    "wrong_token_use": (401, 'Bearer realm="r", error="invalid_token"'),
    "wrong_client": (401, 'Bearer realm="r", error="invalid_token"'),
    "unknown_key": (401, 'Bearer realm="r", error="invalid_token"'),
    "revoked": (401, 'Bearer realm="r", error="invalid_token"'),
    "insufficient_scope": (403, 'Bearer realm="r", error="insufficient_scope", scope="a b"'),
    "forbidden": (403, None),
    "cross_site": (403, None),
    "no_role": (403, None),
    "aws_denied": (403, None),
    "aws_unavailable": (503, None),
    "keys_unavailable": (503, None),
}


@pytest.mark.parametrize(("reason", "answer"), CONTRACT.items(), ids=CONTRACT.keys())
def test_a_reason_has_its_status_its_challenge_and_one_json_shape(reason, answer):
    status, challenge = answer
    scopes = ("a", "b") if reason == "insufficient_scope" else ()
    exception = refusal(CognisesError(reason, "for the log alone", scopes=scopes), "r")
    response = exception.get_response()

    assert isinstance(exception, HTTPException)
    assert (exception.code, response.status_code) == (status, status)
    assert response.mimetype == "application/json"
    assert json.loads(response.get_data()) == {
        "status": status,
        "message": ANSWERS[reason].message,
        "reason": reason,
    }
    assert response.headers.get("WWW-Authenticate") == challenge
    assert ("Retry-After" in response.headers) == (status == 503)
    assert exception.error.reason == reason
    assert "for the log alone" not in response.get_data(as_text=True)


def test_the_contract_leaves_no_reason_out():
    assert {*ANSWERS} - {*CONTRACT} == {"misconfigured", "blocked"}


@pytest.mark.parametrize("kind", [SettingsError, ManifestError, ProvisionBlocked])
def test_errors_of_whoever_runs_the_service_are_cognises_errors_with_every_problem(kind):
    error = kind(["one", "two"])

    assert isinstance(error, CognisesError)
    assert error.problems == ["one", "two"]
    assert str(error) == "one\ntwo"
    assert error.status == 500


def test_an_error_tells_its_fixed_message_and_never_its_detail():
    error = CognisesError("invalid_token", "detail")

    assert str(error) == ANSWERS["invalid_token"].message
    assert "detail" not in repr(error)
    assert error.headers == {"WWW-Authenticate": 'Bearer realm="cognises", error="invalid_token"'}


@pytest.mark.parametrize(
    ("seconds", "told"), [(None, "1"), (0, "1"), (0.4, "1"), (7.6, "8"), (-5, "1")]
)
def test_retry_after_is_a_whole_number_of_seconds_and_at_least_one(seconds, told):
    error = CognisesError("keys_unavailable", retry_after=seconds)

    assert error.headers == {"Retry-After": told}


@pytest.fixture
def client(make_app):
    def views(app: Flask) -> None:
        @app.get("/thing")
        @permission_required
        def thing(response):
            return "thing"

        @app.get("/scoped")
        @login_check(token_use="access", scopes=["data/write", "data/read"])
        def scoped(response):
            return "scoped"

    return make_app(views, manifest(editors=["thing"]), COGNISES_REALM="my service").test_client()


def test_the_realm_is_the_settings(client):
    assert client.get("/thing").headers["WWW-Authenticate"] == 'Bearer realm="my service"'


def test_a_missing_token_is_challenged_without_an_error_code(client):
    answer = client.get("/thing")

    assert answer.json == {
        "status": 401,
        "message": "Sign in to use this address.",
        "reason": "missing_token",
    }
    assert "error" not in answer.headers["WWW-Authenticate"]


def test_an_expired_token_has_a_reason_of_its_own_in_the_body(client, cognito: FakePool):
    answer = client.get("/thing", headers=cognito.bearer(["editors"], exp=1))

    assert answer.json["reason"] == "token_expired"
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_a_missing_scope_is_named_in_the_challenge(client, cognito: FakePool):
    answer = client.get("/scoped", headers=cognito.bearer(token_use="access"))

    assert answer.status_code == 403
    assert answer.headers["WWW-Authenticate"].endswith(
        'error="insufficient_scope", scope="data/read data/write"'
    )


def test_a_forbidden_user_learns_no_group_and_gets_no_challenge(client, cognito: FakePool):
    answer = client.get("/thing", headers=cognito.bearer(["others"]))

    assert answer.status_code == 403
    assert "WWW-Authenticate" not in answer.headers
    assert "editors" not in answer.text
    assert "others" not in answer.text


def test_no_refusal_repeats_what_the_client_sent(client, cognito: FakePool):
    for headers in (
        {"Authorization": "Bearer <script>"},
        {"Authorization": "<script>"},
        {"Authorization": f"Bearer {cognito.token(header={'kid': '<script>', 'alg': 'RS256'})}"},
    ):
        answer = client.get("/thing?<script>", headers=headers)
        assert "script" not in answer.text + str(answer.headers)


def test_unavailable_keys_are_503_and_never_401(make_app, cognito: FakePool):
    def down(kid):
        raise FetchError("down")

    for extension in (True, False):
        app = make_app(lambda app: app.get("/thing")(login_check(lambda r: "x")),
                       extension=extension)  # fmt: skip
        state_of(app).set_test_keys(cognito.id, down)
        answer = app.test_client().get("/thing", headers=cognito.bearer())
        assert (answer.status_code, answer.json["reason"]) == (503, "keys_unavailable")
        assert int(answer.headers["Retry-After"]) >= 1
        assert app.test_client().get("/thing").status_code == 401


def test_a_cross_site_post_with_the_cookie_is_refused_and_a_same_origin_one_is_not(
    make_app, cognito
):
    def views(app: Flask) -> None:
        app.post("/thing")(login_check(lambda r: "written"))

    client = make_app(views).test_client()
    client.set_cookie("token_cookie", cognito.token())

    cross = client.post("/thing", headers={"Origin": "https://evil.example"})
    assert (cross.status_code, cross.json["reason"]) == (403, "cross_site")
    assert client.post("/thing").status_code == 403
    assert client.post("/thing", headers={"Sec-Fetch-Site": "same-site"}).status_code == 403
    assert client.post("/thing", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert client.post("/thing", headers={"Origin": "http://localhost"}).status_code == 200
    by_header = cognito.bearer() | {"Origin": "https://evil.example"}
    assert client.post("/thing", headers=by_header).status_code == 200


def test_two_cookies_of_the_name_are_refused_at_the_door(make_app, cognito):
    app = make_app(lambda app: app.get("/thing")(login_check(lambda r: "x")))
    client = app.test_client(use_cookies=False)
    token = cognito.token()

    answer = client.get("/thing", headers={"Cookie": f"token_cookie={token}; token_cookie={token}"})

    assert (answer.status_code, answer.json["reason"]) == (400, "invalid_request")
