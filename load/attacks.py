"""Slow clients of several kinds: how many requests of others a server answers meanwhile."""

from __future__ import annotations

import socket
from contextlib import ExitStack, suppress

from load.server import Service, running

CLIENTS, REQUESTS, SECONDS = 100, 10, 5.0
_POST = b"POST /body HTTP/1.1\r\nHost: localhost\r\n"
ATTACKS = {
    "slow heads": b"GET /open HTTP/1.1\r\nHost: localhost\r\nX-A: ",
    "slow bodies": _POST + b"Content-Length: 1000\r\n\r\nabc",
    "slow bodies of 40 KB": _POST + b"Content-Length: 41000\r\n\r\n" + b"x" * 40_000,
    "slow chunks": _POST + b"Transfer-Encoding: chunked\r\n\r\n9c40\r\n" + b"x" * 39_000,
    "second requests that stop": (
        b"GET /open HTTP/1.1\r\nHost: localhost\r\n\r\nGET /open HTTP/1.1\r\nHost"
    ),
    "idle connections": b"",
}
STOCK = "--worker-class=gthread"


def attack(service: Service) -> dict[str, int]:
    """How many of ten requests were answered during each attack."""
    return {name: _answered_during(service, text) for name, text in ATTACKS.items()}


def _answered_during(service: Service, text: bytes) -> int:
    with ExitStack() as clients:
        for _ in range(CLIENTS):
            client = clients.enter_context(_connect(service))
            with suppress(OSError):
                client.sendall(text)
        return sum(_is_answered(service) for _ in range(REQUESTS))


def _is_answered(service: Service) -> bool:
    with _connect(service) as sock, suppress(OSError):
        sock.sendall(b"GET /open HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return sock.recv(65536).startswith(b"HTTP/1.1 200")
    return False


def _connect(service: Service) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=SECONDS)


def compare() -> dict[str, dict[str, int]]:
    """This project's worker beside gunicorn's own, each as a service of its own."""
    results = {}
    for name, arguments in {"this worker": "", "stock gunicorn": STOCK}.items():
        with running(workers=2, GUNICORN_CMD_ARGS=arguments) as service:
            results[name] = attack(service)
    return results


def table(results: dict[str, dict[str, int]]) -> str:
    head = f"{f'{REQUESTS} requests during {CLIENTS}':28}" + "".join(f"{n:>16}" for n in results)
    rows = [
        f"{name:28}" + "".join(f"{answered[name]:16}" for answered in results.values())
        for name in ATTACKS
    ]
    return "\n".join([head, *rows])


def is_good(results: dict[str, dict[str, int]]) -> bool:
    """Whether this worker has answered every request."""
    return all(answered == REQUESTS for answered in results["this worker"].values())
