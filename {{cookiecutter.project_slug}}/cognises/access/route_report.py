"""Who may call what: the URL map and the manifest side by side (`flask cognises access`)."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import NamedTuple

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from cognises.errors import CognisesError, ProblemsError
from cognises.tokens.claims import TokenClaims, check
from cognises.web.permissions import NO_ONE, endpoint_entries
from cognises.web.principal import Decision, OpenTo, Principal, decide
from cognises.web.route_metadata import LoginGuard, Requirement
from cognises.web.routes import Route, function_name, own_static_view, path_rules_of, routes
from cognises.web.startup import manifest_names, route_problems
from cognises.web.state import state_of
from cognises.web.views import shares_cache

EVERYBODY, SIGNED_IN, NOBODY = "everybody", "signed in", "nobody"
_ASKS = {
    "insufficient_scope": "it asks for a scope that the token does not have",
    "wrong_token_use": "it takes the other kind of token",
    "wrong_client": "it takes tokens of another client",
}
_MARKUP = re.compile(r"([\\|<*`\[])")  # what Markdown would not show as it is


class Row(NamedTuple):
    """A route and who may call it: a word, or groups by name. `does` is the view's first line."""

    method: str
    path: str
    endpoint: str
    name: str | None
    open_to: tuple[str, ...]
    does: str = ""
    by_group: bool = False
    """Whether `open_to` holds names of groups, and not a word such as `everybody`."""
    needs: tuple[frozenset[str], ...] = ()
    """For each permission that is asked for, the groups that have it: a user needs one of each."""
    machine_scopes: tuple[frozenset[str], ...] = ()
    """For each of these permissions, the scopes that a machine has it by."""
    logins: tuple[LoginGuard, ...] = ()
    """What is asked of the token itself; of one that is there, where none needs to be."""

    @property
    def is_public(self) -> bool:
        """Whether everybody may call it."""
        return self.open_to == (EVERYBODY,) and not self.by_group

    @property
    def is_closed(self) -> bool:
        """Whether nobody may call it."""
        return self.open_to == (NOBODY,) and not self.by_group


class Report(NamedTuple):
    """Every route, and everything about them that needs a look; `problems` are sentences."""

    rows: tuple[Row, ...]
    problems: tuple[str, ...]
    path_rules: tuple[str, ...] = ()
    """Guards and openings by path, such as `protect /dash/`; the rows count them already."""


def report(app: Flask) -> Report:
    """Who may call what in `app`. Raises ManifestError or SettingsError where it cannot be told."""
    found = sorted(routes(app), key=lambda route: (route.path, route.method))
    rows = tuple(_row(app, route) for route in found)
    problems = tuple(dict.fromkeys(_problems(app, found, rows)))
    return Report(rows, problems, tuple(rule.text for rule in path_rules_of(app)))


def _row(app: Flask, route: Route) -> Row:
    permissions = route.declaration.permissions
    stated = next((guard.name for guard in permissions if guard.name), None)
    name = (stated or function_name(app, route.endpoint)) if permissions else None
    open_to_each = _needs(app, route) if permissions else ()
    needs = tuple(each.groups for each in open_to_each)
    open_to = format_groups(needs) if needs else (access_label(app, route),)
    by_group = bool(needs) and all(needs)
    return Row(
        route.method,
        route.path,
        route.endpoint,
        name,
        open_to,
        _first_line(app, route),
        by_group,
        needs,
        tuple(each.scopes for each in open_to_each),
        route.declaration.logins,
    )


def may_call(app: Flask, row: Row, user: Principal) -> Decision:
    """The decision that the guards would make for `user`, by groups and by token."""
    decision = groups_may_call(row, user)
    if decision.allowed and user.is_authenticated:
        for guard in row.logins:
            try:
                check(TokenClaims(user.claims), state_of(app).verifier(guard).expected, time.time())
            except CognisesError as error:
                return Decision(False, _ASKS.get(error.reason, "it takes tokens of another kind"))
    return decision


def groups_may_call(row: Row, user: Principal) -> Decision:
    """The part of the decision that groups make."""
    if row.needs:
        needs = zip(row.needs, row.machine_scopes, strict=True)
        decisions = [decide(user.groups, OpenTo(*need), user.machine_scopes) for need in needs]
        return next((each for each in decisions if not each.allowed), decisions[0])
    if row.open_to == (SIGNED_IN,):
        return Decision(user.is_authenticated, "everybody who is signed in may")
    return Decision(row.is_public, f"open to {row.open_to[0]}")


def _first_line(app: Flask, route: Route) -> str:
    """What a view's docstring starts with; for a class, its handler's."""
    view = app.view_functions[route.endpoint]
    view_class = getattr(view, "view_class", None)
    handler = getattr(view_class, route.method.lower(), None) if view_class else view
    text = (getattr(handler, "__doc__", None) or "").strip()
    return text.splitlines()[0] if text and view is not own_static_view(app) else ""


def _needs(app: Flask, route: Route) -> tuple[OpenTo, ...]:
    if route.declaration.is_contradictory:
        return (NO_ONE,)
    requirement = Requirement.of(route.declaration.guards)
    name = function_name(app, route.endpoint)
    return state_of(app).open_to(requirement, name, route.endpoint)


def format_groups(needs: tuple[frozenset[str], ...]) -> tuple[str, ...]:
    """Groups by name; where one of each of several sets is needed, one text that says so."""
    sets = [groups for groups in dict.fromkeys(needs) if not any(other < groups for other in needs)]
    if len(sets) == 1:
        return tuple(sorted(sets[0])) or (NOBODY,)
    return (" and ".join(f"({' or '.join(sorted(groups))})" for groups in sets),)


def access_label(app: Flask, route: Route) -> str:
    """Who may call a route that asks for no group."""
    declaration = route.declaration
    if declaration.is_contradictory:
        return NOBODY
    if declaration.is_public or app.view_functions[route.endpoint] is state_of(app).static_view:
        return EVERYBODY
    if not declaration.guards:
        return NOBODY
    return EVERYBODY if Requirement.of(declaration.guards).admits_anonymous else SIGNED_IN


def _problems(app: Flask, found: list[Route], rows: tuple[Row, ...]) -> Iterator[str]:
    listed = manifest_names(app)
    yield from route_problems(app)
    for route, row in zip(found, rows, strict=True):
        if row.is_closed and not route.declaration.guards:
            yield f"{route.place}: unguarded, so it is denied; add @public or a guard"
        elif row.is_closed and not route.declaration.is_contradictory:
            yield f"{route.place}: nobody may call it; list {row.name!r} for a group"
        if route.declaration.guards and shares_cache(app.view_functions[route.endpoint]):
            yield f"{route.place}: guarded, and cached for all users alike; key the cache by user"
    for name in sorted(listed - _known_names(app, found)):
        yield f"{name}: no route has this name; correct groups.json or the route"


def _known_names(app: Flask, found: list[Route]) -> set[str]:
    known = {"*"}
    for route in found:
        for guard in route.declaration.permissions:
            known |= {guard.name or function_name(app, route.endpoint) or route.endpoint}
            known |= set(endpoint_entries(route.endpoint))
    return known


def as_text(found: Report) -> str:
    """The report as an aligned table, then its path rules and problems."""
    rules = (f"by path: {rule}" for rule in found.path_rules)
    problems = (f"problem: {problem}" for problem in found.problems)
    return "\n".join([*aligned(_cells(found)), *rules, *problems])


def aligned(lines: list[list[str]]) -> list[str]:
    """Rows of cells as lines of text, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def as_markdown(found: Report) -> str:
    """The report as a Markdown table, then its problems as a list."""
    head, *rows = [[_MARKUP.sub(r"\\\1", cell) for cell in line] for line in _cells(found)]
    lines = [head, ["---"] * len(head), *rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    rules = (f"- by path: `{rule}`" for rule in found.path_rules)
    return "\n".join([table, *rules, *(f"- {problem}" for problem in found.problems)])


def as_json(found: Report) -> str:
    """The report as one JSON object: `routes`, `path_rules` and `problems`."""
    told = ("method", "path", "endpoint", "name", "open_to", "does", "by_group")
    rows = [
        {name: getattr(row, name) for name in told} | {"needs": [*map(sorted, row.needs)]}
        for row in found.rows
    ]
    found_else = {"path_rules": found.path_rules, "problems": found.problems}
    return json.dumps({"routes": rows} | found_else, indent=2)


def _cells(found: Report) -> list[list[str]]:
    rows = [[row.method, row.path, row.name or "", ", ".join(row.open_to)] for row in found.rows]
    return [["method", "path", "function", "open to"], *rows]


FORMATS = {"text": as_text, "json": as_json, "markdown": as_markdown}


@click.command("access")
@click.option("--format", "kind", type=click.Choice(list(FORMATS)), default="text")
@click.option("--check", "strict", is_flag=True, help="Exit 1 if anything needs a look.")
@with_appcontext
def access_command(kind: str, strict: bool) -> None:
    """Every route and who may call it, from the code and groups.json alone."""
    try:
        found = report(current_app._get_current_object())  # type: ignore[attr-defined]
    except ProblemsError as error:
        raise click.ClickException(f"cannot tell who may call what:\n{error}") from None
    click.echo(FORMATS[kind](found))
    if strict and found.problems:
        raise click.exceptions.Exit(1)
