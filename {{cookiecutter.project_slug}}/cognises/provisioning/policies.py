"""IAM policies: the least that `plan`, `apply` and `users` need. `provision.py policy` prints them.

Writes reach only roles of the prefix; all but creation only roles tagged as this pool's. What a
role may do, and who may assume it, changes only under the boundary. Removing the boundary or the
ownership tags is denied. Judged together with the pipeline's policies in infra/delivery.yaml.

Source: AWS service authorization reference, IAM and Cognito user pools.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cognises.provisioning.names import OWNER, OWNER_TAG, POOL_TAG, PROJECT_TAG
from cognises.provisioning.target import Target

READ_POOL = ("DescribeUserPool", "ListGroups", "GetGroup", "ListUsersInGroup")
WRITE_POOL = ("CreateGroup", "UpdateGroup", "DeleteGroup")
# Whoever may put users into groups can get the rights of the groups, as with `apply`.
READ_USERS = ("ListUsers", "AdminGetUser", "AdminListGroupsForUser")
WRITE_USERS = (
    *("AdminCreateUser", "AdminDeleteUser", "AdminEnableUser", "AdminDisableUser"),
    *("AdminSetUserPassword", "AdminUserGlobalSignOut"),
    *("AdminUpdateUserAttributes", "AdminSetUserMFAPreference"),
    *("AdminAddUserToGroup", "AdminRemoveUserFromGroup"),
)
# These widen what a role may do, or who may assume it: only under the boundary, where there is one.
GRANT = (
    *("PutRolePolicy", "DeleteRolePolicy", "DetachRolePolicy", "PutRolePermissionsBoundary"),
    "UpdateAssumeRolePolicy",
)
CHANGE = ("TagRole", "DeleteRole")
# Groups are linked to roles in Cognito; no compute service may get one.
COGNITO_ONLY = {"Condition": {"StringLikeIfExists": {"iam:PassedToService": "cognito-id*"}}}


def allow(sid: str, service: str, actions: tuple[str, ...], resource: str) -> dict[str, Any]:
    """A statement: actions of one service, allowed on one resource."""
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": [f"{service}:{action}" for action in actions],
        "Resource": resource,
    }


def deny(sid: str, service: str, actions: tuple[str, ...], resource: str) -> dict[str, Any]:
    """The same, denied."""
    return {**allow(sid, service, actions, resource), "Effect": "Deny"}


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
        {**allow("LinkOwnRoles", "iam", ("PassRole",), roles), **COGNITO_ONLY},
        *_denials(target),
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def users_policy(target: Target, account: str) -> dict[str, Any]:
    """The policy for managing users and nothing else: one pool, no role."""
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
    """Explicit denials hold whatever other policies the caller has."""
    denials = [
        deny("NeverLiftTheBoundary", "iam", ("DeleteRolePermissionsBoundary",), "*"),
        deny("NeverAttachPolicies", "iam", ("AttachRolePolicy",), "*"),
        # The prefix also matches roles of stacks, and of a stage whose prefix begins with this one.
        # Their tags tell them apart, which nobody can add by tagging: CloudFormation sets its own.
        *(
            {
                **deny(sid, "iam", (*GRANT, *CHANGE), "*"),
                "Condition": {"Null": {f"aws:ResourceTag/{tag}": "false"}},
            }
            for sid, tag in (
                ("NeverThisServicesRoles", PROJECT_TAG),
                ("NeverAStacksRoles", "aws:cloudformation:stack-name"),
            )
        ),
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
