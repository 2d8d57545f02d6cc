"""A change as the AWS calls that make it, in the order that is safe to be interrupted in.

Create: role, policy, group. Delete: group, policies, role. Update: narrowing before widening,
so that no moment in between grants more than the state before or the state after.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cognises.provisioning.planning.names import HASH_TAG
from cognises.provisioning.planning.observed import Document, PoolGroup, Role
from cognises.provisioning.planning.plan import Change, GroupChange


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
