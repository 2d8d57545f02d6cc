"""What views, blueprints and paths declare, and what the URL map says about who may use what.

A marker names the function that it belongs to, so the copy that `functools.wraps` makes does not
count. Guards are found below other decorators (`__wrapped__`); `public` must be outermost.
"""

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Union

from flask import Flask, Request
from flask.sansio.blueprints import Blueprint
from flask.views import MethodView
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.routing import Rule

from cognises.user_pool import UserPool
from cognises.web.principal import Permissions, endpoint_entries

View = Callable[..., Any]
METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_ATTRIBUTE, _PATH_RULES, _MAX_DEPTH = "__cognises__", "cognises.path_rules", 100


@dataclass(frozen=True, eq=False)
class LoginGuard:
    """A token is needed. What is None here is the app's setting."""

    pool: UserPool | None = None
    client_ids: frozenset[str] | None = None
    token_use: frozenset[str] | None = None
    scopes: frozenset[str] = frozenset()
    optional: bool = False

    @cached_property
    def key(self) -> tuple[object, ...]:
        """The guard's value: guards compare by identity, what is compiled from them by value."""
        return (self.pool, self.client_ids, self.token_use, self.scopes, self.optional)


@dataclass(frozen=True, eq=False)
class PermissionGuard:
    """A group must list the view. `permissions` None: the app's manifest; `name`: the entry."""

    permissions: Permissions | None = None
    name: str | None = None

    @cached_property
    def key(self) -> tuple[object, ...]:
        return (self.permissions, self.name)


Guard = Union[LoginGuard, PermissionGuard]  # noqa: UP007
Guards = tuple[Guard, ...]
DEFAULT_LOGIN = LoginGuard()


class Declaration(NamedTuple):
    """What is declared for a view, all places taken together; guards are outermost first."""

    guards: Guards = ()
    is_public: bool = False
    is_contradictory: bool = False

    @property
    def logins(self) -> tuple[LoginGuard, ...]:
        """What is checked before the permissions; the default one where none is declared."""
        found = tuple(guard for guard in self.guards if isinstance(guard, LoginGuard))
        return found or (DEFAULT_LOGIN,)

    @property
    def permissions(self) -> tuple[PermissionGuard, ...]:
        return tuple(guard for guard in self.guards if isinstance(guard, PermissionGuard))

    @property
    def admits_anonymous(self) -> bool:
        """Whether guards let a request without credentials pass: only if every one says so."""
        return not self.permissions and all(guard.optional for guard in self.logins)

    @classmethod
    def joined(cls, *parts: "Declaration") -> "Declaration":
        """Path, blueprint, view and method together: every guard counts."""
        guards = tuple(guard for part in parts for guard in part.guards)
        is_public = any(part.is_public for part in parts)
        is_mixed = (is_public and bool(guards)) or any(part.is_contradictory for part in parts)
        return cls(guards, is_public and not guards, is_mixed)


class Marker(NamedTuple):
    """What one function object declares, outermost guard first; no guards: it is public."""

    owner: View
    guards: Guards
    view: View | None = None  # the function that the guards wrap


def mark(function: View, *guards: Guard, view: View | None = None) -> None:
    setattr(function, _ATTRIBUTE, Marker(function, guards, view))


def marker_of(function: View) -> Marker | None:
    """The function's own marker, or that of a bound method; a copied one counts for nothing."""
    found = getattr(function, _ATTRIBUTE, None)
    is_own = isinstance(found, Marker) and found.owner is getattr(function, "__func__", function)
    return found if is_own else None


def markers_of(view: View | None) -> list[Marker]:
    """Those of a view and of the functions that it wraps, outermost first."""
    return [found for function in chain(view) if (found := marker_of(function))]


def declaration_of(view: View) -> Declaration:
    markers = markers_of(view)
    guards = tuple(guard for found in markers for guard in found.guards)
    is_public = any(not found.guards for found in markers)
    is_outermost = is_public and marker_of(view) is not None
    return Declaration(guards, is_outermost and not guards, is_public and bool(guards))


def guards_of_decorators(decorators: Iterable[View]) -> Guards:
    """The guards among decorators, which are tried on a function that is never called."""
    found: list[Guard] = []
    for decorator in decorators:
        try:
            decorated = decorator(lambda *args, **kwargs: None)
        except Exception:  # noqa: S112  (a decorator of another package may raise anything)
            continue
        found += declaration_of(decorated).guards if callable(decorated) else ()
    return tuple(found)


def declare_blueprint(blueprint: Blueprint, *guards: Guard) -> None:
    """Write guards on a blueprint, for every view in it; none: the blueprint is public."""
    given = Declaration(guards, is_public=not guards)
    setattr(blueprint, _ATTRIBUTE, Declaration.joined(_declared_on(blueprint), given))


def _declared_on(blueprint: Blueprint) -> Declaration:
    found = getattr(blueprint, _ATTRIBUTE, None)
    return found if isinstance(found, Declaration) else Declaration()


def chain(function: View | None) -> Iterator[View]:
    """A function, and those that it wraps."""
    for _ in range(_MAX_DEPTH):
        if function is None:
            return
        yield function
        function = getattr(function, "__wrapped__", None)


class PathRule(NamedTuple):
    """A prefix, whole segments only, and the guards of everything below it; none: public."""

    prefix: str
    guards: Guards

    def applies(self, rule: Rule, path: str | None) -> bool:
        """By the rule, a guard by the path too: a prefix guards a catch-all, and never opens it."""
        paths = [rule.rule]
        if self.guards and path is not None:  # as sent, and as send_from_directory reads it
            paths += path, f"/{posixpath.normpath(path).lstrip('/')}"
        return any(f"{each}/".startswith(f"{self.prefix}/") for each in paths)


def path_rules_of(app: Flask) -> list[PathRule]:
    rules: list[PathRule] = app.extensions.setdefault(_PATH_RULES, [])
    return rules


class Route(NamedTuple):
    """One endpoint under one method, and what guards it."""

    endpoint: str
    method: str
    path: str
    declaration: Declaration
    rule: Rule

    @property
    def place(self) -> str:
        return f"{self.method} {self.path} ({self.endpoint})"


def routes(app: Flask) -> Iterator[Route]:
    """Every endpoint, method and path of an app; no HEAD that GET answers, no automatic OPTIONS."""
    for rule in app.url_map.iter_rules():
        view = app.view_functions.get(rule.endpoint)
        view_class = getattr(view, "view_class", None)
        # A rule without methods, as `url_map.add` takes it, answers every one.
        stated = rule.methods or getattr(view_class, "methods", None) or METHODS
        methods = set(stated) if view else set()
        if getattr(rule, "provide_automatic_options", False):
            methods.discard("OPTIONS")
        if "GET" in methods and handler_name(view_class, "HEAD") != "head":
            methods.discard("HEAD")
        by_path = [each for each in path_rules_of(app) if each.applies(rule, None)]
        for method in sorted(methods):
            declaration = declaration_at(app, rule.endpoint, method, by_path)
            yield Route(rule.endpoint, method, rule.rule, declaration, rule)


def declaration_at(
    app: Flask, endpoint: str, method: str, rules: Iterable[PathRule] = ()
) -> Declaration:
    """Everything that is declared for an endpoint under a method, and by these path rules."""
    view = app.view_functions[endpoint]
    names = [each.removesuffix(".*") for each in endpoint_entries(endpoint)[1:]]
    parts = [Declaration(rule.guards, is_public=not rule.guards) for rule in rules]
    parts += [_declared_on(app.blueprints[name]) for name in names if name in app.blueprints]
    parts.append(declaration_of(view))
    view_class = getattr(view, "view_class", None)
    if view_class is None:
        return Declaration.joined(*parts)
    handler = handler_name(view_class, method)
    for name in ("dispatch_request", *([handler] if handler else [])):
        parts.append(declaration_of(getattr(view_class, name)))
    known = {guard.key for part in parts for guard in part.guards}
    listed = _listed_guards(view_class, handler or method.lower())
    more = tuple(guard for guard in listed if guard.key not in known)
    return Declaration.joined(*parts, Declaration(more))


def _listed_guards(view_class: Any, handler: str) -> Iterator[Guard]:
    """Guards in the lists that class-based extensions apply by themselves in each request."""
    for name in ("decorators", "method_decorators"):
        decorators = getattr(view_class, name, ())
        if isinstance(decorators, Mapping):
            decorators = decorators.get(handler, ())
        if isinstance(decorators, Iterable):
            yield from guards_of_decorators(decorators)


def function_name(app: Flask, endpoint: str) -> str | None:
    """The name a view goes by in a manifest, unless its guard states another."""
    return getattr(app.view_functions.get(endpoint), "__name__", None) or None


def own_static_view(app: Flask) -> View | None:
    """The view Flask itself made for the app's static folder, identified by its definition."""
    view = app.view_functions.get("static")
    defined = (getattr(view, "__module__", ""), getattr(view, "__qualname__", ""))
    is_flasks = defined == ("flask.app", "Flask.__init__.<locals>.<lambda>")
    return view if is_flasks and app.has_static_folder else None


def is_automatic_options(request: Request) -> bool:
    """Whether Flask itself answers this OPTIONS request, without running a view."""
    is_automatic = getattr(request.url_rule, "provide_automatic_options", False)
    return request.method == "OPTIONS" and bool(is_automatic)


def handler_name(view_class: Any, method: str) -> str:
    """The method of a class-based view that handles an HTTP method; empty for a made-up one."""
    name = method.lower()
    if callable(getattr(view_class, name, None)) and not hasattr(MethodView, name):
        return name
    return "get" if method == "HEAD" and hasattr(view_class, "get") else ""


def refuse_unhandled_method(request: Request, view: View | None) -> bool:
    """Whether a class-based view, not its rule, lacks the request's method: Flask answers 405."""
    rule, view_class = request.url_rule, getattr(view, "view_class", None)
    if rule is None or not isinstance(view_class, type) or not issubclass(view_class, MethodView):
        return False
    listed = {*(rule.methods or view_class.methods or ())}
    if "GET" in listed:
        listed.add("HEAD")
    if view_class.dispatch_request is MethodView.dispatch_request:
        listed = {each for each in listed if handler_name(view_class, each)}
    if request.method in listed or is_automatic_options(request):
        return False
    request.routing_exception = MethodNotAllowed(sorted(listed))
    request.url_rule = request.view_args = None  # as where no rule matches
    return True


def ambiguous_names(app: Flask) -> frozenset[str]:
    """Names that two endpoints carry and that therefore open neither; views may share a `name=`."""
    carried: dict[str, dict[str, bool]] = {}
    for route in routes(app):
        guards = route.declaration.permissions
        unstated = [function_name(app, route.endpoint) for guard in guards if not guard.name]
        names = dict.fromkeys((route.endpoint, *unstated) if guards else (), False)
        for name, is_stated in (names | {guard.name: True for guard in guards}).items():
            if name:
                views = carried.setdefault(name, {})
                views[route.endpoint] = views.get(route.endpoint, True) and is_stated
    shared = [name for name, views in carried.items() if len(views) > 1 and not all(views.values())]
    return frozenset(shared)
