"""When a request gets a thread, and that docs/operations.md knows how long it may take."""

from __future__ import annotations

import re
import time
from functools import partial
from types import SimpleNamespace

import pytest

from cognises.operation import gunicorn_worker as worker
from cognises.operation.gunicorn_worker import LOOK, missing
from load.server import CONFIGURATIONS
from tests.cognises.operation.test_operations_doc import PAGE, limit

HEAD = b"POST /body HTTP/1.1\r\nHost: x"


@pytest.mark.parametrize(
    ("seen", "size"),
    [
        (b"", 1),
        (b"GET / HTT", 1),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", 1),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 0),
        (b"nonsense\r\n\r\n", 0),
        (HEAD + b"\r\nContent-Length: 5\r\n\r\n", 5),
        (HEAD + b"\r\ncontent-length:5 \r\nA: b\r\n\r\nabc", 2),
        (HEAD + b"\r\nContent-Length: 5\r\n\r\nabcde", 0),
        (HEAD + b"\r\nContent-Length: 5\r\n\r\nabcdeGET / HTTP/1.1", 0),
        (HEAD + b"\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", 0),
        (HEAD + b"\r\nContent-Length: five\r\n\r\n", 0),
        (HEAD + b"\r\nContent-Length: -5\r\n\r\n", 0),
        (HEAD + b"\r\nX-Content-Length: 5\r\n\r\n", 0),
        (HEAD + b"\r\nTransfer-Encoding: chunked\r\n\r\n", 0),
        (HEAD + b"\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 0),
    ],
)
def test_a_request_waits_for_its_head_and_a_body_that_is_announced(seen: bytes, size: int):
    assert missing(seen) == size


@pytest.mark.parametrize("length", [LOOK, 100_000_000])
def test_a_large_body_gets_its_thread_when_what_is_looked_at_is_full(length: int):
    head = HEAD + b"\r\nContent-Length: %d\r\n\r\n" % length

    assert missing(head) == LOOK - len(head)
    assert missing(head + b"x" * (LOOK - len(head))) == 0


class Parser:
    """A parsed request whose body is drained, or is not before the deadline."""

    def __init__(self, *headers: tuple[str, str]) -> None:
        self.mesg = SimpleNamespace(headers=list(headers))

    def finish_body(self, deadline: float) -> bool:
        return deadline - time.monotonic() > 1


@pytest.mark.parametrize(
    ("headers", "is_kept"),
    [
        ([], True),
        ([("CONTENT-LENGTH", "0")], True),
        ([("CONTENT-LENGTH", "100")], True),
        ([("CONTENT-LENGTH", "100000000")], False),
        ([("TRANSFER-ENCODING", "chunked")], False),
    ],
)
def test_a_thread_that_had_to_wait_for_the_cpu_closes_no_connection_that_it_promised_to_keep(
    headers, is_kept
):
    """Only what has not come is not waited for."""
    keep = partial(worker.Worker._keepalive_after, None)

    assert keep(SimpleNamespace(parser=Parser(*headers)), True) is is_kept
    assert keep(SimpleNamespace(parser=Parser(*headers)), False) is False


def test_the_limits_are_those_of_gunicorn():
    text = CONFIGURATIONS[0].read_text()
    configured = dict(re.findall(r"(?m)^(\w+) = ([\d_]+)$", text))
    asked = dict(re.findall(r'(?m)^(\w+) = int\(.*"(\d+)"\)\)$', text))

    assert limit("request line") == f"{int(configured['limit_request_line']):,} bytes"
    assert limit("headers") == configured["limit_request_fields"]
    assert limit("connections") == f"{int(configured['worker_connections']):,}"
    assert limit("head").startswith(f"{worker.LOOK // 1024} KiB")
    assert limit("time for a request") == f"{worker.HEAD_SECONDS:.0f} s"
    assert limit("time for the rest") == f"{worker.BODY_SECONDS:.0f} s"
    assert limit("idle").startswith(f"{asked['keepalive']} s")
    assert limit("time to finish") == f"{asked['graceful_timeout']} s"
    assert f"within {worker.STOP_SECONDS:.0f} seconds" in PAGE
