"""What a change set would do: read from CloudFormation's answer, told in plain words, refused."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cognises.errors import printable

# How CloudFormation says that a change set holds nothing.
_NOTHING = re.compile(
    r"did\s?n.?.?t contain changes|no updates are to be performed|no changes to (deploy|perform)",
    re.IGNORECASE,
)
_VERBS = {"Add": "add", "Modify": "change", "Remove": "remove", "Import": "import"}
_SIGNS = {"add": "+", "change": "~", "remove": "-", "import": "+", "replace": "!"}
_LOUD = {
    "replace": "  <- REPLACED: a new one is made, the old one is deleted",
    "remove": "  <- DELETED",
}
_HARMLESS = frozenset({"add", "change", "import"})


@dataclass(frozen=True)
class StackChange:
    """What happens to one resource. `verb` is add, change, replace, remove, import, or AWS's."""

    verb: str
    logical_id: str
    resource_type: str
    maybe: bool = False  # AWS knows only while doing it whether the resource is replaced
    properties: tuple[str, ...] = ()

    def __str__(self) -> str:
        told = f"{_SIGNS.get(self.verb, '?')} {self.verb} {self.logical_id} ({self.resource_type})"
        if self.properties:
            told += f": {', '.join(self.properties)}"
        if self.maybe:
            told += "  <- perhaps replaced: AWS knows only once it is there"
        return printable(told + _LOUD.get(self.verb, ""))


def is_empty_change_set(reason: str) -> bool:
    """Whether a change set failed only because there is nothing to change."""
    return bool(_NOTHING.search(reason))


def stack_changes(changes: Iterable[Mapping[str, Any]]) -> tuple[StackChange, ...]:
    """From the `Changes` of DescribeChangeSet; what is no resource is left out."""
    return tuple(_change(each["ResourceChange"]) for each in changes if each.get("ResourceChange"))


def guard_problems(changes: Iterable[StackChange], guarded: Collection[str]) -> list[str]:
    """Why these changes must not be made: a resource of a guarded type would be lost."""
    return [
        f"{change.logical_id} ({change.resource_type}) would be {_participle(change)} and what it "
        "holds would be lost; undo what asks for that"
        for change in changes
        if change.resource_type in guarded and (change.maybe or change.verb not in _HARMLESS)
    ]


def _participle(change: StackChange) -> str:
    if change.verb in ("replace", "change"):
        return "replaced, perhaps," if change.maybe else "replaced"
    return "removed" if change.verb == "remove" else f"changed by {change.verb!r}"


def _change(said: Mapping[str, Any]) -> StackChange:
    verb = _VERBS.get(said.get("Action", ""), str(said.get("Action", "")))
    replacement = said.get("Replacement")
    if verb == "change" and replacement == "True":
        verb = "replace"
    return StackChange(
        verb=verb,
        logical_id=said.get("LogicalResourceId", ""),
        resource_type=said.get("ResourceType", ""),
        maybe=verb == "change" and replacement == "Conditional",
        properties=_properties(said) if verb in ("change", "replace") else (),
    )


def _properties(said: Mapping[str, Any]) -> tuple[str, ...]:
    """Which properties differ; for what is no property (tags, metadata) the kind of it."""
    targets = [each.get("Target") or {} for each in said.get("Details") or ()]
    names = [each.get("Name") or each.get("Attribute") for each in targets]
    return tuple(dict.fromkeys(name for name in names if name))
