"""Your service. Routes are in one module each; groups.json lists who may call them."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Flask

from app import account, data, error_pages, pages, security_headers, settings
from cognises import Cognises
from cognises.access import init_access_pages, init_openapi
from cognises.operation import init_operations
from cognises.signin import sign_in
from user_admin import init_admin_pages


def create_app(config: Mapping[str, object] | None = None) -> Flask:
    """The Flask app. `config` goes before every other source of settings."""
    app = Flask(__name__)
    app.config.from_mapping(settings.read())
    app.config.from_mapping(config or {})
    app.register_blueprint(pages.bp)
    app.register_blueprint(account.bp)
    app.register_blueprint(data.bp)
    init_operations(app)  # logs, limits, /ready
    init_access_pages(app)  # /access
    init_openapi(app)  # /openapi.json
    init_admin_pages(app)  # /admin
    error_pages.install(app)
    security_headers.install(app)
    sign_in(app)  # /login, /callback, /logout
    Cognises(app)  # last: it denies every route that is neither public nor guarded
    return app
