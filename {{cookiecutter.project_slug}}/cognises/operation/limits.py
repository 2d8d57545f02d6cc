"""How much of a request is read at most. What a view asks for beyond that is a 413."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, TYPE_CHECKING

from flask import Flask, request
from werkzeug.exceptions import RequestEntityTooLarge

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_FORM_PARTS = 100


def install(app: Flask, max_body_bytes: int) -> None:
    """Bound what views read of a body; limits that the app has set itself stay.

    Addresses and headers are the server's to limit, before the app sees them.
    """
    if app.config.get("MAX_CONTENT_LENGTH") is None:
        app.config["MAX_CONTENT_LENGTH"] = max_body_bytes
    bound = min(max_body_bytes, app.config["MAX_FORM_MEMORY_SIZE"] or max_body_bytes)
    app.config["MAX_FORM_MEMORY_SIZE"] = bound
    parts = app.config["MAX_FORM_PARTS"] or MAX_FORM_PARTS
    app.config["MAX_FORM_PARTS"] = min(MAX_FORM_PARTS, parts)
    app.wsgi_app = _WatchStreams(app.wsgi_app)  # type: ignore[method-assign]


class _WatchStreams:
    """WSGI middleware for bodies of no announced length.

    werkzeug 3 cuts such a body at the limit and says nothing: a view would take the part for the
    whole.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("wsgi.input_terminated") and not environ.get("CONTENT_LENGTH"):
            environ["wsgi.input"] = _Watched(environ["wsgi.input"])
        return self._app(environ, start_response)


class _Watched:
    """A stream that refuses to end at the limit where the body goes on."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._given = 0

    def read(self, size: int = -1) -> bytes:
        return self._checked(self._stream.read(size))

    def readline(self, size: int = -1) -> bytes:
        return self._checked(self._stream.readline(size))

    def _checked(self, data: bytes) -> bytes:
        self._given += len(data)
        limit = request.max_content_length
        if limit is not None and self._given >= limit and self._stream.read(1):
            raise RequestEntityTooLarge
        return data
