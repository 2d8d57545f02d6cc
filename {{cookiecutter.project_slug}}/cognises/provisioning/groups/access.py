"""Which routes groups gain and lose by a change: as data, text, Markdown and JSON. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cognises.errors import printable

if TYPE_CHECKING:
    from cognises.access import AccessChange


@dataclass(frozen=True)
class Access:
    """A comparison of who may call which route; digests identify who may call what by groups.json.
    `manifest_applied`: what AWS records; None: not of every group. `unknown`: what may grant, as
    nothing tells what it was before. `members`: how many people are in a group.
    """

    against: str = ""
    changes: tuple[AccessChange, ...] = ()
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    manifest: str = ""
    manifest_applied: str | None = None
    members: Mapping[str, str] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        gained = sum(each.gained for each in self.changes)
        return f"{gained} gained, {len(self.changes) - gained} lost"

    def lines(self) -> Iterator[str]:
        """The comparison as lines of text; none where there is nothing to say."""
        if self.changes or self.unknown:
            yield f"routes, compared with {self.against}: {self.summary}"
        for who in dict.fromkeys(each.who for each in self.changes):
            yield f"  {who}{self._people(who)}"
            changes = [each for each in self.changes if each.who == who]
            yield from (f"      {'!' if each.gained else '-'} {each.text}" for each in changes)
        yield from (f"  ! {line}" for line in self.unknown)
        yield from (f"note: {line}" for line in self.notes)

    def text(self) -> str:
        """The same, for a command of its own."""
        lines = list(self.lines())
        if not self.changes and not self.unknown:
            lines.append(f"routes, compared with {self.against}: no change")
        return "\n".join(map(printable, lines))

    def markdown(self) -> str:
        """A table for a pull request."""
        partly = "; partly not compared" if self.unknown or self.notes else ""
        against = re.sub(r"[^\w ()/.^~-]", " ", self.against)  # a commit that can be copied
        lines = [f"**Routes, compared with {against}: {self.summary}{partly}**", ""]
        if self.changes:
            lines += ["| | who | route | before | after |", "|---|---|---|---|---|"]
        for each in sorted(self.changes, key=lambda each: (  # the widest first
                not each.gained, each.who != "everybody", each.who[:6] != "every ")):  # fmt: skip
            who, route = f"{each.who}{self._people(each.who)}", f"{each.method} {each.path}"
            cells = map(_cell, (who, route, each.before, each.after))
            verb = "**gains**" if each.gained else "loses"
            lines.append(f"| {verb} | {' | '.join(cells)} |")
        return "\n".join([*lines, *(f"\n{_cell(line)}" for line in (*self.unknown, *self.notes))])

    def as_json(self) -> dict[str, Any]:
        return {**vars(self), "changes": [each._asdict() for each in self.changes]}

    def _people(self, who: str) -> str:
        groups = next(each.groups for each in self.changes if each.who == who)
        found = [self.members[each] for each in groups if each in self.members]
        return f" (members: {' and '.join(found)})" if found else ""


def _cell(text: str) -> str:
    """Text of the code under review, with nothing that Markdown or a mention could act on."""
    text = re.sub(r"([\\|<*_`\[~&#$])", r"\\\1", printable(text))
    acts = r"(?i)(?<=[@#])|(?<=:)(?=/)|(?<=www)(?=\.)|(?<=gh)(?=-)|(?<=[0-9a-f]{6})(?=[0-9a-f])"
    return re.sub(acts, "\u200b", text)  # no mention, URL, issue or commit
