"""A verified ID token exchanged through the identity pool, and whose role came of it.

The enhanced flow: GetId, GetCredentialsForIdentity; then STS is asked who those credentials are.
The credentials live in this module for as long as that takes, and nothing prints them.

Source: Cognito developer guide, "Identity pools authentication flow", "Using role-based access
control".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cognises.errors import printable
from cognises.provisioning.aws import error_code, make_client
from cognises.provisioning.aws_errors import explain, is_aws_error
from cognises.provisioning.groups.model import IdentityPool
from cognises.provisioning.target import Target
from cognises.provisioning.verification.token import VerifyFailed, without_tokens

# What AWS says, in small letters, and what there is to do.
_REFUSALS = (
    (
        "ambiguous role",
        "the token prefers no role: the user is in no group that carries one, or in several of "
        "the same precedence; `provision.py users add-to-group`, or give the groups of "
        "groups.json distinct precedences and apply; then sign in again",
    ),
    ("expired", "the identity pool takes the token for expired; sign in again"),
    ("logged out", "the user was signed out since the token was issued; sign in again"),
    ("revoked", "the token was revoked; sign in again"),
    ("disabled", "the user is disabled; `provision.py users enable`"),
    (
        "supported provider",
        "the identity pool does not take tokens of this user pool and app client; "
        "`provision.py bootstrap` connects them",
    ),
)
_ROLE_NOT_ASSUMABLE = (
    "the identity pool may not assume the role that the token prefers; the role is missing, or its "
    "trust names another identity pool: `provision.py plan` shows it"
)


@dataclass(frozen=True)
class Caller:
    """Who a set of credentials is, by STS."""

    account: str
    arn: str

    @property
    def role_arn(self) -> str | None:
        """The role that was assumed, without its path, which STS does not tell; None if none was.

        ARN: arn:partition:sts::account:assumed-role/role/session
        """
        parts = self.arn.split(":", 5)
        kind, _, rest = parts[-1].partition("/")
        if len(parts) != 6 or kind != "assumed-role" or not rest:
            return None
        return f"arn:{parts[1]}:iam::{parts[4]}:role/{rest.partition('/')[0]}"


def provider_name(pool: IdentityPool, user_pool_id: str) -> str:
    """The name under which the identity pool knows the user pool. Raises VerifyFailed."""
    found = [name for name in pool.providers if name.endswith(f"/{user_pool_id}")]
    if not found:
        raise VerifyFailed(
            [
                f"identity pool {pool.id} does not name user pool {user_pool_id} as a provider, so "
                "nobody gets credentials; `provision.py bootstrap` connects them"
            ]
        )
    return found[0]


def exchanged(identity: Any, pool: IdentityPool, provider: str, token: str) -> Mapping[str, str]:
    """The user's credentials; two calls that need no AWS sign-in. Raises VerifyFailed."""
    logins = {provider: token}
    try:
        found = identity.get_id(IdentityPoolId=pool.id, Logins=logins)["IdentityId"]
        answer = identity.get_credentials_for_identity(IdentityId=found, Logins=logins)
    except Exception as error:
        if not is_aws_error(error):
            raise
        raise VerifyFailed([_refusal(error)]) from None
    credentials: Mapping[str, str] = answer["Credentials"]
    return credentials


def caller_of(credentials: Mapping[str, str], target: Target) -> Caller:
    """Who the credentials are, asked of STS in the identity pool's region."""
    import boto3
    import botocore.session

    settings = botocore.session.Session()
    settings.set_config_variable("sts_regional_endpoints", "regional")
    session = boto3.session.Session(
        credentials["AccessKeyId"],
        credentials["SecretKey"],
        credentials["SessionToken"],
        botocore_session=settings,
    )
    sts = make_client(session, "sts", target.identity_region, target.aws.endpoint_for("sts"))
    try:
        found = sts.get_caller_identity()
    except Exception as error:
        if not is_aws_error(error):
            raise
        raise VerifyFailed([without_tokens(explain(error))]) from None
    return Caller(account=str(found["Account"]), arn=str(found["Arn"]))


def _refusal(error: Exception) -> str:
    code = error_code(error)
    if code == "InvalidIdentityPoolConfigurationException":
        return _ROLE_NOT_ASSUMABLE
    if code != "NotAuthorizedException":
        return without_tokens(explain(error))
    said = str(getattr(error, "response", {}).get("Error", {}).get("Message", ""))
    for sign, remedy in _REFUSALS:
        if sign in said.lower():
            return remedy
    return f"the identity pool refuses the token: {without_tokens(printable(said[:300]))}"
