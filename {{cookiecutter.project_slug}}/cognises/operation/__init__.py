"""Running a service: logs, `/ready`, limits, CORS, metrics. `init_operations(app)` sets them up.

flask-cors and prometheus-client are imported where the settings for them are set.
"""

from contextlib import suppress

from flask import Blueprint, Flask, Request, Response, current_app, jsonify, request
from werkzeug.middleware.proxy_fix import ProxyFix

from cognises.errors import CognisesError
from cognises.operation import logs
from cognises.operation.logs import limit_bodies, request_id, surround
from cognises.web.authorize import authorize
from cognises.web.credentials import read_token
from cognises.web.decorators import public
from cognises.web.responses import refusal
from cognises.web.routes import PermissionGuard
from cognises.web.state import AppState, RoutePolicy, state_of

__all__ = ["init_operations", "operate", "request_id"]
bp = Blueprint("operation", __name__)


def init_operations(app: Flask) -> None:
    """Log, limit and measure the requests of `app`, and add `/ready`.
    Call it before `Cognises(app)`, which reports wrong settings: with those, it does nothing.
    """
    state = state_of(app)
    settings, problems = state.settings_with_problems
    if problems:
        return
    if not app.testing:
        logs.configure(settings.log_format, settings.log_level)
    state.log_warnings()
    limit_bodies(app, settings.max_body_bytes)
    app.register_blueprint(bp)
    if settings.cors_origins:
        _allow_origins(app, settings.cors_origins)
    inner = app.wsgi_app
    if settings.behind_proxy:
        # One hop, and never the host: clients can write X-Forwarded-Host.
        inner = ProxyFix(inner, x_for=1, x_proto=1, x_host=0, x_port=0, x_prefix=0)
    app.wsgi_app = surround(inner)  # type: ignore[assignment,method-assign]
    if settings.metrics_address:
        from cognises.operation import metrics

        app.wsgi_app = metrics.install(app.wsgi_app, settings.metrics_address[1])  # type: ignore[assignment,method-assign]


operate = init_operations  # its name up to 0.1


@bp.get("/ready")
@public
def ready() -> Response:
    """For load balancers: 200 if tokens can be verified, else 503 with Retry-After.
    It fetches the keys itself if none are there: one fetch and one waiting thread for any number
    of requests, within the back-off of the key set. `/health` only says that the process runs.
    """
    state = state_of(current_app._get_current_object())  # type: ignore[attr-defined]
    try:
        state.verifier().keys.require_usable()
        response = jsonify(status="ready", **_for_administrators(state))
    except CognisesError as error:
        response = refusal(error, state.settings.realm).get_response()  # type: ignore[assignment]
    response.headers["Cache-Control"] = "no-store"
    return response


def _for_administrators(state: AppState) -> dict[str, str]:
    """The digest of the manifest, for callers of `/access/matrix`; for others, nothing."""
    asked: Request = request._get_current_object()  # type: ignore[attr-defined]
    with suppress(CognisesError):
        if read_token(asked, state.settings) is not None:
            endpoint = "access.access_matrix"
            authorize(asked, RoutePolicy(state, (PermissionGuard(),), "access_matrix", endpoint))
            return {"manifest": state.manifest_digest}
    return {}


def _allow_origins(app: Flask, origins: tuple[str, ...]) -> None:
    """Let scripts of exactly these origins call the service, with a token, without cookies."""
    from flask_cors import CORS

    @app.after_request  # every response: Fetch standard, "CORS protocol and HTTP caches"
    def vary_by_origin(response: Response) -> Response:
        names = [n.strip() for line in response.headers.getlist("Vary") for n in line.split(",")]
        if not {"*", "origin"} & {name.lower() for name in names}:
            response.headers["Vary"] = ", ".join([*filter(None, names), "Origin"])
        return response

    # A preflight is Flask's automatic OPTIONS, which has no guard; the call that follows has all.
    CORS(app, origins=list(origins), supports_credentials=False, max_age=600,
         methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
         allow_headers=["Authorization", "Content-Type", "X-Request-Id"],
         expose_headers=["X-Request-Id", "WWW-Authenticate", "Retry-After"],
         always_send=False, vary_header=False)  # fmt: skip
