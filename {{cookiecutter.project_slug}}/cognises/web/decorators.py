"""The decorators. They declare, and enforce where `Cognises(app)` has not done so already."""

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, overload

from flask import Blueprint, Flask, Request, current_app, request_started
from flask import request as flask_request

from cognises.errors import CognisesError, ProblemsError, SettingsError
from cognises.manifest import Group, parse_access
from cognises.settings.values import CLIENT_ID, SCOPE, TOKEN_USES
from cognises.tokens.verifier import Accept, Texts, one_or_more
from cognises.user_pool import UserPool
from cognises.web import routes
from cognises.web.authorize import auth_result_for, authorize, policy_of
from cognises.web.principal import Permissions, Principal
from cognises.web.responses import refusal
from cognises.web.routes import Guard, Guards, LoginGuard, PathRule, PermissionGuard, View
from cognises.web.state import forget_policies, state_of
from cognises.web.views import Room, inject, is_async, room_of_class

Decorator = Callable[[View], View]
# Segments as request.path has them: decoded, without a query, a pattern or a variable.
_PREFIX = re.compile(r"(/(?!\.\.?(/|$))[^/<>?#%*]+)*/?(?<=.)")


@overload
def login_check(region: View) -> Any: ...
@overload
def login_check(
    region: str | None = None, pool_id: str | None = None, *, client_ids: Texts | None = None,
    token_use: Texts | None = None, scopes: Texts | None = None, optional: bool = False,
) -> Decorator: ...  # fmt: skip
def login_check(
    region: Any = None, pool_id: str | None = None, *, client_ids: Texts | None = None,
    token_use: Texts | None = None, scopes: Texts | None = None, optional: bool = False,
) -> Any:  # fmt: skip
    """Open a view to users with a verified token of the pool; use it bare or with arguments.
    What is left out is the app's setting. The view receives the response (see `Principal`) where it
    has room (see `views`). With `optional=True` a request without credentials runs the view with
    status 401 in the response; bad ones are refused. Wrong arguments raise SettingsError at once.
    """
    if callable(region):
        if (pool_id, client_ids, token_use, scopes, optional) != (None, None, None, None, False):
            raise SettingsError(["login_check: takes a view or arguments, not both"])
        return _guarded_by(LoginGuard())(region)
    pool = None if region is None and pool_id is None else UserPool.parse(pool_id)
    if pool is not None and region not in (None, pool.region):
        raise SettingsError(["login_check: the region is not the one in the user pool id"])
    if not isinstance(optional, bool):
        raise SettingsError(["login_check: optional must be True or False"])
    clients = _optional("client_ids", client_ids, CLIENT_ID.fullmatch)
    uses = _optional("token_use", token_use, TOKEN_USES.__contains__)
    needed = _optional("scopes", scopes, SCOPE.fullmatch) or frozenset()
    return _guarded_by(LoginGuard(pool, clients, uses, needed, optional))


def _optional(name: str, values: Texts | None, accept: Accept) -> frozenset[str] | None:
    return None if values is None else one_or_more(f"login_check: {name}", values, accept)


@overload
def permission_required(group_details: View) -> Any: ...
@overload
def permission_required(group_details: Any = None, name: str | None = None) -> Decorator: ...
def permission_required(group_details: Any = None, name: str | None = None) -> Any:
    """Open a view to the groups that list it; use it bare, alone, or with `login_check`.
    `group_details` is a manifest as loaded from JSON; without it the app's own counts. A view is
    listed by its function's name (or `name`), its endpoint, its blueprint (`reports.*`), or
    `*`. Wrong arguments raise ManifestError or SettingsError at once.
    """
    if callable(group_details):
        if name is not None:
            raise SettingsError(["permission_required: takes a view or arguments, not both"])
        return _guarded_by(PermissionGuard())(group_details)
    if name is not None and not (isinstance(name, str) and name and "*" not in name):
        raise SettingsError(["permission_required: name must be a text without a star"])
    if group_details is None:
        return _guarded_by(PermissionGuard(None, name))
    is_loaded = type(group_details) is tuple and {Group}.issuperset(map(type, group_details))
    groups = group_details if is_loaded else parse_access(group_details)
    return _guarded_by(PermissionGuard(Permissions(groups), name))


def public(target: Any, paths: Iterable[str] = ()) -> Any:
    """Declare a view (outermost decorator), a blueprint, or paths of an app open to everyone.
    With an app, `paths` are prefixes on whole segments, for views that others wrote; rules that are
    added later count too. A view with a guard of its own there is a SettingsError at the start.
    """
    if isinstance(target, Flask):
        _add_path_rules(target, paths, ())
    elif isinstance(target, Blueprint):
        routes.declare_blueprint(target)
    else:
        _refuse_contradiction(target, None)
        if hasattr(target, "__func__"):  # a bound method has no attributes of its own
            target = functools.update_wrapper(functools.partial(target), target)
        routes.mark(target)
    forget_policies()
    return target


def protect(
    target: Blueprint | Flask, *decorators: Decorator, paths: Iterable[str] = ()
) -> Blueprint | Flask:
    """Put guards on every view of a blueprint, or below paths of an app; `login_check` if none.
    A blueprint may be registered before or after; its static files are guarded too. The views
    receive no response; they ask `current_user`. Raises SettingsError where a decorator is not a
    guard, or a path is not an absolute prefix.
    """
    found = [routes.guards_of_decorators([each]) for each in decorators or (login_check,)]
    if not all(found):
        raise SettingsError(["protect: takes login_check and permission_required only"])
    guards = tuple(guard for each in found for guard in each)
    hooks = target.before_request_funcs.setdefault(None, [])
    if isinstance(target, Flask):
        hooks.insert(0, GuardHook(guards, _add_path_rules(target, paths, guards)))
    else:
        routes.declare_blueprint(target, *guards)
        hook = GuardHook(guards, target)
        hooks.append(hook)
        if target._got_registered_once:
            # Its hooks were copied then. The signal holds this one weakly, so the blueprint does.
            target.__dict__.setdefault("_cognises_hooks", []).append(hook)
            request_started.connect(hook.on_signal)
    forget_policies()
    return target


def _add_path_rules(app: Flask, paths: Iterable[str], guards: Guards) -> list[PathRule]:
    given = [paths] if isinstance(paths, str) else list(paths)
    if not given:
        raise SettingsError(["protect and public with an app need paths, as in paths=('/dash/',)"])
    for path in given:
        if not isinstance(path, str) or not _PREFIX.fullmatch(path):
            raise SettingsError([f"paths: {path!r} is not a path prefix such as '/dash/'"])
    rules = [PathRule(path.rstrip("/"), guards) for path in given]
    routes.path_rules_of(app).extend(rules)
    return rules


class GuardHook:
    """Asks guards of a blueprint or by path rules where `Cognises(app)` has not asked them."""

    def __init__(self, guards: Guards, target: Blueprint | list[PathRule]) -> None:
        self._guards, self._target = guards, target
        request_started.connect(_refuse_unhandled_method)

    def __call__(self) -> None:
        request: Request = flask_request._get_current_object()  # type: ignore[attr-defined]
        rule, target, registered = request.url_rule, self._target, current_app.blueprints
        if rule is None or routes.is_automatic_options(request):
            return
        if isinstance(target, Blueprint):
            is_in = any(registered.get(name) is target for name in request.blueprints)
        else:
            is_in = any(each.applies(rule, request.path) for each in target)
        if not is_in:
            return
        result = auth_result_for(request)  # marks the answer as one user's
        if any(result.principal_for(guard) is None for guard in self._guards):
            _authorize(request, self, self._guards)

    def on_signal(self, sender: object, **kwargs: object) -> None:
        if not state_of(current_app).is_guarded:
            self()


def _refuse_unhandled_method(sender: Flask, **kwargs: object) -> None:
    """Where methods of a class are guarded one by one, no guard sees one that is not there."""
    rule = flask_request.url_rule
    view = sender.view_functions.get(rule.endpoint) if rule is not None else None
    if hasattr(view, "view_class"):
        routes.refuse_unhandled_method(flask_request, view)


def _guarded_by(guard: Guard) -> Decorator:
    """Guards placed directly on each other become one wrapper around the view itself."""

    def decorate(view: View) -> View:
        # What a request has passed is kept by guard: one object must not stand on two views.
        own = replace(guard)
        _refuse_contradiction(view, own)
        inner = routes.marker_of(view)
        if inner and inner.owner is view and inner.guards and inner.view is not None:
            return _wrap(inner.view, (own, *inner.guards), like=view)
        return _wrap(view, (own,), like=view)

    return decorate


def _wrap(view: View, guards: Guards, like: View) -> View:
    """The guarded view, with the name and attributes (`view_class`) of the replaced `like`."""
    first, room = guards[0], Room(view)
    # As Flask calls most views: by name, and this parameter is left.
    free = "" if room.is_opaque else room.first(0)
    if room.is_method or room_of_class(view, "GET"):
        request_started.connect(_refuse_unhandled_method)

    def principal() -> Principal:
        request: Request = flask_request._get_current_object()  # type: ignore[attr-defined]
        passed = auth_result_for(request).principal_for(first)
        return _authorize(request, guarded, guards) if passed is None else passed

    if is_async(view):

        @functools.wraps(like)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            return await view(*inject(view, room, principal(), args, kwargs), **kwargs)

    else:

        @functools.wraps(like)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if free and not args and free not in kwargs and "response" not in kwargs:
                return view(principal(), **kwargs)
            return view(*inject(view, room, principal(), args, kwargs), **kwargs)

    if not hasattr(view, "__name__"):  # a partial, or an object that is called
        guarded.__name__ = getattr(getattr(view, "func", None), "__name__", "")
    guarded.__wrapped__ = view
    routes.mark(guarded, *guards, view=view)
    return guarded


def _authorize(request: Request, guarded: View, guards: Guards) -> Principal:
    """Ask guards that `Cognises(app)` has not asked. Raises a Refusal."""
    state = state_of(current_app._get_current_object())  # type: ignore[attr-defined]
    try:
        return authorize(request, policy_of(state, request, guarded, guards))
    except ProblemsError:
        raise
    except CognisesError as error:
        raise refusal(error, state.settings.realm) from error


def _refuse_contradiction(view: View, guard: Guard | None) -> None:
    found = routes.declaration_of(view)
    if found.is_contradictory or (found.guards if guard is None else found.is_public):
        name = getattr(view, "__qualname__", "view")
        raise SettingsError([f"{name}: public and a guard together; keep one of them"])
