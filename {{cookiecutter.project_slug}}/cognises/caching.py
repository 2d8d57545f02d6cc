"""Response headers that keep one user's answer from another: RFC 9111, sections 3.5 and 4.1."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from operator import itemgetter
from typing import Any

from flask import Flask, Request, Response
from flask import request as flask_request

Headers = list[tuple[str, str]]

_NO_STORE = ("Cache-Control", "private, no-store")
_VARY = ("Authorization", "Cookie")
_BOTH = [_NO_STORE, ("Vary", ", ".join(_VARY))]
_NAMES = frozenset({"cache-control", "vary"})
_name = itemgetter(0)

# Stands on a request whose answer is meant for one user.
GUARDED = "_cognises_guarded"


def mark_guarded(request: Request) -> None:
    """Note that this request's answer is meant for one user."""
    request.__dict__.setdefault(GUARDED, None)


def install(app: Flask) -> None:
    """Give every guarded answer of `app` its headers, after everything else in it had its say.

    Around finalize_request: no after_request function comes later, an answer that one of them has
    failed on passes here too. The headers come as the answer starts: every middleware around the
    app, a cache for one, sees them.
    """
    if GUARDED in app.extensions:
        return
    app.extensions[GUARDED] = True
    app.response_class = _personal(app.response_class)
    finish = app.finalize_request

    def finalize_request(*args: Any, **kwargs: Any) -> Response:
        response: Any = finish(*args, **kwargs)
        request: Request = flask_request._get_current_object()  # type: ignore[attr-defined]
        if GUARDED in request.__dict__:
            if not hasattr(response, "is_personal"):
                # Made elsewhere; as werkzeug's own force_type does.
                response.__class__ = _personal(type(response))
            response.is_personal = True
        return response  # type: ignore[no-any-return]

    app.finalize_request = finalize_request  # type: ignore[method-assign]


def _make_personal(base: Any) -> Any:
    """A class of responses that get the headers as they start, where they are `is_personal`."""

    def get_wsgi_response(self: Any, environ: Any) -> tuple[Iterable[bytes], str, Headers]:
        body, status, headers = base.get_wsgi_response(self, environ)
        return body, status, forbid_shared_caching(headers) if self.is_personal else headers

    def answer(self: Any, environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: Headers, *exc_info: Any) -> Any:
            return start_response(status, forbid_shared_caching(headers), *exc_info)

        return base.__call__(self, environ, start if self.is_personal else start_response)

    # A class that starts its answer in a way of its own may not ask for the headers there.
    starts_itself = base.__call__ is not Response.__call__
    own = {"__call__": answer} if starts_itself else {"get_wsgi_response": get_wsgi_response}
    return type(base.__name__, (base,), {"__slots__": (), "is_personal": False, **own})


_personal: Callable[[Any], Any] = cache(_make_personal)


def forbid_shared_caching(headers: Headers) -> Headers:
    """The headers of an answer to one user: never stored unless the app says how, always `Vary`."""
    if _NAMES.isdisjoint(map(str.lower, map(_name, headers))):
        return headers + _BOTH
    kept = [(name, value) for name, value in headers if name.lower() != "vary"]
    if not any(name.lower() == "cache-control" for name, _ in kept):
        kept.append(_NO_STORE)
    return [*kept, ("Vary", _with_credentials(v for name, v in headers if name.lower() == "vary"))]


def _with_credentials(lines: Iterable[str]) -> str:
    """The names in `Vary` lines, and ours; `*` says everything already."""
    names = [name.strip() for line in lines for name in line.split(",") if name.strip()]
    if "*" not in names:
        known = {name.lower() for name in names}
        names += [name for name in _VARY if name.lower() not in known]
    return ", ".join(names)
