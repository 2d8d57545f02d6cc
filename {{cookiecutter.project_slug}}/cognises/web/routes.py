"""What the URL map says about who may use what: path, blueprint, view and method together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from flask import Flask, Request
from flask.views import MethodView
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.routing import Rule

from cognises.web import route_metadata
from cognises.web.principal import endpoint_entries
from cognises.web.route_metadata import Declaration, Guard, PathRule, View, declaration_of

_PATH_RULES = "cognises.path_rules"


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
    """Every endpoint, method and path of an app but Flask's automatic OPTIONS and HEAD."""
    path_rules = path_rules_of(app)
    for rule in app.url_map.iter_rules():
        if rule.endpoint not in app.view_functions:
            continue
        methods = set(rule.methods or ())
        if getattr(rule, "provide_automatic_options", False):
            methods.discard("OPTIONS")
        if "GET" in methods:
            methods.discard("HEAD")
        by_path = [each for each in path_rules if each.applies(rule, None)]
        for method in sorted(methods):
            declaration = declaration_at(app, rule.endpoint, method, by_path)
            yield Route(rule.endpoint, method, rule.rule, declaration, rule)


def path_rules_of(app: Flask) -> list[PathRule]:
    rules: list[PathRule] = app.extensions.setdefault(_PATH_RULES, [])
    return rules


def declaration_at(
    app: Flask, endpoint: str, method: str, rules: Iterable[PathRule] = ()
) -> Declaration:
    """Everything that is declared for an endpoint under a method, and by these path rules."""
    view = app.view_functions[endpoint]
    names = [each.removesuffix(".*") for each in endpoint_entries(endpoint)[1:]]
    blueprints = [app.blueprints[name] for name in names if name in app.blueprints]
    parts = [rule.declaration for rule in rules]
    parts += map(route_metadata.declaration_of_blueprint, blueprints)
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
            yield from route_metadata.guards_of_decorators(decorators)


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
