"""Which groups may use which function, by the manifest. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from cognises.manifest import Group
from cognises.web.principal import OpenTo, decide

NO_ONE = OpenTo(frozenset())


class Permissions:
    """The manifest inverted: from a function's name to the groups that list it.

    Two objects made from equal manifests are equal, so that a guard made for each request shares
    what was compiled for the first one.
    """

    def __init__(self, groups: Iterable[Group]) -> None:
        index: dict[str, set[str]] = {}
        scopes: dict[str, set[str]] = {}
        for group in groups:
            scopes.setdefault(group.name, set()).update(group.scopes)
            for name in group.allowed_functions:
                index.setdefault(name, set()).add(group.name)
        self._index = {name: frozenset(names) for name, names in index.items()}
        self._scopes = {name: frozenset(each) for name, each in scopes.items() if each}
        self._key = (frozenset(self._index.items()), frozenset(self._scopes.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Permissions) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def names(self) -> frozenset[str]:
        """Every entry of every `allowed_functions`."""
        return frozenset(self._index)

    def open_to(
        self,
        name: str | None,
        endpoint: str | None = None,
        ambiguous: frozenset[str] = frozenset(),
    ) -> OpenTo:
        """Who may use a view, by its name, its endpoint, its blueprints, or `*`.

        Entries in `ambiguous` open nothing.
        """
        entries = {"*", *([name] if name else ()), *endpoint_entries(endpoint)} - ambiguous
        groups = frozenset().union(*(self._index.get(entry, ()) for entry in entries))
        scopes = frozenset().union(*(self._scopes.get(group, ()) for group in groups))
        return OpenTo(groups, scopes)

    def can(
        self,
        groups: tuple[str, ...],
        name: str,
        ambiguous: frozenset[str] = frozenset(),
        machine_scopes: frozenset[str] = frozenset(),
    ) -> bool:
        """Whether the manifest lists `name`, a function's or an endpoint's, for that principal."""
        return decide(groups, self.open_to(name, name, ambiguous), machine_scopes).allowed


def endpoint_entries(endpoint: str | None) -> list[str]:
    """Manifest entries that match an endpoint: itself, and each blueprint that contains it.

    >>> endpoint_entries("admin.reports.monthly")
    ['admin.reports.monthly', 'admin.*', 'admin.reports.*']
    """
    if not endpoint:
        return []
    parts = endpoint.split(".")
    return [endpoint, *(".".join(parts[:end]) + ".*" for end in range(1, len(parts)))]
