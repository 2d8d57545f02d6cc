"""`Cognises(app)`: authenticates and decides before dispatch, and denies undeclared views."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

import click
from flask import Flask, Request
from flask import request as flask_request

from cognises.errors import CognisesError, ProblemsError, SettingsError
from cognises.web import responses, startup
from cognises.web.authorize import (
    auth_result_for,
    authorize,
    compiled_route,
    current_user,
    require_loopback,
)
from cognises.web.decorators import GuardHook
from cognises.web.responses import Refusal, refusal
from cognises.web.routes import is_automatic_options
from cognises.web.state import Check, state_of

log = logging.getLogger("cognises.decisions")

_PROVISIONING = ("apply", "bootstrap", "deploy", "destroy", "import", "plan", "policy", "users",
                 "validate", "verify")  # fmt: skip
# Name of the command: its module, and the click command in it.
COMMANDS = {name: f"cognises.provisioning.cli:flask_{name}" for name in _PROVISIONING}
COMMANDS["access"] = "cognises.access.route_report:access_command"


class Cognises:
    """Guards a Flask app: every endpoint is denied that is neither public nor guarded.

    Exempt are the app's own static files (settable: `public_static`), requests without an endpoint
    (404, 405) and Flask's automatic OPTIONS. Make it last in `create_app`, after the routes; what
    is registered later is guarded too. `check(principal)`, a function or an async one, is called
    at every guarded request once the token is verified; any answer but True is 401 `revoked`.
    """

    def __init__(
        self, app: Flask | None = None, *, public_static: bool = True, check: Check | None = None
    ) -> None:
        if check is not None and not callable(check):
            raise SettingsError(["Cognises: check must be a function of one principal"])
        self._public_static = public_static
        self._check = check
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Guard `app`. Under `flask run` a misconfigured app stops here, with one clear message."""
        state = state_of(app)
        state.has_public_static = self._public_static
        state.check = self._check and app.ensure_sync(self._check)
        state.is_guarded = True
        responses.install(app)
        responses.serve_below_public_path(app)
        RequestGuard(app)
        app.context_processor(lambda: {"current_user": current_user})
        app.cli.add_command(commands)
        context = click.get_current_context(silent=True)
        if context is not None and context.info_name == "run" and "flask.cli" in sys.modules:
            try:
                startup.check(app)
            except ProblemsError as error:
                raise click.ClickException(f"cannot start:\n{error}") from None


class RequestGuard:
    """Decides about each request after routing, before the app does anything with it.

    It wraps `preprocess_request`: no before_request function comes earlier.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._state = state_of(app)
        self._proceed = app.preprocess_request
        app.preprocess_request = self.preprocess_request  # type: ignore[method-assign]

    def preprocess_request(self, *args: Any) -> Any:
        """What Flask's own returns, or the response to a refused request."""
        request: Request = flask_request._get_current_object()  # type: ignore[attr-defined]
        state = self._state
        if state.start_problems != []:
            startup.check_once(self._app)
        try:
            route = compiled_route(state, request)
            policy = route.policy if route is not None else None
            is_automatic = request.method == "OPTIONS" and is_automatic_options(request)
            if policy is not None and not is_automatic:
                authorize(request, policy)
            elif state.settings.local:
                require_loopback(request)
        except ProblemsError:
            raise
        except CognisesError as error:
            auth_result_for(request).refusal = error
            return self._refuse(request, refusal(error, state.settings.realm))
        return self._proceed(*args)

    def _refuse(self, request: Request, refused: Refusal) -> Any:
        """The response, after the `before_request` functions that error pages rely on."""
        for function in self._functions_before(request):
            try:
                function()
            except Exception as error:
                log.info("before_request of a refused request raised %s", type(error).__name__)
        # The class's own method: what extensions put in its place would write another answer.
        return type(self._app).handle_user_exception(self._app, refused)

    def _functions_before(self, request: Request) -> Iterator[Callable[[], object]]:
        app = self._app
        if getattr(self._proceed, "__func__", None) is not Flask.preprocess_request:
            yield self._proceed  # a subclass has its own
            return
        names = (None, *reversed(request.blueprints))
        for name in names:
            for function in app.url_value_preprocessors.get(name, ()):
                yield partial(function, request.endpoint, request.view_args)
        for name in names:
            for before in app.before_request_funcs.get(name, ()):
                if not isinstance(before, GuardHook):
                    yield app.ensure_sync(before)


class LazyGroup(click.Group):
    """`flask cognises …`: neither the extension nor an app imports a command before it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module, _, attribute = COMMANDS.get(cmd_name, "").partition(":")
        return getattr(import_module(module), attribute) if module else None


commands = LazyGroup("cognises", help="Who may call what, and the groups in AWS.")
