"""gunicorn's threaded worker, for clients that mean no good.

Its own gives a thread to every connection that has sent one byte and then waits without limit, and
lingers over closing ones in the loop that accepts: a handful of slow clients stops a service. Here
a thread is given only to a request whose whole head has arrived; heads and bodies have deadlines;
lingering blocks nobody. Leans on gunicorn's inner parts: its version is pinned, the tests run it.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

HEAD_SECONDS = 10.0
BODY_SECONDS = 30.0
LINGER_SECONDS = 1.0
MAX_LINGERING = 256
_HEAD_BYTES = 64 * 1024
_LOOK = 0.05


class Connection(TConn):  # type: ignore[misc]
    """A connection that knows its deadline, and closes without waiting."""

    deadline = 0.0
    worker: Worker

    def close(self, graceful: bool = False) -> None:
        if graceful:
            self.worker.linger(self.sock)
        else:
            super().close()

    def has_head(self) -> bool:
        """Whether a request's head has arrived; true also where waiting on is no use."""
        try:
            seen = self.sock.recv(_HEAD_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return not seen or len(seen) >= _HEAD_BYTES or b"\r\n\r\n" in seen


class Worker(ThreadWorker):  # type: ignore[misc]
    """Waits for heads in its loop, not in its threads."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._idle: set[Connection] = set()  # nothing has come yet: the poller wakes us
        self._partial: set[Connection] = set()  # a part of a head: looked at by the clock
        self._busy: set[Connection] = set()  # in a thread
        self._lingering: dict[socket.socket, float] = {}

    def accept(self, listener: socket.socket) -> None:
        try:
            client, address = listener.accept()
        except OSError:
            return  # taken by another worker, or gone
        self.nr_conns += 1
        conn = Connection(self.cfg, client, address, listener.getsockname())
        conn.worker = self
        self.enqueue_req(conn)

    def enqueue_req(self, conn: Connection) -> None:
        if conn.parser is not None and conn.parser.unreader.buf.getvalue():
            self._give_thread(conn)  # the next request was read along with the last
            return
        conn.sock.setblocking(False)
        conn.deadline = time.monotonic() + HEAD_SECONDS
        if conn.has_head():
            self._give_thread(conn)
        else:
            self._idle.add(conn)
            self.poller.register(conn.sock, EVENT_READ, partial(self._on_first_bytes, conn))

    def _on_first_bytes(self, conn: Connection, client: socket.socket) -> None:
        self.poller.unregister(client)
        self._idle.discard(conn)
        if conn.has_head():
            self._give_thread(conn)
        else:
            self._partial.add(conn)

    def _give_thread(self, conn: Connection) -> None:
        conn.data_ready = True
        conn.deadline = time.monotonic() + BODY_SECONDS
        self._busy.add(conn)
        super().enqueue_req(conn)

    def finish_request(self, conn: Connection, future: Any) -> None:
        self._busy.discard(conn)
        super().finish_request(conn, future)

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        """A body that nobody read is dropped if it is here; nobody waits for the rest of it."""
        return bool(keepalive and conn.parser.finish_body(deadline=time.monotonic() + _LOOK))

    def linger(self, sock: socket.socket) -> None:
        """Close once the client has read its answer (RFC 9112 section 9.6), or soon."""
        try:
            sock.shutdown(socket.SHUT_WR)
            sock.setblocking(False)
        except OSError:
            sock.close()
            return
        if len(self._lingering) >= MAX_LINGERING or _is_over(sock):
            sock.close()
        else:
            self._lingering[sock] = time.monotonic() + LINGER_SECONDS

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        is_watching = self._partial or self._lingering
        super().wait_for_and_dispatch_events(min(timeout, _LOOK) if is_watching else timeout)
        now = time.monotonic()
        self._look_at_heads(now)
        for sock, deadline in list(self._lingering.items()):
            if now > deadline or _is_over(sock):
                del self._lingering[sock]
                sock.close()
        for conn in self._busy:
            if now > conn.deadline:  # a body that does not come: its reader sees the end of it
                conn.deadline = float("inf")
                _shut(conn.sock)

    def _look_at_heads(self, now: float) -> None:
        for conn in [conn for conn in self._partial if conn.has_head()]:
            self._partial.discard(conn)
            self._give_thread(conn)
        for conn in [conn for conn in self._partial if now > conn.deadline]:
            self._partial.discard(conn)
            self._drop(conn, b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n")
        for conn in [conn for conn in self._idle if now > conn.deadline or not self.alive]:
            self._idle.discard(conn)
            self.poller.unregister(conn.sock)
            self._drop(conn)

    def _drop(self, conn: Connection, farewell: bytes = b"") -> None:
        self.nr_conns -= 1
        with suppress(OSError):
            conn.sock.send(farewell)
        conn.close()


def _is_over(sock: socket.socket) -> bool:
    """Whether the other side has closed; what it still sends is thrown away."""
    try:
        return not sock.recv(64 * 1024)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RD)
