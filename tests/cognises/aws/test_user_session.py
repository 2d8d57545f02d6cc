"""Views act in AWS with the credentials of the user who calls, and with no others."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore import exceptions
from botocore.endpoint import Endpoint
from botocore.parsers import ResponseParserError
from fake_aws import FakeAws
from flask import Flask

from cognises import CognisesError, settings_of
from cognises.aws import sessions, user_client
from cognises.aws.sessions import TokenCache, UserSessions
from cognises.settings.sources import PROJECT_FOLDER
from cognises.testing import FakePool


def stored(app: Flask) -> Any:
    return app.extensions["cognises.aws"].sessions


@pytest.mark.parametrize("path", ["/caller", "/caller/async"])
def test_a_call_is_signed_with_the_role_of_the_user_who_calls(
    path: str, app: Flask, cognito: FakePool
) -> None:
    for user in ("alice", "bob"):
        answer = app.test_client().get(path, headers=cognito.bearer(["viewers"], sub=user))
        assert answer.json == {"arn": f"arn:aws:sts::123456789012:assumed-role/group/AK{user}"}


def test_a_token_costs_two_calls_on_first_use_and_none_afterwards(
    app: Flask, aws: FakeAws, cognito: FakePool
) -> None:
    headers = cognito.bearer(["viewers"], sub="alice")
    for _ in range(5):
        assert app.test_client().get("/caller", headers=headers).status_code == 200

    assert aws.calls == {"GetId": 1, "GetCredentialsForIdentity": 1, "GetCallerIdentity": 5}


def test_the_session_has_the_pools_region(app: Flask, cognito: FakePool) -> None:
    answer = app.test_client().get("/session", headers=cognito.bearer(sub="alice"))

    assert answer.json == {"key": "AKalice", "region": "us-east-1"}


def test_users_in_many_threads_never_share_credentials(
    app: Flask, aws: FakeAws, cognito: FakePool
) -> None:
    headers = {user: cognito.bearer(["viewers"], sub=user) for user in ("alice", "bob")}
    client = app.test_client()

    def call(number: int) -> bool:
        user = ("alice", "bob")[number % 2]
        answer = client.get("/caller", headers=headers[user])
        return bool(answer.json["arn"].endswith(f"/AK{user}"))

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(call, range(160)))
    assert aws.calls["GetId"] == 2
    assert len(stored(app)) == 2


def test_ten_thousand_interleaved_uses_of_two_tokens_exchange_each_once(
    app: Flask, aws: FakeAws, cognito: FakePool
) -> None:
    cognito.attach(app)
    users = UserSessions(settings_of(app))
    claims = {user: cognito.claims(["viewers"], sub=user) for user in ("alice", "bob")}
    tokens = {user: cognito.sign(claims[user]) for user in claims}

    def use(number: int) -> bool:
        user = ("alice", "bob")[number % 2]
        found = users.session_for(tokens[user], claims[user])
        keys = found.session.get_credentials().get_frozen_credentials()
        return (keys.access_key, found.identity_id) == (f"AK{user}", f"us-east-1:{user}")

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(use, range(10_000)))
    assert (len(users.sessions), aws.calls["GetId"]) == (2, 2)
    kept = users.session_for(tokens["alice"], claims["alice"]).session.get_credentials()
    assert kept.ends <= claims["alice"]["exp"]


def test_the_number_of_kept_sessions_is_bounded(app: Flask, cognito: FakePool) -> None:
    client = app.test_client()
    client.get("/session", headers=cognito.bearer(sub="first"))
    stored(app)._size = 3
    for number in range(5):
        headers = cognito.bearer(sub=f"user-{number}")
        assert client.get("/session", headers=headers).json["key"] == f"AKuser-{number}"

    assert len(stored(app)) == 3


def test_the_cache_drops_what_has_ended_first_and_then_what_was_used_least_recently() -> None:
    cache: TokenCache[int] = TokenCache(2)
    later = time.time() + 60
    made: list[int] = []

    def make(number: int, ends: float) -> int:
        def build() -> tuple[int, float]:
            made.append(number)
            return number, ends

        return cache.get(str(number).encode(), build)

    for number, ends in [(1, later), (2, 0.0), (3, later), (1, later), (4, later), (1, later)]:
        assert make(number, ends) == number
    assert (made, len(cache)) == ([1, 2, 3, 4], 2)
    assert make(3, later) == 3
    assert made[-1] == 3


def test_requests_that_wait_for_a_failure_share_it_and_the_next_one_tries_again() -> None:
    cache: TokenCache[int] = TokenCache()
    started, go_on = threading.Barrier(4), threading.Event()
    made: list[int] = []

    def fail() -> tuple[int, float]:
        made.append(1)
        go_on.wait(10)
        raise CognisesError("aws_unavailable")

    def call(_: int) -> str:
        started.wait(10)
        try:
            cache.get(b"token", fail)
        except CognisesError as error:
            return error.reason
        return "made"

    with ThreadPoolExecutor(4) as threads:
        answers = threads.map(call, range(4))
        while not made or cache._kept[b"token"].done():
            time.sleep(0.01)
        go_on.set()
        assert set(answers) == {"aws_unavailable"}
    assert cache.get(b"token", lambda: (7, time.time() + 60)) == 7


def test_credentials_are_replaced_shortly_before_they_end(
    app: Flask, aws: FakeAws, cognito: FakePool
) -> None:
    aws.lifetime = sessions.MARGIN - 1
    headers = cognito.bearer(sub="alice")
    for _ in range(2):
        app.test_client().get("/session", headers=headers)

    assert aws.calls["GetCredentialsForIdentity"] == 2


def test_credentials_end_with_their_token_even_in_the_hands_of_a_view(
    app: Flask, cognito: FakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.test_request_context("/session", headers=cognito.bearer(sub="a", exp=time.time() + 9)):
        app.preprocess_request()
        client = user_client("sts")
        assert client.get_caller_identity()["Arn"].endswith("/AKa")
        monkeypatch.setattr(sessions.time, "time", lambda: time.monotonic() + 1e10)
        with pytest.raises(Exception, match="401") as caught:
            client.get_caller_identity()

    assert caught.value.error.reason == "token_expired"


REFUSED = {
    "an access token": (lambda pool: pool.bearer(["admins"], token_use="access"), 403, "no_role"),
    "a machine": (
        lambda pool: pool.bearer(token_use="access", username=None, sub=pool.client_id),
        403,
        "no_role",
    ),
}


@pytest.mark.parametrize(("headers", "status", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_only_the_id_token_of_a_person_acts_in_aws(
    headers: Any, status: int, reason: str, app: Flask, aws: FakeAws, cognito: FakePool
) -> None:
    answer = app.test_client().get("/caller", headers=headers(cognito))

    assert (answer.status_code, answer.json["reason"]) == (status, reason)
    assert not aws.calls


def test_without_a_signed_in_user_the_answer_is_401(app: Flask, aws: FakeAws) -> None:
    answer = app.test_client().get("/optional")

    assert (answer.status_code, answer.json["reason"]) == (401, "missing_token")
    assert "Bearer" in answer.headers["WWW-Authenticate"]
    assert not aws.calls


WHY = {
    "no role": ({}, "no group of the user has a role"),
    "ambiguous": ({"cognito:roles": ["a", "b"]}, "give the groups distinct precedence"),
    "refused": (
        {"cognito:roles": ["a"], "cognito:preferred_role": "a"},
        "run provision.py verify",
    ),
}


@pytest.mark.parametrize("operation", ["GetId", "GetCredentialsForIdentity"])
@pytest.mark.parametrize(("claims", "why"), WHY.values(), ids=WHY.keys())
def test_what_the_identity_pool_refuses_is_no_role_with_the_reason_in_the_log(
    claims: dict[str, Any],
    why: str,
    operation: str,
    app: Flask,
    aws: FakeAws,
    cognito: FakePool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    aws.errors[operation] = (400, "NotAuthorizedException")
    token = cognito.token(["viewers"], **claims)
    with caplog.at_level(logging.INFO):
        answer = app.test_client().get("/caller", headers={"Authorization": f"Bearer {token}"})

    assert (answer.status_code, answer.json["reason"]) == (403, "no_role")
    assert why in caplog.text
    assert token not in caplog.text
    assert why not in answer.text


@pytest.mark.parametrize(
    ("status", "code"),
    [(500, "InternalErrorException"), (400, "TooManyRequestsException"), (503, "Anything")],
)
def test_an_outage_of_the_identity_pool_is_503_and_is_not_kept(
    status: int, code: str, app: Flask, aws: FakeAws, cognito: FakePool
) -> None:
    aws.errors["GetId"] = (status, code)
    headers = cognito.bearer(sub="alice")
    answer = app.test_client().get("/caller", headers=headers)
    assert (answer.status_code, answer.json["reason"]) == (503, "aws_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert "WWW-Authenticate" not in answer.headers
    assert aws.calls["GetId"] <= 3
    assert len(stored(app)) == 0

    aws.errors.clear()
    assert app.test_client().get("/caller", headers=headers).status_code == 200


def test_an_aws_that_cannot_be_reached_is_503(
    app: Flask, cognito: FakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    answer = app.test_client().get("/caller", headers=cognito.bearer())

    assert (answer.status_code, answer.json["reason"]) == (503, "aws_unavailable")


URL = {"endpoint_url": "https://aws.example"}
FAILURES = {
    "no connection": exceptions.EndpointConnectionError(**URL),
    "a connection that takes too long": exceptions.ConnectTimeoutError(**URL),
    "a certificate": exceptions.SSLError(**URL, error="expired"),
    "a proxy": exceptions.ProxyConnectionError(proxy_url="http://proxy.example"),
    "an answer that takes too long": exceptions.ReadTimeoutError(**URL),
    "a closed connection": exceptions.ConnectionClosedError(**URL),
    "an answer of another format": ResponseParserError("no XML"),
}


@pytest.mark.parametrize("is_exchange", [True, False], ids=["identity pool", "service"])
@pytest.mark.parametrize("error", FAILURES.values(), ids=FAILURES.keys())
def test_a_call_that_gets_no_answer_of_aws_is_503(
    error: Exception,
    is_exchange: bool,
    app: Flask,
    cognito: FakePool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    send = Endpoint._send

    def failing(self: Any, request: Any) -> Any:
        if ("X-Amz-Target" in request.headers) == is_exchange:
            raise error
        return send(self, request)

    monkeypatch.setattr(Endpoint, "_send", failing)

    answer = app.test_client().get("/caller", headers=cognito.bearer())

    assert (answer.status_code, answer.json["reason"]) == (503, "aws_unavailable")
    assert "example" not in answer.text


DENIED = [(403, "AccessDenied"), (400, "AccessDeniedException"), (403, "Whatever")]


@pytest.mark.parametrize(("status", "code"), DENIED)
def test_what_aws_refuses_is_403_aws_denied(
    status: int, code: str, app: Flask, aws: FakeAws, cognito: FakePool
) -> None:
    aws.errors["GetCallerIdentity"] = (status, code)

    answer = app.test_client().get("/caller", headers=cognito.bearer())

    assert (answer.status_code, answer.json["reason"]) == (403, "aws_denied")
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert "arn:" not in answer.text


@pytest.mark.parametrize(("status", "code"), [(400, "Throttling"), (503, "SlowDown")])
def test_what_aws_limits_is_503(
    status: int, code: str, app: Flask, aws: FakeAws, cognito: FakePool
) -> None:
    aws.errors["GetCallerIdentity"] = (status, code)

    answer = app.test_client().get("/caller", headers=cognito.bearer())

    assert (answer.status_code, answer.json["reason"]) == (503, "aws_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_view_can_handle_what_aws_refuses(app: Flask, aws: FakeAws, cognito: FakePool) -> None:
    aws.errors["GetCallerIdentity"] = (403, "AccessDenied")

    answer = app.test_client().get("/handled", headers=cognito.bearer())

    assert answer.json == {"code": "AccessDenied"}


def test_no_representation_shows_a_secret(app: Flask, cognito: FakePool) -> None:
    app.test_client().get("/session", headers=cognito.bearer(sub="alice"))
    keys = {"AccessKeyId": "AK", "SecretKey": "hidden", "SessionToken": "hidden too"}
    found = sessions.UserCredentials(keys, 1.0, "r")

    shown = repr(found) + str(found)

    assert "hidden" not in shown
    assert "AKalice" not in repr(vars(stored(app)))


def test_in_local_mode_nothing_but_this_machine_is_called(
    app: Flask, cognito: FakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    app.config["COGNISES_LOCAL"] = "1"
    cognito.attach(app)

    answer = app.test_client().get("/caller", headers=cognito.bearer())

    assert (answer.status_code, answer.json["reason"]) == (403, "no_role")


def test_a_forked_process_starts_without_its_parents_credentials(
    app: Flask, cognito: FakePool
) -> None:
    app.test_client().get("/session", headers=cognito.bearer(sub="alice"))
    assert len(stored(app)) == 1
    child = os.fork()
    if child == 0:
        os._exit(len(stored(app)))

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(stored(app)) == 1


def test_a_forked_process_does_not_use_its_parents_connections(
    app: Flask, aws: FakeAws, cognito: FakePool
) -> None:
    headers = cognito.bearer(sub="alice")
    app.test_client().get("/session", headers=headers)
    users = app.extensions["cognises.aws"]
    before = users._client()
    child = os.fork()
    if child == 0:
        status = 2
        try:
            answer = app.test_client().get("/session", headers=headers)
            status = int(users._client() is before or answer.json["key"] != "AKalice")
        finally:
            os._exit(status)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert users._client() is before
    assert aws.calls["GetId"] == 2


def test_boto3_is_imported_on_first_use_and_not_before() -> None:
    code = "import sys, cognises.aws; print(sorted({'boto3', 'botocore'} & set(sys.modules)))"

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT_FOLDER, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
