"""Who gains and who loses which route between two sides: two manifests, two route tables.

Also runs as a program, which writes the routes of an app, on older revisions too: it imports
nothing of this package but names that they have.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
_METHODS = {"GET": ["GET", "HEAD"]}  # GET answers HEAD too, where HEAD has no route before it
_VALUES = ("zzz", "zz", "90125", "1.5", "-7", "zzz/zzz", "0b0e1c1c-6f0c-4d0a-9d0e-000000000001")
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
        when = "so far" if self.gained else "now"
        when = "open to" if self.before == self.after else when  # other tokens
        return f"{verb} {self.method} {self.path} ({when}: {other})"


def access_side(app: Flask) -> Side:
    """Every route of `app` in the order of matching: who may call it, with which tokens, settings
    filled in, and what it matches. Raises ManifestError or SettingsError, as `report` does.
    """
    from cognises.access.route_report import rows_of

    numbers = {id(rule): number for number, rule in enumerate(app.url_map.iter_rules())}
    pairs = sorted(rows_of(app), key=lambda pair: (
        [(not each.static, each.weight) for each in pair[0].rule._parts],
        numbers[id(pair[0].rule)], pair[1].method != "HEAD"))  # fmt: skip
    return [each for route, row in pairs if not (route.rule.build_only or route.rule.websocket)
            for each in _routes(app, route, row)]  # fmt: skip


def _routes(app: Flask, route: RouteOfApp, row: Row) -> Iterator[Route]:
    """A route after its parts below guards by path: `/files/secret/…` of `/files/<path:name>`."""
    from cognises.access.route_report import _row
    from cognises.web.routes import declaration_at, path_rules_of

    rule, rules, fit = route.rule, path_rules_of(app), {}
    host = (rule.host if app.url_map.host_matching else rule.subdomain) or ""
    kinds = rule._converters
    for name, each in kinds.items():
        items = getattr(each, "items", ())  # of AnyConverter
        values = [*_VALUES, *re.findall(r"\w+", each.regex), *(() if callable(items) else items)]
        lengths = {min(int(digits), 999) for digits in re.findall(r"\{(\d+)", each.regex)}
        values += [one * length for length in sorted(lengths) for one in "a0A"]
        fit[name] = [value for value in values if re.fullmatch(each.regex, value)]
    count = max(map(len, fit.values()), default=1) if all(fit.values()) else 0
    samples = ["".join(fit[text][n % len(fit[text])] if is_variable else text
                       for is_variable, text in rule._trace) for n in range(count)]  # fmt: skip
    pattern = "".join(f"({kinds[text].regex})" if is_variable else re.escape(text)
                      for is_variable, text in rule._trace)  # fmt: skip
    pattern = pattern if rule.strict_slashes else f"{pattern.removesuffix('/')}/?"
    blueprint, _, name = row.endpoint.rpartition(".")
    folder = app.blueprints.get(blueprint, app).static_folder if name == "static" else None
    served = os.path.relpath(os.path.realpath(folder)) if folder else ""
    # A sample shows little of what only some values fit, and nothing of the files in a folder.
    limited = any(getattr(each, key, None) or "werkzeug" not in type(each).__module__
                  or re.match(r"\[\^/\]\{(?!1,\})", each.regex)
                  for each in kinds.values() for key in ("min", "max", "fixed_digits"))  # fmt: skip
    whole = {"served": served, "is_sampled": not (limited or served or not samples)}
    start, variable, _ = rule.rule.partition("<")
    partial = {f"{each.prefix}/" for each in rules if each.guards and not each.applies(rule, None)}
    for below in sorted(partial, key=len, reverse=True):
        prefix = f"{host}|{below}"
        rest = ("/".join(each.split("/")[below.count("/") :]) for each in samples)
        within = [prefix[:-1], f"{prefix}zzz", *(prefix + each for each in rest)]
        within = [each for each in within if re.fullmatch(pattern, each)]
        if variable and below.startswith(start) and (within or not samples):
            applying = [each for each in rules if each.applies(rule, below)]
            declared = declaration_at(app, row.endpoint, row.method, applying)
            part = route._replace(declaration=declared._replace(is_contradictory=False))
            ahead = f"(?={re.escape(prefix[:-1])}(/|$))"
            names = {"path": f"{host}{below}…", "samples": within, "pattern": ahead + pattern}
            yield _access(app, _row(app, part)) | whole | names
    names = {"path": host + rule.rule, "samples": samples, "pattern": pattern}
    yield _access(app, row) | whole | names


def _access(app: Flask, row: Row) -> Route:
    needs = [[sorted(each.groups), sorted(each.scopes)] for each in row.permissions]
    is_guarded = needs or row.open_to == ("signed in",)  # else public, or closed
    fields = {"method": row.method, "endpoint": row.endpoint, "open_to": ", ".join(row.open_to)}
    tokens = _tokens(app, row) if is_guarded else None
    return {**fields, "anonymous": row.is_public, "needs": needs, "tokens": tokens}


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
    """Each pair of routes that answer the same request, by the samples of both sides. Routes of
    which samples are not known, or show too little, go with those of the same name and pattern.
    """
    sides = [[(re.compile(each.get("pattern", "(?!)")), each) for each in side]
             for side in (before, after)]  # fmt: skip
    names = [{_name(each): each for each in reversed(side)} for side in (before, after)]
    meeting = _meeting_requests(sides[0] + sides[1])
    pairs: dict[tuple[str, int, int], Match] = {}
    for route in (*before, *after):
        path, method, *_ = _name(route)
        if not route.get("is_sampled"):
            old, new = (each.get(_name(route)) for each in names)
            pairs.setdefault((method, id(old), id(new)), (path, method, old, new))
            if new is None and not route.get("samples"):  # any rule may answer its requests now
                yield from ((path, method, old, each) for each in after if each["method"] == method)
        for sent in _METHODS.get(method, [method]):
            for request in (*route.get("samples", ()), *meeting.get(route.get("pattern", ""), ())):
                old, new = pair = [_answer(each, sent, request) for each in sides]
                is_own = any(each and each["method"] == sent for each in pair)
                if is_own and (route is old or route is new):
                    pairs.setdefault((sent, id(old), id(new)), (path, sent, old, new))
    yield from pairs.values()


def _meeting_requests(side: list[tuple[re.Pattern[str], Route]]) -> dict[str, dict[str, None]]:
    """By pattern, what two rules with variables both match: `/y/x`, for `/<a>/x` and `/y/<b>`."""
    found: dict[str, dict[str, None]] = {}
    samples = {
        pattern: route["samples"][0].split("/")
        for pattern, route in side
        if route.get("samples") and pattern.groups and not pattern.pattern.startswith("(?=")
    }
    for (one, first), (other, second) in combinations(samples.items(), 2):
        is_alike = len(first) == len(second) < 9
        both = map(dict.fromkeys, zip(first, second, strict=True)) if is_alike else [()]
        for parts in product(*both):
            request = "/".join(parts)
            if one.fullmatch(request) and other.fullmatch(request):
                for each in (one, other):
                    found.setdefault(each.pattern, {})[request] = None
    return found


def _name(route: Route) -> tuple[str, ...]:
    return route["path"], route["method"], route.get("served", ""), route.get("pattern", "")


def _answer(side: list[tuple[re.Pattern[str], Route]], method: str, request: str) -> Route | None:
    methods = _METHODS["GET"] if method == "HEAD" else [method]
    return next((r for p, r in side if r["method"] in methods and p.fullmatch(request)), None)


def _gains(old: Route | None, new: Route | None) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Who can call `new` and not `old`, with the groups in that text."""
    if new is None or (old and old["anonymous"]):
        return
    if new["anonymous"]:
        yield "everybody", ()
    elif tokens := new["tokens"]:
        had = old["tokens"] if old else None
        had = had if had and had["pool_id"] == tokens["pool_id"] else None  # else other users
        of_pool = f" of pool {tokens['pool']}" if tokens["pool"] else ""
        for names in _sufficient(_sets(new, 0), _sets(old, 0) if had else None):
            groups = tuple(sorted(frozenset().union(*names)))
            yield _text("every signed-in user", "group", names) + of_pool, groups
        if "access" in tokens["token_use"]:
            same = had if had and "access" in had["token_use"] else None
            carried = {*tokens["scope"], *(same["scope"] if same else ())}  # by every such token
            sets, old_sets = (
                [each for each in _sets(route, 1) if each.isdisjoint(carried)]
                for route in (new, old)
            )
            for names in _sufficient(sets, old_sets if same else None):
                yield _text("every machine client", "machines with scope", names) + of_pool, ()
        if had and all(_sets(new, 0)):
            yield from ((text, ()) for text in _other_tokens(had, tokens))


def _other_tokens(old: Mapping[str, list[str]], new: Mapping[str, list[str]]) -> Iterator[str]:
    """The tokens that `new` accepts and `old` does not."""
    for kind, text in _ACCEPTED.items():
        yield from (text.format(value) for value in sorted({*new[kind]} - {*old[kind]}))
    for scope in sorted({*old["scope"]} - {*new["scope"]}):
        yield f"tokens without scope {scope}"


def _sets(route: Route | None, part: int) -> Sets:
    """The groups (part 0) or scopes (1) that have each permission."""
    return [frozenset(need[part]) for need in (route["needs"] if route else ())]


def _sufficient(new: Sets, old: Sets | None) -> list[Sets]:
    """Who is in one of each set of `new`, and in none of some set of `old`: as sets, one of each.
    Single names first; then several, without those that suffice alone. `old` None: no caller was.
    """
    old = [frozenset()] if old is None else old
    if not new:
        return [[]] if old else []
    alone = {name for name in frozenset.intersection(*new) if any(name not in each for each in old)}
    found = [[frozenset({name})] for name in sorted(alone)]
    for missed in old:
        rest = _smallest(each - missed - alone for each in new)
        if all(rest) and rest not in found:
            found.append(rest)
    return found


def _smallest(sets: Iterable[frozenset[str]]) -> Sets:
    every = set(sets)
    return sorted((each for each in every if not any(o < each for o in every)), key=sorted)


def _text(everyone: str, kind: str, names: Sequence[frozenset[str]]) -> str:
    if not names:
        return everyone
    texts = [" or ".join(sorted(each)) for each in names]
    return f"{kind} " + " with ".join(f"({t})" if " or " in t else t for t in texts)


if __name__ == "__main__":  # run in the project's folder; writes to the named file
    from flask.cli import ScriptInfo

    Path(sys.argv[1]).write_text(json.dumps(access_side(ScriptInfo().load_app())), "utf-8")
    os._exit(0)  # waits for no thread of the app
