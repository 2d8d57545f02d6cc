"""IAM policies: the least that `plan`, `apply` and `users` need; `policy` prints them.

Source: AWS service authorization reference.
"""

from collections.abc import Sequence
from typing import Any

from cognises.manifest.iam_policy import VERSION
from cognises.provisioning.names import OWNER, OWNER_TAG, POOL_TAG, PROJECT_TAG
from cognises.provisioning.target import Target

Statement = dict[str, Any]
Actions = tuple[str, ...]
READ_POOL = ("DescribeUserPool", "ListGroups", "GetGroup", "ListUsersInGroup")
WRITE_POOL = ("CreateGroup", "UpdateGroup", "DeleteGroup")
# Who may put users into groups can get the rights of the groups, as with `apply`.
READ_USERS = ("ListUsers", "AdminGetUser", "AdminListGroupsForUser")
WRITE_USERS = (
    "AdminCreateUser", "AdminDeleteUser", "AdminEnableUser", "AdminDisableUser",
    "AdminSetUserPassword", "AdminUserGlobalSignOut", "AdminUpdateUserAttributes",
    "AdminSetUserMFAPreference", "AdminAddUserToGroup", "AdminRemoveUserFromGroup",
)  # fmt: skip
# These widen what a role may do, or who may assume it: only under the boundary, where there is one.
GRANT = (
    "PutRolePolicy", "DeleteRolePolicy", "DetachRolePolicy", "PutRolePermissionsBoundary",
    "UpdateAssumeRolePolicy",
)  # fmt: skip
ATTACH = ("AttachRolePolicy",)
CHANGE = ("TagRole", "DeleteRole")
EDIT_POLICY = (
    "CreatePolicyVersion", "SetDefaultPolicyVersion", "DeletePolicyVersion", "DeletePolicy",
)  # fmt: skip


def allow(sid: str, service: str, actions: Actions, on: str, condition: Any = None) -> Statement:
    """A statement: actions of one service, allowed on one resource."""
    names = [f"{service}:{action}" for action in actions]
    statement: Statement = {"Sid": sid, "Effect": "Allow", "Action": names, "Resource": on}
    return {**statement, "Condition": condition} if condition else statement


def runner_policy(
    target: Target, account: str, *, users: bool = False, attach: Sequence[str] = ()
) -> dict[str, Any]:
    """The policy for one target. In: settings, the account's id or `*`; `users`: theirs too.
    Writes reach only roles of the prefix; all but creation only roles tagged as this pool's. What
    a role may do, and who may assume it, changes only under the boundary. Of all managed policies
    only those of `attach` (ARNs) can be attached.
    """
    partition = target.pool.partition
    roles = f"arn:{partition}:iam::{account}:role{target.role_path}{target.role_prefix}*"
    pool = _pool_arn(target, account)
    statements = [allow("UserPool", "cognito-idp", (*READ_POOL, *WRITE_POOL), pool)]
    if users:
        statements.append(allow("Users", "cognito-idp", (*READ_USERS, *WRITE_USERS), pool))
    if target.identity_pool_id:
        here = f"arn:{partition}:cognito-identity:{target.identity_region}:{account}:identitypool"
        read, arn = ("DescribeIdentityPool",), f"{here}/{target.identity_pool_id}"
        statements.append(allow("ReadIdentityPool", "cognito-identity", read, arn))
    tagged, new = _tags(target, "aws:ResourceTag"), _tags(target, "aws:RequestTag")
    boundary = {"iam:PermissionsBoundary": target.boundary} if target.boundary else {}
    granting: Statement = {"StringEquals": {**tagged, **boundary}}
    # Groups are linked to roles in Cognito; no compute service may get one.
    cognito_only = {"StringLikeIfExists": {"iam:PassedToService": "cognito-id*"}}
    statements += [
        allow("ReadRoles", "iam", ("GetAccountAuthorizationDetails",), "*"),
        allow("ReadOwnRoles", "iam", ("GetRole",), roles),
        allow("MakeRoles", "iam", ("CreateRole",), roles, {"StringEquals": {**new, **boundary}}),
        # IAM asks for TagRole too where CreateRole carries tags; the tags are the condition.
        allow("TagNewRoles", "iam", ("TagRole",), roles, {"StringEquals": new}),
        allow("GrantToOwnRoles", "iam", GRANT, roles, granting),
        allow("ChangeOwnRoles", "iam", CHANGE, roles, {"StringEquals": tagged}),
        allow("LinkOwnRoles", "iam", ("PassRole",), roles, cognito_only),
    ]
    if attach:
        named = {**granting, "ArnEquals": {"iam:PolicyARN": list(attach)}}
        statements.append(allow("AttachNamedPolicies", "iam", ATTACH, roles, named))
    return {"Version": VERSION, "Statement": [*statements, *_denials(target, attach)]}


def _denials(target: Target, attach: Sequence[str]) -> list[Statement]:
    """Explicit denials hold whatever other policies the caller has."""

    def has(tag: str) -> Statement:
        return {"Null": {f"aws:ResourceTag/{tag}": "false"}}

    write = (*GRANT, *CHANGE, *(ATTACH if attach else ()))
    others = {"ArnNotEquals": {"iam:PolicyARN": list(attach)}} if attach else None
    other_pool = {"StringNotEquals": {f"aws:ResourceTag/{POOL_TAG}": target.pool.id}}
    ownership = {"ForAnyValue:StringEquals": {"aws:TagKeys": [OWNER_TAG, POOL_TAG]}}
    denials = [
        allow("NeverLiftTheBoundary", "iam", ("DeleteRolePermissionsBoundary",), "*"),
        allow("NeverAttachOtherPolicies", "iam", ATTACH, "*", others),
        # The prefix also matches roles of stacks, and of a stage whose prefix begins with this one.
        # Their tags tell them apart, which no caller can add: CloudFormation sets its own.
        allow("NeverThisServicesRoles", "iam", write, "*", has(PROJECT_TAG)),
        allow("NeverAStacksRoles", "iam", write, "*", has("aws:cloudformation:stack-name")),
        allow("NeverAnotherPoolsRoles", "iam", write, "*", {**has(POOL_TAG), **other_pool}),
        allow("NeverUntagRoles", "iam", ("UntagRole",), "*", ownership),
    ]
    if target.boundary:
        denials.append(allow("NeverEditTheBoundary", "iam", EDIT_POLICY, target.boundary))
    return [{**denial, "Effect": "Deny"} for denial in denials]


def users_policy(target: Target, account: str) -> dict[str, Any]:
    """The policy for managing users and nothing else: one pool, no role."""
    actions = (*READ_POOL, *READ_USERS, *WRITE_USERS)
    statement = allow("Users", "cognito-idp", actions, _pool_arn(target, account))
    return {"Version": VERSION, "Statement": [statement]}


def _pool_arn(target: Target, account: str) -> str:
    pool = target.pool
    return f"arn:{pool.partition}:cognito-idp:{pool.region}:{account}:userpool/{pool.id}"


def _tags(target: Target, key: str) -> dict[str, str]:
    return {f"{key}/{OWNER_TAG}": OWNER, f"{key}/{POOL_TAG}": target.pool.id}
