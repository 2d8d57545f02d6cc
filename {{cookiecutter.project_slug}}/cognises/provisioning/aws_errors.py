"""AWS's errors as one line that names the cause and the remedy: one table for calls and stacks.

Told apart by class name, operation, error code and text, so that this file needs no botocore.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from cognises.errors import printable
from cognises.provisioning.aws import error_code, error_message

LONGEST = 300  # characters of AWS's own words


class Advice(NamedTuple):
    """Patterns (empty: any) for an operation, an error code and AWS's text; and what to do."""

    operation: str
    code: str
    text: str
    advice: str


# These answers quote the request, session token and all: their text is not repeated.
SIGNATURES = "SignatureDoesNotMatch|InvalidSignature(Exception)?|IncompleteSignature(Exception)?"
_DENIED = "AccessDenied(Exception)?|UnauthorizedOperation|NotAuthorizedException"
_LIMIT = "LimitExceeded(Exception)?|ServiceQuotaExceededException"
_USERS = "ListUsers|Admin|CreateUserImportJob"
_STACK = (
    "Stack|ChangeSet|Template|UserPoolClient|UserPoolDomain|Repositor|Image|Bucket|Object|AWS::"
)
_SIGN_IN = "run `aws sso login` or `aws login`, or export new keys"

# The first row that fits counts. In stack events the operation is the type of the resource, and
# the code is part of the text.
TABLE = (
    # Denied, by what denies
    Advice("", "", "service control policy", "a service control policy of the AWS organization "
        "denies this; only an administrator of the organization can change it"),
    Advice("", "", "resource control policy", "a resource control policy of the AWS organization "
        "denies this; only an administrator of the organization can change it"),
    Advice("", "", "permissions boundary allows|deny in a permissions boundary", "the caller's own "
        "permissions boundary does not allow this; ask the administrator who set it to extend it"),
    Advice("", "", "session policy", "the session policy that these credentials were made with "
        "does not allow this; get credentials without it"),
    Advice("", "", "VPC endpoint policy", "the policy of the VPC endpoint does not allow this; "
        "change it, or run this from another network"),
    Advice("AssumeRole|GetSessionToken", "", "invalid MFA|MultiFactorAuthentication failed",
        "the MFA code was not accepted; a code is accepted once: wait for the next one and run "
        "the command again"),
    Advice("AssumeRole", _DENIED, "", "the role of the AWS profile cannot be assumed; check "
        "role_arn, source_profile and mfa_serial in ~/.aws/config, and the role's trust policy"),
    Advice("", _DENIED + "|Denied", "explicit deny in an identity-based policy", "a policy of the "
        "caller denies this explicitly, and no other policy can allow it; remove the Deny"),
    Advice("", "NotAuthorizedException", "(user|password|token).*(state|disabled|revoked|expired)",
        "Cognito does not allow this in the user's present state; `provision.py users list` "
        "shows it"),
    Advice(_USERS, _DENIED, "", "access denied; attach the policy that "
        "`provision.py policy --users` prints to the caller"),
    Advice(_STACK, _DENIED + "|not authorized to perform|access ?denied", "", "access denied; "
        "attach the policy that `provision.py policy --bootstrap` prints to the caller"),
    Advice("", _DENIED + "|not authorized to perform|access ?denied", "", "access denied; attach "
        "the policy that `provision.py policy` prints to the caller"),
    # Credentials and regions
    Advice("", SIGNATURES, "expired|not yet current|skewed", "the signature has expired; set this "
        "machine's clock"),
    Advice("", SIGNATURES, "", "AWS does not accept the signature; check the secret key and this "
        "machine's clock"),
    Advice("", "RequestExpired|RequestTimeTooSkewed|RequestInTheFuture", "", "AWS does not accept "
        "the time of the request; set this machine's clock"),
    Advice("", "RegionDisabledException", "", "STS is not active in this region for this account; "
        "enable the region: `aws account enable-region --region-name REGION`"),
    Advice("", "OptInRequired|SubscriptionRequiredException", "", "this account has not enabled "
        "the region or the service; enable it: `aws account enable-region --region-name REGION`"),
    Advice("", "InvalidClientTokenId|UnrecognizedClientException|AuthFailure", "", "AWS does not "
        "know these credentials in this region; check the profile and the keys, and whether an "
        "opt-in region is enabled: `aws account get-region-opt-status --region-name REGION`"),
    # Limits
    Advice("", "", "daily e?mail limit", "the pool has sent the e-mails that Cognito's own sender "
        "allows a day; send through Amazon SES, or set a password instead of an invitation: "
        "`provision.py users set-password`"),
    Advice("", "", "(policy size|PolicySize|size of .*policy).*", "the policy is too long, and "
        "this limit cannot be raised; shorten the policies in groups.json"),
    Advice("", _LIMIT, "groups?.*(per|in).*user ?pool|maximum number of groups", "a user pool has "
        "10,000 groups at most, and this limit cannot be raised; delete groups"),
    Advice("", _LIMIT, "groups? per user|user.*groups", "a user is in 100 groups at most, and this "
        "limit cannot be raised; remove the user from a group"),
    Advice("", _LIMIT, "tags", "a role has 50 tags at most, and this limit cannot be raised; "
        "remove some of its tags"),
    Advice("", _LIMIT + "|limit ?exceeded|quota|maximum number", "", "an AWS quota is used up; "
        "raise it in the Service Quotas console, or delete what is not needed"),
    Advice("", "Throttl|TooManyRequests|RequestLimitExceeded|SlowDown|rate exceeded"
        "|too many requests", "", "AWS is throttling; wait a minute and run the command again"),
    # Users
    Advice("", "UsernameExistsException|AliasExistsException", "e-?mail|phone|alias|another "
        "(account|user)", "another user has this e-mail, phone number or alias; "
        "`provision.py users list` shows who"),
    Advice("", "UsernameExistsException", "", "a user of this name exists; "
        "`provision.py users list` shows all (the pool may ignore case)"),
    Advice("", "UserNotFoundException", "", "there is no such user; `provision.py users list` "
        "shows all"),
    Advice("", "CodeDeliveryFailureException|InvalidEmailRoleAccessPolicyException"
        "|InvalidSms.*Exception", "", "the message could not be sent; check the address and the "
        "pool's e-mail and SMS configuration"),
    Advice("", "InvalidPasswordException", "", "the pool's password policy does not allow this "
        "password"),
    Advice("", "PasswordHistoryPolicyViolationException", "", "this password was used before; "
        "choose another"),
    Advice("", "(User|Unexpected)Lambda\\w*Exception|InvalidLambdaResponseException", "",
        "a Lambda trigger of the pool refused this or failed; see its log"),
    # Roles, policies and groups
    Advice("", "", "UserPoolDomain.*already (exists|associated)", "this sign-in domain is taken; "
        "choose another with --domain-prefix"),
    Advice("", "", "OIDCProvider.*already exists", "this account has GitHub's provider already, "
        "and other repositories use it: add --parameter GitHubProviderArn="
        "arn:PARTITION:iam::ACCOUNT:oidc-provider/token.actions.githubusercontent.com"),
    Advice("", "DeleteConflict", "instance profile", "the role is in an instance profile; take it "
        "out: `aws iam remove-role-from-instance-profile`, then run the command again"),
    Advice("^AWS::", "", "DeleteConflict|must detach|cannot delete (a policy|an entity) attached",
        "it is still in use: run `provision.py destroy` for every stage first"),
    Advice("", "DeleteConflict", "", "something was attached to the role meanwhile; run the "
        "command again"),
    Advice("Role", "EntityAlreadyExists", "", "a role of this name exists, perhaps in another "
        "case, which IAM ignores; rename the group or choose another COGNISES_ROLE_PREFIX"),
    Advice("", "UnmodifiableEntity", "", "this role belongs to an AWS service and cannot be "
        "changed; rename the group or choose another COGNISES_ROLE_PREFIX"),
    Advice("", "MalformedPolicyDocument", "", "IAM does not accept the policy; correct it in "
        "groups.json: `provision.py validate` checks it"),
    Advice("", "ConcurrentModification|EntityTemporarilyUnmodifiable", "", "another change of the "
        "same resource is in progress; run the command again"),
    Advice("", "", "deletion protection", "it is protected from deletion; turn that off only if "
        "the data may be deleted"),
    Advice("", "", "already exists", "a resource of this name exists; rename or delete it"),
    Advice("", "NoSuchEntity", "", "this role or policy is gone; run the command again"),
    Advice("IdentityPool", "ResourceNotFoundException", "", "there is no such identity pool in "
        "this account and region; check COGNITO_IDENTITY_POOL_ID and the profile"),
    Advice("", "ResourceNotFoundException", "", "not found in this account and region; check "
        "COGNITO_USER_POOL_ID, COGNITO_IDENTITY_POOL_ID and the profile"),
    # The endpoint
    Advice("", "^(\\d{3}|)$|UnknownOperation(Exception)?|InvalidAction|UnknownEndpoint",
        "\\b[345]\\d\\d\\b|not found|not allowed|unknown|not valid for this|moved|forbidden"
        "|bad gateway|no such",
        "the endpoint is not AWS, or does not know this call; check AWS_ENDPOINT_URL, AWS_REGION "
        "and the proxy"),
    Advice("", "InternalFailure|InternalError(Exception)?|InternalServerError|ServiceFailure"
        "|ServiceUnavailable(Exception)?", "", "AWS failed, not the request; wait a minute and "
        "run the command again"),
)  # fmt: skip

_INSTALL = "the installed boto3 is incomplete or too old; install the locked packages: "
_CONFIG = "the AWS configuration cannot be used; fix ~/.aws/config or name another --profile"
_NETWORK = "AWS cannot be reached; check the network, AWS_REGION and AWS_ENDPOINT_URL"
_AGAIN = "the connection to AWS broke; run the command again"
_REGION = "AWS has no such region or endpoint; check AWS_REGION and AWS_ENDPOINT_URL"
_VALUE = "AWS does not accept a value that was given; check names, ids and options"
_EXPIRED_KEYS = "the exported AWS_SESSION_TOKEN has expired; export new keys"
_EXPIRED = f"the AWS sign-in has expired; {_SIGN_IN}"

# By the name of the exception's class, or of one it derives from.
CLASSES = {
    "NoCredentialsError": "no AWS credentials; run `aws configure`, `aws sso login` or "
    "`aws login`, or name a profile with --profile",
    "NoAuthTokenError": "no AWS token; run `aws sso login`",
    "PartialCredentialsError": "the AWS credentials are incomplete; set both AWS_ACCESS_KEY_ID "
    "and AWS_SECRET_ACCESS_KEY, or use --profile",
    "CredentialRetrievalError": "the AWS credentials could not be fetched; sign in again, or check "
    "credential_process and role_arn of the profile",
    "MetadataRetrievalError": "the instance's or container's credentials could not be fetched; "
    "check its role, or name a profile with --profile",
    "RefreshWithMFAUnsupportedError": "the session has expired; run the command again and enter a "
    "new MFA code",
    "SSOError": "the AWS sign-in has expired; run `aws sso login`",
    "TokenRetrievalError": "the AWS sign-in has expired; run `aws sso login`",
    "LoginError": "the AWS sign-in has expired; run `aws login`",
    "LoginInsufficientPermissions": "the AWS sign-in lacks a permission; attach the AWS managed "
    "policy SignInLocalDevelopmentAccess to the user of `aws login`",
    "MissingDependencyException": "a package is missing that the AWS profile needs; install it: "
    "`python -m pip install 'botocore[crt]'`",
    "ProfileNotFound": "there is no such AWS profile; list them with `aws configure list-profiles`",
    **dict.fromkeys(
        (
            "ConfigParseError", "InvalidConfigError", "ConfigNotFound", "UnknownCredentialError",
            "UnknownTokenProviderError", "InvalidRetryConfigurationError", "InvalidDefaultsMode",
            "InvalidSTSRegionalEndpointsConfigError", "InvalidS3UsEast1RegionalEndpointConfigError",
            "InvalidS3AddressingStyleError", "UnsupportedS3ConfigurationError",
            "UnsupportedS3AccesspointConfigurationError", "InvalidIMDSEndpointError",
            "UnsupportedS3ControlConfigurationError", "InvalidIMDSEndpointModeError",
            "InvalidEndpointDiscoveryConfigurationError", "InvalidChecksumConfigError",
        ),
        _CONFIG,
    ),
    "SSLError": "no trusted TLS connection to AWS; where a proxy inspects TLS, set AWS_CA_BUNDLE "
    "to the file of its certificate authority",
    "ProxyConnectionError": "the proxy cannot be reached; check HTTPS_PROXY and NO_PROXY",
    "InvalidProxiesConfigError": "the proxy's configuration is not valid; check HTTPS_PROXY",
    "ConnectTimeoutError": "AWS does not answer; check the network, the proxy and AWS_ENDPOINT_URL",
    "ReadTimeoutError": "AWS did not answer in time; run the command again",
    **dict.fromkeys(
        ("ConnectionClosedError", "ResponseStreamingError", "IncompleteReadError", "ChecksumError",
         "FlexibleChecksumError", "AwsChunkedWrapperError", "UnseekableStreamError"),
        _AGAIN,
    ),
    **dict.fromkeys(("ConnectionError", "EndpointConnectionError", "HTTPClientError"), _NETWORK),
    **dict.fromkeys(
        ("BaseEndpointResolverError", "EndpointProviderError", "InvalidEndpointConfigurationError",
         "UnknownRegionError", "InvalidRegionError", "ServiceNotInRegionError",
         "InvalidHostLabelError"),
        _REGION,
    ),
    "NoRegionError": "no region; set AWS_REGION or pass --region",
    **dict.fromkeys(
        ("ParamValidationError", "ValidationError", "MissingParametersError", "InvalidDNSNameError",
         "UnsupportedS3ArnError", "UnsupportedS3ControlArnError",
         "UnsupportedOutpostResourceError"),
        _VALUE,
    ),
    "ResponseParserError": "the endpoint is not AWS; check AWS_ENDPOINT_URL and the proxy",
    "WaiterError": "AWS did not finish as expected; run the command again",
    "PaginationError": "AWS answered the same page twice; run the command again",
    "CapacityNotAvailableError": "AWS is throttling; wait a minute and run the command again",
    **dict.fromkeys(
        ("BotoCoreError", "Boto3Error", "UndefinedModelAttributeError"),
        f"{_INSTALL}`make install`",
    ),
}  # fmt: skip


def is_aws_error(error: BaseException) -> bool:
    """Whether an exception comes from boto3 or botocore."""
    return type(error).__module__.split(".")[0] in ("boto3", "botocore") or bool(error_code(error))


def explain(error: BaseException) -> str:
    """One line: cause, remedy, and what AWS said, escaped."""
    code, text = error_code(error), error_message(error)
    if not isinstance(getattr(error, "response", None), Mapping):
        names = [each.__name__ for each in type(error).__mro__]
        advice = next((CLASSES[name] for name in names if name in CLASSES), "")
        return " ".join(filter(None, (advice, f"({_shortened(str(error))})")))
    operation = str(getattr(error, "operation_name", None) or "AWS")
    said = f"({operation}: {code})"
    if not re.fullmatch(SIGNATURES, code):
        said = f"({operation}: {code}: {_shortened(text)})"
    return " ".join(filter(None, (advice_for(operation, code, text), printable(said))))


def advice_for(operation: str, code: str, text: str) -> str:
    """What to do about an answer of AWS, empty if the table does not know it.

    For a stack event: the type of the resource as `operation`, no code, the reason as `text`.
    """
    if re.fullmatch("ExpiredToken(Exception)?", code):
        return _EXPIRED_KEYS if os.environ.get("AWS_SESSION_TOKEN") else _EXPIRED
    searched = (operation, code or f"{operation}: {text}", f"{operation}: {code}: {text}")
    for row in TABLE:
        if all(re.search(p, s, re.IGNORECASE) for p, s in zip(row, searched, strict=False) if p):
            return row.advice
    return ""


def _shortened(said: str) -> str:
    """The first line, escaped, without the password that an address may carry."""
    first = said.partition("\n")[0]
    return printable(re.sub(r"//[^/@\s]+@", "//", first)[:LONGEST])
