"""Who gains and who loses which route between two sides: two manifests, two route tables.

Also runs as a program, which writes the routes of an app, on older revisions too: it imports
nothing of this package but names that they have.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import combinations, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from flask import Flask

    from cognises.access import Row
    from cognises.web.routes import Route as RouteOfApp

Route = dict[str, Any]
Side = list[Route]  # JSON can hold it
Match = tuple[str, str, "Route | None", "Route | None"]  # path, method, both routes
Sets = list[frozenset[str]]
_VALUES = ("zzz", "zz", "90125", "1.5", "-7", "0b0e1c1c-6f0c-4d0a-9d0e-000000000001",
           "zzz/zzz", "zzz/zzz/zzz", "zzz/zzz/zzz/zzz")  # fmt: skip
# What a token may be, and how a token is called that only one side accepts.
_ACCEPTED = {
    "client": "tokens of client {}", "token_use": "{} tokens", "audience": "tokens for audience {}",
    "region": "tokens of region {}", "claim": "tokens that carry groups in claim {}",
}  # fmt: skip


class AccessChange(NamedTuple):
    """One route that some callers have on one side only, and what it is open to on both sides."""

    who: str
    gained: bool
    method: str
    path: str
    before: str
    after: str
    groups: tuple[str, ...] = ()  # those in `who`

    @property
    def text(self) -> str:
        """The change without `who`, on one line."""
        verb, other = ("gains", self.before) if self.gained else ("loses", self.after)
        when = "open to" if self.before == self.after else "so far" if self.gained else "now"
        return f"{verb} {self.method} {self.path} ({when}: {other})"


def access_side(app: Flask) -> Side:
    """Every route of `app` that is reached, in the order of matching: who may call it, with which
    tokens, settings filled in, and what it matches. Raises as `report` does.
    """
    from cognises.access.route_report import rows_of

    rows = list(rows_of(app))  # brings the map up to date
    rules, states = list[Any](), [app.url_map._matcher._root]
    while states:  # in the order in which werkzeug tries them
        state = states.pop()
        rules += state.rules
        states += [*(each for _, each in reversed(state.dynamic)), *state.static.values()]
    is_by_host = app.subdomain_matching or app.url_map.host_matching  # else by the default domain
    order = {id(rule): number for number, rule in enumerate(rules) if not rule.websocket
             and (is_by_host or rule.subdomain == app.url_map.default_subdomain)}  # fmt: skip
    rows = [each for each in rows if id(each[0].rule) in order]
    rows.sort(key=lambda each: (order[id(each[0].rule)], each[1].method != "HEAD"))
    found: dict[tuple[str, str], Route] = {}
    for each in (each for route, row in rows for each in _routes(app, route, row)):
        method, pattern = each["method"], each["pattern"]
        other, bare = found.get((method, pattern)), pattern.removesuffix("/?")
        if other and each["path"].endswith("/") and not other["path"].endswith("/"):
            found.setdefault((method, bare), found.pop((method, pattern)) | {"pattern": bare})
        if method != "HEAD" or ("GET", pattern) not in found:  # GET of a rule before answers HEAD
            found.setdefault((method, pattern), each)
    return [*found.values()]


def _routes(app: Flask, route: RouteOfApp, row: Row) -> Iterator[Route]:
    """A route after its parts below guards by path: `/files/secret/…` of `/files/<path:name>`."""
    from flask.views import MethodView, View

    from cognises.access.route_report import _row
    from cognises.web.routes import declaration_at, handler_name, path_rules_of

    rule, kinds, rules, fit = route.rule, route.rule._converters, path_rules_of(app), {}
    host = (rule.host if app.url_map.host_matching else rule.subdomain) or ""
    for name, each in kinds.items():
        items = getattr(each, "items", None)  # of AnyConverter
        values = [*_VALUES, *re.findall(r"\w+", each.regex)]
        values += sorted(items) if isinstance(items, set) else ()
        lengths = {min(int(text), 999) for text in re.findall(r"\d+(?=,?\d*\})", each.regex)}
        values += [one * length for length in sorted(lengths) for one in "a0A"]
        fit[name] = [value for value in values if re.fullmatch(each.regex, value)]
        # Else a text that what matches any text, and by the pattern below this rule, matches.
        fit[name] = fit[name] or [each.regex.replace("/", "")]
    count = max(map(len, fit.values()), default=1)
    samples = ["".join(fit[text][n % len(fit[text])] if is_variable else text
                       for is_variable, text in rule._trace) for n in range(count)]  # fmt: skip
    regexes = {name: re.sub(r"(\(\?P[<=])", rf"\1{name}_", f"({each.regex}|")
               + re.escape(fit[name][0]) + ")" for name, each in kinds.items()}  # fmt: skip
    pattern = "".join(regexes[text] if is_variable else re.escape(text)
                      for is_variable, text in rule._trace)  # fmt: skip
    if rule.is_branch or not rule.strict_slashes:  # a redirect adds the slash
        pattern = f"{pattern.removesuffix('/')}/?"
        samples += [each.removesuffix("/") if rule.is_branch else f"{each}/" for each in samples]
    blueprint, _, name = row.endpoint.rpartition(".")
    folder = app.blueprints.get(blueprint, app).static_folder if name == "static" else None
    served = os.path.realpath(folder).removeprefix(str(Path.cwd())) if folder else ""
    refuses = any(getattr(each, key, None) or not each.to_python.__module__.startswith("werkzeug.")
                  for each in kinds.values() for key in ("min", "max", "fixed_digits"))  # fmt: skip
    # A sample shows little of what only some values fit, and nothing of the files in a folder.
    is_sampled = not (refuses or served) and all(
        type(each).__module__.startswith("werkzeug.") for each in kinds.values())  # fmt: skip
    whole = {"served": served, "is_sampled": is_sampled, "refuses": refuses, "pattern": pattern}
    view_class: Any = getattr(app.view_functions[row.endpoint], "view_class", View)
    is_handled = (view_class.dispatch_request is not MethodView.dispatch_request
                  or handler_name(view_class, row.method))  # fmt: skip
    if rule.redirect_to or (rule.alias and app.url_map.redirect_defaults) or not is_handled:
        whole |= {"open_to": "no view", "anonymous": False, "tokens": None}
    start, variable, _ = rule.rule.partition("<")
    partial = {f"{each.prefix}/" for each in rules if each.guards and not each.applies(rule, None)}
    for below in sorted(partial, key=len, reverse=True):
        parts = [(each + "/").split("/") for each in samples]
        ends = [(each[0], "/".join(each[n:-1])) for each in parts for n in range(1, len(each))]
        within = [head + text for head, end in ends for text in (below[:-1], below + end)]
        within = [each for each in dict.fromkeys(within) if re.fullmatch(pattern, each)]
        if variable and below.startswith(start) and within:
            applying = [each for each in rules if each.applies(rule, below)]
            declared = declaration_at(app, row.endpoint, row.method, applying)
            part = route._replace(declaration=declared._replace(is_contradictory=False))
            ahead = rf"(?=[^|]*\|{re.escape(below[:-1])}(/|$))"
            own = {"path": f"{host}{below}…", "pattern": ahead + pattern, "is_sampled": True}
            yield _access(app, _row(app, part)) | whole | own | {"samples": within}
    yield _access(app, row) | whole | {"path": host + rule.rule, "samples": samples}


def _access(app: Flask, row: Row) -> Route:
    needs = [[sorted(each.groups), sorted(each.scopes)] for each in row.permissions]
    is_guarded = needs or row.open_to == ("signed in",)  # else public, or closed
    return {"method": row.method, "open_to": ", ".join(row.open_to), "anonymous": row.is_public,
            "needs": needs, "tokens": _tokens(app, row) if is_guarded else None}  # fmt: skip


def _tokens(app: Flask, row: Row) -> dict[str, Any] | None:
    """What a token must be to pass all login guards; None where no token can."""
    from cognises.web.state import state_of

    state, logins = state_of(app), row.logins
    settings, own = state.settings_with_problems[0], state.own_pool
    pools = {guard.pool or own for guard in logins}
    clients = frozenset.intersection(*(each.client_ids or settings.client_ids for each in logins))
    uses = frozenset.intersection(*(each.token_use or settings.token_use for each in logins))
    scopes = frozenset().union(*(each.scopes for each in logins))
    uses = uses & {"access"} if scopes else uses  # ID tokens carry no scope
    if len(pools) > 1 or not uses or not (clients or not settings.client_ids):
        return None
    is_own, pool = pools == {own}, next(iter(pools))
    return {
        "pool": pool.id if pool and not is_own else "", "pool_id": pool.id if pool else "",
        "client": sorted(clients), "token_use": sorted(uses), "scope": sorted(scopes),
        "audience": sorted(settings.audiences if "access" in uses else ()),
        "region": sorted(settings.additional_regions if is_own else ()),
        "claim": [settings.groups_claim if is_own else "cognito:groups"],
    }  # fmt: skip


def access_diff(before: Side, after: Side) -> tuple[AccessChange, ...]:
    """Which routes are gained and lost, from what `access_side` returns.
    A change names the widest group of callers: everybody (without a token); every signed-in user;
    every machine client; each group, and each scope of machines, that suffices alone; several
    groups together where no single one suffices; and tokens that only one side accepts from the
    callers that both admit. A change of a wider group includes its members: groups are not listed
    again where every signed-in user gains. `before` and `after` state what a route is open to.
    """
    found: dict[tuple[object, ...], AccessChange] = {}
    for path, method, *sides in _matches(before, after):
        was, now = (each["open_to"] if each else "no such route" for each in sides)
        for gained, pair in ((True, sides), (False, sides[::-1])):
            for who, groups in dict(_gains(*pair)).items():
                change = AccessChange(who, gained, method, path, was, now, groups)
                found.setdefault((not gained, who, path, method), change)
    return tuple(found[key] for key in sorted(found))


def _matches(before: Side, after: Side) -> Iterator[Match]:
    """Pairs of routes that answer the same request, or have one name where samples show little."""
    if [(_name(o), o["pattern"]) for o in before] == [(_name(n), n["pattern"]) for n in after]:
        yield from ((o["path"], o["method"], o, n) for o, n in zip(before, after, strict=True))
        return
    pairs: dict[tuple[str, int, int], Match] = {}
    sides = [[(re.compile(each["pattern"]), each) for each in side] for side in (before, after)]
    names = [{_name(each): each for each in reversed(side)} for side in (before, after)]

    def add(method: str, old: Route | None, new: Route | None) -> None:
        is_added = old is None or (_name(old) in names[1] and new and _name(new) not in names[0])
        shown: Any = new if is_added else old  # else the rule that is gone, or comes later now
        pairs.setdefault((method, id(old), id(new)), (shown["path"], method, old, new))

    for route in (each for each in (*before, *after) if not each["is_sampled"]):
        add(route["method"], *(each.get(_name(route)) for each in names))
    requests = dict.fromkeys(text for each in (*before, *after) for text in each["samples"])
    for request in requests | dict.fromkeys(_meeting_requests(sides[0] + sides[1])):
        found = [[each for pattern, each in side if pattern.fullmatch(request)] for side in sides]
        for sent in {"HEAD", *(each["method"] for side in found for each in side)}:
            methods = {sent, "GET"} if sent == "HEAD" else {sent}  # GET answers HEAD after HEAD
            pair = [next((o for o in side if o["method"] in methods), None) for side in found]
            # On the other side the rule of this name may be there, and take no slash at the end.
            same = next((name for each, first in zip(pair, names, strict=True)
                         if each and first[name := _name(each)] is each), ())  # fmt: skip
            old, new = (one or each.get(same) for one, each in zip(pair, names, strict=True))
            if sent in {each["method"] for each in (old, new) if each}:
                add(sent, old, new)
    yield from pairs.values()


def _meeting_requests(side: list[tuple[re.Pattern[str], Route]]) -> Iterator[str]:
    """What two rules with variables both match: `/y/x`, for `/<a>/x` and `/y/<b>`."""
    by_size = {pattern: {each.count("/"): each.split("/") for each in reversed(route["samples"])}
               for pattern, route in side if pattern.groups}  # fmt: skip
    for (one, first), (other, second) in combinations(by_size.items(), 2):
        for size in [each for each in first if each in second and each < 8]:
            for parts in product(*map(dict.fromkeys, zip(first[size], second[size], strict=True))):
                request = "/".join(parts)
                if one.fullmatch(request) and other.fullmatch(request):
                    yield request


def _name(route: Route) -> tuple[str, ...]:
    return route["path"], route["method"], route["served"], route["pattern"].removesuffix("/?")


def _gains(old: Route | None, new: Route | None) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Who can call `new` and not `old`, with the groups in that text."""
    if old and new and old["refuses"] and not new["refuses"]:
        old = None  # it may answer 404 to what its pattern matches
    if new is None or (old and old["anonymous"]):
        return
    if new["anonymous"]:
        yield "everybody", ()
    elif tokens := new["tokens"]:
        had = old["tokens"] if old else None
        had = had if had and had["pool_id"] == tokens["pool_id"] else None  # else other users
        of_pool = f" of pool {tokens['pool']}" if tokens["pool"] else ""
        for names in _sufficient(_sets(new, 0), _sets(old, 0) if had else [frozenset()]):
            groups = tuple(sorted(frozenset().union(*names)))
            yield _text("every signed-in user", "group", names) + of_pool, groups
        if "access" in tokens["token_use"]:
            same = had if had and "access" in had["token_use"] else None
            carried = {*tokens["scope"], *(same["scope"] if same else ())}  # by every such token
            sets, old_sets = ([each for each in _sets(route, 1) if each.isdisjoint(carried)]
                              for route in (new, old))  # fmt: skip
            for names in _sufficient(sets, old_sets if same else [frozenset()]):
                yield _text("every machine client", "machines with scope", names) + of_pool, ()
        if had and all(_sets(new, 0)):
            yield from ((text.format(each), ()) for kind, text in _ACCEPTED.items()
                        for each in tokens[kind] if each not in had[kind])  # fmt: skip
            yield from ((f"tokens without scope {each}", ()) for each in had["scope"]
                        if each not in tokens["scope"])  # fmt: skip


def _sets(route: Route | None, part: int) -> Sets:
    """The groups (part 0) or scopes (1) that have each permission."""
    return [frozenset(need[part]) for need in (route["needs"] if route else ())]


def _sufficient(new: Sets, old: Sets) -> list[Sets]:
    """Who is in one of each set of `new`, and in none of some set of `old`: as sets, one of each.
    Single names first; then several, without those that suffice alone.
    """
    if not new:
        return [[]] if old else []
    alone = {name for name in frozenset.intersection(*new) if any(name not in each for each in old)}
    found = [[frozenset({name})] for name in sorted(alone)]
    for missed in old:
        every = {each - missed - alone for each in new}
        rest = sorted((each for each in every if not any(o < each for o in every)), key=sorted)
        if all(rest) and rest not in found:
            found.append(rest)
    return found


def _text(everyone: str, kind: str, names: Sequence[frozenset[str]]) -> str:
    texts = [" or ".join(sorted(each)) for each in names]
    shown = " with ".join(f"({t})" if " or " in t else t for t in texts)
    return f"{kind} {shown}" if names else everyone


if __name__ == "__main__":  # run in the project's folder; writes to the named file
    from flask.cli import ScriptInfo

    Path(sys.argv[1]).write_text(json.dumps(access_side(ScriptInfo().load_app())), "utf-8")
    os._exit(0)  # waits for no thread of the app
