"""A stack's events in plain words: progress while it goes on, causes where it fails."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cognises.errors import printable

STACK = "AWS::CloudFormation::Stack"
# A failure that only follows from another one.
_CONSEQUENCE = re.compile(
    r"cancelled|the following resource\(s\) failed|resource (creation|update) initiated",
    re.IGNORECASE,
)
_WORDS = {
    "CREATE_IN_PROGRESS": "making",
    "CREATE_COMPLETE": "made",
    "CREATE_FAILED": "FAILED to make",
    "UPDATE_IN_PROGRESS": "changing",
    "UPDATE_COMPLETE": "changed",
    "UPDATE_FAILED": "FAILED to change",
    "DELETE_IN_PROGRESS": "deleting",
    "DELETE_COMPLETE": "deleted",
    "DELETE_FAILED": "FAILED to delete",
    "DELETE_SKIPPED": "kept",
    "IMPORT_IN_PROGRESS": "importing",
    "IMPORT_COMPLETE": "imported",
    "IMPORT_FAILED": "FAILED to import",
    "ROLLBACK_IN_PROGRESS": "taking back",
    "ROLLBACK_COMPLETE": "took back",
    "UPDATE_ROLLBACK_IN_PROGRESS": "taking back",
    "UPDATE_ROLLBACK_COMPLETE": "took back",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "clearing up after",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": "clearing up after",
}
_COULD_NOT = {
    "CREATE_FAILED": "could not be made",
    "UPDATE_FAILED": "could not be changed",
    "DELETE_FAILED": "could not be deleted",
    "IMPORT_FAILED": "could not be imported",
}
# What AWS says, and what helps.
_ADVICE = (
    (
        r"UserPoolDomain.*already (exists|associated)",
        "somebody has this sign-in address already; choose another --domain-prefix",
    ),
    (
        r"not authorized to perform|access ?denied|accessdenied",
        "give whoever runs this the policy that `provision.py policy` prints for the command",
    ),
    (
        r"limit ?exceeded|quota|maximum number",
        "an AWS quota is used up; raise it in the Service Quotas console",
    ),
    (
        r"deletion protection",
        "it is protected from deletion; switch that off only if it may really go",
    ),
    (
        r"DeleteConflict|must detach|cannot delete (a policy|an entity) attached",
        "something still uses it: run `provision.py destroy` for every stage first",
    ),
    (
        r"OIDCProvider.*already exists",
        "this account knows GitHub already, and other repositories use that: add "
        "--parameter GitHubProviderArn=arn:PARTITION:iam::ACCOUNT:oidc-provider/"
        "token.actions.githubusercontent.com",
    ),
    (r"already exists", "something of this name is there already; rename or delete that"),
    (r"throttl|rate exceeded|too many requests", "AWS was throttling; wait a minute"),
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
    def of(cls, said: Mapping[str, Any]) -> Event:
        """From one of DescribeStackEvents' answer; what an emulator leaves out is empty."""
        return cls(
            id=said.get("EventId", ""),
            logical_id=said.get("LogicalResourceId", ""),
            resource_type=said.get("ResourceType", ""),
            status=said.get("ResourceStatus", ""),
            reason=said.get("ResourceStatusReason") or "",
            physical_id=said.get("PhysicalResourceId") or "",
        )

    @property
    def is_about_stack(self) -> bool:
        return self.resource_type == STACK

    def __str__(self) -> str:
        told = f"{_WORDS.get(self.status, self.status)} {self.logical_id}"
        if self.status.endswith("_FAILED") and self.reason:
            told += f": {self.reason}"
        return printable(told)


def causes(events: Iterable[Event]) -> list[str]:
    """Each failed resource with AWS's reason and what helps, oldest first, consequences left out.

    Where nothing else is left, consequences are told, or who failed without a reason: something
    has to be.
    """
    failed = [
        each for each in events if each.status.endswith("_FAILED") and not each.is_about_stack
    ]
    reasoned = [each for each in failed if each.reason]
    roots = [each for each in reasoned if not _CONSEQUENCE.search(each.reason)]
    roots = roots or reasoned or failed
    return list(dict.fromkeys(_cause(each) for each in roots))


def kept(events: Iterable[Event]) -> list[Event]:
    """What a deletion or a rollback left in the account because the template says so."""
    return [each for each in events if each.status == "DELETE_SKIPPED"]


def _cause(event: Event) -> str:
    words = _COULD_NOT.get(event.status, event.status)
    reason = event.reason.strip() or "no reason is given"
    said = f"{event.resource_type}: {event.reason}"
    advice = next(
        (told for pattern, told in _ADVICE if re.search(pattern, said, re.IGNORECASE)), ""
    )
    told = f"{event.logical_id} ({event.resource_type}) {words}: {reason}"
    return printable(f"{told}; {advice}" if advice else told)
