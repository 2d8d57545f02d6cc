"""Limits on request bodies: too large is 413, malformed 400, of unknown length 411."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import IO, TYPE_CHECKING

from flask import Flask, request
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    LengthRequired,
    RequestEntityTooLarge,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_FORM_PARTS = 100


def install(app: Flask, max_body_bytes: int) -> None:
    """Limit the bodies that views read; limits that the app has set itself stay.

    The server limits request lines and headers, before the app sees them.
    """
    if app.config.get("MAX_CONTENT_LENGTH") is None:
        app.config["MAX_CONTENT_LENGTH"] = max_body_bytes
    bound = min(max_body_bytes, app.config["MAX_FORM_MEMORY_SIZE"] or max_body_bytes)
    app.config["MAX_FORM_MEMORY_SIZE"] = bound
    parts = app.config["MAX_FORM_PARTS"] or MAX_FORM_PARTS
    app.config["MAX_FORM_PARTS"] = min(MAX_FORM_PARTS, parts)
    app.wsgi_app = _WatchStreams(app.wsgi_app)  # type: ignore[method-assign]


class _WatchStreams:
    """WSGI middleware for bodies without a Content-Length.

    werkzeug 3 cuts such a body at the limit without an error, and reads an empty one where the
    server does not say that it ends the stream: a view would take a part for the whole.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        is_chunked = bool(environ.get("HTTP_TRANSFER_ENCODING"))
        if is_chunked or not environ.get("CONTENT_LENGTH"):
            if environ.get("wsgi.input_terminated"):
                environ["wsgi.input"] = _Watched(environ["wsgi.input"])
            elif is_chunked:
                # The server (a2wsgi, for one) does not end the stream.
                environ.update({"wsgi.input": _Unreadable(), "wsgi.input_terminated": True})
        return self._app(environ, start_response)


class _Watched:
    """A stream that raises at the limit where the body goes on, and where the body is malformed."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._given = 0

    def read(self, size: int = -1) -> bytes:
        return self._checked(lambda: self._stream.read(size))

    def readline(self, size: int = -1) -> bytes:
        return self._checked(lambda: self._stream.readline(size))

    def _checked(self, read: Callable[[], bytes]) -> bytes:
        try:
            data = read()
            self._given += len(data)
            limit = request.max_content_length
            goes_on = limit is not None and self._given >= limit and self._stream.read(1)
        except HTTPException:
            raise
        except Exception:  # the server's own class, for a bad chunk or a closed connection
            raise BadRequest from None
        if goes_on:
            raise RequestEntityTooLarge
        return data


class _Unreadable:
    """A body that cannot be read (RFC 9110 section 15.5.12)."""

    def read(self, size: int = -1) -> bytes:
        raise LengthRequired

    readline = read
