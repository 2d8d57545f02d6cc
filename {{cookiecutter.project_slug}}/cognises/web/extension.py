"""`Cognises(app)`: authenticates and decides before dispatch, and denies undeclared views."""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

import click
from flask import Flask, Request
from flask import request as flask_request
from flask.views import MethodView

from cognises.errors import CognisesError, ProblemsError, SettingsError
from cognises.tokens.jws import read_key_file
from cognises.web import responses
from cognises.web.authorize import auth_result_for, authorize, check_local, current_user, policy_at
from cognises.web.decorators import GuardHook
from cognises.web.responses import Refusal, refusal
from cognises.web.routes import Route, is_automatic_options, markers_of, routes
from cognises.web.state import AppState, Check, state_of
from cognises.web.views import signature_problems

log, log_start = logging.getLogger("cognises.decisions"), logging.getLogger("cognises.start")
_PROVISIONING = ("access-diff", "apply", "bootstrap", "deploy", "destroy", "import", "plan",
                 "policy", "users", "validate", "verify")  # fmt: skip
# Name of the command: its module, and the click command in it.
COMMANDS = {name: f"cognises.provisioning.cli:flask_{name}" for name in _PROVISIONING}
COMMANDS["access"] = "cognises.access.route_report:access_command"
COMMANDS["mutate"] = "cognises.testing.mutate:mutate_command"
COMMANDS["openapi"] = "cognises.access.api_document:openapi_command"


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
        self._public_static, self._check = public_static, check
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Guard `app`. Under `flask run` a misconfigured app stops here, with one clear message."""
        state = state_of(app)
        state.has_public_static, state.is_guarded = self._public_static, True
        state.check = self._check and app.ensure_sync(self._check)
        responses.install(app)
        responses.serve_below_public_path(app)
        decide = partial(decide_before_views, state, app.preprocess_request)
        app.preprocess_request = decide  # type: ignore[method-assign]
        app.context_processor(lambda: {"current_user": current_user})
        app.cli.add_command(commands)
        context = click.get_current_context(silent=True)
        if context is not None and context.info_name == "run" and "flask.cli" in sys.modules:
            try:
                check(app)
            except ProblemsError as error:
                raise click.ClickException(f"cannot start:\n{error}") from None


def decide_before_views(state: AppState, proceed: Callable[..., Any], *args: Any) -> Any:
    """Decide about a request after routing, before any `before_request` function."""
    request: Request = flask_request._get_current_object()  # type: ignore[attr-defined]
    if state.start_problems is None:  # the first request; `check` may have found them
        registered, found = state.checked or (None, [])
        state.start_problems = found if registered == state.registered else problems(state.app)
    if state.start_problems:
        raise SettingsError(state.start_problems)
    try:
        policy = policy_at(state, request)
        is_automatic = request.method == "OPTIONS" and is_automatic_options(request)
        if policy is not None and not is_automatic:
            authorize(request, policy)
        elif state.settings.local:
            check_local(request)
    except ProblemsError:
        raise
    except CognisesError as error:
        auth_result_for(request).refusal = error
        return _refuse(state.app, request, refusal(error, state.settings.realm), proceed)
    return proceed(*args)


def _refuse(app: Flask, request: Request, refused: Refusal, proceed: Callable[..., Any]) -> Any:
    """The response, after the `before_request` functions that error pages rely on."""
    for function in _functions_before(app, request, proceed):
        try:
            function()
        except Exception as error:
            log.info("before_request of a refused request raised %s", type(error).__name__)
    # The class's own method: what extensions put in its place would write another answer.
    return type(app).handle_user_exception(app, refused)


def _functions_before(
    app: Flask, request: Request, proceed: Callable[..., Any]
) -> Iterator[Callable[[], object]]:
    if getattr(proceed, "__func__", None) is not Flask.preprocess_request:
        yield proceed  # a subclass has its own
        return
    names = (None, *reversed(request.blueprints))
    for name in names:
        for function in app.url_value_preprocessors.get(name, ()):
            yield partial(function, request.endpoint, request.view_args)
    for name in names:
        for before in app.before_request_funcs.get(name, ()):
            if not isinstance(before, GuardHook):
                yield app.ensure_sync(before)


def check(app: Flask) -> None:
    """Pass, or raise SettingsError with everything that is wrong at once."""
    state, found = state_of(app), problems(app)
    state.checked = (state.registered, found)
    if found:
        raise SettingsError(found)
    if "manifest" in vars(state):  # it is read; guards may have manifests of their own
        log_start.info("start: manifest %s", state.manifest_digest)


def problems(app: Flask) -> list[str]:
    """Everything that is wrong; with nothing wrong, the app's own keys are read from their file."""
    state = state_of(app)
    state.log_warnings()
    settings, wrong = state.settings_with_problems
    needed = ("COGNITO_USER_POOL_ID", "COGNITO_CLIENT_ID")
    missing = [name for name in needed if name not in settings.given]
    found = wrong + [f"{name}: missing; set it in .env or the environment" for name in missing]
    if app.debug and not settings.local:
        found.append("FLASK_DEBUG: the debugger runs in local mode only (COGNISES_LOCAL=1)")
    found += route_problems(app)
    try:
        if not found:
            state.verifier()
        elif settings.jwks_file is not None:
            read_key_file(settings.jwks_file, allow_emulators=settings.local)
    except SettingsError as error:
        found += error.problems
    return found


def route_problems(app: Flask) -> list[str]:
    state, every = state_of(app), list(routes(app))
    found = [f"{each.place}: {text}" for each in every for text in _problems_of(app, each)]
    try:
        listed = manifest_names(app)
    except ProblemsError as error:
        file = state.settings_with_problems[0].groups_file.name
        return [*dict.fromkeys(found), *(f"{file}: {line}" for line in error.problems)]
    for name in sorted(state.route_facts()[0] & listed):
        found.append(f"{name}: two endpoints carry this name of the manifest, so it opens neither; "
                     "list the endpoints, or say the same name= on both")  # fmt: skip
    return list(dict.fromkeys(found))


def _problems_of(app: Flask, route: Route) -> Iterable[str]:
    declared, state = route.declaration, state_of(app)
    if declared.is_contradictory:
        yield "public and a guard together; keep one of them"
    yield from _signature_problems(app, route)
    foreign = [guard for guard in declared.logins if not state.is_own_pool(guard)]
    if any(guard.client_ids is None for guard in foreign):
        yield "names another pool and needs client_ids of its own"
    if foreign and any(guard.permissions is None for guard in declared.permissions):
        yield "names another pool and needs group_details of its own"


def _signature_problems(app: Flask, route: Route) -> Iterable[str]:
    """Views that would take a URL variable for the response, or fail for their parameters."""
    view = app.view_functions[route.endpoint]
    view_class = getattr(view, "view_class", None)
    handler = getattr(view_class, route.method.lower(), None)
    variables = frozenset(map(str, route.rule.arguments))
    is_plain = not any(app.url_value_preprocessors.values())  # which may change the variables
    dispatch = getattr(view_class, "dispatch_request", None)
    calls_handler = dispatch is MethodView.dispatch_request and not hasattr(view, "__wrapped__")
    for function, is_called in ((view, is_plain), (handler, is_plain and calls_handler)):
        for owner, _, inner in markers_of(function):
            if inner is not None:
                is_direct = is_called and owner is function
                yield from signature_problems(inner, route.method, variables, is_direct=is_direct)


def manifest_names(app: Flask) -> frozenset[str]:
    """Every entry of every `allowed_functions` that counts in `app`. Raises ManifestError."""
    state = state_of(app)
    guards = [guard for route in routes(app) for guard in route.declaration.permissions]
    manifests = {guard.permissions or state.permissions for guard in guards}
    if "COGNISES_GROUPS_FILE" in state.settings_with_problems[0].given:
        manifests.add(state.permissions)
    return frozenset().union(*(manifest.names for manifest in manifests))


class LazyGroup(click.Group):
    """`flask cognises …`: neither the extension nor an app imports a command before it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module, _, attribute = COMMANDS.get(cmd_name, "").partition(":")
        return getattr(import_module(module), attribute) if module else None


commands = LazyGroup("cognises", help="Who may call what, and the groups in AWS.")
