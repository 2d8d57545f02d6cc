"""Who may call which route, from the URL map and the manifest; `flask cognises access`."""

import inspect
import json
import re
import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from cognises.errors import CognisesError, ProblemsError
from cognises.tokens.claims import TokenClaims, check
from cognises.web.extension import manifest_names, route_problems
from cognises.web.principal import Decision, OpenTo, Principal, decide, endpoint_entries
from cognises.web.routes import LoginGuard, Route, View, chain, function_name, path_rules_of, routes
from cognises.web.state import state_of
from cognises.web.views import Room, closure_of

EVERYBODY, SIGNED_IN, NOBODY = "everybody", "signed in", "nobody"
_TOKEN_REASONS = {
    "insufficient_scope": "it requires a scope that the token does not have",
    "wrong_token_use": "it requires the other kind of token",
    "wrong_client": "it requires tokens of another client",
}


class Row(NamedTuple):
    """A route and who may call it: one label, or group names where `by_group` is true."""

    method: str
    path: str
    endpoint: str
    name: str | None
    open_to: tuple[str, ...]
    does: str = ""  # the first line of the view's docstring
    by_group: bool = False
    permissions: tuple[OpenTo, ...] = ()  # who has each permission that the view requires
    logins: tuple[LoginGuard, ...] = ()  # what a token must satisfy
    names: tuple[str, ...] = ()  # what groups.json must list for the user, each of them

    @property
    def needs(self) -> tuple[frozenset[str], ...]:
        """The groups that have each permission; a user needs one of each."""
        return tuple(need.groups for need in self.permissions)

    @property
    def is_public(self) -> bool:
        """Whether no token is required."""
        return self.open_to == (EVERYBODY,) and not self.by_group

    @property
    def variables(self) -> list[str]:
        """The names of the variables in the path."""
        return re.findall(r"<(?:[^<>:]+:)?([^<>]+)>", self.path)


class Report(NamedTuple):
    """Every route, every problem as a sentence, and the path rules, which the rows include."""

    rows: tuple[Row, ...]
    problems: tuple[str, ...]
    path_rules: tuple[str, ...] = ()


def report(app: Flask) -> Report:
    """Who may call which route of `app`. Raises ManifestError or SettingsError."""
    pairs, rules = tuple(rows_of(app)), path_rules_of(app)
    problems = tuple(dict.fromkeys(_problems(app, pairs)))
    texts = [f"{'protect' if rule.guards else 'public'} {rule.prefix}/" for rule in rules]
    return Report(tuple(row for _, row in pairs), problems, tuple(texts))


def rows_of(app: Flask) -> Iterator[tuple[Route, Row]]:
    """Every route with its row, by path and method. Raises ManifestError or SettingsError."""
    for route in sorted(routes(app), key=lambda route: (route.path, route.method)):
        yield route, _row(app, route)


def docstring_of(app: Flask, route: Route) -> str:
    """The docstring of the view, or of the method that a class-based view dispatches to."""
    view = app.view_functions[route.endpoint]
    view_class = getattr(view, "view_class", None)
    handler = getattr(view_class, route.method.lower(), None) if view_class else view
    return inspect.cleandoc(text) if isinstance(text := handler.__doc__, str) else ""


def _row(app: Flask, route: Route) -> Row:
    declared, endpoint, needs = route.declaration, route.endpoint, tuple[OpenTo, ...]()
    own_name = function_name(app, endpoint)
    names = dict.fromkeys(guard.name or own_name or endpoint for guard in declared.permissions)
    if names and not declared.is_contradictory:
        needs = state_of(app).open_to(declared, own_name, endpoint)
    open_to = _group_names(needs) if needs else (_label(app, route),)
    by_group = bool(needs) and all(need.groups for need in needs)
    does = docstring_of(app, route).partition("\n")[0]
    shown = (route.method, route.path, endpoint, next(iter(names), None), open_to, does, by_group)
    return Row(*shown, needs, declared.logins if declared.guards else (), tuple(names))


def _group_names(needs: tuple[OpenTo, ...]) -> tuple[str, ...]:
    """Group names; where a user needs a group of each of several sets, one text that says so."""
    every = dict.fromkeys(need.groups for need in needs)
    sets = [groups for groups in every if not any(other < groups for other in every)]
    if len(sets) == 1:
        return tuple(sorted(sets[0])) or (NOBODY,)
    return (" and ".join(f"({' or '.join(sorted(groups))})" for groups in sets),)


def _label(app: Flask, route: Route) -> str:
    guards, view = route.declaration.guards, app.view_functions[route.endpoint]
    if route.declaration.is_public or (view is state_of(app).static_view and not guards):
        return EVERYBODY
    if route.declaration.is_contradictory or not guards:  # `Cognises(app)` denies these
        return NOBODY if state_of(app).is_guarded else EVERYBODY
    return EVERYBODY if route.declaration.admits_anonymous else SIGNED_IN


def may_call(app: Flask, row: Row, user: Principal) -> Decision:
    """The decision that the guards make for `user`, by groups and by token."""
    decision = groups_may_call(row, user)
    for guard in row.logins if decision.allowed and user.is_authenticated else ():
        try:
            check(TokenClaims(user.claims), state_of(app).verifier(guard).expected, time.time())
        except CognisesError as error:
            reason = _TOKEN_REASONS.get(error.reason, "it requires tokens of another kind")
            return Decision(False, reason)
    return decision


def groups_may_call(row: Row, user: Principal) -> Decision:
    """The part of the decision that depends on groups."""
    if row.permissions:
        decisions = [decide(user.groups, each, user.machine_scopes) for each in row.permissions]
        return next((each for each in decisions if not each.allowed), decisions[0])
    if row.open_to == (SIGNED_IN,):
        return Decision(user.is_authenticated, "open to every signed-in user")
    return Decision(row.is_public, f"open to {row.open_to[0]}")


def _problems(app: Flask, pairs: Iterable[tuple[Route, Row]]) -> Iterator[str]:
    yield from route_problems(app)
    parts = [guard for rule in path_rules_of(app) for guard in rule.guards]
    known = {"*", *(getattr(guard, "name", None) for guard in parts)}
    for route, row in pairs:
        guards, view = route.declaration.guards, app.view_functions[route.endpoint]
        is_closed = row.open_to == (NOBODY,) and not row.by_group
        if not (guards or route.declaration.is_public or view is state_of(app).static_view):
            result = "it is denied" if is_closed else "everybody may call it"
            yield f"{route.place}: unguarded, so {result}; add @public, a guard or protect()"
        elif is_closed and not route.declaration.is_contradictory:
            names = " and ".join(map(repr, row.names))
            yield f"{route.place}: no group may call it; list {names} for a group"
        if guards and _shares_cache(view):
            yield f"{route.place}: guarded, and cached for all users alike; key the cache by user"
        known |= {*row.names, *(endpoint_entries(route.endpoint) if row.names else ())}
    for name in sorted(manifest_names(app) - known):
        yield f"{name}: no route has this name; correct groups.json or the route"


def as_text(found: Report) -> str:
    """The report as an aligned table, then its path rules and problems."""
    rules = (f"by path: {rule}" for rule in found.path_rules)
    return "\n".join([*aligned(_cells(found)), *rules, *(f"problem: {p}" for p in found.problems)])


def aligned(lines: list[list[str]]) -> list[str]:
    """Rows of cells as lines of text, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]


def as_markdown(found: Report) -> str:
    """The report as a Markdown table, then its path rules and problems as lists."""
    cells = [[re.sub(r"([\\|<*`\[])", r"\\\1", cell) for cell in line] for line in _cells(found)]
    cells.insert(1, ["---"] * len(cells[0]))
    table = (f"| {' | '.join(line)} |" for line in cells)
    rules = (f"- by path: `{rule}`" for rule in found.path_rules)
    return "\n".join([*table, *rules, *(f"- {problem}" for problem in found.problems)])


def as_json(found: Report) -> str:
    """The report as one JSON object: `routes`, `path_rules` and `problems`."""
    rows = [row._asdict() for row in found.rows]
    for fields in rows:
        del fields["logins"]
        fields["needs"] = [sorted(need.groups) for need in fields.pop("permissions")]
    whole = {"routes": rows, "path_rules": found.path_rules, "problems": found.problems}
    return json.dumps(whole, indent=2)


def _cells(found: Report) -> list[list[str]]:
    rows = [[row.method, row.path, *map(", ".join, (row.names, row.open_to))] for row in found.rows]
    return [["method", "path", "function", "open to"], *rows]


FORMATS = {"text": as_text, "json": as_json, "markdown": as_markdown}


@click.command("access")
@click.option("--format", "kind", type=click.Choice(list(FORMATS)), default="text")
@click.option("--check", "strict", is_flag=True, help="Exit 1 if there are problems.")
@with_appcontext
def access_command(kind: str, strict: bool) -> None:
    """Every route and who may call it, from the code and groups.json alone."""
    try:
        found = report(current_app._get_current_object())  # type: ignore[attr-defined]
    except ProblemsError as error:
        raise click.ClickException(f"cannot read who may call which route:\n{error}") from None
    click.echo(FORMATS[kind](found))
    if strict and found.problems:
        raise click.exceptions.Exit(1)


def _shares_cache(view: View) -> bool:
    """Whether a cache in a view's decorators has no key of the user: its own, or the response."""
    function: Any
    for function in chain(view):
        # What functools.wraps copies from a cache below is not that cache.
        uncached = getattr(function, "uncached", None)
        is_flasks = uncached is not None and uncached is getattr(function, "__wrapped__", None)
        if hasattr(function, "cache_info") or (is_flasks and hasattr(function, "delete_memoized")):
            if not Room(function).name_for(()):
                return True
        elif is_flasks and not _has_own_key(function) and not _has_own_key(function.make_cache_key):
            return True
    return False


def _has_own_key(function: object, depth: int = 4) -> bool:
    """Whether `Cache.cached` was given a function for its key, which only its closure holds."""
    for name, value in closure_of(function).items():
        module = getattr(value, "__globals__", {}).get("__name__", "")
        is_own = not module.startswith("flask_caching")
        if callable(value) and name in {"make_cache_key", "key_prefix"} and is_own:
            return True
        if depth and callable(value) and not is_own and _has_own_key(value, depth - 1):
            return True
    return False
