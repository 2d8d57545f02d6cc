"""gunicorn's threaded worker, safe from slow clients, and with a stop that answers every request.

gunicorn's own gives a thread to every connection that has sent one byte and waits for the rest
there, so a handful of slow clients stops a service. Here the event loop collects each request, its
body included up to the application's limit, and a thread gets it when it is complete. Closing never
blocks the loop either. Uses internals of gunicorn: its version is pinned, and tests run it.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.http import get_parser  # type: ignore[import-untyped,import-not-found,unused-ignore]
from gunicorn.http.unreader import SocketUnreader  # type: ignore[import-untyped,import-not-found,unused-ignore]
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker  # type: ignore[import-untyped,import-not-found,unused-ignore]

from cognises.operation.request_buffer import HEAD_LIMIT, READ_SIZE, RequestBuffer

HEAD_SECONDS = 10.0  # for a request to arrive
BODY_SECONDS = 30.0  # for one that is longer than a head may be
STOP_SECONDS = STOP_KEEPALIVE_LINGER  # for a request on a connection that is idle at a stop
LINGER_SECONDS = 2.0
MAX_LINGERING = 256
MAX_HELD = 32 * 1024 * 1024  # bytes of requests in a worker's memory
BODY_LIMIT = 4 * 1024 * 1024  # what is larger is read in a thread, if the application allows it
INFINITY = float("inf")
_TIMEOUT = "408 Request Timeout"


class ReceivedFirst(SocketUnreader):  # type: ignore[misc]
    """Gives gunicorn's parser what the loop has received, then what the socket still holds."""

    def __init__(self, sock: socket.socket, data: bytearray) -> None:
        super().__init__(sock)
        self._data, self._at = data, 0

    def chunk(self, size_hint: int | None = None) -> bytes:
        # In pieces, as from a socket: the parser copies what it has for each chunk of a body.
        size = max(self.mxchunk, min(size_hint or 0, self.max_body_chunk))
        piece = bytes(self._data[self._at : self._at + size])
        self._at += len(piece)
        return piece or bytes(super().chunk(size_hint))

    def collect(self) -> None:
        """Put what is left, the next request, where gunicorn looks for it."""
        self.buf.seek(0, 2)
        self.buf.write(self._data[self._at :])
        self._data.clear()


class Connection(TConn):  # type: ignore[misc]
    """A connection with the request that arrives on it, and a deadline; closes without waiting."""

    worker: Worker
    parser: Any
    request = RequestBuffer(b"", 0)
    started = 0.0
    deadline = 0.0
    held = 0  # bytes of `request` that count as held by the worker

    def close(self, graceful: bool = False) -> None:
        if graceful:
            self.worker.linger(self.sock)
        else:
            super().close()

    def give_to_parser(self) -> None:
        """Let gunicorn's parser read the request that has been collected."""
        if self.parser is None:
            self.parser = get_parser(self.cfg, self.sock, self.client)
        self.parser.unreader = ReceivedFirst(self.sock, self.request.data)


class Worker(ThreadWorker):  # type: ignore[misc]
    """Collects requests in its loop, not in its threads."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: set[Connection] = set()  # for more of a request; all are in the poller
        self._busy: set[Connection] = set()  # in a thread
        self._held = 0
        self._lingering: dict[socket.socket, float] = {}
        self._expired_at = 0.0

    def run(self) -> None:
        super().run()
        while self._lingering:  # clients are still reading the last responses
            time.sleep(0.02)
            for sock in [sock for sock in self._lingering if self._is_done(sock)]:
                self._lingering.pop(sock)
                sock.close()

    def set_accept_enabled(self, enabled: bool) -> None:
        """On a stop, accept every connection that is established, then close the listeners."""
        super().set_accept_enabled(enabled)
        if enabled or self.alive:
            return
        for listener in self.sockets:
            while self.accept(listener):
                pass
            listener.close()
        latest = time.monotonic() + HEAD_SECONDS
        for conn in self._waiting:
            conn.deadline = min(conn.deadline, latest)

    def accept(self, listener: socket.socket) -> bool:
        """Accept a connection, if there is one."""
        try:
            client, address = listener.accept()
        except OSError:
            return False  # another worker has it, or the client has gone
        self.nr_conns += 1
        conn = Connection(self.cfg, client, address, listener.getsockname())
        conn.worker = self
        self.enqueue_req(conn)
        return True

    def enqueue_req(self, conn: Connection) -> None:
        """Wait for the request of a connection that is new, or whose next request begins."""
        conn.sock.setblocking(False)
        if self.cfg.is_ssl:
            super().enqueue_req(conn)
            return
        ahead = conn.parser.unreader.take_buffered() if conn.parser is not None else b""
        limit = getattr(self.wsgi, "config", {}).get("MAX_CONTENT_LENGTH") or BODY_LIMIT
        conn.request = RequestBuffer(ahead, min(limit, BODY_LIMIT))
        self._hold(conn, len(ahead))
        conn.started = time.monotonic()
        conn.deadline = conn.started + HEAD_SECONDS
        if not self._receive(conn):
            self._waiting.add(conn)
            self.poller.register(conn.sock, EVENT_READ, partial(self._on_more, conn))

    def _on_more(self, conn: Connection, _: socket.socket) -> None:
        if self._receive(conn):
            self._stop_waiting(conn)

    def _stop_waiting(self, conn: Connection) -> None:
        self._waiting.discard(conn)
        with suppress(KeyError):
            self.poller.unregister(conn.sock)

    def _receive(self, conn: Connection) -> bool:
        """Read what has arrived; True: the connection waits no longer."""
        request = conn.request
        if request.bytes_needed():
            try:
                data = conn.sock.recv(READ_SIZE)
            except BlockingIOError:
                return False
            except OSError:
                data = b""
            if not data:
                self._drop(conn, "400 Bad Request" if request.data else "")
                return True
            request.data += data
            self._hold(conn, len(data))
        is_complete = not request.bytes_needed()
        if request.refusal:
            self._drop(conn, request.refusal)
        elif is_complete:
            self._dispatch(conn)
        else:
            self._await_body(conn)
            return False
        return True

    def _await_body(self, conn: Connection) -> None:
        if conn.request.is_large and self.alive:
            conn.deadline = conn.started + BODY_SECONDS
        if conn.request.wants_continue:
            conn.request.wants_continue = False
            with suppress(OSError):
                conn.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        while self._held > MAX_HELD:
            large = [one for one in self._waiting if one.held > HEAD_LIMIT]
            if not large:
                break
            oldest = min(large, key=lambda one: one.started)
            self._stop_waiting(oldest)
            self._drop(oldest, _TIMEOUT)

    def _dispatch(self, conn: Connection) -> None:
        """Give the request a thread, as soon as one is free."""
        conn.give_to_parser()
        conn.data_ready = True
        # The rest of a larger body is the thread's to read, and has a deadline too.
        conn.deadline = INFINITY if conn.request.is_whole else time.monotonic() + BODY_SECONDS
        self._busy.add(conn)
        super().enqueue_req(conn)

    def _hold(self, conn: Connection, size: int) -> None:
        conn.held += size
        self._held += size

    def finish_request(self, conn: Connection, future: Any) -> None:
        self._busy.discard(conn)
        if conn.held:
            conn.parser.unreader.collect()
            self._hold(conn, -conn.held)
        super().finish_request(conn, future)
        if not self.alive and self.keepalived_conns and self.keepalived_conns[-1] is conn:
            conn.timeout = time.monotonic() + HEAD_SECONDS

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        """Skip a body that the view has not read; what has not arrived is not waited for."""
        if not keepalive:
            return False
        seconds = BODY_SECONDS if conn.request.is_whole else 0.05
        return bool(conn.parser.finish_body(deadline=time.monotonic() + seconds))

    def _cap_keepalive(self, deadline: float) -> None:
        """On a stop, a client that was just answered gets time for a request it may be sending."""
        for conn in self.keepalived_conns:
            answered = conn.timeout - self.cfg.keepalive
            conn.timeout = min(conn.timeout, max(deadline, answered + HEAD_SECONDS))

    def murder_keepalived(self, force: bool = False) -> None:
        """Close idle connections past their time, unless a request has arrived in this moment."""
        if self.keepalived_conns and time.monotonic() >= self.keepalived_conns[0].timeout:
            super().wait_for_and_dispatch_events(0)
        super().murder_keepalived(force)

    def linger(self, sock: socket.socket) -> None:
        """Close once the client has read its response (RFC 9112 section 9.6), or soon."""
        try:
            sock.shutdown(socket.SHUT_WR)
            sock.setblocking(False)
        except OSError:
            sock.close()
            return
        if len(self._lingering) >= MAX_LINGERING or _is_closed(sock):
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
        return time.monotonic() > self._lingering[sock] or _is_closed(sock)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        super().wait_for_and_dispatch_events(min(timeout, 0.25) if self._lingering else timeout)
        now = time.monotonic()
        if now - self._expired_at > 0.2:
            self._expired_at = now
            self._expire(now)

    def _expire(self, now: float) -> None:
        """End what is past its deadline."""
        for sock in list(self._lingering):
            self._on_lingering(sock)
        for conn in [conn for conn in self._waiting if now > conn.deadline]:
            self._stop_waiting(conn)
            if not self._receive(conn):
                self._drop(conn, _TIMEOUT if conn.request.data else "")
        for conn in [conn for conn in self._busy if now > conn.deadline]:
            conn.deadline = INFINITY  # the view that reads the body sees its end
            with suppress(OSError):
                conn.sock.shutdown(socket.SHUT_RD)

    def _drop(self, conn: Connection, status: str) -> None:
        """Close a connection, with a response if there is a status."""
        self.nr_conns -= 1
        self._hold(conn, -conn.held)
        if status:
            head = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            with suppress(OSError):
                conn.sock.send(head.encode())
        conn.close(graceful=bool(status))


def _is_closed(sock: socket.socket) -> bool:
    """Whether the other side has closed; what it still sends is discarded."""
    try:
        return not sock.recv(256 * 1024)
    except BlockingIOError:
        return False
    except OSError:
        return True
