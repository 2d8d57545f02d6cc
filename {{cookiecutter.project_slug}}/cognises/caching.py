"""Response headers that keep one user's answer from another: RFC 9111, sections 3.5 and 4.1."""

from __future__ import annotations

from typing import Any

from flask import Flask, Request, Response
from flask import request as flask_request

_VARY = ("Authorization", "Cookie")
_ATTRIBUTE = "_cognises_guarded"


def mark_guarded(request: Request) -> None:
    """Note that this request's answer is meant for one user."""
    request.__dict__[_ATTRIBUTE] = True


def install(app: Flask) -> None:
    """Give every guarded answer of `app` its headers, after everything else in it had its say.

    Around finalize_request: no after_request function comes later, an answer that one of them has
    failed on passes here too, and every middleware around the app, a cache for one, sees them.
    """
    if _ATTRIBUTE in app.extensions:
        return
    app.extensions[_ATTRIBUTE] = True
    finish = app.finalize_request

    def finalize_request(*args: Any, **kwargs: Any) -> Response:
        response = finish(*args, **kwargs)
        request: Request = flask_request._get_current_object()  # type: ignore[attr-defined]
        return forbid_shared_caching(response) if _ATTRIBUTE in request.__dict__ else response

    app.finalize_request = finalize_request  # type: ignore[method-assign]


def forbid_shared_caching(response: Response) -> Response:
    """`Cache-Control: private, no-store` unless the app set its own, and always `Vary`."""
    headers = response.headers
    names = [name.lower() for name, _ in headers]
    if "cache-control" not in names:
        headers.add("Cache-Control", "private, no-store")
    if "vary" in names:
        _extend_vary(response)
    else:
        headers.add("Vary", "Authorization, Cookie")
    return response


def _extend_vary(response: Response) -> None:
    names = [name.strip() for line in response.headers.getlist("Vary") for name in line.split(",")]
    if "*" not in names:
        known = {name.lower() for name in names}
        names += [name for name in _VARY if name.lower() not in known]
        response.headers["Vary"] = ", ".join(names)
