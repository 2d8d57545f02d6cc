"""`Cognises(app)`: authenticates and decides before dispatch, and denies what nobody declared."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import click
from flask import Flask, Request
from flask import request as flask_request

from cognises import access, caching
from cognises.app_state import state_of
from cognises.declarations import (
    DEFAULT_LOGIN,
    LoginGuard,
    Requirement,
    View,
)
from cognises.enforcement import (
    Checkpoint,
    Target,
    checkpoint,
    current_user,
    enforce,
    note_refusal,
    passed_by,
    require_loopback,
)
from cognises.errors import CognisesError, ProblemsError, SettingsError
from cognises.refusals import refusal
from cognises.routes import (
    ambiguous_names,
    declaration_at,
    function_name,
    is_automatic_options,
    own_static_view,
    routes,
)


class _Entry(NamedTuple):
    """What stands before one endpoint under one method; `point` None: nothing does."""

    view: View
    point: Checkpoint | None
    is_declared: bool


class Cognises:
    """Guards a Flask app: every endpoint is denied that is neither public nor guarded.

    Exempt are the app's own static files (settable: `public_static`), requests without an endpoint
    (404, 405) and Flask's automatic OPTIONS. Make it last in `create_app`, after the routes; what
    is registered later is guarded too. `check()` tells everything that is wrong, all at once.
    """

    def __init__(self, app: Flask | None = None, *, public_static: bool = True) -> None:
        self._public_static = public_static
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Guard `app`. Under `flask run` a misconfigured app stops here, with one clear message."""
        state_of(app)
        _Gate(app, self._public_static).install()
        app.cli.add_command(access.commands)
        if _is_flask_run():
            try:
                check(app)
            except ProblemsError as error:
                raise click.ClickException(f"cannot start:\n{error}") from None


class _Gate:
    """Stands between routing and everything an app does with a request."""

    def __init__(self, app: Flask, public_static: bool) -> None:
        self._app = app
        self._state = state_of(app)
        self._static = own_static_view(app) if public_static else None

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
        app.context_processor(lambda: {"current_user": current_user})

    def _guard(self, request: Request) -> None:
        state = self._state
        if not state.is_checked:
            check(self._app)
            state.is_checked = True
        try:
            self._pass(request)
        except ProblemsError:
            raise
        except CognisesError as error:
            note_refusal(request, error)
            raise refusal(error, state.settings.realm) from error

    def _pass(self, request: Request) -> None:
        if self._state.settings.local:
            require_loopback(request)
        endpoint = request.endpoint
        if endpoint is None:
            return
        entry = self._entry(endpoint, request.method)
        if entry.point is None or is_automatic_options(request):
            return
        caching.mark_guarded(request)
        enforce(request, entry.point, passed_by(request))
        if not entry.is_declared:
            raise CognisesError("forbidden", "the view is neither public nor guarded")

    def _entry(self, endpoint: str, method: str) -> _Entry:
        entries = self._state.checkpoints
        view = self._app.view_functions[endpoint]
        entry: _Entry | None = entries.get((endpoint, method))
        if entry is None or entry.view is not view:
            entry = entries[endpoint, method] = self._make_entry(view, endpoint, method)
        return entry

    def _make_entry(self, view: View, endpoint: str, method: str) -> _Entry:
        app = self._app
        found = declaration_at(app, endpoint, method)
        if found.is_public or (self._static is not None and view is self._static):
            return _Entry(view, None, True)
        target = Target(function_name(app, endpoint), endpoint)
        point = checkpoint(self._state, Requirement.of(found.guards), target)
        return _Entry(view, point, bool(found.guards))


def check(app: Flask) -> None:
    """Everything an app must have right before it serves. Raises SettingsError, all at once."""
    state = state_of(app)
    settings = state.settings
    problems = [
        f"{name}: missing; set it in .env or the environment"
        for name, value in (
            ("COGNITO_USER_POOL_ID", settings.pool),
            ("COGNITO_CLIENT_ID", settings.client_ids),
        )
        if not value
    ]
    if app.debug and not settings.local:
        problems.append("FLASK_DEBUG: the debugger runs in local mode only (COGNISES_LOCAL=1)")
    problems += _key_problems(app) if not problems else []
    problems += _route_problems(app)
    if problems:
        raise SettingsError(problems)


def _key_problems(app: Flask) -> list[str]:
    """Keys from a file are read now; from the network, with the first token."""
    try:
        state_of(app).verifier(DEFAULT_LOGIN)
    except ProblemsError as error:
        return error.problems
    return []


def _route_problems(app: Flask) -> list[str]:
    problems: dict[str, None] = {}
    listed: set[str] = set()
    for route in routes(app):
        place = route.place
        if route.declaration.is_contradictory:
            problems[f"{place}: public and a guard together; keep one of them"] = None
        requirement = Requirement.of(route.declaration.guards)
        foreign = [guard for guard in requirement.logins if not _is_own(app, guard)]
        for guard in foreign:
            if guard.client_ids is None:
                problems[f"{place}: names another pool and needs client_ids of its own"] = None
        for permission in requirement.permissions:
            if permission.permissions is not None:
                listed |= permission.permissions.names
            elif foreign:
                problems[f"{place}: names another pool and needs group_details of its own"] = None
    return [*problems, *_manifest_problems(app, listed)]


def _is_own(app: Flask, guard: LoginGuard) -> bool:
    pool = state_of(app).settings.pool
    return guard.pool is None or pool is None or guard.pool == pool


def _manifest_problems(app: Flask, listed: set[str]) -> list[str]:
    state = state_of(app)
    needs_manifest = state.settings.groups_file_named or any(
        guard.permissions is None
        for route in routes(app)
        for guard in route.declaration.permissions
    )
    if needs_manifest:
        try:
            listed |= state.permissions.names
        except ProblemsError as error:
            return [f"{state.settings.groups_file.name}: {line}" for line in error.problems]
    return [
        f"{name}: two endpoints carry this name of the manifest; list the endpoints, or say the "
        f"same name= on both"
        for name in sorted(ambiguous_names(app) & listed)
    ]


def _is_flask_run() -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and context.info_name == "run" and "flask.cli" in sys.modules
