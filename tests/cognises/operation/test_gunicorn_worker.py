"""When a thread gets a request, and that docs/operating.md states the limits."""

from __future__ import annotations

import itertools
import re
import runpy
import select
import socket
import sys
import time
from collections import deque
from concurrent.futures import Future
from selectors import DefaultSelector
from types import SimpleNamespace

import pytest
from gunicorn.config import Config
from gunicorn.http.unreader import IterUnreader

from load.server import CONFIGURATIONS
from server import worker
from server.request_buffer import CHUNK_LINE_LIMIT, HEAD_LIMIT, RequestBuffer
from tests.cognises.operation.test_operating_page import PAGE, limit

LIMIT = 100_000
HEAD = b"POST /body HTTP/1.1\r\nHost: x"
CHUNKED = HEAD + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
WHOLE, CUT = (0, True), (0, False)


def look_at(*parts: bytes) -> tuple[int, bool]:
    """How many bytes are missing once the parts have arrived, and whether nothing is left out."""
    request = RequestBuffer(b"", LIMIT)
    needed = 1
    for part in parts:
        request.data += part
        needed = request.bytes_needed()
    return needed, request.is_whole and not needed


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (b"", (1, False)),
        (b"GET / HTT", (1, False)),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", (1, False)),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", WHOLE),
        (b"nonsense\r\n\r\n", WHOLE),
        (HEAD + b"\r\nContent-Length: 5\r\n\r\n", (5, False)),
        (HEAD + b"\r\ncontent-length:5 \r\nA: b\r\n\r\nabc", (2, False)),
        (HEAD + b"\r\nContent-Length: 5\r\n\r\nabcde", WHOLE),
        (HEAD + b"\r\nContent-Length: 5\r\n\r\nabcdeGET / HTTP/1.1", WHOLE),
        (HEAD + b"\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", (5, False)),
        (HEAD + b"\r\nContent-Length: %b5\r\n\r\n" % (b"0" * 100), (5, False)),
        (HEAD + b"\r\nContent-Length: 100000\r\n\r\n", (100_000, False)),
        (HEAD + b"\r\nContent-Length: 100001\r\n\r\n", CUT),
        (HEAD + b"\r\nContent-Length: %b\r\n\r\n" % (b"9" * 5000), CUT),
        (HEAD + b"\r\nContent-Length: five\r\n\r\n", CUT),
        (HEAD + b"\r\nContent-Length: -5\r\n\r\n", CUT),
        (HEAD + b"\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", CUT),
        (HEAD + b"\r\nX-Content-Length: 5\r\n\r\n", WHOLE),
        (HEAD + b"\r\nTransfer-Encoding: magic\r\n\r\n", CUT),
        (HEAD + b"\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", CUT),
        (HEAD + b"\r\ntransfer-encoding: gzip\r\nTransfer-Encoding:CHUNKED\r\n\r\n", (1, False)),
        (CHUNKED, (1, False)),
        (CHUNKED + b"5", (1, False)),
        (CHUNKED + b"5\r\nabc", (4, False)),
        (CHUNKED + b"5\r\nabcde\r\n", (1, False)),
        (CHUNKED + b"5;a=b\r\nabcde\r\n0\r\n", (1, False)),
        (CHUNKED + b"5\r\nabcde\r\n0\r\n\r\n", WHOLE),
        (CHUNKED + b"0\r\nA: b\r\n", (1, False)),
        (CHUNKED + b"0\r\nA: b\r\n\r\nGET /", WHOLE),
        (CHUNKED + b"five\r\n", CUT),
        (CHUNKED + b"-5\r\n", CUT),
        (CHUNKED + b"5" * CHUNK_LINE_LIMIT, CUT),
        (CHUNKED + b"0\r\nA: %b" % (b"b" * HEAD_LIMIT), CUT),
        (CHUNKED + b"186a0\r\n", (100_002, False)),
        (CHUNKED + b"186a1\r\n%b" % (b"x" * 100_000), (1, False)),
        (CHUNKED + b"186a1\r\n%b" % (b"x" * 100_001), CUT),
    ],
    ids=itertools.count(),
)
def test_a_thread_gets_a_request_with_its_body_up_to_the_limit(seen, expected):
    assert look_at(seen) == expected
    assert look_at(*(bytes([byte]) for byte in seen[:4000]), seen[4000:]) == expected


def test_a_request_that_must_not_grow_on_is_refused_while_it_arrives():
    head = RequestBuffer(b"GET / HTTP/1.1\r\nA: %b" % (b"a" * HEAD_LIMIT), LIMIT)
    ended = RequestBuffer(b"GET / HTTP/1.1\r\nA: %b\r\n\r\n" % (b"a" * HEAD_LIMIT), LIMIT)
    tiny = RequestBuffer(CHUNKED + b"1\r\nx\r\n" * 90_000, LIMIT)

    assert head.bytes_needed() == 1
    assert ended.bytes_needed() == 0
    assert tiny.bytes_needed() == 1
    assert [each.refusal and each.refusal[:3] for each in (head, ended, tiny)] == [
        "431", "431", "413"]  # fmt: skip


@pytest.mark.parametrize(
    ("head", "waits"),
    [
        (HEAD + b"\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", True),
        (CHUNKED[:-2] + b"Expect: 100-continue\r\n\r\n", True),
        (HEAD + b"\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nabc", False),
        (HEAD + b"\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n", False),
        (HEAD + b"\r\nContent-Length: 100001\r\nExpect: 100-continue\r\n\r\n", False),
        (b"POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", False),
        (HEAD + b"\r\nContent-Length: 5\r\n\r\n", False),
    ],
    ids=itertools.count(),
)
def test_a_client_that_waits_for_100_continue_is_recognised(head, waits):
    request = RequestBuffer(head, LIMIT)
    request.bytes_needed()

    assert request.wants_continue is waits


class Parser:
    """A parsed request whose body is drained, or is not before the deadline."""

    def finish_body(self, deadline: float) -> bool:
        return deadline - time.monotonic() > 1


@pytest.mark.parametrize(
    ("keepalive", "is_whole"), list(itertools.product([True, False], repeat=2))
)
def test_a_thread_that_waits_for_the_cpu_keeps_a_connection_whose_request_is_whole(
    keepalive, is_whole
):
    """A body that has not arrived is not waited for."""
    conn = SimpleNamespace(parser=Parser(), request=SimpleNamespace(is_whole=is_whole))

    assert worker.Worker._keepalive_after(None, conn, keepalive) is (keepalive and is_whole)


@pytest.mark.parametrize("is_stopping", [False, True], ids=["before", "while it stops"])
def test_a_client_that_is_answered_as_a_stop_begins_has_the_time_of_a_request(is_stopping):
    """Its thread ends before the loop turns to the stop, or after the signal was noted."""
    stopping = worker.Worker.__new__(worker.Worker)
    stopping.cfg, stopping.alive = Config(), not is_stopping
    stopping.cfg.set("keepalive", 75)
    stopping.poller, stopping.keepalived_conns = DefaultSelector(), deque()
    stopping._reading = set()
    ends = socket.socketpair()
    conn = worker.Connection(stopping.cfg, ends[0], "", "")
    conn.parser = SimpleNamespace(unreader=IterUnreader([]))
    answer = Future()
    answer.set_result(True)
    begun = time.monotonic()

    with stopping.poller, ends[0], ends[1]:
        stopping.finish_request(conn, answer)
        stopping.alive = False
        stopping._cap_keepalive(begun + worker.STOP_SECONDS)
        kept = conn.timeout

        conn.answered -= worker.HEAD_SECONDS
        stopping._cap_keepalive(begun + worker.STOP_SECONDS)

    assert kept >= begun + worker.HEAD_SECONDS
    assert conn.timeout == begun + worker.STOP_SECONDS


def test_the_parser_gets_what_was_received_in_pieces_and_gives_the_rest_back():
    received = bytearray(b"x" * 20_000)
    unreader = IterUnreader(worker.pieces(received, None))

    assert len(unreader.read()) == 8192
    assert len(unreader.read(100)) == 100
    unreader.buf.write(received)
    assert len(unreader.take_buffered()) == 20_000 - 8192 - 100


def test_the_limits_are_those_of_gunicorn():
    text = CONFIGURATIONS[0].read_text()
    configured = dict(re.findall(r"(?m)^(\w+) = ([\d_]+)$", text))
    asked = dict(re.findall(r'(?m)^(\w+) = int\(.*"(\d+)"\)\)$', text))

    assert limit("request line") == f"{int(configured['limit_request_line']):,} bytes"
    assert limit("headers") == configured["limit_request_fields"]
    assert limit("connections") == f"{int(configured['worker_connections']):,}"
    assert limit("head").startswith(f"{HEAD_LIMIT // 1024} KiB")
    assert limit("requests in the memory").startswith(f"{worker.MAX_HELD // 1024**2} MiB")
    assert f"{worker.BODY_LIMIT // 1024**2} MiB" in PAGE
    assert limit("time for a request") == f"{worker.HEAD_SECONDS:.0f} s"
    assert limit("time for a larger") == f"{worker.BODY_SECONDS:.0f} s"
    assert limit("idle").startswith(f"{asked['keepalive']} s")
    assert limit("time to finish") == f"{asked['graceful_timeout']} s"
    assert f"within {worker.STOP_SECONDS:.0f} seconds, or {worker.HEAD_SECONDS:.0f} seconds" in PAGE


def begin(listener: socket.socket) -> tuple[socket.socket, bool]:
    """A client, and whether it has a connection at once, as on loopback each one does."""
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(listener.getsockname())
    return client, bool(select.select([], [client], [], 0)[1])


def stop(listener: socket.socket, **state: object) -> list[bool]:
    """gunicorn.conf.py's stop of a server with this listener; how its own was then called."""
    free = {"reexec_pid": 0, "master_pid": 0, "systemd": False}
    server = SimpleNamespace(LISTENERS=[SimpleNamespace(sock=listener)], **free | state)
    called: list[bool] = []
    runpy.run_path(str(CONFIGURATIONS[0]))["refuse_and_stop"](server, called.append)
    return called


def test_before_a_stop_no_connection_begins_that_no_worker_would_accept():
    """The one that closes the port resets them: requests on them would be lost."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        early, has_begun = begin(listener)
        assert has_begun
        assert stop(listener) == [True]
        late, has_begun = begin(listener)
        assert has_begun is (sys.platform != "linux")
        early.send(b"request")
        accepted, _ = listener.accept()
    with early, late, accepted:
        assert accepted.recv(100) == b"request"


@pytest.mark.parametrize("owner", ["reexec_pid", "master_pid", "systemd"])
def test_a_port_that_another_process_goes_on_with_stays_open(owner: str):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert stop(listener, **{owner: 1}) == [True]
        client, has_begun = begin(listener)
        client.close()
    assert has_begun
