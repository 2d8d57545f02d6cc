"""Running a service: logs, `/ready`, limits, CORS, metrics. `init_operations(app)` sets them up.

flask-cors is imported where COGNISES_CORS_ORIGINS is set, prometheus-client where
COGNISES_METRICS_ADDRESS is.
"""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from cognises.operation import limits, logs, readiness
from cognises.operation.request_log import RequestLog, request_id
from cognises.web.state import state_of

__all__ = ["init_operations", "operate", "request_id"]


def init_operations(app: Flask) -> None:
    """Log, limit and measure the requests of `app`, and add `/ready`.

    Call it before `Cognises(app)`. With wrong settings it does nothing: `Cognises` reports them
    all when the service starts.
    """
    state = state_of(app)
    settings, problems = state.settings_with_problems
    if problems:
        return
    if not app.testing:
        logs.configure(settings.log_format, settings.log_level)
    state.log_warnings()
    limits.install(app, settings.max_body_bytes)
    app.register_blueprint(readiness.bp)
    if settings.cors_origins:
        from cognises.operation import cross_origin

        cross_origin.install(app, settings.cors_origins)
    if settings.behind_proxy:
        # One hop, and never the host: clients can write X-Forwarded-Host.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=1, x_proto=1, x_host=0, x_port=0, x_prefix=0
        )
    app.wsgi_app = RequestLog(app.wsgi_app)  # type: ignore[method-assign]
    if settings.metrics_address:
        from cognises.operation import metrics

        port = settings.metrics_address[1]
        app.wsgi_app = metrics.install(app.wsgi_app, port)  # type: ignore[assignment,method-assign]


operate = init_operations  # its name up to 0.1
