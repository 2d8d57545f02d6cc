"""`Cognises(app)`: authenticates and decides before dispatch, and denies what nobody declared."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import Any

import click
from flask import Flask, Request
from flask import request as flask_request

from cognises.errors import CognisesError, ProblemsError
from cognises.web import caching, public_path
from cognises.web.authorize import (
    Checkpoint,
    Target,
    checkpoint,
    current_user,
    enforce,
    note_refusal,
    passed_by,
    require_loopback,
)
from cognises.web.commands import commands
from cognises.web.responses import refusal
from cognises.web.route_metadata import Requirement, View
from cognises.web.routes import declaration_at, function_name, is_automatic_options
from cognises.web.startup import check, check_once
from cognises.web.state import state_of


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """What stands before one endpoint under one method; `point` None: nothing does."""

    view: View
    point: Checkpoint | None
    is_declared: bool


class Cognises:
    """Guards a Flask app: every endpoint is denied that is neither public nor guarded.

    Exempt are the app's own static files (settable: `public_static`), requests without an endpoint
    (404, 405) and Flask's automatic OPTIONS. Make it last in `create_app`, after the routes; what
    is registered later is guarded too. `startup.check` tells everything that is wrong, all at once.
    """

    def __init__(self, app: Flask | None = None, *, public_static: bool = True) -> None:
        self._public_static = public_static
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Guard `app`. Under `flask run` a misconfigured app stops here, with one clear message."""
        state_of(app).has_public_static = self._public_static
        _Gate(app).install()
        app.cli.add_command(commands)
        if _is_flask_run():
            try:
                check(app)
            except ProblemsError as error:
                raise click.ClickException(f"cannot start:\n{error}") from None


class _Gate:
    """Stands between routing and everything an app does with a request."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._state = state_of(app)
        self._static = self._state.static_view

    def install(self) -> None:
        app = self._app
        proceed = app.preprocess_request

        # Around the whole of preprocess_request: ahead of every before_request function and URL
        # value preprocessor, wherever it was registered.
        def preprocess_request(*args: Any) -> Any:
            self._guard(flask_request._get_current_object())  # type: ignore[attr-defined]
            return proceed(*args)

        app.preprocess_request = preprocess_request  # type: ignore[method-assign]
        caching.install(app)
        public_path.install(app)
        app.context_processor(lambda: {"current_user": current_user})

    def _guard(self, request: Request) -> None:
        state = self._state
        if state.start_problems != []:
            check_once(self._app)
        try:
            if state.settings.local:
                require_loopback(request)
            endpoint, method = request.endpoint, request.method
            if endpoint is None:
                return
            view, entries = self._app.view_functions[endpoint], state.checkpoints
            entry: _Entry | None = entries.get((endpoint, method))
            if entry is None or entry.view is not view:
                entry = entries[endpoint, method] = self._make_entry(view, endpoint, method)
            if entry.point is None or is_automatic_options(request):
                return
            enforce(request, entry.point, passed_by(request))
            if not entry.is_declared:
                raise CognisesError("forbidden", "the view is neither public nor guarded")
        except ProblemsError:
            raise
        except CognisesError as error:
            note_refusal(request, error)
            raise refusal(error, state.settings.realm) from error

    def _make_entry(self, view: View, endpoint: str, method: str) -> _Entry:
        app = self._app
        found = declaration_at(app, endpoint, method)
        if found.is_public or (self._static is not None and view is self._static):
            return _Entry(view, None, True)
        target = Target(function_name(app, endpoint), endpoint)
        point = checkpoint(self._state, Requirement.of(found.guards), target)
        # Where a local request comes from has been looked at before.
        return _Entry(view, replace(point, is_local=False), bool(found.guards))


def _is_flask_run() -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and context.info_name == "run" and "flask.cli" in sys.modules
