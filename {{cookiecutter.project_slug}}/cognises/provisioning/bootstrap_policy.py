"""The least that `bootstrap` needs, as an IAM policy.

CloudFormation calls AWS with the rights of its caller, so these are those of its resources. Nothing
here deletes a user pool, and only pools that carry our tag are changed: an existing pool gets only
clients. (Tags are set at creation, so this policy could also put our tag on another pool of the
account: give it to few.)

It is apart from what `apply` needs: whoever may change the boundary should not create roles under
it.

Source: AWS service authorization reference; the handlers' permissions in CloudFormation's
resource schemas.
"""

from __future__ import annotations

import json
from typing import Any

from cognises.provisioning.bootstrap_request import Request
from cognises.provisioning.names import OWNER, OWNER_TAG
from cognises.provisioning.policies import allow
from cognises.user_pool import partition_of

STACK = (
    *("CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet", "DeleteChangeSet"),
    *("DescribeStacks", "DescribeStackEvents", "GetTemplate", "TagResource", "DeleteStack"),
)
CHANGE_POOL = (
    *("UpdateUserPool", "GetUserPoolMfaConfig", "SetUserPoolMfaConfig"),
    *("ListTagsForResource", "UntagResource"),
)
CLIENT = (
    *("DescribeUserPool", "CreateUserPoolClient", "DescribeUserPoolClient"),
    *("UpdateUserPoolClient", "DeleteUserPoolClient", "ListUserPoolClientSecrets"),
    "ListUserPoolClients",
    *("CreateUserPoolDomain", "UpdateUserPoolDomain", "DeleteUserPoolDomain"),
    *("CreateManagedLoginBranding", "DescribeManagedLoginBranding"),
    *("DescribeManagedLoginBrandingByClient", "UpdateManagedLoginBranding"),
    "DeleteManagedLoginBranding",
)
IDENTITY_POOL = (
    *("DescribeIdentityPool", "UpdateIdentityPool", "DeleteIdentityPool"),
    *("GetIdentityPoolRoles", "ListTagsForResource", "UntagResource"),
)
BOUNDARY = (
    *("CreatePolicy", "GetPolicy", "DeletePolicy", "ListEntitiesForPolicy"),
    *("ListPolicyVersions", "GetPolicyVersion", "CreatePolicyVersion", "DeletePolicyVersion"),
    "SetDefaultPolicyVersion",
)


def bootstrap_policy_text(request: Request, account: str | None) -> str:
    """The policy as JSON text, ready for `aws iam create-policy`."""
    return json.dumps(bootstrap_policy(request, account or "*"), indent=2)


def bootstrap_policy(request: Request, account: str) -> dict[str, Any]:
    """The policy for one stage. In: the request, and the account's id or `*`."""
    partition, _ = partition_of(request.region)
    here = f"{request.region}:{account}"
    pools = f"arn:{partition}:cognito-idp:{here}:userpool/{request.pool_id or '*'}"
    ours = {"Condition": {"StringEquals": {f"aws:ResourceTag/{OWNER_TAG}": OWNER}}}
    new = {"Condition": {"StringEquals": {f"aws:RequestTag/{OWNER_TAG}": OWNER}}}
    identity_pools = f"arn:{partition}:cognito-identity:{here}:identitypool/*"
    boundary = f"arn:{partition}:iam::{account}:policy/{request.stack}-PermissionsBoundary-*"
    stack = f"arn:{partition}:cloudformation:{here}:stack/{request.stack}/*"
    change_sets = f"arn:{partition}:cloudformation:{here}:changeSet/cognises-*"
    make_identity_pool = ("CreateIdentityPool", "TagResource")
    statements = [
        allow("OwnStack", "cloudformation", STACK, stack),
        # Change sets carry the stack's tags.
        allow("TagChangeSets", "cloudformation", ("TagResource",), change_sets),
        *_pool(request, pools, new, ours),
        allow("LookAtDomains", "cognito-idp", ("DescribeUserPoolDomain",), "*"),
        {**allow("MakeIdentityPool", "cognito-identity", make_identity_pool, "*"), **new},
        {**allow("OwnIdentityPool", "cognito-identity", IDENTITY_POOL, identity_pools), **ours},
        # Knows neither resources nor tags.
        allow("MapRoles", "cognito-identity", ("SetIdentityPoolRoles",), "*"),
        allow("OwnBoundary", "iam", BOUNDARY, boundary),
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _pool(
    request: Request, pools: str, new: dict[str, Any], ours: dict[str, Any]
) -> list[dict[str, Any]]:
    """An existing pool has no tag of ours: it is named by its id, and only clients are created.

    After the first run, the id may be that of our own pool: the tag tells.
    """
    clients = allow("ClientsOfThePool", "cognito-idp", CLIENT, pools)
    change = {**allow("ChangeOwnPool", "cognito-idp", CHANGE_POOL, pools), **ours}
    if request.pool_id:
        return [change, clients]
    return [
        {**allow("MakePool", "cognito-idp", ("CreateUserPool", "TagResource"), "*"), **new},
        change,
        {**clients, **ours},
    ]
