"""Numbers for Prometheus: requests, decisions, key fetches.

prometheus-client and not OpenTelemetry: one package of pure Python that pulls in nothing, where
the other brings an SDK, a protocol buffer runtime and an exporter's threads. They are read at an
address of their own, which gunicorn binds beside the service's (loopback, as a rule).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

from cognises.operation import request_log
from cognises.operation.request_log import RequestRecord
from cognises.tokens import key_cache

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

REQUESTS = Counter("service_requests", "Requests answered.", ["method", "endpoint", "status"])
SECONDS = Histogram("service_request_seconds", "Time until the answer was sent.", ["endpoint"])
DECISIONS = Counter("cognises_decisions", "Decisions of the guards.", ["decision", "reason"])
FETCHES = Counter("cognises_key_fetches", "Readings of the pool's key set.", ["result"])
FETCHED = Gauge(
    "cognises_keys_fetched_timestamp_seconds",
    "When any process has last read the key set; all of them share it.",
    multiprocess_mode="max",
)

# A method is the client's to write: what is not known is one label, not a thousand.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def observe_request(answered: RequestRecord) -> None:
    """Count a request. Labels are endpoints, never addresses: their number is bounded."""
    endpoint = answered.endpoint or "none"
    method = answered.method if answered.method in _METHODS else "other"
    REQUESTS.labels(method, endpoint, str(answered.status)).inc()
    SECONDS.labels(endpoint).observe(answered.seconds)
    if answered.verdict.decision:
        DECISIONS.labels(answered.verdict.decision, answered.verdict.reason or "none").inc()


def observe_fetch(succeeded: bool) -> None:
    """Count a reading of the key set."""
    FETCHES.labels("ok" if succeeded else "failed").inc()
    if succeeded:
        FETCHED.set(time.time())


def install(app: WSGIApplication, port: int) -> WSGIApplication:
    """Count from now on, and answer `/metrics` on gunicorn's socket of that port alone."""
    if observe_request not in request_log.observers:
        request_log.observers.append(observe_request)
        key_cache.fetch_observers.append(observe_fetch)
    return MetricsPort(app, port)


class MetricsPort:
    """WSGI middleware: the metrics on their own port, the service on every other.

    Which port a request came in by is read from the socket itself, which nobody can forge; a
    server that shows no socket (Lambda, the development server) serves no metrics.
    """

    def __init__(self, app: WSGIApplication, port: int) -> None:
        self._app, self._port = app, port

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        socket = environ.get("gunicorn.socket")
        if socket is None or socket.getsockname()[1] != self._port:
            return self._app(environ, start_response)
        if (environ["REQUEST_METHOD"], environ["PATH_INFO"]) != ("GET", "/metrics"):
            start_response("404 Not Found", [("Content-Length", "0")])
            return []
        body = _exposition()
        headers = [("Content-Type", CONTENT_TYPE_LATEST), ("Content-Length", str(len(body)))]
        start_response("200 OK", headers)
        return [body]


def _exposition() -> bytes:
    """Everything counted, over all workers where there are several."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
