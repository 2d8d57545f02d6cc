"""What CloudFormation reports: a change set's changes, and a stack's events and causes of failure.

Source: AWS CloudFormation API reference, DescribeChangeSet, ResourceChange, StackEvent.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cognises.errors import printable
from cognises.provisioning.aws_errors import advice_for

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


STACK = "AWS::CloudFormation::Stack"
# A failure that only follows from another one.
_CONSEQUENCE = re.compile(
    r"cancelled|the following resource\(s\) failed|resource (creation|update) initiated",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Event:
    """One event of a stack."""

    id: str
    logical_id: str
    resource_type: str
    status: str
    reason: str = ""
    physical_id: str = ""

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Event:
        """In: one of the `StackEvents` of DescribeStackEvents; emulators leave fields out."""
        return cls(
            id=event.get("EventId", ""),
            logical_id=event.get("LogicalResourceId", ""),
            resource_type=event.get("ResourceType", ""),
            status=event.get("ResourceStatus", ""),
            reason=event.get("ResourceStatusReason") or "",
            physical_id=event.get("PhysicalResourceId") or "",
        )

    @property
    def is_about_stack(self) -> bool:
        return self.resource_type == STACK

    def __str__(self) -> str:
        reason = f": {self.reason}" if self.status.endswith("_FAILED") and self.reason else ""
        return printable(f"{self.status} {self.logical_id}{reason}")


def failure_causes(events: Iterable[Event]) -> list[str]:
    """Each failed resource with AWS's reason and what fixes it, oldest first.

    Failures that only follow from another are left out, unless nothing else is known.
    """
    failed = [
        each for each in events if each.status.endswith("_FAILED") and not each.is_about_stack
    ]
    with_reason = [each for each in failed if each.reason]
    roots = [each for each in with_reason if not _CONSEQUENCE.search(each.reason)]
    return list(dict.fromkeys(_cause(each) for each in roots or with_reason or failed))


def retained(events: Iterable[Event]) -> list[Event]:
    """What a deletion or rollback left in the account because of its DeletionPolicy."""
    return [each for each in events if each.status == "DELETE_SKIPPED"]


def _cause(event: Event) -> str:
    reason = event.reason.strip() or "AWS gives no reason"
    advice = advice_for(event.resource_type, "", event.reason)
    text = f"{event.status} {event.logical_id} ({event.resource_type}): {reason}"
    return printable(f"{text}; {advice}" if advice else text)
