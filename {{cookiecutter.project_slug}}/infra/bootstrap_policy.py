"""The least that the caller of `bootstrap` needs; `policy --bootstrap` prints it.

Source: AWS service authorization reference; the handlers' permissions in CloudFormation's schemas.
"""

from typing import Any

from cognises.manifest.iam_policy import VERSION
from cognises.provisioning.names import OWNER, OWNER_TAG
from cognises.provisioning.policies import EDIT_POLICY, allow
from cognises.provisioning.target import Options
from cognises.user_pool import partition_of
from infra.bootstrap_settings import read_request

STACK = (
    "CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet", "DeleteChangeSet", "TagResource",
    "DescribeStacks", "DescribeStackEvents", "GetTemplate", "DeleteStack",
)  # fmt: skip
CHANGE_POOL = (
    "UpdateUserPool", "GetUserPoolMfaConfig", "SetUserPoolMfaConfig", "ListTagsForResource",
    "UntagResource",
)  # fmt: skip
CLIENT = (
    "DescribeUserPool", "ListGroups", "CreateUserPoolClient", "DescribeUserPoolClient",
    "UpdateUserPoolClient", "DeleteUserPoolClient", "ListUserPoolClientSecrets",
    "ListUserPoolClients", "CreateUserPoolDomain", "UpdateUserPoolDomain", "DeleteUserPoolDomain",
    "CreateManagedLoginBranding", "DescribeManagedLoginBranding", "UpdateManagedLoginBranding",
    "DescribeManagedLoginBrandingByClient", "DeleteManagedLoginBranding",
)  # fmt: skip
IDENTITY_POOL = (
    "DescribeIdentityPool", "UpdateIdentityPool", "DeleteIdentityPool", "GetIdentityPoolRoles",
    "ListTagsForResource", "UntagResource",
)  # fmt: skip
# Every property that CloudFormation reads of a bucket, and those that the template sets.
BUCKET = (
    "CreateBucket", "DeleteBucket", "ListBucket", "TagResource", "DeleteBucketPolicy",
    *(f"{verb}{name}" for verb in ("Get", "Put") for name in (
        "BucketOwnershipControls", "BucketPolicy", "BucketPublicAccessBlock", "BucketTagging",
        "BucketVersioning", "EncryptionConfiguration", "LifecycleConfiguration",
    )),
    *(f"Get{name}" for name in (
        "AccelerateConfiguration", "AnalyticsConfiguration", "BucketCORS", "BucketLogging",
        "BucketNotification", "BucketObjectLockConfiguration", "BucketWebsite",
        "IntelligentTieringConfiguration", "InventoryConfiguration", "MetricsConfiguration",
        "ReplicationConfiguration",
    )),
)  # fmt: skip
BOUNDARY = (
    "CreatePolicy", "GetPolicy", "ListEntitiesForPolicy", "ListPolicyVersions", "GetPolicyVersion",
    *EDIT_POLICY,
)  # fmt: skip


def policy_for(options: Options, account: str) -> dict[str, Any]:
    """The policy for the stage of the options. In: also the account's id or `*`.

    A policy of its own: who may change the boundary should not create roles under it. Nothing in
    it deletes a user pool, and only pools that carry our tag are changed. (Tags are set at
    creation, so it could also put our tag on another pool of the account: give it to few.)
    """
    request = read_request(options)
    region = request.aws.region
    partition, here = partition_of(region)[0], f"{region}:{account}"
    stack = f"arn:{partition}:cloudformation:{here}:stack/{request.stack}/*"
    change_sets = f"arn:{partition}:cloudformation:{here}:changeSet/cognises-*"
    pools = f"arn:{partition}:cognito-idp:{here}:userpool/{request.pool_id or '*'}"
    identity_pools = f"arn:{partition}:cognito-identity:{here}:identitypool/*"
    boundary = f"arn:{partition}:iam::{account}:policy/{request.stack}-PermissionsBoundary-*"
    ours = {"StringEquals": {f"aws:ResourceTag/{OWNER_TAG}": OWNER}}
    new = {"StringEquals": {f"aws:RequestTag/{OWNER_TAG}": OWNER}}
    make_pool = allow("MakePool", "cognito-idp", ("CreateUserPool", "TagResource"), "*", new)
    make_identity_pool = ("CreateIdentityPool", "TagResource")
    bucket = f"arn:{partition}:s3:::{request.stage}-{account}-{region}"
    statements = [
        allow("OwnStack", "cloudformation", STACK, stack),
        # Change sets carry the stack's tags.
        allow("TagChangeSets", "cloudformation", ("TagResource",), change_sets),
        *([] if request.pool_id else [make_pool]),
        allow("ChangeOwnPool", "cognito-idp", CHANGE_POOL, pools, ours),
        # An existing pool has no tag of ours: its id names it. After the first run, the id may
        # be that of our own pool.
        allow("ClientsOfThePool", "cognito-idp", CLIENT, pools, None if request.pool_id else ours),
        allow("LookAtDomains", "cognito-idp", ("DescribeUserPoolDomain",), "*"),
        allow("MakeIdentityPool", "cognito-identity", make_identity_pool, "*", new),
        allow("OwnIdentityPool", "cognito-identity", IDENTITY_POOL, identity_pools, ours),
        # Knows neither resources nor tags.
        allow("MapRoles", "cognito-identity", ("SetIdentityPoolRoles",), "*"),
        allow("OwnBoundary", "iam", BOUNDARY, boundary),
        allow("OwnBucket", "s3", BUCKET, bucket),
        # `destroy --stack` looks whether a role carries the boundary.
        allow("ReadRoles", "iam", ("GetAccountAuthorizationDetails",), "*"),
    ]
    return {"Version": VERSION, "Statement": statements}
