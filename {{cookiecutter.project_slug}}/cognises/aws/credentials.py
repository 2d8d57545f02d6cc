"""An ID token in, AWS credentials out: the enhanced flow of an identity pool, two calls.

Source: Amazon Cognito developer guide, "Identity pools authentication flow" (GetId, then
GetCredentialsForIdentity). The pool picks the role of the group with the lowest precedence.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from cognises.errors import CognisesError
from cognises.settings.model import Settings
from cognises.settings.values import is_loopback
from cognises.web.responses import refusal

# Credentials are replaced this long before AWS ends them, so that no call is signed too late.
MARGIN = 60.0
# Anything else that the identity pool answers is about the token, the pool or its roles.
_UNAVAILABLE = frozenset(
    {"InternalErrorException", "TooManyRequestsException", "ExternalServiceException"}
)


class UserCredentials(Credentials):  # type: ignore[misc,unused-ignore]
    """One user's credentials, until `ends` (in seconds since the epoch)."""

    def __init__(self, found: Mapping[str, str], ends: float, realm: str) -> None:
        keys = (found["AccessKeyId"], found["SecretKey"], found["SessionToken"])
        super().__init__(*keys, "cognises")
        self.ends, self._realm = ends, realm

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """botocore calls it to sign a call. Raises a refusal (401 `token_expired`) at the end."""
        if time.time() >= self.ends:
            raise refusal(CognisesError("token_expired", "its AWS credentials too"), self._realm)
        return super().get_frozen_credentials()

    def __repr__(self) -> str:
        return "<UserCredentials>"


def exchange(
    client: Any, settings: Settings, token: str, claims: Mapping[str, Any]
) -> UserCredentials:
    """The credentials of the group role of the user whose verified ID token this is.

    `client` is an `identity_client`. The credentials end with the token at the latest. Raises
    CognisesError: `no_role` where the user has no role or no single one, `aws_unavailable` where
    AWS does not answer.
    """
    pool, identity_pool_id = settings.pool, settings.identity_pool_id
    if pool is None or identity_pool_id is None:
        raise CognisesError("no_role", "COGNITO_IDENTITY_POOL_ID is not set")
    logins = {pool.issuers[0].removeprefix("https://"): token}
    try:
        identity = client.get_id(IdentityPoolId=identity_pool_id, Logins=logins)["IdentityId"]
        answer = client.get_credentials_for_identity(IdentityId=identity, Logins=logins)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _UNAVAILABLE or status >= 500:
            raise CognisesError("aws_unavailable", "the identity pool does not answer") from None
        raise CognisesError("no_role", f"{code}: {_why_no_role(claims)}") from None
    except BotoCoreError as error:
        raise CognisesError("aws_unavailable", type(error).__name__) from None
    found = answer["Credentials"]
    ends = min(found["Expiration"].timestamp() - MARGIN, float(claims["exp"]))
    return UserCredentials(found, ends, settings.realm)


def _why_no_role(claims: Mapping[str, Any]) -> str:
    roles = claims.get("cognito:roles")
    if not roles:
        return "no group of the user has a role"
    if len(roles) > 1 and "cognito:preferred_role" not in claims:
        return "several roles; give the groups distinct precedence in groups.json"
    return "the identity pool refuses the token or its role; run provision.py verify"


def identity_client(session: Session, settings: Settings) -> Any:
    """A client for `exchange`. It signs nothing: the token is the credential."""
    retries = {"mode": "standard", "total_max_attempts": 3}
    config = Config(signature_version=UNSIGNED, connect_timeout=2, read_timeout=5, retries=retries)
    region = (settings.identity_pool_id or "").partition(":")[0] or None
    client = session.create_client("cognito-identity", region_name=region, config=config)
    require_local_endpoint(client, settings)
    return client


def require_local_endpoint(client: Any, settings: Settings) -> None:
    """In local mode only an emulator on this machine is called. Raises CognisesError."""
    if settings.local and not is_loopback(urlsplit(client.meta.endpoint_url).hostname or ""):
        raise CognisesError("no_role", "local mode: AWS_ENDPOINT_URL is not a loopback address")
