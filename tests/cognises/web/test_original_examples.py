"""The examples of the original package's README run as they stand; its sins are not repeated."""

from __future__ import annotations

import json
import time

import pytest
from flask import Flask
from request_side import POLICY

import cognises
from cognises import login_check, permission_required
from cognises.testing import FakePool, SigningKey, encode

group_details = [
    {
        "group_name": "Group1",
        "group_policy": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "Stmt1524591948858",
                    "Action": "cognito-idp:*",
                    "Effect": "Allow",
                    "Resource": "arn:aws:cognito-idp:us-east-1:123456789012:userpool/pool_id",
                }
            ],
        },
        "created": "false",
        "allowed_functions": ["protected", "admin_panel", "update_data"],
    },
    {
        "group_name": "String",
        "group_policy": POLICY,
        "created": "false",
        "allowed_functions": ["public", "view_data"],
    },
]
runs: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_has_run() -> None:
    runs.clear()


def second_example(app: Flask, cognito_pool_region: str, cognito_pool_id: str) -> None:
    @app.route("/protected", methods=["GET", "POST"])
    @login_check(cognito_pool_region, cognito_pool_id)
    def protected(response):
        runs.append("protected")
        if response["status"] == 200:
            return response["user_email"]
        return response["message"]


def third_example(app: Flask, cognito_pool_region: str, cognito_pool_id: str) -> None:
    @app.route("/protected", methods=["GET", "POST"])
    @login_check(cognito_pool_region, cognito_pool_id)
    @permission_required(group_details)
    def protected(response):
        runs.append("protected")
        if response["status"] == 200:
            return response["user_email"]
        return response["message"]


@pytest.fixture(params=[True, False], ids=["extension", "as in the original"])
def app_with(request, make_app, cognito: FakePool):
    """An app with one of the examples, a client id, and nothing else of ours."""

    def make(example) -> Flask:
        app = make_app(
            lambda app: example(app, cognito.region, cognito.id), extension=request.param
        )
        if not request.param:
            app.config.pop("COGNITO_USER_POOL_ID")
        return app

    return make


@pytest.mark.parametrize("example", [second_example, third_example])
def test_the_examples_answer_the_right_user_with_the_email(example, app_with, cognito: FakePool):
    client = app_with(example).test_client()
    client.set_cookie("token_cookie", cognito.token(["Group1"]))

    answer = client.get("/protected")

    assert (answer.status_code, answer.text) == (200, "ada@example.org")


@pytest.mark.parametrize("example", [second_example, third_example])
def test_refusals_are_http_statuses_and_never_200(example, app_with, cognito: FakePool):
    client = app_with(example).test_client()

    assert client.get("/protected").status_code == 401
    for token in ("x", cognito.token(["Group1"], exp=1), cognito.token(["Group1"], aud="other")):
        client.set_cookie("token_cookie", token)
        answer = client.get("/protected")
        assert (answer.status_code, answer.json["status"]) == (401, 401)
    assert runs == []


def test_the_view_is_not_run_on_refusal(app_with, cognito: FakePool):
    client = app_with(third_example).test_client()

    answer = client.get("/protected", headers=cognito.bearer(["String"]))

    assert (answer.status_code, answer.json["reason"]) == (403, "forbidden")
    assert runs == []


def test_a_post_by_cookie_from_the_page_itself_runs_as_before(app_with, cognito: FakePool):
    client = app_with(third_example).test_client()
    client.set_cookie("token_cookie", cognito.token(["Group1"]))

    assert client.post("/protected", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert client.post("/protected", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


# The sins


def test_the_audience_is_not_taken_from_the_unverified_token(app_with, cognito: FakePool):
    client = app_with(second_example).test_client()

    answer = client.get("/protected", headers=cognito.bearer(aud="whatever-the-token-says"))

    assert (answer.status_code, answer.json["reason"]) == (401, "wrong_client")


def test_no_key_is_cached_in_a_file_and_none_for_ever(make_verifier, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pool = FakePool()
    verifier = make_verifier(pool)
    token = pool.token()
    assert verifier.verify(token)
    pool.keys[:] = [SigningKey()]
    verifier.hydrate()

    with pytest.raises(cognises.CognisesError):
        verifier.verify(token)
    assert list(tmp_path.iterdir()) == []


def test_no_token_and_no_claim_is_printed(app_with, cognito: FakePool, capfd):
    client = app_with(third_example).test_client()
    client.get("/protected", headers=cognito.bearer(["Group1"]))
    client.get("/protected", headers=cognito.bearer(["Group1"], exp=1))

    printed = "".join(capfd.readouterr())
    assert "ey" not in printed
    assert "ada" not in printed


def test_every_group_of_the_user_is_read_and_not_only_the_first(app_with, cognito: FakePool):
    client = app_with(third_example).test_client()

    answer = client.get("/protected", headers=cognito.bearer(["String", "Group1"]))

    assert answer.status_code == 200


@pytest.mark.parametrize("groups", [None, [], ["Unlisted"], ["group1"]])
def test_a_group_that_the_manifest_does_not_list_is_refused(groups, app_with, cognito: FakePool):
    client = app_with(third_example).test_client()

    assert client.get("/protected", headers=cognito.bearer(groups)).status_code == 403
    assert runs == []


def test_a_token_without_a_signature_of_the_pool_is_refused(app_with, cognito: FakePool):
    client = app_with(second_example).test_client()
    header, _, signature = cognito.token().split(".")
    forged = f"{header}.{encode(cognito.claims(email='eve@example.org'))}.{signature}"

    client.set_cookie("token_cookie", forged)

    assert client.get("/protected").status_code == 401


def test_a_token_without_kid_is_401_and_not_a_crash(app_with, cognito: FakePool):
    client = app_with(second_example).test_client()

    answer = client.get("/protected", headers=cognito.bearer(header={"alg": "RS256"}))

    assert answer.status_code == 401


def test_an_access_token_is_401_and_not_a_crash(app_with, cognito: FakePool):
    client = app_with(second_example).test_client()

    answer = client.get("/protected", headers=cognito.bearer(["Group1"], token_use="access"))

    assert (answer.status_code, answer.json["reason"]) == (401, "wrong_token_use")


def test_the_guard_changes_nothing_in_the_manifest_it_was_given(app_with, cognito: FakePool):
    before = json.dumps(group_details)
    app_with(third_example).test_client().get("/protected", headers=cognito.bearer(["Group1"]))

    assert json.dumps(group_details) == before


def test_without_region_and_pool_nothing_is_served(make_app):
    with pytest.raises(cognises.SettingsError):
        make_app(lambda app: second_example(app, "us-east-1", ""))


def test_an_expired_token_is_refused_however_often_it_was_good(app_with, cognito, monkeypatch):
    client = app_with(second_example).test_client()
    headers = cognito.bearer(["Group1"])
    assert client.get("/protected", headers=headers).status_code == 200
    now = time.time()

    monkeypatch.setattr(time, "time", lambda: now + 3601)

    assert client.get("/protected", headers=headers).json["reason"] == "token_expired"
