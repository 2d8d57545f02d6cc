"""A server that never finishes its headers: no request waits for it, and threads do not pile up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from request_side import refused

from cognises.testing import FakePool
from cognises.tokens import key_cache
from cognises.tokens.http import fetch_json
from cognises.tokens.key_cache import MAX_THREADS, KeySet
from cognises.tokens.verifier import Verifier


@pytest.fixture
def dripping() -> Iterator[str]:
    finished = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def drip(connection: socket.socket) -> None:
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not finished.wait(0.05):
                connection.sendall(b"x")

    def accept() -> None:
        while not finished.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finished.set()
    listener.close()


def test_a_server_that_drips_its_headers_delays_no_request_and_starts_few_threads(
    dripping, monkeypatch
):
    monkeypatch.setattr(key_cache, "TIMEOUT", 0.2)
    monkeypatch.setattr(key_cache, "FIRST_BACKOFF", 0.0)
    monkeypatch.setattr(key_cache, "LAST_BACKOFF", 0.0)
    pool = FakePool()
    keys = KeySet(lambda kid: fetch_json(dripping, timeout=30), lambda document: {})
    verifier = Verifier(pool.id, pool.client_id, token_use="id", key_set=keys)
    start = time.monotonic()

    for _ in range(3 * MAX_THREADS):
        assert refused(verifier.verify, pool.token()).reason == "keys_unavailable"

    assert time.monotonic() - start < 20  # each fetch alone would take 30
    waiting = [thread for thread in threading.enumerate() if "(_fetch)" in thread.name]
    assert 0 < len(waiting) <= MAX_THREADS
