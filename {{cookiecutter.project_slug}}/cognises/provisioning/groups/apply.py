"""A change as the AWS calls that make it, in the order that is safe to be interrupted in.

Create: role, policy, group. Delete: group, policies, role. Update: narrowing before widening,
so that no moment in between grants more than the state before or the state after.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Literal

from cognises.errors import ProvisionBlocked
from cognises.provisioning.aws import WORKERS, Clients, error_code, resilient
from cognises.provisioning.groups.model import Document, PoolGroup, Role
from cognises.provisioning.groups.plan import Change, GroupChange, Plan
from cognises.provisioning.names import HASH_TAG


@dataclass(frozen=True)
class Call:
    """One request: a method of a boto3 client and its arguments."""

    service: Literal["iam", "cognito-idp"]
    method: str
    arguments: Mapping[str, Any]


def calls_for(change: Change, pool_id: str) -> list[Call]:
    """The calls of one change, in order."""
    if isinstance(change, GroupChange):
        return [_group_call(change, pool_id)]
    if change.before is None and change.after is not None:
        return list(_create_role(change.after))
    if change.after is None and change.before is not None:
        return list(_delete_role(change.before))
    if change.before is None or change.after is None:
        raise ValueError("a change has at least one side")
    return list(_update_role(change.before, change.after))


def _group_call(change: GroupChange, pool_id: str) -> Call:
    if change.after is None:
        return Call(
            "cognito-idp", "delete_group", {"GroupName": change.group, "UserPoolId": pool_id}
        )
    method = "create_group" if change.before is None else "update_group"
    return Call("cognito-idp", method, _group_arguments(change.after, pool_id))


def _group_arguments(group: PoolGroup, pool_id: str) -> dict[str, Any]:
    return {
        "GroupName": group.name,
        "UserPoolId": pool_id,
        "RoleArn": group.role_arn,
        "Description": group.description,
        "Precedence": group.precedence,
    }


def _create_role(role: Role) -> Iterator[Call]:
    boundary = {"PermissionsBoundary": role.boundary} if role.boundary else {}
    yield _iam(
        "create_role",
        role,
        AssumeRolePolicyDocument=_text(role.trust),
        Tags=_tags(role.tags),
        **boundary,
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


# An answer that says the work is done already, given to a call that was sent twice.
ALREADY_GONE = {
    "delete_group": frozenset({"ResourceNotFoundException"}),
    "delete_role": frozenset({"NoSuchEntity"}),
    "delete_role_policy": frozenset({"NoSuchEntity"}),
    "detach_role_policy": frozenset({"NoSuchEntity"}),
}
ALREADY_THERE = frozenset({"EntityAlreadyExists", "GroupExistsException"})

Progress = Callable[[Change, int, int], None]


@dataclass
class Outcome:
    """What became of a plan: the changes made, and the errors of the groups that failed."""

    done: list[Change] = field(default_factory=list)
    failed: list[tuple[str, Exception]] = field(default_factory=list)
    total: int = 0

    @property
    def complete(self) -> bool:
        """Whether everything the plan said was done."""
        return not self.failed and len(self.done) == self.total


class Executor:
    """Runs plans through given clients."""

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
        units = _units(plan.changes)
        workers = max(1, min(self._workers, len(units)))
        with ThreadPoolExecutor(workers, thread_name_prefix="apply") as pool:
            running = {pool.submit(self._unit, unit, plan, outcome): unit for unit in units}
            try:
                self._collect(running, outcome)
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        return outcome

    def _collect(self, running: dict[Future[None], list[Change]], outcome: Outcome) -> None:
        waiting = set(running)
        while waiting:
            # Short waits: a signal reaches the main thread between two of them.
            finished, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in finished:
                if future.cancelled():
                    continue
                error = future.exception()
                if isinstance(error, Exception):
                    outcome.failed.append((running[future][0].group, error))
                elif error is not None:
                    raise error

    def _unit(self, unit: list[Change], plan: Plan, outcome: Outcome) -> None:
        try:
            self._make(unit, plan, outcome)
        except BaseException:
            self._stop.set()  # here, before this worker takes up the next unit
            raise

    def _make(self, unit: list[Change], plan: Plan, outcome: Outcome) -> None:
        fresh = any(change.action == "create" for change in unit)
        for change in unit:
            if self._stop.is_set():
                return
            for call in calls_for(change, plan.scope.pool_id):
                self._send(call, just_created=fresh)
            with self._lock:
                outcome.done.append(change)
                self._progress(change, len(outcome.done), outcome.total)

    def _send(self, call: Call, *, just_created: bool) -> None:
        clients = self._clients
        client = clients.iam if call.service == "iam" else clients.cognito
        gone = ALREADY_GONE.get(call.method, frozenset())
        try:
            resilient(
                lambda: getattr(client, call.method)(**call.arguments),
                just_created=just_created and not gone,
                sleep=self._sleep,
            )
        except Exception as error:
            code = error_code(error)
            if code in gone:
                return
            if code not in ALREADY_THERE:
                raise
            settle_existing(call, clients)


def _units(changes: Iterable[Change]) -> list[list[Change]]:
    """The changes of each group together, in the plan's order."""
    units: dict[str, list[Change]] = {}
    for change in changes:
        units.setdefault(change.group, []).append(change)
    return list(units.values())


def settle_existing(call: Call, clients: Clients) -> None:
    """Return if the existing role or group is the one to be made. Raises ProvisionBlocked."""
    arguments = call.arguments
    if call.method == "create_role":
        same = _role_tags(clients, arguments["RoleName"]) == _pairs(arguments["Tags"])
        name = f"role {arguments['RoleName']}"
    else:
        same = _group_role(clients, arguments) == arguments["RoleArn"]
        name = f"group {arguments['GroupName']}"
    if not same:
        raise ProvisionBlocked(
            [f"{name} was made by somebody else since the plan was computed; plan again"]
        )


def _role_tags(clients: Clients, name: str) -> dict[str, str]:
    found = resilient(lambda: clients.iam.get_role(RoleName=name), just_created=True)
    return _pairs(found["Role"].get("Tags", []))


def _group_role(clients: Clients, arguments: Mapping[str, Any]) -> object:
    named = {key: arguments[key] for key in ("GroupName", "UserPoolId")}
    return clients.cognito.get_group(**named)["Group"].get("RoleArn")


def _pairs(tags: list[dict[str, str]]) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in tags}
