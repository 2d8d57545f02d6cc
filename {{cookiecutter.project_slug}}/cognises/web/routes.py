"""What the URL map says about who may use what: blueprint, view and method taken together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from flask import Flask, Request

from cognises.web.route_metadata import (
    Declaration,
    View,
    declaration_of,
    declaration_of_blueprint,
)


class Route(NamedTuple):
    """One endpoint under one method, and what guards it."""

    endpoint: str
    method: str
    path: str
    declaration: Declaration

    @property
    def place(self) -> str:
        """How a message names the route."""
        return f"{self.method} {self.path} ({self.endpoint})"


def declaration_at(app: Flask, endpoint: str, method: str) -> Declaration:
    """Everything that is declared for an endpoint under a method."""
    view = app.view_functions[endpoint]
    parts = [declaration_of_blueprint(app.blueprints[name]) for name in _blueprints(app, endpoint)]
    parts += [declaration_of(function) for function in (view, *_handlers(view, method))]
    return Declaration.joined(*parts)


def function_name(app: Flask, endpoint: str) -> str | None:
    """The name a view goes by in a manifest, unless its guard states another."""
    return getattr(app.view_functions.get(endpoint), "__name__", None)


def own_static_view(app: Flask) -> View | None:
    """The view Flask itself made for the app's static folder, told by where it was defined."""
    view = app.view_functions.get("static")
    is_flasks = (
        getattr(view, "__module__", "") == "flask.app"
        and getattr(view, "__qualname__", "") == "Flask.__init__.<locals>.<lambda>"
    )
    return view if is_flasks and app.has_static_folder else None


def is_automatic_options(request: Request) -> bool:
    """Whether Flask itself answers this OPTIONS request, without running a view."""
    if request.method != "OPTIONS" or request.url_rule is None:
        return False
    return bool(getattr(request.url_rule, "provide_automatic_options", False))


def routes(app: Flask) -> Iterator[Route]:
    """Every endpoint, method and path of an app but Flask's automatic OPTIONS and HEAD."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint not in app.view_functions:
            continue
        methods = set(rule.methods or ())
        if getattr(rule, "provide_automatic_options", False):
            methods.discard("OPTIONS")
        if "GET" in methods:
            methods.discard("HEAD")
        for method in sorted(methods):
            declaration = declaration_at(app, rule.endpoint, method)
            yield Route(rule.endpoint, method, rule.rule, declaration)


def ambiguous_names(app: Flask) -> frozenset[str]:
    """Names that two endpoints carry and that therefore open neither.

    A view carries its endpoint, and its function's name or `name=` in its stead; several views
    may share a name only if each of them states it.
    """
    carried: dict[str, dict[str, bool]] = {}
    for route in routes(app):
        names = _permission_names(app, route)
        for name, is_stated in names.items():
            views = carried.setdefault(name, {})
            views[route.endpoint] = views.get(route.endpoint, True) and is_stated
    return frozenset(
        name for name, views in carried.items() if len(views) > 1 and not all(views.values())
    )


def _permission_names(app: Flask, route: Route) -> dict[str, bool]:
    """The names a route can be listed by, and whether it states each of them."""
    guards = route.declaration.permissions
    if not guards:
        return {}
    stated = {guard.name for guard in guards if guard.name}
    unstated = {function_name(app, route.endpoint) for guard in guards if not guard.name}
    names = {name: False for name in (route.endpoint, *unstated) if name}
    return names | dict.fromkeys(stated, True)


def _blueprints(app: Flask, endpoint: str) -> list[str]:
    """The names of the registered blueprints an endpoint lies in, outermost first."""
    parts = endpoint.split(".")
    names = (".".join(parts[:end]) for end in range(1, len(parts)))
    return [name for name in names if name in app.blueprints]


def _handlers(view: View, method: str) -> list[View]:
    """For a class-based view: what it dispatches to. HEAD shares GET's handler."""
    view_class = getattr(view, "view_class", None)
    if view_class is None:
        return []
    handler = getattr(view_class, method.lower(), None)
    if handler is None and method == "HEAD":
        handler = getattr(view_class, "get", None)
    return [view_class.dispatch_request, *([handler] if handler else [])]
