"""Slow and malicious clients of a real gunicorn: right responses, bounded memory, no waiting."""

from __future__ import annotations

import socket
import time
from collections import Counter
from contextlib import suppress
from itertools import repeat

import pytest

from load.drive import Driver, shot
from load.server import Service, running

HEAD = "POST /body HTTP/1.1\r\nHost: localhost\r\n"
HEAD_SECONDS = 4  # of this service, for a request to arrive; 9 for one that is large
MEGABYTE = b"x" * 1024 * 1024


@pytest.fixture(scope="module")
def service():
    with running(workers=2, LOAD_HEAD_SECONDS=str(HEAD_SECONDS), LOAD_BODY_SECONDS="9") as started:
        Driver(started.port, repeat(shot("/open"))).run(0.5)  # every thread is there
        yield started


def connect(service: Service) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=60)


def status(sock: socket.socket) -> int | None:
    """The status of the response, read to its end; None where the connection ended without one."""
    received = b""
    with suppress(OSError):
        while data := sock.recv(65536):
            received += data
    final = received.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
    return int(final[9:12]) if final else None


def ask(service: Service, *parts: bytes) -> int | None:
    """Send all of it, as a client does that reads nothing before, then read the answer."""
    with connect(service) as sock:
        with suppress(OSError):
            for part in parts:
                sock.sendall(part)
        return status(sock)


def chunks(amount: int) -> list[bytes]:
    return [b"%x\r\n%b\r\n" % (len(MEGABYTE), MEGABYTE)] * amount


@pytest.mark.parametrize(
    ("head", "parts", "expected"),
    [
        (f"{HEAD}Content-Length: {len(MEGABYTE) * 100}\r\n", [MEGABYTE] * 100, 413),
        (f"{HEAD}Transfer-Encoding: chunked\r\n", chunks(100), 413),
        (f"{HEAD}Content-Length: {len(MEGABYTE) * 100}\r\nExpect: 100-continue\r\n", [], 413),
        (f"GET /guarded HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(MEGABYTE) * 100}\r\n",
         [MEGABYTE] * 100, 401),
        (f"{HEAD}Content-Length: {len(MEGABYTE)}\r\n", [MEGABYTE], 200),
        (f"{HEAD}Transfer-Encoding: chunked\r\n", [*chunks(1), b"0\r\n\r\n"], 200),
        (f"{HEAD}Transfer-Encoding: chunked\r\n", [*chunks(1), b"1\r\nx\r\n0\r\n\r\n"], 413),
    ],
    ids=["length", "chunked", "asks first", "guarded", "the limit", "limit in chunks", "one more"],
)  # fmt: skip
def test_a_body_of_100_mb_gets_its_answer_and_takes_no_memory(service, head, parts, expected):
    before = service.memory()

    answered = ask(service, f"{head}Connection: close\r\n\r\n".encode(), *parts)

    assert answered == expected
    assert service.memory() - before < 20_000


GUARDED = b"GET /guarded HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
BAD = {
    b"GET /?code=secret HTTP/9.9\r\n\r\n": 400,
    b"\x16\x03\x01\x02\x00\x01\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: x\r\nCookie secret\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: x\r\nA: b\x00secret\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n folded\r\n\r\n": 400,
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12": 400,
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n": 400,
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: magic\r\n\r\n": 501,
    b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n" % (b"a" * 5000): 414,
    b"GET / HTTP/1.1\r\nHost: x\r\nA: %b\r\n\r\n" % (b"a" * 19_000): 431,
    b"GET / HTTP/1.1\r\nHost: x\r\nA: %b\r\n\r\n" % (b"a" * 200_000): 431,
    b"GET / HTTP/1.1\r\nHost: x\r\n%b\r\n" % b"".join(b"A%d: b\r\n" % n for n in range(100)): 431,
    b"%bAuthorization: Bearer %b\r\n\r\n" % (GUARDED, b"a" * 17_000): 401,
    b"%bAuthorization: Basic YTpi\r\n\r\n" % GUARDED: 400,
}


def test_thousands_of_bad_requests_get_their_statuses_and_take_no_memory(service):
    for request in [*BAD] * 10:
        ask(service, request)
    before = service.memory()
    wrong: Counter[tuple[bytes, int | None]] = Counter()
    for _ in range(130):
        for request, expected in BAD.items():
            answered = ask(service, request)
            if answered != expected:
                wrong[request[:80], answered] += 1

    assert wrong == {}
    assert service.memory() - before < 6_000
    assert service.get("/open") == "ok"
    assert "secret" not in service.log.read_text()


SLOW = {
    "a head that drips": b"GET /open HTTP/1.1\r\nHost: localhost\r\nX-A: ",
    "a body that does not come": HEAD.encode() + b"Content-Length: 1000\r\n\r\nabc",
    "a second request that does not come": (
        b"GET /open HTTP/1.1\r\nHost: localhost\r\n\r\nGET /open HTTP/1.1\r\nHost"),
    "nothing at all": b"",
    "empty lines alone": b"\r\n",
}  # fmt: skip
# Requests over 32 KiB get more time to arrive.
LARGE_AND_SLOW = {
    "a large body": b"Content-Length: 1000000\r\n\r\n" + b"x" * 40_000,
    "a large body that is announced": b"Content-Length: 40000\r\nExpect: 100-continue\r\n\r\nx",
    "a length with zeros": b"Content-Length: %b1000000\r\n\r\nx" % (b"0" * 100),
    "a chunk": b"Transfer-Encoding: chunked\r\n\r\n9c40\r\n" + b"x" * 39_000,
    "chunks": b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 6_000,
    "a chunk larger than the limit": b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\nx",
    "a trailer": b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nA: b",
    "a coding and chunks": b"Transfer-Encoding: gzip, chunked\r\n\r\n1\r\n",
}


def test_slow_clients_delay_no_other_and_are_disconnected(service):
    before = service.memory()
    slow = {name: [connect(service) for _ in range(100)] for name in SLOW}
    for name, socks in slow.items():
        for sock in socks:
            sock.sendall(SLOW[name])
    waits = []
    end = time.monotonic() + HEAD_SECONDS + 1
    while time.monotonic() < end:
        for sock in slow["a head that drips"]:
            with suppress(OSError):
                sock.send(b"x")
        started = time.monotonic()
        assert service.get("/open") == "ok"
        waits.append(time.monotonic() - started)
        time.sleep(0.2)

    answers = {name: Counter(status(sock) for sock in socks) for name, socks in slow.items()}
    assert max(waits) < 4
    assert service.memory() - before < 20_000
    assert answers == {
        "a head that drips": {408: 100},
        "a body that does not come": {408: 100},
        "a second request that does not come": {200: 100},
        "nothing at all": {None: 100},
        "empty lines alone": {408: 100},
    }


def test_slow_bodies_of_every_kind_hold_no_thread(service):
    """Two workers have sixteen threads; a request is answered while 800 bodies are on their way."""
    slow = {name: [connect(service) for _ in range(100)] for name in LARGE_AND_SLOW}
    for name, socks in slow.items():
        for sock in socks:
            sock.sendall(HEAD.encode() + LARGE_AND_SLOW[name])
    for _ in range(20):
        assert service.get("/open") == "ok"
        assert ask(service, HEAD.encode() + b"Connection: close\r\nContent-Length: 200000\r\n\r\n",
                   b"x" * 200_000) == 200  # fmt: skip
    answers = {name: Counter(status(sock) for sock in socks) for name, socks in slow.items()}

    assert answers == {name: {408: 100} for name in LARGE_AND_SLOW}
    assert service.get("/open") == "ok"


def test_more_bodies_than_fit_into_memory_end_the_slowest_clients_and_no_other(service):
    """Each worker holds 32 MiB of requests; these are 300 MB."""
    before = service.memory()
    slow = [connect(service) for _ in range(300)]
    for sock in slow:
        with suppress(OSError):
            sock.sendall(HEAD.encode() + b"Content-Length: 1048576\r\n\r\n" + MEGABYTE[:-1])
    for _ in range(4):
        assert ask(service, HEAD.encode() + b"Connection: close\r\nContent-Length: 1048576\r\n\r\n",
                   MEGABYTE) == 200  # fmt: skip
    assert service.memory() - before < 150_000
    for sock in slow:
        sock.close()


def test_clients_that_end_in_the_middle_of_a_request_cost_no_cpu(service):
    """Such a socket is always readable: a loop that polled it would spin."""
    socks = [connect(service) for _ in range(50)]
    for sock in socks:
        sock.sendall(SLOW["a head that drips"])
        sock.shutdown(socket.SHUT_WR)
    before = service.cpu_seconds()
    time.sleep(1)

    assert service.cpu_seconds() - before < 0.3
    assert service.get("/open") == "ok"
    for sock in socks:
        sock.close()
