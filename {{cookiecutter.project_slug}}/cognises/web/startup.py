"""Everything an app must have right before it serves: settings, keys, routes and manifest."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Flask
from flask.views import MethodView

from cognises.errors import ProblemsError, SettingsError
from cognises.tokens.jwk import read_key_file
from cognises.web.route_metadata import DEFAULT_LOGIN, markers_of
from cognises.web.routes import Route, routes
from cognises.web.state import state_of
from cognises.web.views import signature_problems

_NEEDED = ("COGNITO_USER_POOL_ID", "COGNITO_CLIENT_ID")


def check(app: Flask) -> None:
    """Pass, or raise SettingsError with everything that is wrong at once."""
    state = state_of(app)
    found = problems(app)
    state.checked = (state.registered, found)
    if found:
        raise SettingsError(found)


def check_once(app: Flask) -> None:
    """The same for the first request, unless nothing was registered since `check`."""
    state = state_of(app)
    if state.start_problems is None:
        registered, found = state.checked or (None, [])
        state.start_problems = found if registered == state.registered else problems(app)
    if state.start_problems:
        raise SettingsError(state.start_problems)


def problems(app: Flask) -> list[str]:
    """Everything that is wrong; with nothing wrong, the app's own keys are read from their file."""
    state = state_of(app)
    state.log_warnings()
    settings, found = state.settings_with_problems
    missing = [name for name in _NEEDED if name not in settings.given]
    found = found + [f"{name}: missing; set it in .env or the environment" for name in missing]
    if app.debug and not settings.local:
        found.append("FLASK_DEBUG: the debugger runs in local mode only (COGNISES_LOCAL=1)")
    found += route_problems(app)
    try:
        if not found:
            state.verifier(DEFAULT_LOGIN)
        elif settings.jwks_file is not None:
            read_key_file(settings.jwks_file, allow_emulators=settings.local)
    except SettingsError as error:
        found += error.problems
    return found


def route_problems(app: Flask) -> list[str]:
    """What is wrong with the routes and the manifest, each and together."""
    state, every = state_of(app), list(routes(app))
    found = [f"{each.place}: {text}" for each in every for text in _problems_of(app, each)]
    try:
        listed = manifest_names(app)
    except ProblemsError as error:
        file = state.settings_with_problems[0].groups_file.name
        return [*dict.fromkeys(found), *(f"{file}: {line}" for line in error.problems)]
    for name in sorted(state.ambiguous_names & listed):
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
    # What these functions do to the URL's variables is not known.
    is_plain = not any(app.url_value_preprocessors.values())
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
