"""Response headers that keep one user's response from another: RFC 9111, sections 3.5 and 4.1."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from flask import Flask, Request, Response
from flask import request as flask_request
from werkzeug.datastructures import Headers
from werkzeug.routing import RequestRedirect

from cognises.web.responses import relative_redirect

_NO_STORE = "private, no-store"
_VARY = "Authorization, Cookie"
_NAMES = frozenset({"cache-control", "vary"})
_name = itemgetter(0)

_INSTALLED = "cognises.web.caching"

# Stands on a request whose answer is meant for one user; its value is the guards' own affair.
GUARDED = "_cognises_guarded"
_SECRET = "_cognises_secret"


def mark_guarded(request: Request) -> None:
    """Note that this request's answer is meant for one user."""
    request.__dict__.setdefault(GUARDED, None)


def mark_secret(request: Request) -> None:
    """Note that this request's answer carries a secret: no cache keeps it, whatever its view says.

    Call it before the answer is finished, in an after_request function at the latest.
    """
    request.__dict__[_SECRET] = True


def install(app: Flask) -> None:
    """Give every guarded answer of `app` its headers, after everything else in it had its say.

    Around finalize_request: no after_request function comes later, an answer that one of them has
    failed on passes here too, and every middleware around the app, a cache for one, sees them.
    A request that is past its view when this is called for the first time goes without.
    """
    if _INSTALLED in app.extensions:
        return
    finish = app.finalize_request

    def finalize_request(rv: Any, *args: Any, **kwargs: Any) -> Response:
        if isinstance(rv, RequestRedirect):
            rv = relative_redirect(rv, flask_request)
        response = finish(rv, *args, **kwargs)
        request: Request = flask_request._get_current_object()  # type: ignore[attr-defined]
        if _SECRET in request.__dict__:
            response.headers["Cache-Control"] = _NO_STORE
        if GUARDED in request.__dict__:
            forbid_shared_caching(response.headers)
        return response

    app.finalize_request = finalize_request  # type: ignore[method-assign]
    # Afterwards: no thread may believe it before it is true, and twice does no harm.
    app.extensions[_INSTALLED] = True


def forbid_shared_caching(headers: Headers) -> None:
    """`Cache-Control: private, no-store` unless the app set its own, and always `Vary`."""
    if _NAMES.isdisjoint(map(str.lower, map(_name, headers))):
        headers.add("Cache-Control", _NO_STORE)
        headers.add("Vary", _VARY)
        return
    if "Cache-Control" not in headers:
        headers.add("Cache-Control", _NO_STORE)
    lines = headers.getlist("Vary")
    names = [name.strip() for line in lines for name in line.split(",") if name.strip()]
    if "*" not in names:
        known = {name.lower() for name in names}
        names += [name for name in _VARY.split(", ") if name.lower() not in known]
        headers["Vary"] = ", ".join(names)
