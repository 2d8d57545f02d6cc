"""Who may use what, by the manifest. Pure: groups and names in, a decision out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from cognises.manifest import Group


class Decision(NamedTuple):
    """Whether a user may use a view, and why, in words fit for a log."""

    allowed: bool
    reason: str


_ALLOWED = Decision(True, "a group lists it")
_NO_GROUP = Decision(False, "the user is in no group")
_UNLISTED = Decision(False, "no group of the user lists it")


class Permissions:
    """The manifest turned round: from a function's name to the groups that list it."""

    def __init__(self, groups: Iterable[Group]) -> None:
        index: dict[str, set[str]] = {}
        for group in groups:
            for name in group.allowed_functions:
                index.setdefault(name, set()).add(group.name)
        self._index = {name: frozenset(names) for name, names in index.items()}

    @property
    def names(self) -> frozenset[str]:
        """Every entry of every `allowed_functions`."""
        return frozenset(self._index)

    def groups_for(
        self,
        name: str | None,
        endpoint: str | None = None,
        ambiguous: frozenset[str] = frozenset(),
    ) -> frozenset[str]:
        """The groups a view is open to, by its name, its endpoint, its blueprints, or `*`.

        Entries in `ambiguous` open nothing.
        """
        entries = {"*", *([name] if name else ()), *endpoint_entries(endpoint)} - ambiguous
        return frozenset().union(*(self._index.get(entry, ()) for entry in entries))

    def can(
        self, groups: tuple[str, ...], name: str, ambiguous: frozenset[str] = frozenset()
    ) -> bool:
        """Whether any of `groups` lists `name`, a function's or an endpoint's."""
        return decide(groups, self.groups_for(name, name, ambiguous)).allowed


def endpoint_entries(endpoint: str | None) -> list[str]:
    """Manifest entries that match an endpoint: itself, and each blueprint it lies in.

    >>> endpoint_entries("admin.reports.monthly")
    ['admin.reports.monthly', 'admin.*', 'admin.reports.*']
    """
    if not endpoint:
        return []
    parts = endpoint.split(".")
    return [endpoint, *(".".join(parts[:end]) + ".*" for end in range(1, len(parts)))]


def decide(groups: tuple[str, ...], open_to: frozenset[str]) -> Decision:
    """The decision for a user in `groups` at a view open to `open_to`. Default: no."""
    if not groups:
        return _NO_GROUP
    return _UNLISTED if open_to.isdisjoint(groups) else _ALLOWED
