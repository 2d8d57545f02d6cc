"""Botocore's errors as one line that names what to do.

Told apart by class name and AWS error code, so that this page needs no botocore.
"""

from __future__ import annotations

import re

from cognises.errors import printable
from cognises.provisioning.aws import error_code

_BY_CLASS = {
    "NoCredentialsError": "no AWS credentials; run `aws configure` or `aws sso login`, or name a "
    "profile with --profile",
    "PartialCredentialsError": "the AWS credentials are incomplete; set both "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use --profile",
    "CredentialRetrievalError": "the AWS credentials could not be fetched; sign in again",
    "ProfileNotFound": "there is no such AWS profile; list them with `aws configure list-profiles`",
    "EndpointConnectionError": "AWS cannot be reached; check the network, the region and "
    "AWS_ENDPOINT_URL",
    "ConnectTimeoutError": "AWS does not answer; check the network and AWS_ENDPOINT_URL",
    "ReadTimeoutError": "AWS did not answer in time; run the command again",
    "ConnectionClosedError": "the connection to AWS broke; run the command again",
    **dict.fromkeys(
        ("ConfigParseError", "InvalidConfigError", "ConfigNotFound"),
        "the AWS configuration cannot be used; mend ~/.aws/config or name another --profile",
    ),
    "SSLError": "no trusted TLS connection to AWS; check the proxy's certificate (AWS_CA_BUNDLE)",
}
# What AWS says to these quotes the request, session token and all: it is not repeated.
SIGNATURES = (
    *("SignatureDoesNotMatch", "InvalidSignatureException", "InvalidSignature"),
    *("IncompleteSignature", "IncompleteSignatureException"),
)
LONGEST = 300  # characters of AWS's own words
_SIGN_IN_AGAIN = "the AWS sign-in has expired; run `aws sso login`"
_BY_CODE = {
    **dict.fromkeys(
        SIGNATURES,
        "AWS does not take the signature; check the secret key and this machine's clock",
    ),
    **dict.fromkeys(
        ("InvalidClientTokenId", "UnrecognizedClientException"),
        "AWS does not know these credentials; check the profile, the keys and the account",
    ),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "RequestExpired"), _SIGN_IN_AGAIN),
    **dict.fromkeys(
        ("AccessDenied", "AccessDeniedException", "NotAuthorizedException"),
        "access denied; give whoever runs this the policy that `provision.py policy` prints "
        "(with --users to manage people, with --bootstrap to bootstrap)",
    ),
    "ResourceNotFoundException": "not found in this account and region; check "
    "COGNITO_USER_POOL_ID, COGNITO_IDENTITY_POOL_ID and the profile",
    "UnknownEndpoint": "there is no such AWS endpoint; check AWS_REGION",
    "DeleteConflict": "something was attached to the role meanwhile; run the command again",
    "LimitExceeded": "an AWS quota is used up; raise it in the Service Quotas console",
    "LimitExceededException": "an AWS quota is used up; raise it in the Service Quotas console",
    **dict.fromkeys(
        ("Throttling", "ThrottlingException", "TooManyRequestsException"),
        "AWS keeps throttling; wait a minute and run the command again",
    ),
    "UserNotFoundException": "the user is gone; `provision.py users list` shows who is there",
    "CodeDeliveryFailureException": "the invitation could not be sent; check the address and the "
    "pool's e-mail configuration",
    "InvalidPasswordException": "the pool does not take this password",
    "PasswordHistoryPolicyViolationException": "this password was used before; take another",
    "UserLambdaValidationException": "a Lambda trigger of the pool refused this",
    **dict.fromkeys(
        ("InternalFailure", "InternalErrorException", "ServiceFailure", "ServiceUnavailable"),
        "AWS failed, not the request; wait a minute and run the command again",
    ),
}


def is_aws_error(error: BaseException) -> bool:
    """Whether an exception comes from boto3 or botocore."""
    return type(error).__module__.split(".")[0] in ("boto3", "botocore") or bool(error_code(error))


def explain(error: BaseException) -> str:
    """One line: what failed and what to do about it; text from AWS made harmless."""
    names = [each.__name__ for each in type(error).__mro__]
    if any(name.startswith(("SSO", "TokenRetrieval", "UnauthorizedSSO")) for name in names):
        return _SIGN_IN_AGAIN
    known = next((_BY_CLASS[name] for name in names if name in _BY_CLASS), None)
    advice = known or _BY_CODE.get(error_code(error), "")
    return " ".join(part for part in (f"{advice}" if advice else "", _detail(error)) if part)


def _detail(error: BaseException) -> str:
    """What AWS said, shortened: `(CreateRole: AccessDenied: …)`."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return f"({_shortened(str(error))})"
    code, operation = error_code(error), getattr(error, "operation_name", "AWS")
    if code in SIGNATURES:
        return f"({operation}: {code})"
    return f"({operation}: {code}: {_shortened(response.get('Error', {}).get('Message', ''))})"


def _shortened(said: str) -> str:
    """The first line, made harmless, without the password that an address may carry."""
    first = said.partition("\n")[0]
    return printable(re.sub(r"//[^/@\s]+@", "//", first)[:LONGEST])
