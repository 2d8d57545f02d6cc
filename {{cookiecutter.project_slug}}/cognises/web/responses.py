"""A refusal on Flask: a werkzeug HTTPException that carries the CognisesError."""

from __future__ import annotations

import inspect
import json
from pathlib import PurePath
from urllib.parse import urlsplit

from flask import Flask, Request, Response, current_app, redirect
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import (
    BadRequest,
    Forbidden,
    HTTPException,
    ServiceUnavailable,
    Unauthorized,
)
from werkzeug.routing import RequestRedirect
from werkzeug.wrappers import Response as WerkzeugResponse

from cognises.errors import CognisesError


class Refusal(HTTPException):
    """Carries the error as `error`; an app's handlers see it by status code or by class."""

    error: CognisesError
    data: dict[str, object]
    """The body, where Flask-RESTX and Flask-RESTful look for it."""


class BadRequestRefusal(Refusal, BadRequest):
    """400"""


class UnauthorizedRefusal(Refusal, Unauthorized):
    """401"""


class ForbiddenRefusal(Refusal, Forbidden):
    """403"""


class ServiceUnavailableRefusal(Refusal, ServiceUnavailable):
    """503"""


_CLASSES: dict[int, type[Refusal]] = {
    400: BadRequestRefusal,
    401: UnauthorizedRefusal,
    403: ForbiddenRefusal,
    503: ServiceUnavailableRefusal,
}


def install(app: Flask) -> None:
    """Answer refusals in `app` with `respond`, unless it has a handler of its own for them."""
    app.error_handler_spec[None][None].setdefault(Refusal, respond)


def respond(error: Refusal) -> ResponseReturnValue | Refusal:
    """The response to a refusal where the app has no handler for its class or status.

    The app's own handler of every HTTPException, or of every exception, decides; one that an
    installed extension brings (flask-smorest, connexion) does not: it would drop the challenge.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    handlers = app.error_handler_spec[None][None]
    for kind in (HTTPException, Exception):
        handler = handlers.get(kind)
        if handler is not None:
            return error if _is_installed(app, handler) else app.ensure_sync(handler)(error)
    return error


def _is_installed(app: Flask, handler: object) -> bool:
    """Whether a function's code is in an installed package that is not the app's own."""
    function = inspect.unwrap(getattr(handler, "__func__", handler))  # type: ignore[arg-type]
    code = getattr(function, "__code__", None)
    folders = PurePath(code.co_filename).parts if code else ()
    package = getattr(function, "__module__", "").partition(".")[0]
    is_apps = package == app.import_name.partition(".")[0]
    return not is_apps and bool({"site-packages", "dist-packages"} & set(folders))


def relative_redirect(error: RequestRedirect, request: Request) -> HTTPException | WerkzeugResponse:
    """werkzeug's own redirect (to the path with its slash, or with fewer), without the host.

    The host in it is the one that the client wrote. A redirect to another host is the app's own.
    """
    url = urlsplit(error.new_url)
    if url.netloc != request.host:
        return error
    # A path that starts with two slashes would be read as a host.
    path = f"/{url.path.lstrip('/')}"
    return redirect(f"{path}?{url.query}" if url.query else path, error.code)


def refusal(error: CognisesError, realm: str) -> Refusal:
    """The HTTP response to a refusal: its status, its challenge, one JSON shape."""
    body = {"status": error.status, "message": error.message, "reason": error.reason}
    response = Response(json.dumps(body), error.status, mimetype="application/json")
    response.headers.update(error.headers_for(realm))
    exception = _CLASSES[error.status](description=error.message, response=response)
    exception.error = error
    exception.data = body
    return exception
