"""The one place that writes groups and roles: a plan's changes as AWS calls.

The calls of a group are sent in order, several groups at a time. Create: role, policy, group.
Delete: the reverse. Update: narrowing before widening, so that no moment in between grants more.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from cognises.errors import ProvisionBlocked
from cognises.provisioning.aws import WORKERS, Clients, error_code, resilient
from cognises.provisioning.groups.compare import Document
from cognises.provisioning.groups.model import Role
from cognises.provisioning.groups.plan import Change, GroupChange, Plan
from cognises.provisioning.names import HASH_TAG

# Answers that say the work is done already, to a call that was sent twice.
ALREADY_GONE = {
    "delete_group": "ResourceNotFoundException",
    **dict.fromkeys(("delete_role", "delete_role_policy", "detach_role_policy"), "NoSuchEntity"),
}
ALREADY_THERE = frozenset({"EntityAlreadyExists", "GroupExistsException"})


class Call(NamedTuple):
    """One request: a method of a boto3 client and its arguments."""

    service: Literal["iam", "cognito-idp"]
    method: str
    arguments: Mapping[str, Any]


def apply_plan(
    plan: Plan,
    clients: Clients,
    *,
    workers: int = WORKERS,
    sleep: Callable[[float], None] = time.sleep,
    progress: Callable[[Change, int], None] = lambda change, done: None,
) -> tuple[list[Change], list[tuple[str, Exception]]]:
    """Make every change of a plan; after a failure, or Ctrl-C, no new change is begun.

    Out: what was made, and groups that failed, with the error. Raises ProvisionBlocked at once.
    """
    plan.raise_if_blocked()
    done, failed = list[Change](), list[tuple[str, Exception]]()
    units: dict[str, list[Change]] = {}
    for change in plan.changes:
        units.setdefault(change.group, []).append(change)
    stop, lock = threading.Event(), threading.Lock()

    def apply_unit(unit: list[Change]) -> None:
        is_new = any(change.action == "create" for change in unit)
        try:
            for change in unit:
                if stop.is_set():
                    return
                for call in calls_for(change, plan.scope.pool_id, plan.scope.role_path):
                    _send(call, clients, sleep, is_new)
                with lock:
                    done.append(change)
                    progress(change, len(done))
        except BaseException as error:
            stop.set()  # here, before this worker takes the next unit
            if not isinstance(error, Exception):
                raise
            failed.append((unit[0].group, error))

    with ThreadPoolExecutor(max(1, min(workers, len(units))), thread_name_prefix="apply") as pool:
        try:
            list(pool.map(apply_unit, units.values()))
        finally:
            stop.set()  # on Ctrl-C, which reaches no worker
    return done, failed


def _send(call: Call, clients: Clients, sleep: Callable[[float], None], is_new: bool) -> None:
    method = getattr(clients.iam if call.service == "iam" else clients.cognito, call.method)
    gone = ALREADY_GONE.get(call.method)
    try:
        resilient(lambda: method(**call.arguments), just_created=is_new and not gone, sleep=sleep)
    except Exception as error:
        code = error_code(error)
        if code in ALREADY_THERE:
            accept_existing(call, clients)
        elif code != gone:
            raise


def accept_existing(call: Call, clients: Clients) -> None:
    """Raise ProvisionBlocked unless it is ours: botocore repeats calls whose answer was lost."""
    wanted = call.arguments
    if call.method == "create_role":
        name = wanted["RoleName"]
        role = resilient(lambda: clients.iam.get_role(RoleName=name), just_created=True)["Role"]
        tags = role.get("Tags", [])
        same = len(tags) == len(wanted["Tags"]) and all(tag in tags for tag in wanted["Tags"])
    else:
        name, pool_id = wanted["GroupName"], wanted["UserPoolId"]
        group = clients.cognito.get_group(GroupName=name, UserPoolId=pool_id)["Group"]
        same = group.get("RoleArn") == wanted.get("RoleArn")
    if not same:
        kind = call.method.removeprefix("create_")
        raise ProvisionBlocked([f"{kind} {name} was made by others since the plan; run again"])


def calls_for(change: Change, pool_id: str, role_path: str = "/") -> list[Call]:
    """The calls of one change, in order."""
    if isinstance(change, GroupChange):
        return [_group_call(change, pool_id)]
    before, after = change.before, change.after
    if before and after:
        return list(_update_role(before, after))
    if after:
        return [_create_role(after, role_path), *_update_role(replace(after, policies={}), after)]
    if before:
        bare = replace(before, attached=(), policies={})
        return [*_update_role(before, bare), _iam("delete_role", before)]
    return []


def _group_call(change: GroupChange, pool_id: str) -> Call:
    named, group = {"GroupName": change.group, "UserPoolId": pool_id}, change.after
    if group is None:
        return Call("cognito-idp", "delete_group", named)
    arn, text, precedence = group.role_arn, group.description, group.precedence
    fields = {**named, "RoleArn": arn, "Description": text, "Precedence": precedence}
    method = "create_group" if change.before is None else "update_group"
    stated = {name: value for name, value in fields.items() if value is not None}
    return Call("cognito-idp", method, stated)


def _create_role(role: Role, path: str) -> Call:
    optional = {"PermissionsBoundary": role.boundary} if role.boundary else {}
    optional |= {"Path": path} if path != "/" else {}
    trust, tags = _text(role.trust), _tags(role.tags)
    return _iam("create_role", role, AssumeRolePolicyDocument=trust, Tags=tags, **optional)


def _update_role(before: Role, after: Role) -> Iterator[Call]:
    """Ownership first (later calls may be allowed on tagged roles only), the hash last."""
    changed = {key: value for key, value in after.tags.items() if before.tags.get(key) != value}
    recorded = changed.pop(HASH_TAG, None)
    if changed:
        yield _iam("tag_role", after, Tags=_tags(changed))
    if after.boundary and after.boundary != before.boundary:
        yield _iam("put_role_permissions_boundary", after, PermissionsBoundary=after.boundary)
    for arn in [each for each in before.attached if each not in after.attached]:
        yield _iam("detach_role_policy", after, PolicyArn=arn)
    for name in [each for each in before.policies if each not in after.policies]:
        yield _iam("delete_role_policy", after, PolicyName=name)
    for name, document in after.policies.items():
        if before.policies.get(name) != document:
            yield _iam("put_role_policy", after, PolicyName=name, PolicyDocument=_text(document))
    if before.trust != after.trust:
        yield _iam("update_assume_role_policy", after, PolicyDocument=_text(after.trust))
    if recorded is not None:
        yield _iam("tag_role", after, Tags=_tags({HASH_TAG: recorded}))


def _iam(method: str, role: Role, **arguments: Any) -> Call:
    return Call("iam", method, {"RoleName": role.name, **arguments})


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _text(document: Document) -> str:
    """As written, without the white space that IAM does not count but the request does."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
