"""CloudFormation in memory: one account's stacks, and what shall happen to them next.

It makes no resource. `plays` is what the next operations do: each a list of looks, a look being a
state and the events that come with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from itertools import count
from typing import Any

import pytest
from answering import Refused, answering

REGION = "eu-west-1"
NOTHING = (
    "The submitted information didn't contain changes. "
    "Submit different information to create a change set."
)
OUTPUTS = {
    "UserPoolId": f"{REGION}_Made12345",
    "UserPoolClientId": "1client2",
    "IdentityPoolId": f"{REGION}:01234567-89ab-cdef-0123-456789abcdef",
    "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/svc-cognito-PermissionsBoundary-X",
    "FilesBucket": f"svc-123456789012-{REGION}",
    "ManagedLoginUrl": f"https://svc-123456789012.auth.{REGION}.amazoncognito.com",
}
CREATED = [("CREATE_IN_PROGRESS", ()), ("CREATE_COMPLETE", ())]
UPDATED = [("UPDATE_IN_PROGRESS", ()), ("UPDATE_COMPLETE", ())]
DELETED = [("DELETE_IN_PROGRESS", ()), ("DELETE_COMPLETE", ())]

Looks = list[tuple[str, tuple[dict[str, str], ...]]]


def event(status: str, logical_id: str, kind: str, reason: str = "", made: str = "") -> Any:
    """One event of a resource."""
    return {
        "ResourceStatus": status,
        "LogicalResourceId": logical_id,
        "ResourceType": kind,
        "ResourceStatusReason": reason,
        "PhysicalResourceId": made,
    }


def change(action: str, logical_id: str, kind: str, replacement: str = "", **more: Any) -> Any:
    """One change, as DescribeChangeSet tells it."""
    said = {"Action": action, "LogicalResourceId": logical_id, "ResourceType": kind, **more}
    return {"Type": "Resource", "ResourceChange": {**said, "Replacement": replacement or "False"}}


class FakeCloudFormation:
    """The service. `calls` counts what was asked; `pauses` what was waited."""

    def __init__(self) -> None:
        self.stacks: dict[str, dict[str, Any]] = {}
        self.change_sets: dict[str, dict[str, Any]] = {}
        self.deleted: list[str] = []
        self.calls: list[str] = []
        self.plays: dict[str, Looks] = {"CREATE": CREATED, "UPDATE": UPDATED, "DELETE": DELETED}
        self.changes: list[Any] | None = None
        self.outputs: Mapping[str, str] = OUTPUTS
        self.change_set_reason: str | None = None
        self.drift: list[Any] = []  # changes by hand: a drift-aware change set alone sees them
        self.hides_parameters = False
        self.page = 100
        self._number = count(1)

    def client(self, endpoint: str = "") -> Any:
        return answering("cloudformation", self, REGION, endpoint)

    def put(
        self,
        name: str,
        status: str,
        *,
        tags: Mapping[str, str] | None = None,
        looks: Looks | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """A stack that is there already, in some state; `looks` is what it turns into."""
        arn = f"arn:aws:cloudformation:{REGION}:123456789012:stack/{name}"
        stack = {
            "StackName": name,
            "StackId": f"{arn}/{next(self._number)}",
            "StackStatus": status,
            "Parameters": {},
            "Outputs": {},
            "Tags": dict(tags or {}),
            "events": [],
            "looks": list(looks or ()),
            "template": "",
            **more,
        }
        self.stacks[name] = stack
        return stack

    # What AWS answers, by operation.

    def describe_stacks(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self.calls.append("describe_stacks")
        stack = self._find(asked["StackName"])
        if stack["looks"]:
            self._look(stack)
        said = {
            "StackName": stack["StackName"],
            "StackId": stack["StackId"],
            "CreationTime": datetime.now(timezone.utc),
            "StackStatus": stack["StackStatus"],
            "Outputs": _members(stack["Outputs"], "OutputKey", "OutputValue"),
            "Tags": _members(stack["Tags"], "Key", "Value"),
        }
        if not self.hides_parameters:
            said["Parameters"] = _members(stack["Parameters"], "ParameterKey", "ParameterValue")
        return {"Stacks": [said]}

    def describe_stack_events(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        newest_first = self._find(asked["StackName"])["events"][::-1]
        return self._paged("StackEvents", newest_first, asked)

    def get_template(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return {"TemplateBody": self._find(asked["StackName"])["template"]}

    def create_change_set(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self.calls.append("create_change_set")
        name, kind = asked["StackName"], asked["ChangeSetType"]
        if kind == "CREATE" and not self._is_there(name):
            self._add_event(self.put(name, "REVIEW_IN_PROGRESS"), "REVIEW_IN_PROGRESS")
        stack = self._find(name)
        parameters = _pairs(asked["Parameters"], "ParameterKey", "ParameterValue")
        same = parameters == stack["Parameters"] and asked["TemplateBody"] == stack["template"]
        drift = self.drift if asked.get("DeploymentMode") == "REVERT_DRIFT" else []
        reason = self.change_set_reason
        if reason is None and same and self.changes is None and not drift:
            reason = NOTHING
        made = {
            "ChangeSetName": asked["ChangeSetName"],
            "ChangeSetId": f"arn:aws:cloudformation:{REGION}:123456789012:changeSet/{name}/1",
            "StackName": name,
            "Status": "FAILED" if reason else "CREATE_COMPLETE",
            "StatusReason": reason or "",
            "kind": kind,
            "asked": asked,
            "parameters": parameters,
            "drift": drift,
        }
        self.change_sets[made["ChangeSetId"]] = made
        return {"Id": made["ChangeSetId"], "StackId": stack["StackId"]}

    def describe_change_set(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        made = self.change_sets[asked["ChangeSetName"]]
        action = "Add" if made["kind"] == "CREATE" else "Modify"
        default = [change(action, "Client", "AWS::Cognito::UserPoolClient")]
        changes = made["drift"] or (default if self.changes is None else self.changes)
        said = {key: made[key] for key in ("ChangeSetName", "Status", "StatusReason", "StackName")}
        return {**said, **self._paged("Changes", changes, asked)}

    def delete_change_set(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self.change_sets.pop(asked["ChangeSetName"])
        return {}

    def execute_change_set(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self.calls.append("execute_change_set")
        made = self.change_sets.pop(asked["ChangeSetName"])
        if made["drift"]:
            self.drift = []
        stack = self._find(made["StackName"])
        stack["next"] = {
            "Parameters": made["parameters"],
            "Outputs": self.outputs,
            "template": made["asked"]["TemplateBody"],
        }
        stack["Tags"] = _pairs(made["asked"]["Tags"], "Key", "Value")
        stack["looks"] = list(self.plays[made["kind"]])
        self._look(stack)
        return {}

    def delete_stack(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        stack = self._find(asked["StackName"])
        self.deleted.append(stack["StackName"])
        if stack["StackStatus"] == "REVIEW_IN_PROGRESS":
            del self.stacks[stack["StackName"]]
            return {}
        stack["looks"] = list(self.plays["DELETE"])
        self._look(stack)
        return {}

    def _look(self, stack: dict[str, Any]) -> None:
        """The next thing that happens to a stack."""
        status, events = stack["looks"].pop(0)
        for each in events:
            self._add_event(stack, **each)
        if status != stack["StackStatus"]:
            self._add_event(stack, status)
        stack["StackStatus"] = status
        if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            stack.update(stack.pop("next", {}))

    def _add_event(self, stack: dict[str, Any], status: str = "", **more: Any) -> None:
        about_stack = {
            "ResourceStatus": status,
            "LogicalResourceId": stack["StackName"],
            "ResourceType": "AWS::CloudFormation::Stack",
        }
        known = {"EventId": str(next(self._number)), "StackName": stack["StackName"]}
        stack["events"].append({**known, **(more or about_stack)})

    def _is_there(self, name: str) -> bool:
        return name in self.stacks and self.stacks[name]["StackStatus"] != "DELETE_COMPLETE"

    def _find(self, name_or_id: str) -> dict[str, Any]:
        by_id = next((s for s in self.stacks.values() if s["StackId"] == name_or_id), None)
        stack = by_id or self.stacks.get(name_or_id)
        # A deleted stack is known by its id alone.
        if stack is None or (by_id is None and not self._is_there(name_or_id)):
            raise Refused("ValidationError", f"Stack with id {name_or_id} does not exist")
        return stack

    def _paged(self, key: str, items: list[Any], asked: Mapping[str, Any]) -> dict[str, Any]:
        start = int(asked.get("NextToken", 0))
        end = start + self.page
        return {key: items[start:end], **({"NextToken": str(end)} if end < len(items) else {})}


def _members(pairs: Mapping[str, str], key: str, value: str) -> list[dict[str, str]]:
    return [{key: name, value: text} for name, text in pairs.items()]


def _pairs(members: list[dict[str, str]], key: str, value: str) -> dict[str, str]:
    return {each[key]: each[value] for each in members}


def stand_in(
    monkeypatch: pytest.MonkeyPatch,
    cloud: FakeCloudFormation,
    answers: object,
) -> None:
    """Give the commands this CloudFormation, `answers` for every other service, and no pauses."""

    def client(_: Any, service: str, region: str, endpoint: str | None, __: bool) -> Any:
        assert region == REGION
        if service == "cloudformation":
            return cloud.client(endpoint or "")
        return answering(service, answers, region, endpoint or "")

    monkeypatch.setattr("cognises.provisioning.aws.make_client", client)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
