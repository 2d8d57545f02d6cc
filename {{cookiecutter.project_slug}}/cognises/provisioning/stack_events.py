"""The events of a CloudFormation stack: printed as progress, and read for the causes of a failure.

Source: AWS CloudFormation API reference, StackEvent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cognises.errors import printable
from cognises.provisioning.aws_errors import advice_for

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
