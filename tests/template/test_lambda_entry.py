"""The function as AWS calls it: events of every entry point in, as AWS documents them; answers out.

All events go to one process of their own, for the handler reads settings and keys as it starts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest

from cognises.testing import FakePool

Event = dict[str, Any]
COOKIE = "__Host-token"

RUN = """
import json, sys
from flask import jsonify, request
from cognises import public
from wsgi import app

@public
def echo():
    answer = jsonify(method=request.method, args=request.args.to_dict(flat=False),
                     body=request.get_data(as_text=True), many=request.headers.get("X-Many"),
                     cookies=dict(request.cookies), scheme=request.scheme,
                     root=request.root_path)
    answer.set_cookie("a", "1")
    answer.set_cookie("b", "2")
    return answer

app.add_url_rule("/echo", "echo", echo, methods=["GET", "POST"])
app.add_url_rule("/greet/<name>", "greet", public(lambda name: {"name": name}))
app.add_url_rule("/bytes", "bytes", public(lambda: (b"\\xff\\x00", {"Content-Type": "image/png"})))
from lambda_entry import handler
events = json.load(sys.stdin)
def answer(event):
    try:
        return handler(event, None)
    except ValueError as error:
        return str(error)

answers = {name: answer(event) for name, event in events.items()}
boto = [name for name in sys.modules if name.partition(".")[0] in ("boto3", "botocore")]
print()
print(json.dumps([answers, boto]))
"""


def http_api(path: str, method: str = "GET", **more: Any) -> Event:
    """API Gateway's HTTP API, payload 2.0; function URLs send the same."""
    headers = {
        "accept": "*/*",
        "content-length": "0",
        "host": "abcdef1234.execute-api.eu-west-1.amazonaws.com",
        "user-agent": "curl/8.5.0",
        "x-amzn-trace-id": "Root=1-6553d5b4-0f1a2b3c4d5e6f7081920a1b",
        "x-forwarded-for": "192.0.2.1",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
        **more.pop("headers", {}),
    }
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdef1234",
            "domainName": more.pop("domain", "abcdef1234.execute-api.eu-west-1.amazonaws.com"),
            "domainPrefix": "abcdef1234",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "curl/8.5.0",
            },
            "requestId": "OZvEEj2EjoEEMyg=",
            "routeKey": "$default",
            "stage": more.pop("stage", "$default"),
            "time": "14/Nov/2023:20:14:12 +0000",
            "timeEpoch": 1699992852421,
        },
        "isBase64Encoded": False,
        **more,
    }


def rest_api(path: str, method: str = "GET", **more: Any) -> Event:
    """API Gateway's REST API, payload 1.0: every header once, and with all its values."""
    headers = {"Host": "abcdef1234.execute-api.eu-west-1.amazonaws.com",
               "X-Forwarded-For": "192.0.2.1, 203.0.113.9", "X-Forwarded-Port": "443",
               "X-Forwarded-Proto": "https", **more.pop("headers", {})}  # fmt: skip
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"proxy": path[1:]},
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdef1234",
            "httpMethod": method,
            "identity": {"sourceIp": "192.0.2.1", "userAgent": "curl/8.5.0"},
            "path": f"/prod{path}",
            "protocol": "HTTP/1.1",
            "stage": "prod",
        },
        "body": None,
        "isBase64Encoded": False,
        **more,
    }


def load_balancer(path: str, method: str = "GET", *, multi: bool = False, **more: Any) -> Event:
    """An application load balancer, with single values or, where that is turned on, with all."""
    headers = {"accept": "*/*", "host": "service.example.org", "x-forwarded-for": "192.0.2.1",
               "x-forwarded-port": "443", "x-forwarded-proto": "https",
               **more.pop("headers", {})}  # fmt: skip
    target = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/service/0123456789ab"
    event: Event = {
        "requestContext": {"elb": {"targetGroupArn": target}},
        "httpMethod": method,
        "path": path,
        "body": "",
        "isBase64Encoded": False,
    }
    if multi:
        event["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
        event["multiValueQueryStringParameters"] = {}
    else:
        event["headers"], event["queryStringParameters"] = headers, {}
    return {**event, **more}


def cookies_of(*lines: str) -> Event:
    """A load balancer's event with several lines of cookies, as HTTP/2 clients send them."""
    event = load_balancer("/protected", multi=True)
    return event | {"multiValueHeaders": {**event["multiValueHeaders"], "cookie": list(lines)}}


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


ENTRY_POINTS = {
    "HTTP API": http_api,
    "HTTP API with a named stage": lambda path, *a, **k: http_api(
        f"/prod{path}", *a, stage="prod", **k
    ),
    "REST API": rest_api,
    "a test event without a context": lambda *a, **k: {
        name: value for name, value in rest_api(*a, **k).items() if name != "requestContext"
    },
    "load balancer": load_balancer,
    "load balancer, all values": lambda *a, **k: load_balancer(*a, multi=True, **k),
}


# By name: the event, and whether it counts as a question whether the service is ready.
OTHER_EVENTS: dict[str, tuple[Any, bool]] = {
    "a schedule": ({"version": "0", "source": "aws.events", "detail": {}}, True),
    "the console's test event": ({"key1": "value1"}, True),
    "nothing": (None, True),
    "a list": ([], True),
    "a queue": ({"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}, False),
    "a message of a WebSocket API": (
        {"requestContext": {"routeKey": "$connect", "connectionId": "a="}}, False),
}  # fmt: skip


# Events of an HTTP API with the stage `prod`, and below which path the client sees the service.
CUSTOM = {"stage": "prod", "domain": "service.example.org"}
STAGES = {
    "its own domain": (http_api("/prod/echo", stage="prod"), "/prod"),
    "a custom domain": (http_api("/prod/echo", **CUSTOM), ""),
    "a custom domain without the stage": (http_api("/echo", **CUSTOM), ""),
}


def events_for(token: str) -> dict[str, Event]:
    """Every event, by name."""
    text = b64encode("grüße".encode()).decode()
    events = {
        f"{entry}: {what}": make(path, method, **more)
        for entry, make in ENTRY_POINTS.items()
        for what, (path, method, more) in {
            "open": ("/health", "GET", {}),
            "HEAD": ("/health", "HEAD", {}),
            "unknown path": ("/nowhere/at-all", "GET", {}),
            "wrong method": ("/health", "POST", {}),
            "no token": ("/protected", "GET", {}),
            "a token": ("/protected", "GET", {"headers": bearer(token)}),
            "a forged token": ("/protected", "GET", {"headers": bearer(token[:-8] + "A" * 8)}),
            "base64 body": ("/echo", "POST", {"body": text, "isBase64Encoded": True}),
            "text body": ("/echo", "POST", {"body": "plain"}),
            "decoded path": ("/greet/gr\u00fc\u00dfe \U0001f600", "GET", {}),
            "encoded path": ("/greet/gr%C3%BC%C3%9Fe%20%F0%9F%98%80", "GET", {}),
            "half a character": ("/greet/\ud83d", "GET", {}),
        }.items()
    }
    pairs = {"tag": ["a b", "c&d"], "empty": [""]}
    return events | {
        "HTTP API: query": http_api("/echo", rawQueryString="tag=a+b&tag=c%26d&empty="),
        "REST API: query": rest_api(
            "/echo", multiValueQueryStringParameters=pairs, queryStringParameters={}
        ),
        "load balancer, all values: query": load_balancer(
            "/echo", multi=True,
            multiValueQueryStringParameters={"tag": ["a+b", "c%26d"], "empty": [""]},
        ),
        "HTTP API: cookies": http_api("/echo", cookies=["x=1", "y=2"]),
        "HTTP API: a token in a cookie": http_api("/protected", cookies=[f"{COOKIE}={token}"]),
        "HTTP API: two tokens in cookies": http_api(
            "/protected", cookies=[f"{COOKIE}={token}", f"{COOKIE}={token}"]
        ),
        "HTTP API: two tokens in headers": http_api(
            "/protected", headers={"authorization": f"Bearer {token},Bearer {token}"}
        ),
        "HTTP API: a query of no ASCII": http_api("/echo", rawQueryString="tag=\U0001f600"),
        "load balancer, all values: a token in a cookie": cookies_of(f"{COOKIE}={token}", "x=1"),
        "load balancer, all values: two tokens in cookies": cookies_of(
            f"{COOKIE}={token}", f"{COOKIE}={token}"
        ),
        "HTTP API: bytes": http_api("/bytes"),
        **{f"HTTP API: {what}": event for what, (event, _) in STAGES.items()},
        **{name: event for name, (event, _) in OTHER_EVENTS.items()},
        "HTTP API: several values": http_api("/echo", headers={"x-many": "one,two"}),
        "REST API: several values": {
            **rest_api("/echo"), "multiValueHeaders": {"Host": ["a"], "X-Many": ["one", "two"]}
        },
    }  # fmt: skip


@pytest.fixture(scope="module")
def ran(
    bakes: dict[tuple[str, str], Path],
    _session_pool: FakePool,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[dict[str, Any], list[str], str]:
    """Answers by event, the AWS modules that were imported, and the function's log."""
    project = bakes["lambda", ""]
    keys: Path = tmp_path_factory.mktemp("keys") / "jwks.json"
    keys.write_text(json.dumps(_session_pool.jwks))
    environ = {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_FUNCTION_NAME": "service",
        "COGNITO_USER_POOL_ID": _session_pool.id,
        "COGNITO_CLIENT_ID": _session_pool.client_id,
        "COGNITO_COOKIE_NAME": COOKIE,
        "COGNITO_JWKS_FILE": str(keys),
        "https_proxy": "http://127.0.0.1:9",
    }
    groups = json.loads((project / "groups.json").read_text(encoding="utf-8"))
    token = _session_pool.token(groups=[group["group_name"] for group in groups])
    done = subprocess.run(
        [sys.executable, "-B", "-c", RUN],
        cwd=project,
        env=environ,
        input=json.dumps(events_for(token)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    *log, said = done.stdout.splitlines()
    answers, boto = json.loads(said)
    return answers, boto, "\n".join(log) + done.stderr


@pytest.mark.parametrize("entry", ENTRY_POINTS)
@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("open", 200),
        ("HEAD", 200),
        ("unknown path", 404),
        ("wrong method", 405),
        ("no token", 401),
        ("a token", 200),
        ("a forged token", 401),
        ("base64 body", 200),
        ("text body", 200),
    ],
)
def test_every_entry_point_gives_the_same_answer(ran: Any, entry: str, what: str, status: int):
    answer = ran[0][f"{entry}: {what}"]
    assert answer["statusCode"] == status, answer
    body = answer["body"]
    text = b64decode(body).decode() if answer["isBase64Encoded"] else body
    if what == "HEAD":
        assert text == ""
    elif what.endswith("body"):
        seen = json.loads(text)
        assert (seen["body"], seen["scheme"]) == (
            "grüße" if what == "base64 body" else "plain", "https")  # fmt: skip
    elif "token" in what and status == 401:
        reason = {"no token": "missing_token", "a forged token": "invalid_token"}[what]
        assert json.loads(text)["reason"] == reason


@pytest.mark.parametrize("entry", ["HTTP API", "REST API", "load balancer, all values"])
def test_a_query_arrives_with_all_its_values(ran: Any, entry: str):
    seen = json.loads(ran[0][f"{entry}: query"]["body"])
    assert seen["args"] == {"tag": ["a b", "c&d"], "empty": [""]}


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("HTTP API: a token in a cookie", 200),
        ("HTTP API: two tokens in cookies", 400),
        ("HTTP API: two tokens in headers", 400),
        ("load balancer, all values: a token in a cookie", 200),
        ("load balancer, all values: two tokens in cookies", 400),
    ],
)
def test_cookies_and_headers_keep_their_rules(ran: Any, event: str, status: int):
    assert ran[0][event]["statusCode"] == status


@pytest.mark.parametrize("entry", ENTRY_POINTS)
@pytest.mark.parametrize("what", ["decoded path", "encoded path"])
def test_a_path_of_no_ascii_is_the_same_however_it_comes(ran: Any, entry: str, what: str):
    answer = ran[0][f"{entry}: {what}"]
    assert json.loads(answer["body"])["name"] == "gr\u00fc\u00dfe \U0001f600"


@pytest.mark.parametrize("entry", ENTRY_POINTS)
def test_what_is_no_character_is_no_error(ran: Any, entry: str):
    assert ran[0][f"{entry}: half a character"]["statusCode"] == 200


@pytest.mark.parametrize("event", OTHER_EVENTS)
def test_an_event_that_is_not_an_http_request_gets_an_answer(ran: Any, event: str):
    answer = ran[0][event]
    if OTHER_EVENTS[event][1]:
        assert (answer["statusCode"], json.loads(answer["body"])) == (200, {"status": "ready"})
    else:
        assert "HTTP requests only" in answer


def test_a_query_of_no_ascii_arrives(ran: Any):
    assert json.loads(ran[0]["HTTP API: a query of no ASCII"]["body"])["args"] == {
        "tag": ["\U0001f600"]
    }


def test_cookies_go_both_ways(ran: Any):
    answers = ran[0]
    came = answers["HTTP API: cookies"]
    assert json.loads(came["body"])["cookies"] == {"x": "1", "y": "2"}
    assert [cookie.split(";")[0] for cookie in came["cookies"]] == ["a=1", "b=2"]
    headers = answers["load balancer, all values: text body"]["multiValueHeaders"]
    assert [cookie.split(";")[0] for cookie in headers["Set-Cookie"]] == ["a=1", "b=2"]


@pytest.mark.parametrize("what", STAGES)
def test_a_named_stage_is_part_of_addresses_where_clients_send_it(ran: Any, what: str):
    answer = ran[0][f"HTTP API: {what}"]
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["root"] == STAGES[what][1]


def test_what_is_no_text_goes_out_in_base64(ran: Any):
    answer = ran[0]["HTTP API: bytes"]
    assert answer["isBase64Encoded"] is True
    assert b64decode(answer["body"]) == b"\xff\x00"


@pytest.mark.parametrize("entry", ["HTTP API", "REST API"])
def test_a_header_of_several_values_arrives_whole(ran: Any, entry: str):
    seen = json.loads(ran[0][f"{entry}: several values"]["body"])
    assert seen["many"] == "one,two"


def test_the_function_imports_no_aws_library_and_logs_no_token(ran: Any):
    _, boto, log = ran
    assert boto == []
    assert '"path": "/protected"' in log
    assert "eyJ" not in log
    assert "Traceback" not in log
