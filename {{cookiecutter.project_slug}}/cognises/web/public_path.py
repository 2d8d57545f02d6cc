"""Routes below the path of `COGNISES_PUBLIC_URL`, whether or not what is in front strips it.

An HTTP API with a named stage and most proxies keep the path, a REST API and some proxies take it
away (API Gateway: `rawPath` and `path`). Either way the app gets it as SCRIPT_NAME (PEP 3333), so
that routes match and addresses include it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask

from cognises.web.state import state_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_INSTALLED = "cognises.web.public_path"


def install(app: Flask) -> None:
    """Serve `app` below its public path, if it has one. Twice does no harm."""
    if _INSTALLED in app.extensions:
        return
    inner: WSGIApplication = app.wsgi_app
    state = state_of(app)
    app.extensions[_INSTALLED] = True

    def wsgi_app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = state.public_path
        if path is None:
            path = state.public_path = state.settings_with_problems[0].public_path
        if path:
            mount(environ, path)
        return inner(environ, start_response)

    app.wsgi_app = wsgi_app  # type: ignore[method-assign]


def mount(environ: WSGIEnvironment, public_path: str) -> None:
    """Move `public_path` from PATH_INFO to SCRIPT_NAME, unless the server has done so."""
    if not public_path or environ.get("SCRIPT_NAME") == public_path:
        return
    path = environ.get("PATH_INFO", "")
    if f"{path}/".startswith(f"{public_path}/"):
        environ["PATH_INFO"] = path[len(public_path) :]
    environ["SCRIPT_NAME"] = public_path
