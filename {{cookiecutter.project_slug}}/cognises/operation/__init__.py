"""What running a service takes: logs, readiness, limits, metrics. `operate(app)` sets them up.

Standard library and Flask, unless a setting asks for more: flask-cors is imported where
COGNISES_CORS_ORIGINS is set, prometheus-client where COGNISES_METRICS_ADDRESS is.
"""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from cognises.errors import SettingsError
from cognises.operation import limits, logs, readiness
from cognises.operation.request_log import RequestLog, request_id
from cognises.settings.model import parse
from cognises.settings.sources import project_folder, read_values

__all__ = ["operate", "request_id"]


def operate(app: Flask) -> None:
    """Log, limit and measure what `app` answers, and say at `/ready` whether it can.

    Call it before `Cognises(app)`. Settings that are wrong change nothing here: `Cognises` reports
    them all when the service starts.
    """
    folder = project_folder(app.root_path)
    try:
        settings = parse(folder, read_values(folder, app.config))
    except SettingsError:
        return
    if not app.testing:
        logs.configure(settings.log_format, settings.log_level)
    limits.install(app, settings.max_body_bytes)
    app.register_blueprint(readiness.bp)
    if settings.cors_origins:
        from cognises.operation import cross_origin

        cross_origin.install(app, settings.cors_origins)
    if settings.behind_proxy:
        # One hop, and never the host: X-Forwarded-Host is the client's to write.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=1, x_proto=1, x_host=0, x_port=0, x_prefix=0
        )
    app.wsgi_app = RequestLog(app.wsgi_app)  # type: ignore[method-assign]
    if settings.metrics_address:
        from cognises.operation import metrics

        port = settings.metrics_address[1]
        app.wsgi_app = metrics.install(app.wsgi_app, port)  # type: ignore[assignment,method-assign]
