"""Reading a key set over HTTP, from a server that means no good."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
from key_server import KeyServer, Reply

from cognises.tokens.http import MAX_BYTES, FetchError, fetch_json


@pytest.fixture
def server() -> Iterator[KeyServer]:
    server = KeyServer(lambda: {"keys": []})
    yield server
    server.close()


ODD = {
    "an HTML page": (Reply(b"<html>Sign in to the hotel network</html>"), "not JSON"),
    "nothing": (Reply(b""), "not JSON"),
    "an array": (Reply(b"[]"), "not a JSON object"),
    "a text": (Reply(b'"keys"'), "not a JSON object"),
    "null": (Reply(b"null"), "not a JSON object"),
    "half a document": (Reply(b'{"keys": ['), "not JSON"),
    "deep nesting": (Reply(b"[" * 100_000), "not JSON"),
    "not UTF-8": (Reply(b'{"a": "\xff"}'), "not JSON"),
    "a redirect elsewhere": (
        Reply(b'{"keys":[]}', 302, {"Location": "http://127.0.0.1:1/keys"}), "answered 302"),
    "a permanent redirect": (
        Reply(b'{"keys":[]}', 308, {"Location": "http://127.0.0.1:1/keys"}), "answered 308"),
    "no content": (Reply(b"", 204), "answered 204"),
    "403": (Reply(b'{"keys":[]}', 403), "answered 403"),
    "404": (Reply(b'{"keys":[]}', 404), "answered 404"),
    "500": (Reply(b'{"keys":[]}', 500), "answered 500"),
    "503": (Reply(b'{"keys":[]}', 503), "answered 503"),
    "ten megabytes": (Reply(b" " * 10_000_000), "more than 1 MiB"),
    "a byte over the limit": (Reply(b'{"a":"' + b"x" * (MAX_BYTES - 7) + b'"}'), "more than 1 MiB"),
    "a gzip bomb": (Reply.zipped(b" " * 50_000_000), "more than 1 MiB"),
    "broken gzip": (
        Reply(b"no gzip", headers={"Content-Encoding": "gzip"}), "DecodeError"),
}  # fmt: skip


@pytest.mark.parametrize(("reply", "why"), ODD.values(), ids=ODD.keys())
def test_an_odd_answer_is_an_error_in_fixed_words(reply: Reply, why: str, server: KeyServer):
    server.answer = lambda: reply

    with pytest.raises(FetchError) as caught:
        fetch_json(server.url)

    assert str(caught.value) == why
    assert len(server.hits) == 1


FINE = {
    "plain": Reply(b'{"keys": []}'),
    "zipped": Reply.zipped(b'{"keys": []}'),
    "exactly at the limit": Reply(b'{"keys": []' + b" " * (MAX_BYTES - 12) + b"}"),
    "of another content type": Reply(b'{"keys": []}', headers={"Content-Type": "text/html"}),
}


@pytest.mark.parametrize("reply", FINE.values(), ids=FINE.keys())
def test_a_key_set_is_read_whatever_its_wrapping(reply: Reply, server: KeyServer):
    server.answer = lambda: reply

    assert fetch_json(server.url) == {"keys": []}


def test_a_port_without_a_listener_is_an_error():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]

    with pytest.raises(FetchError, match="Connection"):
        fetch_json(f"http://127.0.0.1:{port}/")


def test_a_server_that_never_answers_is_an_error(server: KeyServer):
    server.hold()

    with pytest.raises(FetchError, match="Timeout"):
        fetch_json(server.url, timeout=0.2)


def test_a_server_that_drips_its_body_does_not_outlive_the_time_limit(server: KeyServer):
    server.answer = lambda: Reply(b" " * 140, drip=0.05)
    start = time.monotonic()

    with pytest.raises(FetchError):
        fetch_json(server.url, timeout=0.3)

    assert time.monotonic() - start < 5  # the whole body would take 7


def test_a_proxy_in_the_environment_does_not_divert_loopback(server: KeyServer, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    assert fetch_json(server.url) == {"keys": []}


def test_no_cookie_and_no_credential_goes_to_the_key_endpoint(server, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ada password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    seen = []
    handler = server._server.RequestHandlerClass
    monkeypatch.setattr(
        handler, "parse_request",
        lambda self, original=handler.parse_request: original(self)
        and (seen.append(dict(self.headers)) or True),
    )  # fmt: skip

    fetch_json(server.url)

    assert not {"authorization", "cookie"} & {name.lower() for name in seen[0]}
