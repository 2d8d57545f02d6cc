"""Readiness, limits, proxies and other origins."""

from __future__ import annotations

import asyncio
import io
import json
from types import SimpleNamespace
from typing import Any

import pytest
from a2wsgi import WSGIMiddleware
from flask import Flask
from gunicorn.config import Config
from gunicorn.http.body import Body, ChunkedReader
from gunicorn.http.unreader import IterUnreader
from request_side import manifest, refused
from werkzeug.serving import DechunkedInput

from cognises import load_groups, public
from cognises.access import init_access_pages
from cognises.errors import CognisesError, SettingsError
from cognises.manifest import access_digest, access_hashes
from cognises.testing import FakePool
from cognises.tokens.http import FetchError
from cognises.tokens.jws import admit
from cognises.tokens.key_cache import KeySet
from cognises.web.extension import check

ORIGINS = "https://app.example.org,https://admin.example.org:8443"


def test_settings_that_are_wrong_change_nothing_here_and_are_all_told_at_start(operated):
    app = operated(COGNISES_LOG_FORMAT="xml", COGNISES_MAX_BODY_BYTES="much")

    assert app.test_client().get("/open").status_code == 500
    with pytest.raises(SettingsError) as caught:
        check(app)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "COGNISES_LOG_FORMAT", "COGNISES_MAX_BODY_BYTES"]  # fmt: skip


def test_ready_fetches_the_keys_itself_and_then_says_so(operated):
    answer = operated().test_client().get("/ready")

    assert (answer.status_code, answer.json) == (200, {"status": "ready"})
    assert answer.headers["Cache-Control"] == "no-store"


def test_ready_names_the_manifest_to_those_who_may_open_the_matrix_alone(operated, tmp_path):
    path = tmp_path / "other.json"
    path.write_text(json.dumps(manifest(admins=["access_matrix"], readers=["access"])))
    app = operated(COGNISES_GROUPS_FILE=str(path))
    init_access_pages(app)
    pool, client = FakePool().attach(app), app.test_client()
    digest = access_digest(access_hashes(load_groups(path)))

    def ready(**headers):
        answer = client.get("/ready", headers=headers)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
        return answer.json

    assert ready(**pool.bearer(["admins"])) == {"status": "ready", "manifest": digest}
    others = ({}, pool.bearer(["readers"]), pool.bearer(), {"Authorization": "Bearer x"},
              {"Authorization": "Basic eA=="}, pool.bearer(["admins"], exp=1))  # fmt: skip
    assert [ready(**each) for each in others] == [{"status": "ready"}] * len(others)


def test_a_service_logs_the_digest_of_its_manifest_when_it_starts(operated, tmp_path, caplog):
    path = tmp_path / "other.json"
    path.write_text(json.dumps(manifest(readers=["access"])))
    app = operated(COGNISES_GROUPS_FILE=str(path))
    with caplog.at_level("INFO", "cognises.start"):
        check(app)
    digest = access_digest(access_hashes(load_groups(path)))
    assert caplog.messages == [f"start: manifest {digest}"]


def test_a_flood_of_ready_costs_one_fetch_while_the_keys_cannot_be_read(monkeypatch):
    monkeypatch.setattr("time.monotonic", lambda: 1000.0)  # the flood takes no time
    calls = []

    def load(kid):
        calls.append(kid)
        raise FetchError("answered 500")

    keys = KeySet(load, admit)
    for _ in range(1000):
        error = refused(keys.require_usable)
        assert (error.reason, error.headers) == ("keys_unavailable", {"Retry-After": "1"})

    assert len(calls) == 1


def test_ready_turns_on_the_next_question_after_the_keys_are_back(operated, monkeypatch):
    app = operated()
    down = CognisesError("keys_unavailable", "for a secret reason", retry_after=7)
    with monkeypatch.context() as patch:
        patch.setattr(KeySet, "require_usable", lambda keys: (_ for _ in ()).throw(down))
        answer = app.test_client().get("/ready")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
        assert "secret" not in answer.text
        assert app.test_client().get("/health").status_code == 404
    assert app.test_client().get("/ready").status_code == 200


@pytest.mark.parametrize(("size", "status"), [(100, 200), (101, 413)])
def test_a_body_over_the_limit_is_refused(operated, size, status):
    client = operated(COGNISES_MAX_BODY_BYTES="100").test_client()

    assert client.post("/body", data=b"x" * size).status_code == status
    assert client.post("/form", data={"a": "x" * size}).status_code == (200 if size < 98 else 413)


@pytest.mark.parametrize(("size", "status"), [(99, 200), (101, 413), (5000, 413)])
@pytest.mark.parametrize("path", ["/body", "/lines"])
def test_a_body_of_no_announced_length_is_refused_and_not_cut_at_the_limit(
    operated, path, size, status
):
    """What gunicorn makes of chunked encoding."""
    chunked = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked",
               "wsgi.input": io.BytesIO(b"x" * size)}  # fmt: skip

    client = operated(COGNISES_MAX_BODY_BYTES="100").test_client()
    answer = client.post(path, environ_overrides=chunked)

    assert answer.status_code == status
    assert answer.text == "99" or status == 413


@pytest.mark.parametrize("length", [{}, {"CONTENT_LENGTH": "5"}], ids=["chunked", "length too"])
@pytest.mark.parametrize("path", ["/body", "/lines", "/form"])
def test_a_chunked_body_that_the_server_does_not_end_is_refused(operated, path, length):
    environ = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": io.BytesIO(b"5\r\nhello\r\n"),
               "CONTENT_LENGTH": "", "CONTENT_TYPE": "multipart/form-data; boundary=x"}  # fmt: skip

    answer = operated().test_client().post(path, environ_overrides=environ | length)

    assert answer.status_code == 411


async def post_chunks(app: Flask, path: str, *chunks: bytes) -> int:
    """The status of a chunked POST to `app` behind a2wsgi, as an ASGI server sends it."""
    bodies = [{"type": "http.request", "body": each, "more_body": True} for each in chunks]
    waiting = iter([*bodies, {"type": "http.request", "body": b"", "more_body": False}])
    statuses = []

    async def receive() -> Any:
        return next(waiting)

    async def send(message: Any) -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": path,
             "query_string": b"", "root_path": "", "scheme": "http", "server": ("localhost", 80),
             "headers": [(b"host", b"localhost"), (b"transfer-encoding", b"chunked")]}  # fmt: skip
    await WSGIMiddleware(app.wsgi_app)(scope, receive, send)
    return statuses[0]


def test_a_chunked_body_behind_a2wsgi_is_refused_and_not_read_as_empty(operated):
    assert asyncio.run(post_chunks(operated(), "/body", b"hel", b"lo")) == 411


MALFORMED = {
    "a size that is not a number": b"zz\r\nhello\r\n0\r\n\r\n",
    "a negative size": b"-5\r\nhello\r\n0\r\n\r\n",
    "no line end after the data": b"5\r\nhelloXX0\r\n\r\n",
    "an end in the middle of a chunk": b"5\r\nhel",
    "no last chunk": b"5\r\nhello\r\n",
    "a bare line feed": b"5\nhello\n",
}


def by_gunicorn(content: bytes) -> Any:
    unreader = IterUnreader(iter([content]))
    request = SimpleNamespace(cfg=Config(), unreader=unreader)
    return Body(ChunkedReader(request, unreader))


SERVERS = {
    "gunicorn": by_gunicorn,
    "the development server": lambda c: DechunkedInput(io.BytesIO(c)),
}


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED.keys())
@pytest.mark.parametrize("path", ["/body", "/lines"])
def test_a_malformed_chunked_body_is_a_bad_request(operated, path, content, server):
    if server == "the development server" and content in (b"5\r\nhel", b"5\nhello\n"):
        content = b"5;;\r\nhello"  # it pads a short chunk, and accepts a bare line feed
    environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked",
               "wsgi.input": SERVERS[server](content), "CONTENT_LENGTH": ""}  # fmt: skip

    answer = operated().test_client().post(path, environ_overrides=environ)

    assert answer.status_code == 400


@pytest.mark.parametrize(
    "error",
    [OSError(), ValueError(), TimeoutError(), ConnectionResetError(), RuntimeError()],
    ids=repr,
)
def test_whatever_a_server_raises_for_a_body_is_a_bad_request(operated, error):
    class Stream:
        def read(self, size: int = -1) -> bytes:
            raise error

        readline = read

    environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked",
               "wsgi.input": Stream(), "CONTENT_LENGTH": ""}  # fmt: skip

    assert operated().test_client().post("/body", environ_overrides=environ).status_code == 400


def test_a_body_that_no_view_reads_harms_no_request(operated):
    environ = {"HTTP_TRANSFER_ENCODING": "chunked"}

    assert operated().test_client().get("/open", environ_overrides=environ).status_code == 200


def test_a_form_of_very_many_parts_is_refused(operated):
    parts = {f"f{number}": (None, "x") for number in range(200)}
    data = dict.fromkeys(parts, "x")

    answer = operated().test_client().post("/form", data=data, content_type="multipart/form-data")

    assert answer.status_code == 413


def test_a_limit_the_app_has_set_itself_stays(operated):
    app = operated(MAX_CONTENT_LENGTH=5)

    assert app.test_client().post("/body", data=b"123456").status_code == 413


FORGED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https",
          "X-Forwarded-Host": "evil.example", "X-Forwarded-Port": "1",
          "X-Forwarded-Prefix": "/evil"}  # fmt: skip


def test_forwarding_headers_are_not_believed_unless_configured(operated):
    answer = operated().test_client().get("/peer", headers=FORGED)

    assert answer.json == {"for": "127.0.0.1", "scheme": "http", "host": "localhost"}


def test_a_forged_host_or_a_second_hop_is_never_believed(operated):
    client = operated(COGNISES_BEHIND_PROXY="1").test_client()
    forged = FORGED | {"X-Forwarded-For": "10.9.9.9, 203.0.113.9"}

    answer = client.get("/peer", headers=forged)

    assert answer.json == {"for": "203.0.113.9", "scheme": "https", "host": "localhost"}


def preflight(client, path, origin, headers="authorization"):
    asked = {"Origin": origin, "Access-Control-Request-Method": "GET",
             "Access-Control-Request-Headers": headers}  # fmt: skip
    return client.options(path, headers=asked)


def test_no_other_origin_reads_anything_unless_one_is_configured(operated):
    client = operated().test_client()
    answer = preflight(client, "/guarded", "https://app.example.org")

    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_a_configured_origin_passes_its_preflight_and_still_meets_the_guard(operated, cognito):
    client = operated(COGNISES_CORS_ORIGINS=ORIGINS).test_client()
    origin = "https://admin.example.org:8443"

    asked = preflight(client, "/guarded", origin)
    assert asked.status_code == 200
    assert asked.headers["Access-Control-Allow-Origin"] == origin
    assert asked.headers["Access-Control-Allow-Headers"].lower() == "authorization"
    assert "Access-Control-Allow-Credentials" not in asked.headers

    for headers, status in (({}, 401), (cognito.bearer(["editors"]), 200)):
        answer = client.get("/guarded", headers=headers | {"Origin": origin})
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert {"Authorization", "Cookie", "Origin"} <= set(answer.headers["Vary"].split(", "))


@pytest.mark.parametrize(
    "origin",
    ["https://app.example.org.evil.example", "https://appXexample.org", "null", "*",
     "http://app.example.org", "https://app.example.org:444", "https://evil.example"],
)  # fmt: skip
def test_an_origin_that_is_not_exactly_named_reads_nothing(operated, origin):
    client = operated(COGNISES_CORS_ORIGINS=ORIGINS).test_client()

    for answer in (preflight(client, "/guarded", origin),
                   client.get("/open", headers={"Origin": origin})):  # fmt: skip
        assert "Access-Control-Allow-Origin" not in answer.headers


VARIED = {
    "/open": 200,
    "/guarded": 401,
    "/nowhere": 404,
    "/form": 405,
    "/broken": 500,
    "/ready": 200,
}


@pytest.mark.parametrize("path", VARIED)
@pytest.mark.parametrize("origin", [None, "https://app.example.org", "https://evil.example"])
def test_every_answer_varies_by_origin_once_an_origin_is_configured(operated, path, origin):
    client = operated(COGNISES_CORS_ORIGINS="https://app.example.org").test_client()

    answer = client.get(path, headers={"Origin": origin} if origin else {})

    assert answer.status_code == VARIED[path]
    assert [name.strip() for name in answer.headers["Vary"].split(",")].count("Origin") == 1
    assert len(answer.headers.getlist("Vary")) == 1
    assert "Origin" in preflight(client, "/guarded", origin or "https://x.example").headers["Vary"]
    assert "Origin" not in (operated().test_client().get(path).headers.get("Vary") or "")


@pytest.mark.parametrize(
    ("own", "expected"),
    [("Accept", "Accept, Origin"), ("*", "*"), ("origin", "origin"), ("", "Origin"),
     ("A, Origin", "A, Origin")],
)  # fmt: skip
def test_a_views_own_vary_stays(operated, own, expected):
    app = operated(COGNISES_CORS_ORIGINS=ORIGINS)
    app.get("/own", endpoint="own")(public(lambda: ("", {"Vary": own})))

    assert app.test_client().get("/own").headers["Vary"] == expected


def test_a_cookie_from_another_origin_changes_nothing_even_where_it_is_configured(
    operated, cognito
):
    app = operated(COGNISES_CORS_ORIGINS=ORIGINS)
    client = app.test_client()
    client.set_cookie("token_cookie", cognito.token(["editors"]))

    headers = {"Origin": "https://app.example.org", "Sec-Fetch-Site": "cross-site"}
    assert client.post("/guarded", headers=headers).status_code == 405
    assert "Access-Control-Allow-Credentials" not in client.get("/guarded", headers=headers).headers
