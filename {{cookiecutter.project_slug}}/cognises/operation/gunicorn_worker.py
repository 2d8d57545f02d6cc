"""gunicorn's threaded worker, for clients that mean no good, and for a stop that loses nobody.

Its own gives a thread to every connection that has sent one byte and then waits without limit, and
lingers over closing ones in the loop that accepts: a handful of slow clients stops a service. Here
a thread is given only to a request that has arrived, up to LOOK bytes of it; the rest of a body has
a deadline; lingering blocks nobody. On SIGTERM what has been accepted is answered. Leans on
gunicorn's inner parts: its version is pinned, the tests run it.
"""

from __future__ import annotations

import re
import socket
import time
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped,import-not-found,unused-ignore]

HEAD_SECONDS = 10.0  # for a request to arrive
BODY_SECONDS = 30.0  # for what comes after its first LOOK bytes
STOP_SECONDS = 2.0  # for requests under way on the wire when the worker is told to stop
LINGER_SECONDS = 2.0
MAX_LINGERING = 256
LOOK = 32 * 1024  # of a request before it gets a thread; a kernel's buffer holds more than that

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,12})[ \t]*(?:\r\n|$)", re.I)
# Bodies that come only when they are asked for, or in chunks.
_UNKNOWN = re.compile(rb"\r\n(?:expect|transfer-encoding):", re.I)
_TOO_LATE = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"Connection: close\r\nContent-Length: 0\r\n\r\n"
)


def missing(seen: bytes) -> int:
    """How many bytes to wait for at least, by what has come of a request; 0: it may be handled.

    Decides only who gets a thread when; gunicorn's parser alone says what the request is.
    """
    head, end, body = seen.partition(b"\r\n\r\n")
    if not end:
        return 1
    length = _LENGTH.search(head)
    if length is None or _UNKNOWN.search(head):
        return 0
    return max(0, min(int(length[1]), LOOK - len(head) - len(end)) - len(body))


class Connection(TConn):  # type: ignore[misc]
    """A connection that knows its deadline, and closes without waiting."""

    deadline = 0.0
    awaited = 0  # bytes that the socket must hold to be worth a look
    is_watched = False  # by the poller
    worker: Worker

    def close(self, graceful: bool = False) -> None:
        if graceful:
            self.worker.linger(self.sock)
        else:
            super().close()

    def look(self) -> bytes | None:
        """What has come of the next request, left where it is; None where looking is no use."""
        if self.cfg.is_ssl or self.sock.family == getattr(socket, "AF_UNIX", None):
            return None
        ahead: bytes = self.parser.unreader.buf.getvalue() if self.parser is not None else b""
        try:
            seen = self.sock.recv(LOOK, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return ahead
        except OSError:
            return None
        return ahead + seen if seen else None

    def wake_at(self, size: int) -> None:
        """Let the poller see the socket once it holds so many bytes, or its end."""
        self.awaited = size
        with suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)


class Worker(ThreadWorker):  # type: ignore[misc]
    """Waits for requests in its loop, not in its threads."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: set[Connection] = set()
        self._busy: set[Connection] = set()  # in a thread
        self._lingering: dict[socket.socket, float] = {}
        self._tidied = 0.0

    def run(self) -> None:
        super().run()
        while self._lingering:  # the last answers are still being read
            time.sleep(0.02)
            for sock in [sock for sock in self._lingering if self._is_done(sock)]:
                self._lingering.pop(sock)
                sock.close()

    def set_accept_enabled(self, enabled: bool) -> None:
        """When stopping, take in whoever has connected, and let nobody connect any more."""
        super().set_accept_enabled(enabled)
        if enabled or self.alive:
            return
        for listener in self.sockets:
            while self.accept(listener):
                pass
            listener.close()
        latest = time.monotonic() + STOP_SECONDS
        for conn in self._waiting:
            conn.deadline = min(conn.deadline, latest)

    def accept(self, listener: socket.socket) -> bool:
        """Take in a connection, if there is one."""
        try:
            client, address = listener.accept()
        except OSError:
            return False  # taken by another worker, or gone
        self.nr_conns += 1
        conn = Connection(self.cfg, client, address, listener.getsockname())
        conn.worker = self
        self.enqueue_req(conn)
        return True

    def enqueue_req(self, conn: Connection) -> None:
        """A connection that is new, or has been answered: give it a thread, now or later."""
        conn.sock.setblocking(False)
        conn.deadline = time.monotonic() + (HEAD_SECONDS if self.alive else STOP_SECONDS)
        if not self._dispatch(conn):
            self._waiting.add(conn)
            self.poller.register(conn.sock, EVENT_READ, partial(self._on_more, conn))
            conn.is_watched = True

    def _on_more(self, conn: Connection, _: socket.socket) -> None:
        awaited = conn.awaited
        if not self._dispatch(conn) and conn.awaited <= awaited:
            self._unwatch(conn)  # woken for no more bytes: its end has come. The clock looks on

    def _unwatch(self, conn: Connection) -> None:
        if conn.is_watched:
            self.poller.unregister(conn.sock)
            conn.is_watched = False

    def _dispatch(self, conn: Connection) -> bool:
        """Give a thread to a request that has come; False: it has not yet."""
        seen = conn.look()
        lacking = 0 if seen is None else missing(seen)
        if lacking and seen is not None and len(seen) < LOOK:
            # What was read ahead into gunicorn's buffer is not in the socket any more.
            ahead = len(conn.parser.unreader.buf.getvalue()) if conn.parser is not None else 0
            conn.wake_at(len(seen) - ahead + lacking)
            return False
        self._waiting.discard(conn)
        self._unwatch(conn)
        if conn.awaited:
            conn.wake_at(1)
            conn.awaited = 0
        if lacking:
            self._drop(conn, _TOO_LONG)
            return True
        conn.data_ready = True
        conn.deadline = time.monotonic() + BODY_SECONDS
        self._busy.add(conn)
        super().enqueue_req(conn)
        return True

    def finish_request(self, conn: Connection, future: Any) -> None:
        self._busy.discard(conn)
        super().finish_request(conn, future)

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        """A body that nobody read is dropped; where it has not come, nobody waits for it."""
        if not keepalive:
            return False
        seconds = BODY_SECONDS if _came_whole(conn.parser.mesg.headers) else 0.05
        return bool(conn.parser.finish_body(deadline=time.monotonic() + seconds))

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
            self.poller.register(sock, EVENT_READ, self._on_lingering)

    def _on_lingering(self, sock: socket.socket) -> None:
        if self._is_done(sock):
            self.poller.unregister(sock)
            self._lingering.pop(sock)
            sock.close()

    def _is_done(self, sock: socket.socket) -> bool:
        return time.monotonic() > self._lingering[sock] or _is_over(sock)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        super().wait_for_and_dispatch_events(min(timeout, 0.25) if self._lingering else timeout)
        now = time.monotonic()
        if now - self._tidied > 0.2:
            self._tidied = now
            self._tidy(now)

    def _tidy(self, now: float) -> None:
        """End what is past its deadline."""
        for sock in list(self._lingering):
            self._on_lingering(sock)
        for conn in [conn for conn in self._waiting if not conn.is_watched]:
            self._dispatch(conn)
        for conn in [conn for conn in self._waiting if now > conn.deadline]:
            self._waiting.discard(conn)
            self._unwatch(conn)
            self._drop(conn, _TOO_LATE if conn.look() else b"")
        for conn in [conn for conn in self._busy if now > conn.deadline]:
            conn.deadline = float("inf")  # a body that does not come: its reader sees the end of it
            with suppress(OSError):
                conn.sock.shutdown(socket.SHUT_RD)

    def _drop(self, conn: Connection, farewell: bytes) -> None:
        self.nr_conns -= 1
        with suppress(OSError):
            conn.sock.send(farewell)
        conn.close(graceful=bool(farewell))


def _came_whole(headers: list[tuple[str, str]]) -> bool:
    """Whether a request was small enough to have come whole before it got its thread."""
    found = dict(headers)
    return "TRANSFER-ENCODING" not in found and int(found.get("CONTENT-LENGTH", 0)) <= LOOK // 4


def _is_over(sock: socket.socket) -> bool:
    """Whether the other side has closed; what it still sends is thrown away."""
    try:
        return not sock.recv(256 * 1024)
    except BlockingIOError:
        return False
    except OSError:
        return True
