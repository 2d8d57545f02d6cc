"""AWS's errors as one line with cause and remedy, by name, code and text, without botocore."""

import os
import re
from collections.abc import Mapping

from cognises.errors import printable
from cognises.provisioning.aws import error_code, error_message

LONGEST = 300  # characters of AWS's own words

# These answers quote the request, session token and all: their text is not repeated.
SIGNATURES = "SignatureDoesNotMatch|InvalidSignature(Exception)?|IncompleteSignature(Exception)?"
_DENIED = "(AccessDenied|UnauthorizedOperation|NotAuthorizedException)"
_NOT_ALLOWED = f"({_DENIED}|not authorized to perform|access ?denied)"
_LIMIT = ": (LimitExceeded|ServiceQuotaExceeded)"
_OF_USERS = "(ListUsers|Admin|CreateUserImportJob)"
_OF_STACKS = "(Stack|ChangeSet|Template|UserPool(Client|Domain)|Repositor|Image|Bucket|Object)"
_RENAME = "rename the group or choose another COGNISES_ROLE_PREFIX"
_NOT_HERE = "not found in this account and region; check"
_SIGN_IN = "the AWS sign-in has expired; run"
_FIXED = ", and this limit cannot be raised"
_THROTTLED = "AWS is throttling; wait a minute and run the command again"

# A pattern for `Operation: Code: text`, and what to do; the first that is found counts. For stack
# events this is `AWS::Type: : reason`.
TABLE = {
    # Denied, by what denies
    "(service|resource) control policy": "a service or resource control policy of the AWS "
    "organization denies this; only an administrator of the organization can change it",
    "permissions boundary allows|deny in a permissions boundary": "the caller's own permissions "
    "boundary does not allow this; ask the administrator who set it to extend it",
    "session policy": "the credentials' session policy does not allow this; get some without it",
    "VPC endpoint policy": "the VPC endpoint's policy denies this; change it or the network",
    r"(AssumeRole\w*|GetSessionToken): .*(invalid MFA|MultiFactorAuthentication failed)": "the MFA "
    "code was not accepted; a code is accepted once: wait for the next one and run this again",
    rf"AssumeRole\w*: {_DENIED}": "the role of the AWS profile cannot be assumed; check role_arn, "
    "source_profile and mfa_serial in ~/.aws/config, and the role's trust policy",
    f"AttachRolePolicy: {_DENIED}": "the runner may attach the managed policies that groups.json "
    "named when its policy was printed; print it again with `provision.py policy` and attach it",
    f"{_DENIED}.*explicit deny in an identity-based policy": "a policy of the caller denies this "
    "explicitly, and no other policy can allow it; remove the Deny",
    "NotAuthorizedException: .*(user|password|token).*(state|disabled|revoked|expired)": "Cognito "
    "does not allow this in the user's present state; `provision.py users list` shows it",
    rf"^\w*{_OF_USERS}\w*: {_DENIED}": "access denied; attach the policy that `provision.py policy "
    "--users` prints to the caller",
    rf"^(AWS::|\w*{_OF_STACKS}).*{_NOT_ALLOWED}": "access denied; attach the policy that "
    "`provision.py policy --bootstrap` prints to the caller",
    _NOT_ALLOWED: "access denied; attach what `provision.py policy` prints to the caller",
    # Credentials and regions
    f"({SIGNATURES}): .*(expired|not yet current|skewed)|: Request(Expired|TimeTooSkewed|"
    "InTheFuture)": "AWS does not accept the time of the request; set this machine's clock",
    f": ({SIGNATURES})": "AWS does not accept the signature; check the secret key and the clock",
    ": (RegionDisabled|OptInRequired|SubscriptionRequired)": "this account has not enabled the "
    "region or the service: `aws account enable-region --region-name REGION` enables a region",
    ": (InvalidClientTokenId|UnrecognizedClient|AuthFailure)": "AWS does not know these "
    "credentials in this region; check profile and keys, and whether an opt-in region is enabled: "
    "`aws account get-region-opt-status --region-name REGION`",
    # Limits
    "daily e?mail limit": "Cognito's own sender sends no more e-mails today; use Amazon SES, or "
    "set a password instead: `provision.py users set-password`",
    "policy ?size|size of .*policy": f"the policy is too long{_FIXED}; shorten the policies",
    f"{_LIMIT}.*(groups?.*(per|in).*user ?pool|maximum number of groups)": "a user pool has 10,000 "
    f"groups at most{_FIXED}; delete groups",
    f"{_LIMIT}.*(groups? per user|user.*groups)": f"100 groups a user at most{_FIXED}; remove one",
    f"{_LIMIT}.*tags": f"a role has 50 tags at most{_FIXED}; remove some of its tags",
    "Throttl|too ?many ?requests|SlowDown|rate exceeded|attempt limit": _THROTTLED,
    f"{_LIMIT}|limit ?exceeded|quota|maximum number": "an AWS quota is used up; raise it in the "
    "Service Quotas console, or delete what is not needed",
    # Users
    "(Username|Alias)ExistsException: .*(e-?mail|phone|alias|another (account|user))": "another "
    "user has this e-mail, phone number or alias; `provision.py users list` shows who",
    "UsernameExistsException": "a user of this name exists (the pool may ignore case)",
    "UserNotFoundException": "there is no such user; `provision.py users list` shows all",
    "CodeDeliveryFailure|InvalidEmailRoleAccessPolicy|InvalidSms.*Exception": "the message could "
    "not be sent; check the address and the pool's e-mail and SMS configuration",
    "InvalidPasswordException": "the pool's password policy does not allow this password",
    "PasswordHistoryPolicyViolation": "this password was used before; choose another",
    "(User|Unexpected|Invalid)Lambda": "a Lambda trigger refused this or failed; see its log",
    # Resources
    "UserPoolDomain.*already": "this sign-in domain is taken; choose another with --domain-prefix",
    "OIDCProvider.*already exists": "GitHub's provider exists; add --parameter GitHubProviderArn="
    "arn:PARTITION:iam::ACCOUNT:oidc-provider/token.actions.githubusercontent.com",
    "DeleteConflict.*instance profile": "the role is in an instance profile; take it out, then run "
    "the command again: `aws iam remove-role-from-instance-profile --instance-profile-name NAME "
    "--role-name ROLE`",
    "^AWS::.*(DeleteConflict|must detach|cannot delete (a policy|an entity) attached)": "it is "
    "still in use: run `provision.py destroy` for every stage first",
    "DeleteConflict": "something was attached to the role meanwhile; run the command again",
    r"^\w*Role\w*: EntityAlreadyExists": "a role of this name exists, perhaps in another case, "
    f"which IAM ignores; {_RENAME}",
    "UnmodifiableEntity": f"this role belongs to an AWS service; {_RENAME}",
    "MalformedPolicy": "IAM does not accept the policy; `provision.py validate` checks groups.json",
    "ConcurrentModification|EntityTemporarilyUnmodifiable": "another change of the same resource "
    "is in progress; run the command again",
    "deletion protection": "it is protected from deletion; turn that off only if the data may go",
    "already exists": "a resource of this name exists; rename or delete it",
    "AttachRolePolicy: NoSuchEntity.*(not exist|attachable)": "there is no such managed policy; "
    "correct managed_policies in groups.json: `aws iam list-policies --query Policies[].Arn` lists "
    "them",
    "NoSuchEntity": "this role or policy is gone; run the command again",
    r"^\w*IdentityPool\w*: ResourceNotFound": f"{_NOT_HERE} COGNITO_IDENTITY_POOL_ID, the profile",
    "ResourceNotFoundException": f"{_NOT_HERE} COGNITO_USER_POOL_ID, the other ids, the profile",
    r"^[\w:]+: ([345]\d\d:|(UnknownOperation\w*|InvalidAction|UnknownEndpoint)?: .*(\b[345]\d\d\b"
    "|not found|not allowed|unknown|not valid for this|moved|forbidden|bad gateway|no such))": (
        "the endpoint is not AWS, or not of this call; check AWS_ENDPOINT_URL, AWS_REGION and proxy"
    ),
    ": (Internal(Failure|(Server)?Error)|Service(Failure|Unavailable))": "AWS failed, not the "
    "request; wait a minute and run the command again",
}

# For errors without an answer: the names of the exception's class, or of one it derives from.
CLASSES = {
    "NoCredentialsError": "no AWS credentials; run `aws configure`, `aws sso login` or "
    "`aws login`, or name a profile with --profile",
    "PartialCredentialsError": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use --profile",
    "CredentialRetrievalError": "sign in, or check credential_process and role_arn of the profile",
    "MetadataRetrievalError": "no instance or container credentials; check the role or --profile",
    "RefreshWithMFAUnsupportedError": "the session has expired; run this again with a new MFA code",
    "SSOError|TokenRetrievalError|NoAuthTokenError": f"{_SIGN_IN} `aws sso login --profile NAME`",
    "LoginError": f"{_SIGN_IN} `aws login --profile NAME`",
    "LoginInsufficientPermissions": "the AWS sign-in lacks a permission; attach the AWS managed "
    "policy SignInLocalDevelopmentAccess to the user of `aws login`",
    "MissingDependencyException": "a package is missing that the AWS profile needs; install it: "
    "`uv pip install 'botocore[crt]'`, or without uv `python -m pip install 'botocore[crt]'`",
    "ProfileNotFound": "there is no such AWS profile; list them with `aws configure list-profiles`",
    "SSLError": "no trusted TLS connection; behind a TLS proxy, set AWS_CA_BUNDLE to its CA's file",
    "ProxyConnectionError": "the proxy cannot be reached; check HTTPS_PROXY and NO_PROXY",
    "InvalidProxiesConfigError": "the proxy's configuration is not valid; check HTTPS_PROXY",
    "ReadTimeoutError": "AWS did not answer in time; run the command again",
    r"ConnectionClosedError|ResponseStreamingError|IncompleteReadError|\w*ChecksumError"
    "|AwsChunkedWrapperError|UnseekableStreamError": "the connection broke; run the command again",
    "ConnectionError|HTTPClientError": "AWS cannot be reached; check the network, the proxy, "
    "AWS_REGION and AWS_ENDPOINT_URL",
    "BaseEndpointResolverError|EndpointProviderError|InvalidEndpointConfigurationError"
    "|UnknownRegionError|InvalidRegionError|ServiceNotInRegionError|InvalidHostLabelError": "AWS "
    "has no such region or endpoint; check AWS_REGION and AWS_ENDPOINT_URL",
    r"Config\w+|Invalid\w*Config\w*Error|Unsupported\w+ConfigurationError|UnknownCredentialError"
    r"|UnknownTokenProviderError|InvalidDefaultsMode|InvalidIMDS\w+|InvalidS3Addr\w+": "the AWS "
    "configuration cannot be used; fix ~/.aws/config or name another --profile",
    "NoRegionError": "no region; set AWS_REGION or pass --region",
    r"\w*ValidationError|MissingParametersError|InvalidDNSNameError|Unsupported\w+ArnError"
    r"|UnsupportedOutpost\w+": "AWS does not accept a given value; check names, ids and options",
    "ResponseParserError": "the endpoint is not AWS; check AWS_ENDPOINT_URL and the proxy",
    "WaiterError": "AWS did not finish as expected; run the command again",
    "PaginationError": "AWS answered the same page twice; run the command again",
    "CapacityNotAvailableError": _THROTTLED,
    r"Boto\w+Error|UndefinedModel\w+": "the installed boto3 is too old or broken; `make install`",
}


def is_aws_error(error: BaseException) -> bool:
    """Whether an exception comes from boto3 or botocore."""
    return type(error).__module__.split(".")[0] in ("boto3", "botocore") or bool(error_code(error))


def explain(error: BaseException) -> str:
    """One line: cause, remedy, and what AWS said, escaped."""
    if not isinstance(getattr(error, "response", None), Mapping):
        names = [each.__name__ for each in type(error).__mro__]
        found = (CLASSES[each] for name in names for each in CLASSES if re.fullmatch(each, name))
        return f"{next(found, '')} ({_shortened(str(error))})".strip()
    code, text = error_code(error), error_message(error)
    operation = str(getattr(error, "operation_name", None) or "AWS")
    quoted = "" if re.fullmatch(SIGNATURES, code) else f": {_shortened(text)}"
    said = printable(f"{operation}: {code}{quoted}")
    return f"{advice_for(operation, code, text)} ({said})".strip()


def advice_for(operation: str, code: str, text: str) -> str:
    """What to do, if known. For a stack event: the resource's type, no code, the reason."""
    if re.fullmatch("ExpiredToken(Exception)?", code):
        if os.environ.get("AWS_SESSION_TOKEN"):
            return "the exported AWS_SESSION_TOKEN has expired; export new keys"
        return f"{_SIGN_IN} `aws sso login --profile NAME`, `aws login`, or export new keys"
    said = f"{operation}: {code}: {text}"
    found = (advice for pattern, advice in TABLE.items() if re.search(pattern, said, re.I | re.S))
    return next(found, "")


def _shortened(said: str) -> str:
    """The first line, escaped, without the password that an address may carry."""
    first = said.partition("\n")[0]
    return printable(re.sub(r"//[^/@\s]+@", "//", first)[:LONGEST])
