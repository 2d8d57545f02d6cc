"""AWS with the rights of the signed-in user, as in `user_client("s3").list_buckets()` in a view.

The request's own ID token is exchanged for credentials of the IAM role of the user's group, so AWS
itself refuses what the group may not do. boto3 is imported on first use.
"""

import logging
from typing import TYPE_CHECKING, Any

from flask import current_app

from cognises.errors import CognisesError
from cognises.web.authorize import current_user
from cognises.web.responses import refusal
from cognises.web.state import state_of

if TYPE_CHECKING:
    import boto3

    from cognises.aws.sessions import UserSession

__all__ = ["user_client", "user_identity_id", "user_session"]
_EXTENSION = "cognises.aws"
log = logging.getLogger("cognises.aws")


def user_session() -> "boto3.Session":
    """A boto3 session with the AWS credentials of the signed-in user's group role.
    Call it in a guarded view. The credentials are kept until shortly before they end, and stop
    working when the request's ID token expires. Raises an HTTPException that answers the request:
    401 where no user is signed in, 403 `no_role` for access tokens, machine clients and users
    without a single role, 503 `aws_unavailable`.
    """
    return _session_of_request().session


def user_client(service: str) -> Any:
    """A boto3 client of the user's session, as in `user_client("s3")`; kept with the session.
    What AWS refuses raises a botocore ClientError that answers the request with 403 `aws_denied`
    unless the view handles it; throttling and outages answer 503 `aws_unavailable`.
    """
    return _session_of_request().client(service)


def user_identity_id() -> str:
    """The user's id in the identity pool, the `${cognito-identity.amazonaws.com:sub}` of policies;
    always the same for one user of one pool. Raises as `user_session` does.
    """
    return _session_of_request().identity_id


def _session_of_request() -> "UserSession":
    state, extensions = state_of(current_app), current_app.extensions
    token, claims = current_user.token, current_user.claims
    try:
        if token is None:
            raise CognisesError("missing_token", "no user is signed in")
        if claims.get("token_use") != "id":
            raise CognisesError("no_role", "an access token; AWS credentials need an ID token")
        if claims.get("iss") not in state.verifier().expected.issuers:
            raise CognisesError("no_role", "a token of another pool")
        if _EXTENSION not in extensions:
            from cognises.aws.sessions import UserSessions

            extensions.setdefault(_EXTENSION, UserSessions(state.settings))
        found: UserSession = extensions[_EXTENSION].session_for(token, claims)
        return found
    except CognisesError as error:
        log.warning("no AWS credentials: %s (%s)", error.reason, error.detail)
        raise refusal(error, state.settings.realm) from error
