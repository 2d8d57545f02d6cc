"""The least that whoever runs plan and apply needs, as an IAM policy; for `users`, what that needs.

Writes reach only roles of this prefix; all but creation only roles tagged as this pool's. What
would lift the boundary or the ownership tags off a role is denied outright.

Source: AWS service authorization reference, IAM and Cognito user pools.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cognises.provisioning.names import OWNER, OWNER_TAG, POOL_TAG, PROJECT_TAG
from cognises.provisioning.policies.statements import allow, deny
from cognises.provisioning.target import Target

READ_POOL = ("DescribeUserPool", "ListGroups", "GetGroup", "ListUsersInGroup")
WRITE_POOL = ("CreateGroup", "UpdateGroup", "DeleteGroup")
# Whoever may put people into groups may have what those groups may: no less than a runner.
READ_USERS = ("ListUsers", "AdminGetUser", "AdminListGroupsForUser")
WRITE_USERS = (
    *("AdminCreateUser", "AdminDeleteUser", "AdminEnableUser", "AdminDisableUser"),
    *("AdminSetUserPassword", "AdminUserGlobalSignOut"),
    *("AdminUpdateUserAttributes", "AdminSetUserMFAPreference"),
    *("AdminAddUserToGroup", "AdminRemoveUserFromGroup"),
)
# These widen what a role may do, or by whom: only under the boundary, where there is one.
GRANT = ("PutRolePolicy", "DeleteRolePolicy", "DetachRolePolicy", "PutRolePermissionsBoundary")
CHANGE = ("UpdateAssumeRolePolicy", "TagRole", "DeleteRole")


def policy_text(document: Mapping[str, Any]) -> str:
    """A policy as JSON text, ready for `aws iam create-policy`."""
    return json.dumps(document, indent=2)


def runner_policy(target: Target, account: str, *, users: bool = False) -> dict[str, Any]:
    """The policy for one target. In: settings, the account's id or `*`; `users`: theirs too."""
    partition = target.pool.partition
    roles = f"arn:{partition}:iam::{account}:role{target.role_path}{target.role_prefix}*"
    pool = _pool_arn(target, account)
    people = (*READ_USERS, *WRITE_USERS)
    statements = [
        allow("UserPool", "cognito-idp", (*READ_POOL, *WRITE_POOL), pool),
        *([allow("Users", "cognito-idp", people, pool)] if users else []),
        *_identity_pool(target, account),
        allow("ReadRoles", "iam", ("GetAccountAuthorizationDetails",), "*"),
        allow("ReadOwnRoles", "iam", ("GetRole",), roles),
        {
            **allow("MakeRoles", "iam", ("CreateRole",), roles),
            "Condition": _condition(target, "aws:RequestTag", boundary=True),
        },
        # IAM asks for TagRole too where CreateRole carries tags; the tags are the condition.
        {
            **allow("TagNewRoles", "iam", ("TagRole",), roles),
            "Condition": _condition(target, "aws:RequestTag"),
        },
        {
            **allow("GrantToOwnRoles", "iam", GRANT, roles),
            "Condition": _condition(target, "aws:ResourceTag", boundary=True),
        },
        {
            **allow("ChangeOwnRoles", "iam", CHANGE, roles),
            "Condition": _condition(target, "aws:ResourceTag"),
        },
        allow("LinkOwnRoles", "iam", ("PassRole",), roles),
        *_denials(target),
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def users_policy(target: Target, account: str) -> dict[str, Any]:
    """The policy of somebody who manages people and nothing else: one pool, no role."""
    actions = (*READ_POOL, *READ_USERS, *WRITE_USERS)
    statement = allow("Users", "cognito-idp", actions, _pool_arn(target, account))
    return {"Version": "2012-10-17", "Statement": [statement]}


def _pool_arn(target: Target, account: str) -> str:
    pool = target.pool
    return f"arn:{pool.partition}:cognito-idp:{pool.region}:{account}:userpool/{pool.id}"


def _condition(target: Target, key: str, *, boundary: bool = False) -> dict[str, Any]:
    equals = {f"{key}/{OWNER_TAG}": OWNER, f"{key}/{POOL_TAG}": target.pool.id}
    if boundary and target.boundary:
        equals["iam:PermissionsBoundary"] = target.boundary
    return {"StringEquals": equals}


def _identity_pool(target: Target, account: str) -> list[dict[str, Any]]:
    if target.identity_pool_id is None:
        return []
    arn = (
        f"arn:{target.pool.partition}:cognito-identity:{target.identity_region}:{account}"
        f":identitypool/{target.identity_pool_id}"
    )
    return [allow("ReadIdentityPool", "cognito-identity", ("DescribeIdentityPool",), arn)]


def _denials(target: Target) -> list[dict[str, Any]]:
    """Explicit denials outlast whatever else the runner may hold."""
    denials = [
        deny("NeverLiftTheBoundary", "iam", ("DeleteRolePermissionsBoundary",), "*"),
        deny("NeverAttachPolicies", "iam", ("AttachRolePolicy",), "*"),
        # By name alone the prefix reaches further: to the roles of the service's own stacks, and to
        # those of a stage whose prefix begins with this one. Their tags tell them.
        {
            **deny("NeverAStacksRoles", "iam", (*GRANT, *CHANGE), "*"),
            "Condition": {"Null": {f"aws:ResourceTag/{PROJECT_TAG}": "false"}},
        },
        {
            **deny("NeverAnotherPoolsRoles", "iam", (*GRANT, *CHANGE), "*"),
            "Condition": {
                "Null": {f"aws:ResourceTag/{POOL_TAG}": "false"},
                "StringNotEquals": {f"aws:ResourceTag/{POOL_TAG}": target.pool.id},
            },
        },
        {
            **deny("NeverUntagRoles", "iam", ("UntagRole",), "*"),
            "Condition": {"ForAnyValue:StringEquals": {"aws:TagKeys": [OWNER_TAG, POOL_TAG]}},
        },
    ]
    if target.boundary:
        edit = ("CreatePolicyVersion", "SetDefaultPolicyVersion", "DeletePolicyVersion")
        denials.append(
            deny("NeverEditTheBoundary", "iam", (*edit, "DeletePolicy"), target.boundary)
        )
    return denials
