"""What surrounds each request: its id, the limits of its body, one log line; and how logs look.

Lines are JSON objects in production, plain text on a developer's machine. What looks like a token
or an e-mail address is redacted, in lines of other libraries too.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from io import RawIOBase
from typing import IO, TYPE_CHECKING, Any

from flask import Flask, Request, has_request_context
from flask import request as flask_request
from werkzeug.exceptions import BadRequest, LengthRequired, RequestEntityTooLarge
from werkzeug.wsgi import ClosingIterator

from cognises.web.authorize import outcome_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

REQUEST_ID = "cognises.request_id"
MAX_FORM_PARTS = 100
# Accepts "Root=1-67891233-abcdef01…;Parent=…;Sampled=1"; no line breaks, quotes, commas, tokens.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:;=/+-]{0,127}")
_TOKEN = re.compile(r"eyJ[\w-]*\.")
log = logging.getLogger("cognises.requests")
# Called for every request with the fields of its log line and its duration in seconds: metrics.
observers: list[Callable[[Mapping[str, Any], float], None]] = []


def surround(app: WSGIApplication) -> WSGIApplication:
    """`app`, with an id for each request, in environ and response, and a log line for each."""

    def wsgi_app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        started = time.perf_counter()
        identity = environ[REQUEST_ID] = choose_id(environ)
        _watch_body(environ)
        status = 500
        request: Request | None = None  # not from `environ`: Flask-SocketIO gives Flask a copy

        def start(code: str, headers: list[tuple[str, str]], *exc_info: object) -> object:
            nonlocal status, request
            status = int(code[:3])
            is_own = has_request_context() and flask_request.environ.get(REQUEST_ID) is identity
            request = flask_request._get_current_object() if is_own else None  # type: ignore[attr-defined]
            headers.append(("X-Request-Id", identity))
            return start_response(code, headers, *exc_info)  # type: ignore[arg-type]

        def close() -> None:
            _report(environ, request, identity, status, time.perf_counter() - started)

        try:
            return ClosingIterator(app(environ, start), close)  # type: ignore[arg-type]
        except BaseException:
            close()
            raise

    return wsgi_app


def choose_id(environ: Mapping[str, object]) -> str:
    """The id that the request came with if that is plain, else a new one."""
    for name in ("HTTP_X_REQUEST_ID", "HTTP_X_AMZN_TRACE_ID"):  # a proxy's, a load balancer's
        text = environ.get(name)
        if isinstance(text, str) and _is_plain(text):
            return text
    return os.urandom(16).hex()


def _is_plain(text: str) -> bool:
    """Whether a text is fit for a log and a header: short, ASCII, and not a token."""
    return _PLAIN.fullmatch(text) is not None and _TOKEN.search(text) is None


def request_id() -> str | None:
    """The id of the current request, for your own logs and calls; None outside a request."""
    return flask_request.environ.get(REQUEST_ID) if has_request_context() else None


def _report(
    environ: WSGIEnvironment, request: Request | None, identity: str, status: int, seconds: float
) -> None:
    # No field holds the query.
    path = environ.get("PATH_INFO", "").encode("latin-1", "replace").decode("utf-8", "replace")
    outcome = outcome_of(request)
    if not _is_plain(outcome["sub"] or ""):
        outcome["sub"] = None
    method, endpoint = environ.get("REQUEST_METHOD", "")[:20], request and request.endpoint
    fields = {"method": method, "path": path[:300], "endpoint": endpoint, "status": status,
              "duration_ms": round(seconds * 1000, 1), **outcome}  # fmt: skip
    for observe in observers:
        observe(fields, seconds)
    if log.isEnabledFor(logging.INFO):
        # As log.info does, without its walk up the stack for the caller.
        line = (log.name, logging.INFO, __file__, 0, "request", (), None)
        log.handle(log.makeRecord(*line, extra={"request_id": identity, **fields}))


def limit_bodies(app: Flask, max_body_bytes: int) -> None:
    """Limit the bodies that views read (too large 413, malformed 400, no length 411)."""
    config = app.config  # limits that the app has set itself stay
    if config.get("MAX_CONTENT_LENGTH") is None:
        config["MAX_CONTENT_LENGTH"] = max_body_bytes
    for name, most in (("MEMORY_SIZE", max_body_bytes), ("PARTS", MAX_FORM_PARTS)):
        config[f"MAX_FORM_{name}"] = min(most, config[f"MAX_FORM_{name}"] or most)


def _watch_body(environ: WSGIEnvironment) -> None:
    # werkzeug 3 cuts a body without a Content-Length at the limit, without an error, and reads an
    # empty one where the server (a2wsgi, for one) does not say that it ends the stream.
    is_chunked = bool(environ.get("HTTP_TRANSFER_ENCODING"))
    if is_chunked or not environ.get("CONTENT_LENGTH"):
        if environ.get("wsgi.input_terminated"):
            environ["wsgi.input"] = _Watched(environ["wsgi.input"])
        elif is_chunked:
            environ.update({"wsgi.input": _Watched(None), "wsgi.input_terminated": True})


class _Watched(RawIOBase):
    """A stream that raises where the body is malformed, has no end, or goes on at the limit."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        self._stream, self._given = stream, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._stream is None:
            raise LengthRequired  # RFC 9110 section 15.5.12
        try:
            data = self._stream.read(len(buffer))
            self._given += len(data)
            limit = flask_request.max_content_length
            goes_on = limit is not None and self._given >= limit and self._stream.read(1)
        except Exception:  # the server's own class, for a bad chunk or a closed connection
            raise BadRequest from None
        if goes_on:
            raise RequestEntityTooLarge
        buffer[: len(data)] = data
        return len(data)


FIELDS = ("method", "path", "endpoint", "status", "duration_ms", "sub", "decision", "reason",
          "detail")  # fmt: skip
# Linear in the length of the text: no run of characters is read twice.
_SECRETS = re.compile(
    r"eyJ[\w.-]{6,}"  # a JWT, or the start of one
    r"|(?<![\w.+%-])[\w.+%-]+(?:@|%40)[\w-]+\.[\w.-]+"  # an e-mail address
    r"|(?<=[Bb]earer )\S+"
)
# A text without one of these holds nothing to redact.
_SIGN = re.compile(r"eyJ|@|%40|earer ")
_GUNICORN = re.compile(r"^(Invalid request from ip=\S+(?=: )|Error handling request).*", re.S)
_encode = json.JSONEncoder(default=str).encode


def redact(text: str) -> str:
    """`text` with *** in place of what looks like a token or an e-mail address."""
    return _SECRETS.sub("***", text) if _SIGN.search(text) else text


class JsonFormatter(logging.Formatter):
    """`{"time": …, "level": …, "logger": …, "message": …, "request_id": …, …}`, one line."""

    def format(self, record: logging.LogRecord) -> str:
        extras, message = record.__dict__, record.getMessage()
        if record.name.startswith("gunicorn"):  # it repeats the line or header that it refuses
            message = _GUNICORN.sub(r"\1", message)
        second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "time": f"{second}.{int(record.msecs):03d}Z", "level": record.levelname,
            "logger": record.name, "message": message,
            "request_id": extras.get("request_id") or request_id(),
            **{name: extras.get(name) for name in FIELDS},
            "exception": self.formatException(record.exc_info) if record.exc_info else None,
        }  # fmt: skip
        line = {name: value for name, value in line.items() if value is not None}
        if _SIGN.search(text := _encode(line)):
            line = {name: redact(v) if isinstance(v, str) else v for name, v in line.items()}
            text = _encode(line)
        return text


class TextFormatter(logging.Formatter):
    """The same for people: `12:30:01 INFO request GET /data 200 3.1 ms allowed`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if record.name == "cognises.requests":
            found = " ".join(str(record.__dict__[n]) for n in FIELDS if record.__dict__.get(n))
            text = f"{text} {found.encode('unicode_escape').decode('ascii')}"
        return redact(text)


def configure(form: str, level: str) -> None:
    """Log every logger of the process as "json" to stdout, or as "text" to stderr."""
    root = logging.getLogger()
    if not root.handlers:  # the server's and Lambda's stay and get this format
        root.addHandler(logging.StreamHandler(sys.stdout if form == "json" else sys.stderr))
    for handler in root.handlers:
        handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root.setLevel(level)
    # The request's own line contains the decision; a second line is for debugging.
    if level != "DEBUG":
        logging.getLogger("cognises.decisions").setLevel(logging.WARNING)
    logging.getLogger("werkzeug").addFilter(_no_access_line)


def _no_access_line(record: logging.LogRecord) -> bool:
    """werkzeug's development server logs URLs with their queries; our line replaces that."""
    return " - - [" not in str(record.msg)
