"""gunicorn's threaded worker, safe from slow clients, and with a stop that answers every request.

gunicorn's own waits in a thread for all but the first byte of a request. Here the event loop
collects each request, body included up to the application's limit, before a thread gets it, and
never blocks. Uses internals of gunicorn: its version is pinned, and tests run it.
"""

import json
import mmap
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from hashlib import sha256
from selectors import EVENT_READ
from typing import Any

from gunicorn.glogging import Logger as GunicornLogger  # type: ignore[import-untyped,import-not-found,unused-ignore]
from gunicorn.http import get_parser  # type: ignore[import-untyped,import-not-found,unused-ignore]
from gunicorn.http.unreader import IterUnreader  # type: ignore[import-untyped,import-not-found,unused-ignore]
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker  # type: ignore[import-untyped,import-not-found,unused-ignore]

from cognises.tokens.key_cache import ClockReading
from server.request_buffer import HEAD_LIMIT, READ_SIZE, RequestBuffer

HEAD_SECONDS = 10.0  # for a request to arrive
BODY_SECONDS = 30.0  # for one that is longer than a head may be
STOP_SECONDS = STOP_KEEPALIVE_LINGER  # for a request on a connection that is idle at a stop
LINGER_SECONDS = 2.0
MAX_HELD = 32 * 1024 * 1024  # bytes of requests in a worker's memory
PIECE = 8 * 1024  # small: for each chunk of a body, gunicorn's parser copies the piece it has
BODY_LIMIT = 4 * 1024 * 1024  # what is larger is read in a thread, if the application allows it
_TIMEOUT = "408 Request Timeout"
SLOTS, SLOT = 16, 64 * 1024  # of the shared keys
_HEAD = 32 + 4  # of a slot: digest and size


class Logger(GunicornLogger):  # type: ignore[misc]
    """Logs requests if `accesslog` is set; gunicorn's own does for a `logconfig_dict` too."""

    @property
    def access_log_enabled(self) -> bool:
        return bool(self.cfg.accesslog)


def pieces(received: bytearray, sock: socket.socket) -> Iterator[bytes]:
    """What the loop has received, then what the socket still holds; `received` keeps the rest."""
    while True:
        if not received:
            received += sock.recv(READ_SIZE)
        piece = bytes(received[:PIECE])
        del received[:PIECE]
        yield piece


class Connection(TConn):  # type: ignore[misc]
    """A connection with the request that arrives on it, and a deadline."""

    worker: "Worker"
    parser: Any
    request = RequestBuffer(b"", 0)
    started = 0.0
    deadline = 0.0
    answered = 0.0  # when its last response ended
    held = 0  # bytes of `request` that count as held by the worker

    def close(self, graceful: bool = False) -> None:
        """Close; if graceful, when the client has read its response (RFC 9112, 9.6), or soon."""
        if not graceful:
            super().close()
            return
        self.parser, self.request = None, Connection.request
        self.deadline = time.monotonic() + LINGER_SECONDS
        with suppress(OSError):
            self.sock.setblocking(False)
            self.sock.shutdown(socket.SHUT_WR)
        self.worker.nr_conns += 1
        self.worker.receive(self)


class Worker(ThreadWorker):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: set[Connection] = set()  # for more of a request; all are in the poller
        self._reading: set[Connection] = set()  # in a thread that reads the rest of a body
        self._held = 0

    def set_accept_enabled(self, enabled: bool) -> None:
        """On a stop, accept every connection that is established, then close the listeners."""
        super().set_accept_enabled(enabled)
        if enabled or self.alive:
            return
        for listener in self.sockets:
            while self.accept(listener):
                pass
            listener.close()
        for conn in self._waiting:
            conn.deadline = min(conn.deadline, time.monotonic() + HEAD_SECONDS)

    def accept(self, listener: socket.socket) -> bool:
        try:
            client, address = listener.accept()
        except OSError:
            return False  # another worker has it, or the client has gone
        self.nr_conns += 1
        conn = Connection(self.cfg, client, address, listener.getsockname())
        conn.worker = self
        if not self.cfg.is_ssl:
            conn.parser = get_parser(self.cfg, client, address)
        self.enqueue_req(conn)
        return True

    def enqueue_req(self, conn: Connection) -> None:
        """Wait for the request of a connection that is new, or whose next request begins."""
        if self.cfg.is_ssl:
            super().enqueue_req(conn)
            return
        conn.sock.setblocking(False)
        ahead = conn.parser.unreader.take_buffered()
        limit = getattr(self.wsgi, "config", {}).get("MAX_CONTENT_LENGTH") or BODY_LIMIT
        conn.request = RequestBuffer(ahead, min(limit, BODY_LIMIT))
        self._hold(conn, len(ahead))
        conn.started = time.monotonic()
        conn.deadline = conn.started + HEAD_SECONDS
        self.receive(conn)

    def _on_more(self, conn: Connection, _: socket.socket) -> None:
        if conn in self._waiting:  # not dropped in this turn of the loop
            self.receive(conn)

    def receive(self, conn: Connection) -> None:
        """Read what has arrived, then wait for more, answer, or give the request to a thread."""
        request = conn.request
        if request.bytes_needed():
            try:
                data = conn.sock.recv(READ_SIZE)
            except BlockingIOError:
                self._wait(conn)
                return
            except OSError:
                data = b""
            if not data:
                self._drop(conn, "400 Bad Request" if request.data else "")
                return
            if conn.parser is not None:  # after the last response, what arrives is discarded
                request.data += data
                self._hold(conn, len(data))
        needed = request.bytes_needed()
        if request.refusal:
            self._drop(conn, request.refusal)
        elif needed:
            self._wait(conn)
        else:
            self._dispatch(conn)

    def _wait(self, conn: Connection) -> None:
        if conn not in self._waiting:
            self._waiting.add(conn)
            self.poller.register(conn.sock, EVENT_READ, partial(self._on_more, conn))
        if conn.request.is_large and self.alive:
            conn.deadline = conn.started + BODY_SECONDS
        if conn.request.wants_continue:
            conn.request.wants_continue = False
            with suppress(OSError):
                conn.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        while self._held > MAX_HELD and (
            large := [one for one in self._waiting if one.held > HEAD_LIMIT]
        ):
            self._drop(min(large, key=lambda one: one.started), _TIMEOUT)

    def _stop_waiting(self, conn: Connection) -> None:
        if conn in self._waiting:
            self._waiting.remove(conn)
            self.poller.unregister(conn.sock)

    def _dispatch(self, conn: Connection) -> None:
        self._stop_waiting(conn)
        conn.parser.unreader = IterUnreader(pieces(conn.request.data, conn.sock))
        conn.parser.unreader.sock = conn.sock  # the parser sets its time-out
        conn.data_ready = True
        if not conn.request.is_whole:
            conn.deadline = time.monotonic() + BODY_SECONDS
            self._reading.add(conn)
        super().enqueue_req(conn)

    def _hold(self, conn: Connection, size: int) -> None:
        conn.held += size
        self._held += size

    def finish_request(self, conn: Connection, future: Any) -> None:
        self._reading.discard(conn)
        if conn.held:  # what is left is the next request
            conn.parser.unreader.buf.write(conn.request.data)
            conn.request.data.clear()
            self._hold(conn, -conn.held)
        super().finish_request(conn, future)
        if self.keepalived_conns and self.keepalived_conns[-1] is conn:
            conn.answered = time.monotonic()
            if not self.alive:
                conn.timeout = conn.answered + HEAD_SECONDS

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        """Skip a body that the view has not read; what has not arrived is not waited for."""
        if not keepalive:
            return False
        seconds = BODY_SECONDS if conn.request.is_whole else 0.05
        return bool(conn.parser.finish_body(deadline=time.monotonic() + seconds))

    def _cap_keepalive(self, deadline: float) -> None:
        """On a stop, a client that was just answered gets time for a request it may be sending."""
        for conn in self.keepalived_conns:
            conn.timeout = min(conn.timeout, max(deadline, conn.answered + HEAD_SECONDS))

    def murder_keepalived(self, force: bool = False) -> None:
        """Close idle connections past their time, unless a request has arrived in this moment."""
        if self.keepalived_conns and time.monotonic() >= self.keepalived_conns[0].timeout:
            self.wait_for_and_dispatch_events(0)
        super().murder_keepalived(force)

    def murder_pending(self) -> None:
        """End what is past its deadline; gunicorn calls it in every turn of its loop."""
        super().murder_pending()
        now = time.monotonic()
        for conn in [conn for conn in self._waiting if now > conn.deadline]:
            self._on_more(conn, conn.sock)  # it may have come while the loop was busy
            if conn in self._waiting:
                self._drop(conn, _TIMEOUT if conn.request.data else "")
        for conn in [conn for conn in self._reading if now > conn.deadline]:
            self._reading.remove(conn)
            with suppress(OSError):
                conn.sock.shutdown(socket.SHUT_RD)  # the view that reads the body sees its end

    def _drop(self, conn: Connection, status: str) -> None:
        self._stop_waiting(conn)
        self.nr_conns -= 1
        self._hold(conn, -conn.held)
        if status:
            head = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            with suppress(OSError):
                conn.sock.send(head.encode())
        conn.close(graceful=bool(status))


class SharedKeys:
    """The latest reading of the key set, in memory that the processes of one server share.
    Each writes a slot by its id. No lock: one that a killed worker held would never open again. A
    slot that is garbled or half written does not match its digest and counts as absent.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, SLOTS * SLOT)

    def publish(self, document: Mapping[str, Any], since: ClockReading) -> None:
        """Leave a reading for the others; one too large for a slot is not shared."""
        data = json.dumps({"document": document, "since": since}).encode()
        if len(data) <= SLOT - _HEAD:
            start = os.getpid() % SLOTS * SLOT
            record = sha256(data).digest() + len(data).to_bytes(4, "big") + data
            self._memory[start : start + len(record)] = record

    def latest(self) -> tuple[Mapping[str, Any], ClockReading] | None:
        readings = []
        for start in range(0, SLOTS * SLOT, SLOT):
            slot = self._memory[start : start + SLOT]
            data = slot[_HEAD : _HEAD + int.from_bytes(slot[32:_HEAD], "big")]
            if data and sha256(data).digest() == slot[:32]:
                found = json.loads(data)
                readings.append((found["document"], ClockReading(*found["since"])))
        return max(readings, key=lambda reading: reading[1].monotonic, default=None)
