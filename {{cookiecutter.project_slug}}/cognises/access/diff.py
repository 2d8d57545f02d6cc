"""Who gains and who loses which route between two sides: two manifests, two route tables.

Also runs as a program, which writes the routes of an app, on older revisions too: it imports
nothing of this package but names that they have.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from flask import Flask

    from cognises.access import Row

Route = dict[str, Any]
Side = list[Route]  # JSON can hold it
Sets = list[frozenset[str]]
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
    """Every route of `app`: who may call it, and with which tokens, settings filled in.
    Raises ManifestError or SettingsError, as `report` does.
    """
    from cognises.access import report

    return [_route(app, row) for row in report(app).rows]


def _route(app: Flask, row: Row) -> dict[str, Any]:
    needs = [[sorted(each.groups), sorted(each.scopes)] for each in row.permissions]
    tokens = None
    if needs or row.open_to == ("signed in",):  # else public, or closed
        tokens = _tokens(app, row)
    names = {"method": row.method, "path": row.path, "endpoint": row.endpoint}
    fields = {"anonymous": row.is_public, "needs": needs, "tokens": tokens}
    return {**names, "open_to": ", ".join(row.open_to), **fields}


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
    """Which routes (by method and path) are gained and lost, from what `access_side` returns.
    A change names the widest group of callers: everybody (without a token); every signed-in user;
    every machine client; each group, and each scope of machines, that suffices alone; several
    groups together where no single one suffices; and tokens that only one side accepts from the
    callers that both admit. A change of a wider group includes its members: groups are not listed
    again where every signed-in user gains. `before` and `after` state what a route is open to.
    """
    old, new = _by_rule(before), _by_rule(after)
    found = []
    for key in sorted({*old, *new}):
        sides = old.get(key), new.get(key)
        was, now = (each["open_to"] if each else "no such route" for each in sides)
        for gained, pair in ((True, sides), (False, sides[::-1])):
            for who, groups in dict(_gains(*pair)).items():
                found.append(AccessChange(who, gained, key[1], key[0], was, now, groups))
    return tuple(sorted(found, key=lambda each: (not each.gained, each.who)))


def _by_rule(side: Side) -> dict[tuple[str, str], Route]:
    """Routes by path and method; with the endpoint where two share these, as with hosts."""
    shared = Counter((each["path"], each["method"]) for each in side)
    named = ((each, shared[each["path"], each["method"]] > 1) for each in side)
    return {(f"{r['path']} ({r['endpoint']})" if is_shared else r["path"], r["method"]): r
            for r, is_shared in named}  # fmt: skip


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
