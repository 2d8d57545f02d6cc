"""A user's ID token: read, verified as the app does, exchanged for credentials, and identified.

The enhanced flow: GetId, GetCredentialsForIdentity; then STS is asked whose those credentials are.
They stay in this module and its caller for as long as that takes, and nothing prints them.

Source: Cognito developer guide, "Identity pools authentication flow", "Using role-based access
control".
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cognises.errors import CognisesError, ProblemsError, printable
from cognises.provisioning.aws import error_code, error_message, make_client
from cognises.provisioning.aws_errors import explain, is_aws_error
from cognises.provisioning.groups.model import IdentityPool
from cognises.provisioning.target import Target
from cognises.settings.model import Settings
from cognises.tokens.key_source import own_key_set
from cognises.tokens.verifier import Verifier

LARGEST = 64 * 1024  # bytes; four times what any verifier here accepts
_TOKEN = re.compile(r"eyJ[\w-]+(\.[\w-]*)*")
_CONNECT = "`provision.py bootstrap --revert-drift` connects them"
# What the identity pool says, in lower case, and what to do.
REFUSALS = (
    (
        "ambiguous role",
        "the token prefers no role: the user is in no group that has one, or in several of the "
        "same precedence, or the identity pool's role mapping is not bootstrap's; "
        "`provision.py users add-to-group`, or give the groups of groups.json distinct "
        "precedences and apply, or `provision.py bootstrap --revert-drift`; then sign in again",
    ),
    ("expired", "the identity pool says that the token has expired; sign in again"),
    ("logged out", "the user was signed out since the token was issued; sign in again"),
    ("revoked", "the token was revoked; sign in again"),
    ("disabled", "the user is disabled; `provision.py users enable` enables it"),
    (
        "supported provider",
        f"the identity pool does not accept tokens of this user pool and app client; {_CONNECT}",
    ),
)
NOT_ASSUMABLE = (
    "the identity pool may not assume the role that the token prefers; the role is missing, or its "
    "trust names another identity pool: `provision.py plan` shows it"
)


class VerifyFailed(ProblemsError):
    """A token that proves nothing, or an exchange that was refused; one line each."""


@dataclass(frozen=True)
class Caller:
    """Who a set of credentials belongs to, by STS."""

    account: str
    arn: str

    @property
    def role_arn(self) -> str | None:
        """The assumed role, without its path, which STS does not return; None for no role.

        ARN: arn:partition:sts::account:assumed-role/role/session
        """
        parts = self.arn.split(":", 5)
        kind, _, rest = parts[-1].partition("/")
        if len(parts) != 6 or kind != "assumed-role" or not rest:
            return None
        return f"arn:{parts[1]}:iam::{parts[4]}:role/{rest.partition('/')[0]}"


def read_token(file: Path | None) -> str:
    """The token: from a file, from standard input, or typed hidden on a terminal.

    Raises UsageError where the option holds the token itself, without repeating it.
    """
    if file is not None and (_TOKEN.match(str(file)) or len(str(file)) > 1024):
        raise click.UsageError("--token-file takes the name of a file, and never the token")
    if file is not None:
        with file.open("rb") as opened:
            data = opened.read(LARGEST + 1)
    elif sys.stdin.isatty():
        data = click.prompt("ID token", hide_input=True, err=True).encode()
    else:
        data = sys.stdin.buffer.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise VerifyFailed(["the input is too large for a token"])
    token = data.decode("ascii", "replace").strip()
    if not token:
        raise VerifyFailed(["the input is empty; give the ID token in a file or on standard input"])
    return token


def verified_claims(token: str, settings: Settings, target: Target) -> Mapping[str, Any]:
    """The claims of a valid ID token of the pool and its app clients. Raises VerifyFailed.

    `COGNITO_TOKEN_USE` says what the app accepts; an identity pool accepts ID tokens only.
    """
    pool = target.pool
    verifier = Verifier(
        pool.id,
        settings.client_ids,
        token_use="id",
        additional_regions=settings.additional_regions,
        issuers=[settings.issuer] if settings.issuer else None,
        key_set=own_key_set(settings, pool),
    )
    reasons = {
        "token_expired": "the token has expired; sign in again and use the new ID token",
        "wrong_token_use": "this is not an ID token, and the identity pool accepts no other; is it "
        "an access token?",
        "wrong_client": "the token was issued to an app client that COGNITO_CLIENT_ID does not "
        "name",
        "unknown_key": f"no key of user pool {pool.id} signed the token; is it another pool's?",
        "keys_unavailable": f"the keys of user pool {pool.id} cannot be fetched now, so the token "
        "cannot be verified; try again",
    }
    try:
        return verifier.verify(token)
    except CognisesError as error:
        other = f"the token is not valid: {error.detail or error.message}"
        raise VerifyFailed([reasons.get(error.reason, other)]) from None


def exchange_token(
    identity: Any, pool: IdentityPool, target: Target, token: str
) -> Mapping[str, str]:
    """The user's credentials by the enhanced flow: two unsigned calls. Raises VerifyFailed."""
    provider = next((each for each in pool.providers if each.endswith(f"/{target.pool.id}")), None)
    if provider is None:
        raise VerifyFailed(
            [
                f"identity pool {pool.id} does not name user pool {target.pool.id} as a provider, "
                f"so users get no credentials; {_CONNECT}"
            ]
        )
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


def caller_identity(credentials: Mapping[str, str], target: Target) -> Caller:
    """Who the credentials belong to, by STS in the identity pool's region."""
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
        raise VerifyFailed([_without_tokens(explain(error))]) from None
    return Caller(account=str(found["Account"]), arn=str(found["Arn"]))


def _refusal(error: Exception) -> str:
    code, text = error_code(error), error_message(error)
    if code == "InvalidIdentityPoolConfigurationException":
        return NOT_ASSUMABLE
    if code != "NotAuthorizedException":
        return _without_tokens(explain(error))
    other = f"the identity pool refuses the token: {_without_tokens(printable(text[:300]))}"
    return next((advice for sign, advice in REFUSALS if sign in text.lower()), other)


def _without_tokens(text: str) -> str:
    return _TOKEN.sub("<token>", text)
