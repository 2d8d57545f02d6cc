"""What is sent: refusals, headers against shared caches, relative addresses, pages or JSON."""

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Request, Response, current_app, redirect, render_template
from flask import request as flask_request
from flask.typing import ResponseReturnValue
from werkzeug import exceptions
from werkzeug.datastructures import Headers
from werkzeug.http import parse_set_header
from werkzeug.routing import RequestRedirect
from werkzeug.wrappers import Response as WerkzeugResponse

from cognises.errors import CognisesError
from cognises.web.state import state_of

_NO_STORE = "private, no-store"
_VARY = "Authorization, Cookie"
_INSTALLED, _MOUNTED = "cognises.web.responses", "cognises.web.public_path"
# On a request whose answer is meant for one user; its value is what the guards have found out.
GUARDED = "_cognises_guarded"
SECRET = "_cognises_secret"  # likewise, where it carries a secret: no cache keeps it


class Refusal(exceptions.HTTPException):
    """Carries the error as `error`; an app's handlers see it by status code or by class."""

    error: CognisesError
    data: dict[str, object]  # the body, where Flask-RESTX and Flask-RESTful look for it


# By status. Each is werkzeug's class of that status too, which an app's handlers may name.
_BASES = (exceptions.BadRequest, exceptions.Unauthorized, exceptions.Forbidden,
          exceptions.ServiceUnavailable)  # fmt: skip
REFUSALS: Mapping[int | None, Any] = {
    base.code: type(f"{base.__name__}Refusal", (Refusal, base), {}) for base in _BASES
}


def refusal(error: CognisesError, realm: str) -> Refusal:
    """The HTTP response to a refusal: its status, its challenge, one JSON shape."""
    body = {"status": error.status, "message": error.message, "reason": error.reason}
    response = Response(json.dumps(body), error.status, mimetype="application/json")
    response.headers.update(error.headers_for(realm))
    exception: Refusal = REFUSALS[error.status](description=error.message, response=response)
    exception.error, exception.data = error, body
    return exception


def respond(error: Refusal) -> ResponseReturnValue | Refusal:
    """The response where the app has no handler for the class or status of a refusal."""
    handlers = current_app.error_handler_spec[None][None]
    handler = handlers.get(exceptions.HTTPException) or handlers.get(Exception)
    # One of an extension (flask-smorest, connexion) would drop the challenge.
    if handler is None or _is_installed(current_app, handler):
        return error
    answer: ResponseReturnValue = current_app.ensure_sync(handler)(error)
    return answer


def _is_installed(app: Flask, handler: object) -> bool:
    """Whether a function's code is in an installed package that is not the app's own."""
    function = inspect.unwrap(getattr(handler, "__func__", handler))  # type: ignore[arg-type]
    code = getattr(function, "__code__", None)
    package = getattr(function, "__module__", "").partition(".")[0]
    if code is None or package == app.import_name.partition(".")[0]:
        return False
    return not {"site-packages", "dist-packages"}.isdisjoint(PurePath(code.co_filename).parts)


def install(app: Flask, **for_templates: object) -> None:
    """Answer refusals; guarded answers get headers, templates these names. Twice does no harm."""
    if _INSTALLED in app.extensions:
        return
    app.error_handler_spec[None][None].setdefault(Refusal, respond)
    app.template_context_processors[None].insert(0, lambda: for_templates)
    finish = app.finalize_request  # after every after_request function, also one that fails

    def finalize_request(rv: Any, *args: Any, **kwargs: Any) -> Response:
        if isinstance(rv, RequestRedirect):
            rv = relative_redirect(rv, flask_request.host)
        response = finish(rv, *args, **kwargs)
        marks = flask_request.__dict__
        if SECRET in marks:
            response.headers["Cache-Control"] = _NO_STORE
        if GUARDED in marks:
            forbid_shared_caching(response.headers)
        return response

    app.finalize_request = finalize_request  # type: ignore[method-assign]
    app.extensions[_INSTALLED] = True  # last: no thread may believe it before it is true


def mark_guarded(request: Request) -> None:
    request.__dict__.setdefault(GUARDED, None)


def forbid_shared_caching(headers: Headers) -> None:
    """`Cache-Control` unless the app set its own, and always `Vary` (RFC 9111, 3.5 and 4.1)."""
    present = set(map(str.lower, map(itemgetter(0), headers)))
    if "cache-control" not in present:
        headers.add("Cache-Control", _NO_STORE)
    if "vary" not in present:
        headers.add("Vary", _VARY)
        return
    names = parse_set_header(",".join(headers.getlist("Vary")))
    if "*" not in names:
        names.update(_VARY.split(", "))
        headers["Vary"] = ", ".join(names)


def relative_redirect(error: RequestRedirect, host: str) -> RequestRedirect | WerkzeugResponse:
    """werkzeug's own redirect, without the host that the client wrote; the app's own is kept."""
    url = urlsplit(error.new_url)
    if url.netloc != host:
        return error
    path = f"/{url.path.lstrip('/')}"  # two slashes would start a host
    return redirect(f"{path}?{url.query}" if url.query else path, error.code)


def serve_below_public_path(app: Flask) -> None:
    """Give `app` the path of `COGNISES_PUBLIC_URL` as SCRIPT_NAME (PEP 3333). Twice does no harm.
    What is in front keeps it in PATH_INFO (an HTTP API with a named stage) or not (a REST API).
    """
    if _MOUNTED in app.extensions:
        return
    inner = app.wsgi_app
    state = app.extensions[_MOUNTED] = state_of(app)

    def wsgi_app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        public = state.settings_with_problems[0].public_path
        if public and environ.get("SCRIPT_NAME") != public:
            path = environ.get("PATH_INFO", "")
            paths = environ.get("SCRIPT_NAME", "").rstrip("/") + path, path  # in either
            below = (each[len(public) :] for each in paths if f"{each}/".startswith(f"{public}/"))
            environ["PATH_INFO"], environ["SCRIPT_NAME"] = next(below, path), public
        return inner(environ, start_response)

    app.wsgi_app = wsgi_app  # type: ignore[method-assign]


def page(template: str, **values: object) -> str:
    """A template of the module in the app's own `layout.html`, or in a plain one."""
    layout = current_app.jinja_env.select_template(["layout.html", "cognises/layout.html"])
    return render_template(template, layout=layout, **values)


def prefers_html(request: Request) -> bool:
    """Whether `Accept` names `text/html` with at least the quality of JSON (RFC 9110, 12.5.1)."""
    accept = request.accept_mimetypes
    html = max((quality for kind, quality in accept if kind == "text/html"), default=0)
    return html > 0 and html >= accept["application/json"]


def is_navigation(request: Request) -> bool:
    """Whether a person opened an address or sent a form: by `Sec-Fetch-Mode` and `Accept`."""
    return request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate" and prefers_html(request)


def vary_by_accept(response: Response) -> Response:
    """Keep caches from sending a page to a program."""
    response.vary.update(["Accept", "Sec-Fetch-Mode"])
    return response
