"""The state of a CloudFormation stack: reads it, waits for an operation, says why one failed.

Source: AWS CloudFormation user guide, "Stack status codes"; API reference, StackEvent.
"""

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any, NamedTuple

from cognises.errors import ProblemsError, ProvisionBlocked, printable
from cognises.provisioning.aws import error_code, error_message, on_loopback
from cognises.provisioning.aws_errors import advice_for
from cognises.provisioning.names import OWNER, OWNER_TAG, PROJECT_TAG, is_owned, stage_name
from cognises.provisioning.target import say

ABSENT = "ABSENT"  # our word for a stack that does not exist
FAILED_CREATION = "ROLLBACK_COMPLETE"  # such a stack can only be deleted
TO_CREATE = frozenset({ABSENT, "DELETE_COMPLETE", "REVIEW_IN_PROGRESS"})
SUCCEEDED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
TO_UPDATE = SUCCEEDED | {"UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}
REPAIRS = {
    "CREATE_FAILED": "its resources still exist; delete it: aws cloudformation delete-stack {at}",
    "ROLLBACK_FAILED": "resources still exist; delete it: aws cloudformation delete-stack {at}",
    "DELETE_FAILED": "fix what was not deleted, then: aws cloudformation delete-stack {at}",
    "UPDATE_FAILED": "roll the update back: aws cloudformation rollback-stack {at}",
    "UPDATE_ROLLBACK_FAILED": "fix what its events name, then continue the rollback: "
    "aws cloudformation continue-update-rollback {at}",
    "IMPORT_ROLLBACK_FAILED": "an import was not rolled back; fix it in the CloudFormation console",
}
_NEXT_STEPS = REPAIRS | {
    FAILED_CREATION: "its creation was rolled back, and the next run deletes it; fix the cause",
    **dict.fromkeys(TO_UPDATE, "the update was rolled back, nothing has changed; fix the cause"),
}
MAX_POLLS = 1800  # an hour; AWS's own limits end most operations long before
START_POLLS = 5  # an operation may not show in the stack's state at once

STACK = "AWS::CloudFormation::Stack"
# A failure that only follows from another one.
_CONSEQUENCE = re.compile(
    r"(?i)cancelled|the following resource\(s\) failed|resource (creation|update) initiated"
)


def stack_name(prefix: str, kind: str) -> str:
    """The CloudFormation stack of a stage: `<stage>-cognito`, `<stage>-service`."""
    return f"{stage_name(prefix)}-{kind}"


def stack_tags(prefix: str) -> dict[str, str]:
    """The tags of a stack and what is in it: two prefixes may make one name, never one tag."""
    return {OWNER_TAG: OWNER, PROJECT_TAG: prefix.replace(",", ":")}


@dataclass(frozen=True)
class Stack:
    """A stack as AWS describes it; an emulator may leave `parameters` empty."""

    name: str
    status: str = ABSENT
    id: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def exists(self) -> bool:
        return self.status not in (ABSENT, "DELETE_COMPLETE")

    @property
    def is_new(self) -> bool:
        return self.status in TO_CREATE

    @property
    def in_progress(self) -> bool:
        return self.status.endswith("_IN_PROGRESS") and not self.is_new

    def next_step(self, region: str) -> str:
        """What to do about the state that the stack is in."""
        advice = _NEXT_STEPS.get(self.status, "see the CloudFormation console")
        advice = advice.format(at=f"--stack-name {self.name} --region {region}")
        return f"{self}: {advice}; then run the same command again"

    def __str__(self) -> str:
        return f"stack {self.name} is in state {self.status}"


class StackFailed(ProblemsError):
    """CloudFormation tried and failed: each resource with its reason, then what to do."""


def read_stack(client: Any, name_or_id: str) -> Stack:
    """The stack as it is now; its status is ABSENT if there is none. Raises botocore's errors."""
    try:
        found = client.describe_stacks(StackName=name_or_id)["Stacks"][0]
    except client.exceptions.ClientError as error:
        if not _is_absent(error):
            raise
        return Stack(name_or_id)
    kinds = {"Outputs": "Output", "Parameters": "Parameter", "Tags": ""}
    pairs = [
        {each[f"{kind}Key"]: each.get(f"{kind}Value") or "" for each in found.get(name) or ()}
        for name, kind in kinds.items()
    ]
    return Stack(found["StackName"], found["StackStatus"], found.get("StackId", ""), *pairs)


def require_owned(stack: Stack, tags: Mapping[str, str]) -> None:
    """Raise ProvisionBlocked unless the stack carries our tags, or nothing was created in it."""
    owner, project = stack.tags.get(PROJECT_TAG), tags[PROJECT_TAG]
    in_review = stack.status == "REVIEW_IN_PROGRESS" and not stack.tags
    problem = "exists and was not created by this project"
    if is_owned(stack.tags):
        problem = f"belongs to {owner}, not to {project}" if owner != project else ""
    if stack.exists and not in_review and problem:
        remedy = "choose another COGNISES_ROLE_PREFIX, which names the stage"
        raise ProvisionBlocked([f"stack {stack.name} {problem}; {remedy}"])


class Event(NamedTuple):
    """An event of DescribeStackEvents; emulators leave fields out."""

    id: str
    logical_id: str
    resource_type: str
    status: str
    reason: str
    physical_id: str

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> "Event":
        kinds = ("LogicalResourceId", "ResourceType", "ResourceStatus", "ResourceStatusReason")
        return cls(*(event.get(kind) or "" for kind in ("EventId", *kinds, "PhysicalResourceId")))

    def __str__(self) -> str:
        reason = f": {self.reason}" if self.status.endswith("_FAILED") and self.reason else ""
        return printable(f"{self.status} {self.logical_id}{reason}")


class Operation:
    """One operation on a stack: waits for its end, and prints each of its events once."""

    def __init__(self, client: Any, stack: Stack) -> None:
        self.stack, self.events = stack, list[Event]()
        self._client, self._reference = client, stack.id or stack.name
        self._last = next((each.id for each in self._newest_first()), "")

    def wait(self) -> Stack:
        """Return the stack at the end of the operation. Raises StackFailed if it does not end."""
        for poll in range(MAX_POLLS):
            self._show()
            own = (each.status for each in self.events if each.resource_type == STACK)
            has_ended = any(not status.endswith("_IN_PROGRESS") for status in own)
            self.stack = replace(read_stack(self._client, self._reference), name=self.stack.name)
            is_idle = not self.stack.status.endswith("_IN_PROGRESS")
            if is_idle and (has_ended or poll >= START_POLLS):
                self._show()
                return self.stack
            time.sleep(delay(self._client))
        advice = "AWS continues: run the same command again to wait"
        raise StackFailed([f"{self.stack} after an hour; {advice}"])

    def failure(self) -> StackFailed:
        """What failed and why, what is left, and what to do."""
        unknown = f"AWS gives no reason; look at the events of stack {self.stack.name}"
        causes = failure_causes(self.events) or [unknown]
        next_step = self.stack.next_step(self._client.meta.region_name)
        return StackFailed([*causes, *retained(self.events), next_step])

    def _show(self) -> None:
        new = list(takewhile(lambda each: each.id != self._last, self._newest_first()))[::-1]
        for event in new:
            say(f"  {event}")
            self._last = event.id
        self.events += new

    def _newest_first(self) -> Iterator[Event]:
        paginator = self._client.get_paginator("describe_stack_events")
        try:
            for page in paginator.paginate(StackName=self._reference):
                yield from map(Event.of, page.get("StackEvents") or ())
        except self._client.exceptions.ClientError as error:
            if not _is_absent(error):
                raise


def failure_causes(events: Iterable[Event]) -> list[str]:
    """Failed resources, each reason and remedy, oldest first; consequences only if alone."""
    resources = [each for each in events if each.resource_type != STACK]
    failed = [each for each in resources if each.status.endswith("_FAILED")]
    with_reason = [each for each in failed if each.reason]
    roots = [each for each in with_reason if not _CONSEQUENCE.search(each.reason)]
    causes = []
    for each in roots or with_reason or failed:
        advice = advice_for(each.resource_type, "", each.reason)
        reason = each.reason.strip() or "AWS gives no reason"
        text = f"{each.status} {each.logical_id} ({each.resource_type}): {reason}"
        causes.append(printable(f"{text}; {advice}" if advice else text))
    return list(dict.fromkeys(causes))


def retained(events: Iterable[Event]) -> list[str]:
    """One line for each resource that a deletion or rollback left, because of DeletionPolicy."""
    text = "is retained and no longer part of the stack; use it or delete it"
    left = [each for each in events if each.status == "DELETE_SKIPPED"]
    return [f"warning: {e.logical_id} {e.physical_id} ({e.resource_type}) {text}" for e in left]


def delay(client: Any) -> float:
    """Seconds between two polls."""
    return 0.1 if on_loopback(client) else 2.0


def _is_absent(error: Exception) -> bool:
    is_known = error_code(error) in ("ValidationError", "StackNotFoundException")
    return is_known and "does not exist" in error_message(error)
