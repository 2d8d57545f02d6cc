"""The decorators. They declare; where `Cognises(app)` guards the app, it has already enforced."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from flask import Blueprint, Flask, Request, current_app
from flask import request as flask_request

from cognises.errors import CognisesError, SettingsError
from cognises.manifest import Group, parse_access
from cognises.settings.values import CLIENT_ID, SCOPE, TOKEN_USES
from cognises.tokens.verifier import one_or_more
from cognises.user_pool import UserPool
from cognises.web import caching
from cognises.web.authorize import (
    Checkpoint,
    Passed,
    Target,
    checkpoint,
    enforce,
    passed_by,
)
from cognises.web.permissions import Permissions
from cognises.web.principal import Principal
from cognises.web.responses import refusal
from cognises.web.route_metadata import (
    Guard,
    LoginGuard,
    PermissionGuard,
    Requirement,
    View,
    declaration_of,
    declare_blueprint,
    mark,
    mark_of,
)
from cognises.web.routes import declaration_at, function_name, is_automatic_options
from cognises.web.state import state_of

Decorator = Callable[[View], View]
Place = Callable[[Principal, "tuple[Any, ...]", "dict[str, Any]"], "tuple[Any, ...]"]

_POSITIONAL = {
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
}


def login_check(
    region: Any = None,
    pool_id: str | None = None,
    *,
    client_ids: str | Iterable[str] | None = None,
    token_use: str | Iterable[str] | None = None,
    scopes: str | Iterable[str] | None = None,
    optional: bool = False,
) -> Any:
    """Open a view to users with a verified token of the pool; use it bare or with arguments.

    What is left out is the app's setting. The view receives the response (see `Principal`): a
    function as first argument, a method after `self`, a class-based view as `response=`. With
    `optional=True` a request without credentials runs the view with status 401 in the response;
    bad credentials are refused all the same. Wrong arguments: SettingsError, at once.
    """
    if callable(region):
        return _guarded_by(LoginGuard())(region)
    return _guarded_by(
        LoginGuard(
            pool=_pool(region, pool_id),
            client_ids=_optional("client_ids", client_ids, CLIENT_ID.fullmatch),
            token_use=_optional("token_use", token_use, TOKEN_USES.__contains__),
            scopes=_optional("scopes", scopes, SCOPE.fullmatch) or frozenset(),
            optional=_flag(optional),
        )
    )


def permission_required(group_details: Any = None, name: str | None = None) -> Any:
    """Open a view to the groups that list it; use it bare, alone, or with `login_check`.

    `group_details` is a manifest as loaded from JSON; without it the app's own counts. A view is
    listed by its function's name (or `name`), its endpoint, a blueprint of its (`reports.*`), or
    `*`. Wrong arguments: ManifestError or SettingsError, at once.
    """
    if callable(group_details):
        return _guarded_by(PermissionGuard())(group_details)
    if name is not None and not (isinstance(name, str) and name and "*" not in name):
        raise SettingsError(["permission_required: name must be a text without a star"])
    return _guarded_by(PermissionGuard(_permissions(group_details), name))


def public(view: Any) -> Any:
    """Say that a view (outermost decorator), or a blueprint, is open to everybody."""
    if isinstance(view, Blueprint):
        declare_blueprint(view)
        return view
    _refuse_contradiction(view, None)
    mark(view)
    return view


def protect(blueprint: Blueprint, *decorators: Decorator) -> Blueprint:
    """Put guards on every view of a blueprint, its static files too; `login_check` if none given.

    The views receive no response argument; they ask `current_user`.
    """
    guards = tuple(g for decorator in decorators or (login_check,) for g in _guards_of(decorator))
    declare_blueprint(blueprint, *guards)
    blueprint.before_request(lambda: _enforce_blueprint(guards))
    return blueprint


def _guards_of(decorator: Decorator) -> tuple[Guard, ...]:
    """The guards that a decorator puts on a view, read off a view of our own."""

    def stand_in() -> None:
        """Is never called."""

    decorated = decorator(stand_in)
    guards = declaration_of(decorated).guards if callable(decorated) else ()
    if not guards:
        raise SettingsError(["protect: takes login_check and permission_required only"])
    return guards


def _enforce_blueprint(guards: tuple[Guard, ...]) -> None:
    request: Request = flask_request._get_current_object()  # type: ignore[attr-defined]
    if is_automatic_options(request):
        return
    passed = passed_by(request)
    if any(passed.at(guard) is None for guard in guards):
        _enforce(request, guards, passed)


def _guarded_by(guard: Guard) -> Decorator:
    """A decorator that marks a view and, where nothing else did, enforces its guards.

    Guards placed directly on each other become one wrapper around the view itself.
    """

    def decorate(view: View) -> View:
        # What a request has passed is kept by guard: one object must not stand on two views.
        own = replace(guard)
        _refuse_contradiction(view, own)
        inner = mark_of(view)
        if inner and inner.guards:
            return _wrap(view.__wrapped__, (own, *inner.guards))  # type: ignore[attr-defined]
        return _wrap(view, (own,))

    return decorate


def _wrap(view: View, guards: tuple[Guard, ...]) -> View:
    first = guards[0]
    place = _placer(view)

    def admit() -> Principal:
        request: Request = flask_request._get_current_object()  # type: ignore[attr-defined]
        passed = passed_by(request)
        principal = passed.at(first) if passed.entries else None
        return _enforce(request, guarded, passed) if principal is None else principal

    if inspect.iscoroutinefunction(view):

        @functools.wraps(view)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            return await view(*place(admit(), args, kwargs), **kwargs)

    else:

        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            return view(*place(admit(), args, kwargs), **kwargs)

    mark(guarded, *guards)
    return guarded


def _enforce(request: Request, subject: View | tuple[Guard, ...], passed: Passed) -> Principal:
    """Enforce what `Cognises(app)` has not; `subject` is the view, or a blueprint's guards."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    points = state_of(app).checkpoints
    place = (subject, request.endpoint, request.method)
    point = points.get(place)
    if point is None:
        caching.install(app)
        point = points[place] = _checkpoint(app, request, subject)
    try:
        return enforce(request, point, passed)
    except CognisesError as error:
        raise refusal(error, point.realm) from error


def _checkpoint(app: Flask, request: Request, subject: View | tuple[Guard, ...]) -> Checkpoint:
    guards = subject if isinstance(subject, tuple) else declaration_of(subject).guards
    return checkpoint(state_of(app), Requirement.of(guards), _target(app, request, subject, guards))


def _target(app: Flask, request: Request, subject: object, guards: tuple[Guard, ...]) -> Target:
    """What guards stand before: the view being dispatched, or one that another view calls."""
    endpoint = request.endpoint
    if endpoint in app.view_functions:
        dispatched = declaration_at(app, endpoint, request.method).guards
        if all(guard in dispatched for guard in guards):
            return Target(function_name(app, endpoint), endpoint)
    return Target(getattr(subject, "__name__", None), None)


def _placer(view: View) -> Place:
    """How a view takes its response: by position, after `self`, or as the keyword `response`."""
    parameters = list(inspect.signature(view).parameters.values())
    by_position = bool(parameters) and parameters[0].kind in _POSITIONAL
    index = 1 if by_position and parameters[0].name in {"self", "cls"} else 0

    def place(
        principal: Principal, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, ...]:
        # From a guard on the whole class, or a view that calls another: it is given once.
        if not by_position:
            if not isinstance(kwargs.get("response"), Principal):
                kwargs["response"] = principal
            return args
        if "response" in kwargs and isinstance(kwargs["response"], Principal):
            del kwargs["response"]
        if not args:
            return (principal,)
        if len(args) > index and isinstance(args[index], Principal):
            return args
        return (*args[:index], principal, *args[index:])

    return place


def _refuse_contradiction(view: View, guard: Guard | None) -> None:
    found = declaration_of(view)
    if found.is_contradictory or (found.guards if guard is None else found.is_public):
        name = getattr(view, "__qualname__", "view")
        raise SettingsError([f"{name}: public and a guard together; keep one of them"])


def _pool(region: object, pool_id: object) -> UserPool | None:
    if region is None and pool_id is None:
        return None
    pool = UserPool.parse(pool_id)
    if region not in (None, pool.region):
        raise SettingsError(["login_check: the region is not the one in the user pool id"])
    return pool


def _optional(
    name: str, values: str | Iterable[str] | None, accept: Callable[[str], object]
) -> frozenset[str] | None:
    return None if values is None else one_or_more(f"login_check: {name}", values, accept)


def _flag(optional: object) -> bool:
    if not isinstance(optional, bool):
        raise SettingsError(["login_check: optional must be True or False"])
    return optional


def _permissions(group_details: object) -> Permissions | None:
    if group_details is None:
        return None
    if isinstance(group_details, tuple) and all(isinstance(g, Group) for g in group_details):
        return Permissions(group_details)
    return Permissions(parse_access(group_details))
