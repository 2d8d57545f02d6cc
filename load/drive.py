"""Sends requests over many connections at once and keeps count of the answers.

One thread and raw sockets: it must cost far less than the service that it measures.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

PATIENCE = 15.0


class Shot(NamedTuple):
    """One request, and what must be answered to it."""

    request: bytes
    expected: int


def shot(path: str, expected: int = 200, token: str | None = None, more: str = "") -> Shot:
    """A GET, with a token if there is one; `more` is further header lines."""
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{bearer}{more}\r\n"
    return Shot(head.encode(), expected)


@dataclass
class Tally:
    """What came of it."""

    answers: Counter[int] = field(default_factory=Counter)
    wrong: Counter[tuple[int, int]] = field(default_factory=Counter)  # (expected, answered)
    broken: int = 0  # connections that ended where an answer was due
    late: int = 0  # answers that did not come at all
    refused: int = 0  # connections that were not accepted
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return sum(self.answers.values()) / self.seconds

    @property
    def is_clean(self) -> bool:
        return not (self.wrong or self.broken or self.late or self.refused)

    def note(self, expected: int, answered: int, latency: float) -> None:
        self.answers[answered] += 1
        self.latencies.append(latency)
        if answered != expected:
            self.wrong[expected, answered] += 1

    def within(self, share: float) -> float:
        """Seconds in which that share of the answers came."""
        return sorted(self.latencies)[int(share * (len(self.latencies) - 1))]


class _Connection:
    """A socket with at most one request under way on it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.expected = 0
        self.sent_at = 0.0
        self.received = b""

    def send(self, shot: Shot) -> None:
        self.expected, self.received, self.sent_at = shot.expected, b"", time.perf_counter()
        self.sock.sendall(shot.request)

    def answer(self) -> tuple[int, bool] | None:
        """Status, and whether the connection stays; None until the answer is complete.

        Raises OSError where it will never be.
        """
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionResetError
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        if not end:
            return None
        lines = head.lower().split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        if len(body) < length:
            return None
        return int(head[9:12]), b"connection: close" not in lines


class Driver:
    """`Driver(port, shots).run(seconds)`: as fast as the answers come, over so many connections."""

    def __init__(self, port: int, shots: Iterator[Shot], connections: int = 16) -> None:
        self._port, self._shots, self._number = port, shots, connections
        self._selector = selectors.DefaultSelector()
        self._open: set[_Connection] = set()
        self.tally = Tally()

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> Tally:
        """Drive for so long, or until that; then wait for the answers still due."""
        started = time.perf_counter()
        self._end = started + seconds
        for _ in range(self._number):
            self._dial()
        while self._open:
            if until():
                self._end = 0.0
            for key, _ in self._selector.select(0.1):
                self._read(key.data)
            self._give_up_late_ones()
        self.tally.seconds = time.perf_counter() - started
        self._selector.close()
        return self.tally

    def _dial(self) -> None:
        if time.perf_counter() >= self._end:
            return
        try:
            sock = socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE)
        except OSError:
            self.tally.refused += 1
            return  # it is not tried again
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(sock)
        self._open.add(connection)
        self._selector.register(sock, selectors.EVENT_READ, connection)
        self._send(connection)

    def _send(self, connection: _Connection) -> None:
        try:
            connection.send(next(self._shots))
        except OSError:
            self._break(connection)

    def _read(self, connection: _Connection) -> None:
        try:
            answer = connection.answer()
        except OSError:
            self._break(connection)
            return
        if answer is None:
            return
        status, stays = answer
        self.tally.note(connection.expected, status, time.perf_counter() - connection.sent_at)
        if stays and time.perf_counter() < self._end:
            self._send(connection)
        else:
            self._close(connection)
            self._dial()

    def _break(self, connection: _Connection) -> None:
        self.tally.broken += 1
        self._close(connection)
        self._dial()

    def _give_up_late_ones(self) -> None:
        limit = time.perf_counter() - PATIENCE
        for connection in [one for one in self._open if one.sent_at < limit]:
            self.tally.late += 1
            self._close(connection)

    def _close(self, connection: _Connection) -> None:
        self._open.discard(connection)
        self._selector.unregister(connection.sock)
        connection.sock.close()
