"""The calls to CloudFormation, and nothing decided. Plain ones: emulators have to know them too.

Waiting is our own polling, so that events can be shown meanwhile.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cognises.provisioning.aws import error_code, on_loopback
from cognises.provisioning.stacks.changes import StackChange, is_empty_change_set, stack_changes
from cognises.provisioning.stacks.events import Event
from cognises.provisioning.stacks.states import ABSENT

PAUSE = 2.0  # seconds between two looks; an emulator gets fewer
PAUSE_ON_LOOPBACK = 0.1
CHANGE_SET_LOOKS = 300


@dataclass(frozen=True)
class Stack:
    """A stack as it is. `parameters` is empty too where an emulator does not tell them."""

    name: str
    status: str = ABSENT
    id: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def exists(self) -> bool:
        return self.status not in (ABSENT, "DELETE_COMPLETE")


@dataclass(frozen=True)
class ChangeSet:
    """A change set that is ready to be executed, or that has nothing to do."""

    id: str
    changes: tuple[StackChange, ...]
    empty: bool


@dataclass(frozen=True)
class Wanted:
    """What a change set is made from."""

    name: str
    template: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    capabilities: tuple[str, ...] = ()


class StackClient:
    """One region's CloudFormation. `client` is boto3's; `sleep` is the test's to replace."""

    def __init__(self, client: Any, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client, self._sleep = client, sleep
        self.is_emulator = on_loopback(client)
        self._seconds = PAUSE_ON_LOOPBACK if self.is_emulator else PAUSE

    @property
    def region(self) -> str:
        return str(self._client.meta.region_name)

    def pause(self) -> None:
        """Wait a moment before looking again."""
        self._sleep(self._seconds)

    def describe(self, name_or_id: str, name: str = "") -> Stack:
        """The stack as it is now, ABSENT if there is none. Raises botocore's errors."""
        try:
            found = self._client.describe_stacks(StackName=name_or_id)["Stacks"]
        except Exception as error:
            if not _is_absent(error):
                raise
            found = []
        if not found:
            return Stack(name or name_or_id)
        said = found[0]
        return Stack(
            name=said.get("StackName", name or name_or_id),
            status=said["StackStatus"],
            id=said.get("StackId", ""),
            outputs=_pairs(said.get("Outputs"), "OutputKey", "OutputValue"),
            parameters=_pairs(said.get("Parameters"), "ParameterKey", "ParameterValue"),
            tags=_pairs(said.get("Tags"), "Key", "Value"),
        )

    def template(self, name: str) -> str | None:
        """The template the stack was made from, None where it cannot be had."""
        try:
            body = self._client.get_template(StackName=name)["TemplateBody"]
        except Exception as error:
            if not error_code(error):
                raise
            return None
        return body if isinstance(body, str) else None

    def prepare(self, wanted: Wanted, kind: str) -> ChangeSet:
        """Make a change set (`kind` CREATE or UPDATE) and wait until AWS has worked it out.

        Raises botocore's errors, and ChangeSetFailed with AWS's reason.
        """
        try:
            made = self._client.create_change_set(
                StackName=wanted.name,
                ChangeSetName=f"cognises-{secrets.token_hex(8)}",
                ChangeSetType=kind,
                TemplateBody=wanted.template,
                Parameters=_members(wanted.parameters, "ParameterKey", "ParameterValue"),
                Tags=_members(wanted.tags, "Key", "Value"),
                Capabilities=list(wanted.capabilities),
            )
        except Exception as error:
            if is_empty_change_set(_message(error)):
                return ChangeSet("", (), empty=True)
            raise
        return self._worked_out(made["Id"], wanted.name)

    def discard(self, change_set: ChangeSet, stack_name: str) -> None:
        """Delete a change set that is not executed. One already gone is as good."""
        if not change_set.id:
            return
        try:
            self._client.delete_change_set(ChangeSetName=change_set.id, StackName=stack_name)
        except Exception as error:
            if "NotFound" not in error_code(error):
                raise

    def execute(self, change_set: ChangeSet, stack_name: str) -> None:
        """Begin to make the changes."""
        self._client.execute_change_set(ChangeSetName=change_set.id, StackName=stack_name)

    def delete(self, stack: Stack) -> None:
        """Begin to delete a stack."""
        self._client.delete_stack(StackName=stack.id or stack.name)

    def events_since(self, stack: str, known: str) -> list[Event]:
        """The events after the one of id `known` (all, if it is empty), oldest first."""
        found: list[Event] = []
        for event in self._events(stack):
            if event.id == known and known:
                break
            found.append(event)
        return found[::-1]

    def newest_event(self, stack: str) -> str:
        """The id of the last event; empty where there is none."""
        return next((event.id for event in self._events(stack)), "")

    def _events(self, stack: str) -> Iterator[Event]:
        page: dict[str, str] = {}
        while True:
            try:
                said = self._client.describe_stack_events(StackName=stack, **page)
            except Exception as error:
                if not _is_absent(error):
                    raise
                return
            yield from map(Event.of, said.get("StackEvents") or ())
            if not said.get("NextToken"):
                return
            page = {"NextToken": said["NextToken"]}

    def _worked_out(self, change_set_id: str, stack_name: str) -> ChangeSet:
        said: dict[str, Any] = {}
        for _ in range(CHANGE_SET_LOOKS):
            said = self._client.describe_change_set(
                ChangeSetName=change_set_id, StackName=stack_name
            )
            if said["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
                break
            self.pause()
        reason = said.get("StatusReason") or ""
        if said["Status"] == "CREATE_COMPLETE":
            changes = stack_changes(self._all_changes(said, change_set_id, stack_name))
            return ChangeSet(change_set_id, changes, empty=False)
        nothing = ChangeSet(change_set_id, (), empty=True)
        if is_empty_change_set(reason):
            return nothing
        reason = reason or f"the change set stays in state {said['Status']}"
        try:
            self.discard(nothing, stack_name)
        except Exception as error:  # the reason is what has to be known
            raise ChangeSetFailed(f"{reason} (and it cannot be deleted)") from error
        raise ChangeSetFailed(reason)

    def _all_changes(self, said: dict[str, Any], change_set_id: str, stack_name: str) -> list[Any]:
        changes = list(said.get("Changes") or ())
        while said.get("NextToken"):
            said = self._client.describe_change_set(
                ChangeSetName=change_set_id, StackName=stack_name, NextToken=said["NextToken"]
            )
            changes += said.get("Changes") or ()
        return changes


class ChangeSetFailed(Exception):
    """CloudFormation cannot work the change set out; the text is its reason."""


def _is_absent(error: Exception) -> bool:
    return error_code(error) in ("ValidationError", "StackNotFoundException") and (
        "does not exist" in _message(error)
    )


def _message(error: Exception) -> str:
    response: dict[str, Any] = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Message", ""))


def _pairs(members: Any, key: str, value: str) -> dict[str, str]:
    return {each[key]: each.get(value) or "" for each in members or ()}


def _members(pairs: Mapping[str, str], key: str, value: str) -> list[dict[str, str]]:
    return [{key: name, value: text} for name, text in pairs.items()]
