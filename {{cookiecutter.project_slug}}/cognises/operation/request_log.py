"""One log line per request, written when its response has been sent."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from flask import Request, has_request_context
from flask import request as flask_request
from werkzeug.wsgi import ClosingIterator

from cognises.operation.request_ids import choose_id, is_plain
from cognises.web.authorize import UNGUARDED, AuthOutcome, outcome_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

REQUEST_ID = "cognises.request_id"
_MAX_PATH = 300

log = logging.getLogger("cognises.requests")


class RequestRecord(NamedTuple):
    """What is logged and counted of one request; path and endpoint carry no query."""

    method: str
    path: str
    endpoint: str | None
    status: int
    seconds: float
    verdict: AuthOutcome


# Called with the record of every request: metrics.
observers: list[Callable[[RequestRecord], None]] = []


class RequestLog:
    """WSGI middleware: gives each request an id, in environ and response, and logs it."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        started = time.perf_counter()
        identity = environ[REQUEST_ID] = choose_id(environ)
        status = 500
        request: Request | None = None

        def start(code: str, headers: list[tuple[str, str]], *exc_info: object) -> object:
            nonlocal status, request
            status = int(code[:3])
            request = environ.get("werkzeug.request")  # Flask takes it out when it is done
            headers.append(("X-Request-Id", identity))
            return start_response(code, headers, *exc_info)  # type: ignore[arg-type]

        def close() -> None:
            record = _record_of(environ, request, status, time.perf_counter() - started)
            _report(record, identity)

        try:
            body = self._app(environ, start)  # type: ignore[arg-type]
        except BaseException:
            close()
            raise
        return ClosingIterator(body, close)


def _record_of(
    environ: WSGIEnvironment, request: Request | None, status: int, seconds: float
) -> RequestRecord:
    method = environ.get("REQUEST_METHOD", "")[:20]
    path = environ.get("PATH_INFO", "").encode("latin-1", "replace").decode("utf-8", "replace")
    if request is None:
        return RequestRecord(method, path[:_MAX_PATH], None, status, seconds, UNGUARDED)
    verdict = outcome_of(request)
    return RequestRecord(method, path[:_MAX_PATH], request.endpoint, status, seconds, verdict)


def _report(record: RequestRecord, identity: str) -> None:
    for observe in observers:
        observe(record)
    if log.isEnabledFor(logging.INFO):
        extra = {"request_id": identity, **_fields(record)}
        # As log.info does, without its walk up the stack for the caller.
        log.handle(
            log.makeRecord(log.name, logging.INFO, __file__, 0, "request", (), None, extra=extra)
        )


def _fields(record: RequestRecord) -> dict[str, object]:
    verdict = record.verdict
    return {
        "method": record.method,
        "path": record.path,
        "endpoint": record.endpoint,
        "status": record.status,
        "duration_ms": round(record.seconds * 1000, 1),
        "sub": verdict.sub if verdict.sub and is_plain(verdict.sub) else None,
        "decision": verdict.decision,
        "reason": verdict.reason,
        "detail": verdict.detail,
    }


def request_id() -> str | None:
    """The id of the current request, for your own logs and calls; None outside a request."""
    return flask_request.environ.get(REQUEST_ID) if has_request_context() else None
