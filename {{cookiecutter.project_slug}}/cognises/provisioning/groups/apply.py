"""The one place that writes groups and roles: a plan's changes as AWS calls, some at a time.

    plan -> units (one a group) -> workers -> calls -> outcome

A unit's calls are sent in order; units are independent. After a failure, or Ctrl-C, no new change
is begun: the next run does what is left.

Create: role, policy, group. Delete: group, policies, role. Update: narrowing before widening, so
that no moment in between grants more than the state before or the state after.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

from cognises.errors import ProvisionBlocked
from cognises.provisioning.aws import WORKERS, Clients, error_code, resilient
from cognises.provisioning.groups.model import Document, Role
from cognises.provisioning.groups.plan import Change, GroupChange, Plan
from cognises.provisioning.names import HASH_TAG

# Answers that say the work is done already, to a call that was sent twice.
ALREADY_GONE = {
    "delete_group": "ResourceNotFoundException",
    **dict.fromkeys(("delete_role", "delete_role_policy", "detach_role_policy"), "NoSuchEntity"),
}
ALREADY_THERE = frozenset({"EntityAlreadyExists", "GroupExistsException"})

Progress = Callable[[Change, int, int], None]


@dataclass(frozen=True)
class Call:
    """One request: a method of a boto3 client and its arguments."""

    service: Literal["iam", "cognito-idp"]
    method: str
    arguments: Mapping[str, Any]


@dataclass
class Outcome:
    """The changes made, and the errors of the groups that failed."""

    done: list[Change] = field(default_factory=list)
    failed: list[tuple[str, Exception]] = field(default_factory=list)
    total: int = 0

    @property
    def complete(self) -> bool:
        """Whether everything the plan said was done."""
        return not self.failed and len(self.done) == self.total


class Executor:
    """Applies plans through given clients."""

    def __init__(
        self,
        clients: Clients,
        *,
        workers: int = WORKERS,
        sleep: Callable[[float], None] = time.sleep,
        progress: Progress = lambda change, done, total: None,
    ) -> None:
        self._clients, self._workers, self._sleep = clients, workers, sleep
        self._progress = progress
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def run(self, plan: Plan) -> Outcome:
        """Make every change of a plan. Raises ProvisionBlocked for a blocked one, sends nothing."""
        plan.raise_if_blocked()
        outcome = Outcome(total=len(plan.changes))
        units: dict[str, list[Change]] = {}
        for change in plan.changes:
            units.setdefault(change.group, []).append(change)
        workers = max(1, min(self._workers, len(units)))
        with ThreadPoolExecutor(workers, thread_name_prefix="apply") as pool:
            try:
                running = [
                    pool.submit(self._apply_unit, unit, plan, outcome) for unit in units.values()
                ]
                for future in running:
                    future.result()
            except BaseException:
                self._stop.set()
                raise
        return outcome

    def _apply_unit(self, unit: list[Change], plan: Plan, outcome: Outcome) -> None:
        is_new = any(change.action == "create" for change in unit)
        try:
            for change in unit:
                if self._stop.is_set():
                    return
                for call in calls_for(change, plan.scope.pool_id, plan.scope.role_path):
                    self._send(call, just_created=is_new)
                with self._lock:
                    outcome.done.append(change)
                    self._progress(change, len(outcome.done), outcome.total)
        except Exception as error:
            self._stop.set()  # here, before this worker takes the next unit
            outcome.failed.append((unit[0].group, error))
        except BaseException:
            self._stop.set()
            raise

    def _send(self, call: Call, *, just_created: bool) -> None:
        client = self._clients.iam if call.service == "iam" else self._clients.cognito
        gone = ALREADY_GONE.get(call.method)
        try:
            resilient(
                lambda: getattr(client, call.method)(**call.arguments),
                just_created=just_created and not gone,
                sleep=self._sleep,
            )
        except Exception as error:
            code = error_code(error)
            if code == gone:
                return
            if code not in ALREADY_THERE:
                raise
            accept_existing(call, self._clients)


def accept_existing(call: Call, clients: Clients) -> None:
    """Return if the existing role or group is the one to be created, else ProvisionBlocked.

    botocore sends a create call again whose answer was lost, and the second one finds what the
    first one made.
    """
    arguments = call.arguments
    if call.method == "create_role":
        name = f"role {arguments['RoleName']}"
        found = resilient(
            lambda: clients.iam.get_role(RoleName=arguments["RoleName"]), just_created=True
        )
        same = _pairs(found["Role"].get("Tags", [])) == _pairs(arguments["Tags"])
    else:
        name = f"group {arguments['GroupName']}"
        named = {key: arguments[key] for key in ("GroupName", "UserPoolId")}
        group = clients.cognito.get_group(**named)["Group"]
        same = group.get("RoleArn") == arguments.get("RoleArn")
    if not same:
        raise ProvisionBlocked([f"{name} was made by others since the plan was made; run again"])


def _pairs(tags: list[dict[str, str]]) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in tags}


def calls_for(change: Change, pool_id: str, role_path: str = "/") -> list[Call]:
    """The calls of one change, in order."""
    if isinstance(change, GroupChange):
        return [_group_call(change, pool_id)]
    if change.before and change.after:
        return list(_update_role(change.before, change.after))
    if change.after:
        return list(_create_role(change.after, role_path))
    return list(_delete_role(change.before)) if change.before else []


def _group_call(change: GroupChange, pool_id: str) -> Call:
    named = {"GroupName": change.group, "UserPoolId": pool_id}
    if change.after is None:
        return Call("cognito-idp", "delete_group", named)
    method = "create_group" if change.before is None else "update_group"
    group = change.after
    fields = {
        "RoleArn": group.role_arn,
        "Description": group.description,
        "Precedence": group.precedence,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    return Call("cognito-idp", method, {**named, **given})


def _create_role(role: Role, path: str) -> Iterator[Call]:
    optional = {"PermissionsBoundary": role.boundary} if role.boundary else {}
    optional |= {"Path": path} if path != "/" else {}
    yield _iam(
        "create_role",
        role,
        AssumeRolePolicyDocument=_text(role.trust),
        Tags=_tags(role.tags),
        **optional,
    )
    for name, document in role.policies.items():
        yield _iam("put_role_policy", role, PolicyName=name, PolicyDocument=_text(document))


def _update_role(before: Role, after: Role) -> Iterator[Call]:
    """Ownership first (later calls may be allowed on tagged roles only), the hash last."""
    changed = {key: value for key, value in after.tags.items() if before.tags.get(key) != value}
    recorded = changed.pop(HASH_TAG, None)
    if changed:
        yield _iam("tag_role", after, Tags=_tags(changed))
    if after.boundary and after.boundary != before.boundary:
        yield _iam("put_role_permissions_boundary", after, PermissionsBoundary=after.boundary)
    for arn in before.attached:
        yield _iam("detach_role_policy", after, PolicyArn=arn)
    for name in before.policies:
        if name not in after.policies:
            yield _iam("delete_role_policy", after, PolicyName=name)
    for name, document in after.policies.items():
        if before.policies.get(name) != document:
            yield _iam("put_role_policy", after, PolicyName=name, PolicyDocument=_text(document))
    if before.trust != after.trust:
        yield _iam("update_assume_role_policy", after, PolicyDocument=_text(after.trust))
    if recorded is not None:
        yield _iam("tag_role", after, Tags=_tags({HASH_TAG: recorded}))


def _delete_role(role: Role) -> Iterator[Call]:
    for arn in role.attached:
        yield _iam("detach_role_policy", role, PolicyArn=arn)
    for name in role.policies:
        yield _iam("delete_role_policy", role, PolicyName=name)
    yield _iam("delete_role", role)


def _iam(method: str, role: Role, **arguments: Any) -> Call:
    return Call("iam", method, {"RoleName": role.name, **arguments})


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _text(document: Document) -> str:
    """As written, without the white space that IAM does not count but the request does."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
