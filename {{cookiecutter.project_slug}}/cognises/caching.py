"""Response headers that keep one user's answer from another: RFC 9111, sections 3.5 and 4.1.

They are added where the answer starts on its way to the server: nothing that an app does to its
responses comes later, and none of them is left out, whatever goes wrong in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Flask, Request, Response, after_this_request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    Headers = list[tuple[str, str]]

_PRIVATE = ("Cache-Control", "private, no-store")
_VARY = ("Vary", "Authorization, Cookie")
_GUARDED = "cognises.guarded"


def install(app: Flask) -> None:
    """Give every guarded answer of `app` its headers."""
    if _GUARDED not in app.extensions:
        app.extensions[_GUARDED] = True
        app.wsgi_app = _PrivateAnswers(app.wsgi_app)  # type: ignore[method-assign]


def mark_guarded(request: Request) -> None:
    """Note that this request's answer is meant for one user."""
    marks = request.environ.get(_GUARDED)
    if marks is None:
        # It came in before `install`, as an app's first request does that only decorators guard.
        after_this_request(_with_headers)
    else:
        marks.append(True)


class _PrivateAnswers:
    """WSGI middleware: adds the headers to the answers of requests that were marked."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # A list, so that a middleware that hands on a copy of the environment shares it.
        marks: list[bool] = []
        environ[_GUARDED] = marks

        def start(status: str, headers: Headers, *exc_info: Any) -> Any:
            if marks:
                _keep_private(headers)
            return start_response(status, headers, *exc_info)

        return self._app(environ, start)


def _keep_private(headers: Headers) -> None:
    """`Cache-Control: private, no-store` unless the app set its own, and always `Vary`."""
    names = [name.lower() for name, _ in headers]
    if "cache-control" not in names:
        headers.append(_PRIVATE)
    if "vary" in names:
        _extend_vary(headers)
    else:
        headers.append(_VARY)


def _extend_vary(headers: Headers) -> None:
    lines = [value for name, value in headers if name.lower() == "vary"]
    fields = [field.strip() for line in lines for field in line.split(",")]
    if "*" not in fields:
        known = {field.lower() for field in fields}
        fields += [field for field in _VARY[1].split(", ") if field.lower() not in known]
        headers[:] = [pair for pair in headers if pair[0].lower() != "vary"]
        headers.append(("Vary", ", ".join(fields)))


def _with_headers(response: Response) -> Response:
    headers = list(response.headers)
    _keep_private(headers)
    response.headers = type(response.headers)(headers)
    return response
