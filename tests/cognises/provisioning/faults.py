"""Ways in which one HTTP request goes wrong, put under boto3 clients."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError


class Killed(BaseException):
    """The process is gone: nothing after this runs, no handler sees it."""


class Body(BytesIO):
    def stream(self, **_: Any) -> Any:
        yield self.read()


def answer(request: Any, status: int, code: str) -> AWSResponse:
    """An error in the words of the service that was asked."""
    if "/iam/" in request.headers.get("Authorization", b"").decode():
        error = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
        text = f"<ErrorResponse>{error}</ErrorResponse>"
    else:
        text = json.dumps({"__type": code, "message": "no"})
    return AWSResponse(request.url, status, {}, Body(text.encode()))


def throttled(send: Any, request: Any) -> Any:
    iam = "/iam/" in request.headers["Authorization"].decode()
    return answer(request, 400, "Throttling" if iam else "TooManyRequestsException")


def failed(send: Any, request: Any) -> Any:
    return answer(request, 500, "InternalFailure")


def reset(send: Any, request: Any) -> Any:
    raise ConnectionClosedError(endpoint_url=request.url, request=request)


def lost_answer(send: Any, request: Any) -> Any:
    send(request)
    raise ConnectionClosedError(endpoint_url=request.url, request=request)


def denied(send: Any, request: Any) -> Any:
    return answer(request, 403, "AccessDenied")


def conflict(send: Any, request: Any) -> Any:
    iam = "/iam/" in request.headers["Authorization"].decode()
    return answer(
        request, 409, "ConcurrentModification" if iam else "ConcurrentModificationException"
    )


def killed_before(send: Any, request: Any) -> Any:
    raise Killed


def killed_after(send: Any, request: Any) -> Any:
    send(request)
    raise Killed


WAYS: dict[str, Callable[[Any, Any], Any]] = {
    way.__name__: way
    for way in (
        *(throttled, failed, reset, lost_answer, denied, conflict, killed_before, killed_after),
    )
}


class Wire:
    """Counts the requests of clients, and spoils those that `spoil` picks."""

    def __init__(self, spoil: Callable[[int], str | None] = lambda number: None) -> None:
        self.spoil = spoil
        self.delay = 0.0  # of every answer, in seconds
        self.count = 0
        self.sent: list[tuple[float, str]] = []  # when, and which operation
        self._lock = threading.Lock()

    @property
    def operations(self) -> list[str]:
        return [name for _, name in self.sent]

    @contextmanager
    def under(self, *clients: Any) -> Iterator[Wire]:
        sessions = [client._endpoint.http_session for client in clients]
        for session in sessions:
            session.send = self._sender(session.send)
        try:
            yield self
        finally:
            for session in sessions:
                del session.send  # the method of its class shows again

    def _sender(self, send: Any) -> Callable[[Any], Any]:
        def spoiled(request: Any) -> Any:
            with self._lock:
                self.count += 1
                way = self.spoil(self.count)
                self.sent.append((time.monotonic(), operation(request)))
            time.sleep(self.delay)
            return WAYS[way](send, request) if way else send(request)

        return spoiled


def operation(request: Any) -> str:
    """The name of the AWS operation in a prepared request."""
    target = request.headers.get("X-Amz-Target")
    if target:
        return str(target.decode() if isinstance(target, bytes) else target).partition(".")[2]
    body = request.body.decode() if isinstance(request.body, bytes) else str(request.body)
    return dict(pair.split("=", 1) for pair in body.split("&"))["Action"]
