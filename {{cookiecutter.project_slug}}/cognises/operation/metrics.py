"""Numbers for Prometheus, at an address of their own: requests, decisions, key fetches."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import prometheus_client as prometheus
from prometheus_client import Counter, Gauge, Histogram, multiprocess
from werkzeug.exceptions import NotFound

from cognises.operation import logs
from cognises.tokens import key_cache
from cognises.web.routes import METHODS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

REQUESTS = Counter("service_requests", "Requests answered.", ["method", "endpoint", "status"])
SECONDS = Histogram("service_request_seconds", "Time until the answer was sent.", ["endpoint"])
DECISIONS = Counter("cognises_decisions", "Decisions of the guards.", ["decision", "reason"])
FETCHES = Counter("cognises_key_fetches", "Readings of the pool's key set.", ["result"])
FETCHED = Gauge("cognises_keys_fetched_timestamp_seconds", multiprocess_mode="max",
    documentation="When any process has last read the key set; all of them share it.")  # fmt: skip


def observe_request(fields: Mapping[str, Any], seconds: float) -> None:
    """Count a request. Labels are endpoints, never addresses: their number is bounded."""
    endpoint = fields["endpoint"] or "none"
    # A method is the client's to write: unknown ones share one label.
    method = fields["method"] if fields["method"] in METHODS else "other"
    REQUESTS.labels(method, endpoint, str(fields["status"])).inc()
    SECONDS.labels(endpoint).observe(seconds)
    if fields["decision"]:
        DECISIONS.labels(fields["decision"], fields["reason"] or "none").inc()


def observe_fetch(succeeded: bool) -> None:
    FETCHES.labels("ok" if succeeded else "failed").inc()
    if succeeded:
        FETCHED.set(time.time())


def install(app: WSGIApplication, port: int) -> WSGIApplication:
    """Count from now on, and answer `GET /metrics` on gunicorn's socket of that port alone.
    The port is read from the socket itself, which no client can forge. A server that shows no
    socket (Lambda, the development server) serves no metrics.
    """
    if observe_request not in logs.observers:
        logs.observers.append(observe_request)
        key_cache.fetch_observers.append(observe_fetch)
    registry = prometheus.REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:  # of all workers
        registry = prometheus.CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    exposition: WSGIApplication = prometheus.make_wsgi_app(registry)

    def wsgi_app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        socket = environ.get("gunicorn.socket")
        if socket is None or socket.getsockname()[1] != port:
            return app(environ, start_response)
        if (environ["REQUEST_METHOD"], environ["PATH_INFO"]) == ("GET", "/metrics"):
            return exposition(environ, start_response)
        return NotFound()(environ, start_response)

    return wsgi_app
