"""One line for each request: what is in it, and what is not."""

from __future__ import annotations

import json
import logging

import pytest

from cognises.operation import request_id
from cognises.operation.logs import JsonFormatter

SUB = "0f8fad5b-d9cb-469f-a165-70867728950e"


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    records = [r for r in caplog.records if r.name == "cognises.requests"]
    return [json.loads(JsonFormatter().format(record)) for record in records]


@pytest.fixture(autouse=True)
def at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_an_allowed_request_says_who_and_what(operated, cognito, caplog):
    headers = cognito.bearer(["editors"], sub=SUB) | {"X-Request-Id": "r-1"}

    answer = operated().test_client().get("/guarded?code=secret", headers=headers)

    (line,) = lines(caplog)
    assert answer.headers.getlist("X-Request-Id") == ["r-1"]
    assert line.pop("duration_ms") >= 0
    assert line.pop("time")
    assert line == {"level": "INFO", "logger": "cognises.requests", "message": "request",
                    "request_id": "r-1", "method": "GET", "path": "/guarded",
                    "endpoint": "guarded", "status": 200, "sub": SUB,
                    "decision": "allowed"}  # fmt: skip


@pytest.mark.parametrize(
    ("groups", "changes", "status", "reason", "sub"),
    [
        (["viewers"], {}, 403, "forbidden", SUB),
        (["editors"], {"exp": 1}, 401, "token_expired", None),
        (["editors"], {"aud": "another"}, 401, "wrong_client", None),
    ],
)
def test_a_refused_request_says_why(
    operated, cognito, caplog, groups, changes, status, reason, sub
):
    headers = cognito.bearer(groups, sub=SUB, **changes)

    assert operated().test_client().get("/guarded", headers=headers).status_code == status

    (line,) = lines(caplog)
    assert (line["decision"], line["reason"], line.get("sub")) == ("refused", reason, sub)


def test_a_stranger_and_a_public_page_have_no_sub(operated, caplog):
    client = operated().test_client()
    client.get("/guarded")
    client.get("/open")
    client.get("/nowhere")

    stranger, public, nowhere = lines(caplog)
    assert (stranger["reason"], "sub" in stranger) == ("missing_token", False)
    assert ("decision" in public, "sub" in public) == (False, False)
    assert (nowhere["status"], "endpoint" in nowhere) == (404, False)


def test_a_view_without_a_declaration_is_logged_as_refused_not_as_allowed(
    operated, cognito, caplog
):
    app = operated()
    app.add_url_rule("/forgotten", "forgotten", lambda: "never")

    app.test_client().get("/forgotten", headers=cognito.bearer(["editors"], sub=SUB))

    (line,) = lines(caplog)
    assert (line["decision"], line["reason"], line["sub"]) == ("refused", "forbidden", SUB)


def test_middleware_that_gives_flask_a_copy_of_environ_hides_nothing(operated, cognito, caplog):
    def copying(wsgi_app):  # as Flask-SocketIO's does
        return lambda environ, start_response: wsgi_app(dict(environ), start_response)

    client = operated(middleware=copying).test_client()

    client.get("/guarded", headers=cognito.bearer(["editors"], sub=SUB))

    (line,) = lines(caplog)
    assert (line["endpoint"], line["decision"], line["sub"]) == ("guarded", "allowed", SUB)


def test_what_middleware_answers_within_another_request_is_not_logged_as_that_request(
    operated, cognito, caplog
):
    def answering(wsgi_app):
        def respond(environ, start_response):
            if environ["PATH_INFO"] != "/health":
                return wsgi_app(environ, start_response)
            start_response("200 OK", [])
            return [b"healthy"]

        return respond

    app = operated(middleware=answering)
    app.after_request(lambda answer: app.test_client().get("/health") and answer)

    app.test_client().get("/guarded", headers=cognito.bearer(["editors"], sub=SUB))

    inner, outer = lines(caplog)
    assert (inner["path"], outer["path"]) == ("/health", "/guarded")
    assert inner.keys().isdisjoint({"endpoint", "decision", "sub"})


def test_a_view_that_breaks_is_a_500_with_its_id(operated, caplog):
    answer = operated().test_client().get("/broken")

    (line,) = lines(caplog)
    assert (answer.status_code, line["status"]) == (500, 500)
    assert answer.headers["X-Request-Id"] == line["request_id"]


def test_what_breaks_the_app_itself_is_logged_too(operated, caplog):
    with pytest.raises(RuntimeError):
        operated(PROPAGATE_EXCEPTIONS=True).test_client().get("/broken")

    (line,) = lines(caplog)
    assert (line["path"], line["status"]) == ("/broken", 500)


def test_a_token_in_a_query_reaches_no_log(operated, cognito, caplog):
    caplog.set_level(logging.DEBUG)
    token = cognito.token(["editors"], email="ada@secret.example")

    for path in (f"/guarded?token={token}", f"/{token}", "/u/ada@secret.example", "/broken"):
        operated().test_client().get(path, headers={"Authorization": f"Bearer {token}"})

    written = "".join(JsonFormatter().format(record) for record in caplog.records)
    assert token not in written
    assert token.split(".")[2] not in written
    assert "secret.example" not in written


def test_a_sub_that_is_not_plain_is_left_out(operated, cognito, caplog):
    headers = cognito.bearer(["editors"], sub="ada@secret.example")

    operated().test_client().get("/guarded", headers=headers)

    assert "sub" not in lines(caplog)[0]


@pytest.mark.parametrize("name", ["X-Request-Id", "X-Amzn-Trace-Id"])
def test_a_request_id_that_is_not_plain_is_replaced_in_log_and_answer(operated, caplog, name):
    answer = operated().test_client().get("/open", headers={name: 'x" onload="'})

    (line,) = lines(caplog)
    assert answer.headers["X-Request-Id"] == line["request_id"]
    assert "onload" not in str(line)


def test_a_client_cannot_write_the_id_past_the_check(operated, caplog):
    answer = operated().test_client().get("/open", headers={"Cognises.request_id": "forged"})

    assert answer.headers["X-Request-Id"] != "forged"


def test_a_view_can_ask_for_its_id(operated):
    app = operated()
    with app.test_request_context("/", environ_base={"cognises.request_id": "r-2"}):
        assert request_id() == "r-2"
    assert request_id() is None
