"""The calls to CloudFormation: read a stack, create a change set, wait; nothing is decided here.

Source: AWS CloudFormation API reference; botocore's waiters.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import click

from cognises.errors import ProblemsError, printable
from cognises.provisioning.aws import error_code, error_message, on_loopback
from cognises.provisioning.aws_errors import is_aws_error
from cognises.provisioning.stack_report import Event, StackChange, is_empty_change_set, read_changes

ABSENT = "ABSENT"  # our word for a stack that does not exist
TO_CREATE = frozenset({ABSENT, "DELETE_COMPLETE", "REVIEW_IN_PROGRESS"})
POLL_SECONDS, POLL_SECONDS_LOCAL = 2.0, 0.1
MAX_POLLS = 1800  # an hour; AWS's own limits end most operations long before


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
    def in_progress(self) -> bool:
        return self.status.endswith("_IN_PROGRESS") and self.status not in TO_CREATE


@dataclass(frozen=True)
class StackInput:
    """What the stack has to be. Resources of `protected` types are never replaced or deleted."""

    name: str
    template: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    protected: frozenset[str] = frozenset()
    revert_drift: bool = False


@dataclass(frozen=True)
class ChangeSet:
    id: str
    changes: tuple[StackChange, ...]
    empty: bool = False


class StackFailed(ProblemsError):
    """CloudFormation tried and failed: each resource with its reason, then what to do."""


def say(line: str) -> None:
    """Print one line of progress on standard error."""
    click.echo(printable(line), err=True)


def read_stack(client: Any, name_or_id: str, name: str = "") -> Stack:
    """The stack as it is now; its status is ABSENT if there is none. Raises botocore's errors."""
    try:
        found = client.describe_stacks(StackName=name_or_id)["Stacks"]
    except Exception as error:
        if not _is_absent(error):
            raise
        found = []
    if not found:
        return Stack(name or name_or_id)
    return Stack(
        name=found[0].get("StackName", name or name_or_id),
        status=found[0]["StackStatus"],
        id=found[0].get("StackId", ""),
        outputs=_pairs(found[0].get("Outputs"), "OutputKey", "OutputValue"),
        parameters=_pairs(found[0].get("Parameters"), "ParameterKey", "ParameterValue"),
        tags=_pairs(found[0].get("Tags"), "Key", "Value"),
    )


def create_change_set(client: Any, desired: StackInput, stack: Stack) -> ChangeSet:
    kind = "CREATE" if stack.status in TO_CREATE else "UPDATE"
    # CloudFormation compares with its last template, unless it is told to look for drift.
    drift = {"DeploymentMode": "REVERT_DRIFT"} if desired.revert_drift and kind == "UPDATE" else {}
    try:
        made = client.create_change_set(
            StackName=desired.name,
            ChangeSetName=f"cognises-{secrets.token_hex(8)}",
            ChangeSetType=kind,
            TemplateBody=desired.template,
            Parameters=_members(desired.parameters, "ParameterKey", "ParameterValue"),
            Tags=_members(desired.tags, "Key", "Value"),
            Capabilities=["CAPABILITY_IAM"],
            **drift,
        )
    except Exception as error:
        if is_empty_change_set(error_message(error)):
            return ChangeSet("", (), empty=True)
        raise
    found = _described(client, desired.name, made["Id"])
    if found["Status"] == "CREATE_COMPLETE":
        return ChangeSet(made["Id"], read_changes(found["Changes"]))
    reason = found.get("StatusReason") or f"the change set stays in state {found['Status']}"
    if is_empty_change_set(reason):
        return ChangeSet(made["Id"], (), empty=True)
    discard(client, stack, made["Id"])
    raise StackFailed([f"stack {desired.name}: AWS cannot create the change set: {reason}"])


def _described(client: Any, name: str, change_set_id: str) -> dict[str, Any]:
    """The change set once AWS has computed it, with the changes of all pages."""
    from botocore.exceptions import WaiterError

    asked = {"ChangeSetName": change_set_id, "StackName": name}
    # How it ended is read from the change set itself.
    with suppress(WaiterError):
        client.get_waiter("change_set_create_complete").wait(**asked, WaiterConfig=_polls(client))
    found: dict[str, Any] = client.describe_change_set(**asked)
    page, changes = found, list(found.get("Changes") or ())
    while page.get("NextToken"):
        page = client.describe_change_set(**asked, NextToken=page["NextToken"])
        changes += page.get("Changes") or ()
    return {**found, "Changes": changes}


def discard(client: Any, stack: Stack, change_set_id: str) -> None:
    """Delete a change set that is not executed, and the empty stack that it began."""
    try:
        if change_set_id:
            client.delete_change_set(ChangeSetName=change_set_id, StackName=stack.name)
        if not stack.exists and read_stack(client, stack.name).status == "REVIEW_IN_PROGRESS":
            client.delete_stack(StackName=stack.name)
    except Exception as error:
        if not is_aws_error(error):
            raise
        say(
            f"warning: stack {stack.name}: its change set, or the empty stack that it began, stays "
            f"({error_code(error) or type(error).__name__}); the next run goes on from there"
        )


def wait(client: Any, stack: Stack, waiter: str, known: str) -> tuple[Stack, list[Event]]:
    """Wait for the end of an operation. Returns the stack, and the events after `known`.

    Each look of the waiter prints the new events. How it ended is read from the stack's state.
    """
    from botocore.exceptions import WaiterError

    reference, seen = stack.id or stack.name, list[Event]()

    def show(**_: Any) -> None:
        for event in _events_since(client, reference, seen[-1].id if seen else known):
            say(f"  {event}")
            seen.append(event)

    look = "after-call.cloudformation.DescribeStacks"
    client.meta.events.register(look, show)
    try:
        with suppress(WaiterError):  # a failure, or MAX_POLLS: the state says which
            client.get_waiter(waiter).wait(StackName=reference, WaiterConfig=_polls(client))
    finally:
        client.meta.events.unregister(look, show)
    show()
    ended = read_stack(client, reference, stack.name)
    if ended.in_progress and waiter != "stack_import_complete":
        raise StackFailed(
            [
                f"stack {stack.name} is still in state {ended.status}; AWS continues by itself: "
                "run the same command again to wait for the end"
            ]
        )
    return ended, seen


def _polls(client: Any) -> dict[str, Any]:
    return {
        "Delay": POLL_SECONDS_LOCAL if on_loopback(client) else POLL_SECONDS,
        "MaxAttempts": MAX_POLLS,
    }


def _events(client: Any, stack: str) -> Iterator[Event]:
    """Newest first."""
    pages = client.get_paginator("describe_stack_events").paginate(StackName=stack)
    try:
        for page in pages:
            yield from map(Event.of, page.get("StackEvents") or ())
    except Exception as error:
        if not _is_absent(error):
            raise


def newest_event(client: Any, stack: str) -> str:
    return next((event.id for event in _events(client, stack)), "")


def _events_since(client: Any, stack: str, known: str) -> list[Event]:
    found: list[Event] = []
    for event in _events(client, stack):
        if known and event.id == known:
            break
        found.append(event)
    return found[::-1]


def pause(client: Any) -> None:
    """Wait for one polling interval."""
    time.sleep(_polls(client)["Delay"])


def _is_absent(error: Exception) -> bool:
    return error_code(error) in ("ValidationError", "StackNotFoundException") and (
        "does not exist" in error_message(error)
    )


def _pairs(members: Any, key: str, value: str) -> dict[str, str]:
    return {each[key]: each.get(value) or "" for each in members or ()}


def _members(pairs: Mapping[str, str], key: str, value: str) -> list[dict[str, str]]:
    return [{key: name, value: text} for name, text in pairs.items()]
