"""The changes of a CloudFormation change set: read, printed, and refused where data is lost.

Source: AWS CloudFormation API reference, DescribeChangeSet, ResourceChange.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cognises.errors import printable

_NOTHING = re.compile(
    r"did\s?n.?.?t contain changes|no updates are to be performed|no changes to (deploy|perform)",
    re.IGNORECASE,
)
_VERBS = {"Add": "add", "Modify": "modify", "Remove": "remove", "Import": "import"}
_SIGNS = {"add": "+", "modify": "~", "remove": "-", "import": "+", "replace": "!"}
_NOTES = {
    "replace": "  <- REPLACED: a new resource is created and the old one is deleted",
    "remove": "  <- DELETED",
}
_HARMLESS = frozenset({"add", "modify", "import"})


@dataclass(frozen=True)
class StackChange:
    """One change. `verb` is add, modify, replace, remove, import, or AWS's own word."""

    verb: str
    logical_id: str
    resource_type: str
    conditional: bool = False  # AWS decides during the update whether it replaces the resource
    properties: tuple[str, ...] = ()
    drift: str = ""  # MODIFIED or DELETED where somebody changed the resource by hand

    def __str__(self) -> str:
        sign = _SIGNS.get(self.verb, "?")
        text = f"{sign} {self.verb} {self.logical_id} ({self.resource_type})"
        if self.properties:
            text += f": {', '.join(self.properties)}"
        if self.drift:
            text += f"  <- reverts a manual change ({self.drift})"
        if self.conditional:
            text += "  <- possibly replaced: AWS decides during the update"
        return printable(text + _NOTES.get(self.verb, ""))


def is_empty_change_set(reason: str) -> bool:
    """Whether a change set failed only because there is nothing to change."""
    return bool(_NOTHING.search(reason))


def read_changes(changes: Iterable[Mapping[str, Any]]) -> tuple[StackChange, ...]:
    """In: the `Changes` of DescribeChangeSet. Entries without a resource are left out."""
    return tuple(_change(each["ResourceChange"]) for each in changes if each.get("ResourceChange"))


def protection_problems(changes: Iterable[StackChange], protected: Collection[str]) -> list[str]:
    """One line for each change that would delete or replace a resource of a protected type."""
    return [
        f"{change.logical_id} ({change.resource_type}) would be {_outcome(change)} and its data "
        "lost; undo the edit that causes this"
        for change in changes
        if change.resource_type in protected and (change.conditional or _loses(change))
    ]


def _loses(change: StackChange) -> bool:
    return change.verb not in _HARMLESS


def _outcome(change: StackChange) -> str:
    if change.verb == "remove":
        return "removed"
    if change.conditional:
        return "possibly replaced"
    return "replaced" if change.verb == "replace" else f"changed by {change.verb!r}"


def _change(resource: Mapping[str, Any]) -> StackChange:
    action = str(resource.get("Action", ""))
    verb, replacement = _VERBS.get(action, action), resource.get("Replacement")
    if verb == "modify" and replacement == "True":
        verb = "replace"
    drift = str(resource.get("ResourceDriftStatus") or "")
    return StackChange(
        verb=verb,
        logical_id=resource.get("LogicalResourceId", ""),
        resource_type=resource.get("ResourceType", ""),
        conditional=verb == "modify" and replacement == "Conditional",
        properties=_properties(resource) if verb in ("modify", "replace") else (),
        drift=drift if drift in ("MODIFIED", "DELETED") else "",
    )


def _properties(resource: Mapping[str, Any]) -> tuple[str, ...]:
    """The properties that differ; for tags and metadata, the attribute's name."""
    targets = [each.get("Target") or {} for each in resource.get("Details") or ()]
    names = [each.get("Name") or each.get("Attribute") for each in targets]
    return tuple(dict.fromkeys(name for name in names if name))
