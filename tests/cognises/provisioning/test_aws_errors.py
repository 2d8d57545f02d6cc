"""Every error of AWS names its cause and its remedy, and every remedy of ours is a real command."""

from __future__ import annotations

import inspect
import json
import re
import shlex
from collections.abc import Callable
from contextlib import nullcontext
from itertools import count
from pathlib import Path
from string import Formatter
from typing import Any

import boto3
import boto3.exceptions
import botocore.exceptions
import botocore.parsers
import pytest
from accounts import Account, Ran, group, make_identity_pool, policy
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from faults import Body

import infra
from cognises.provisioning import aws_errors, cli
from cognises.provisioning.aws import make_client, require_answer_of_aws
from cognises.provisioning.aws_errors import CLASSES, TABLE, advice_for, explain, is_aws_error

Run = Callable[..., Ran]
DENIED = "User: arn:aws:iam::1:user/a is not authorized to perform: iam:CreateRole on resource: x "

# Operation, code and text as AWS has them, and words of the advice that must follow.
CASES: list[tuple[str, str, str, str]] = [
    ("CreateRole", "AccessDenied", DENIED + "with an explicit deny in a service control policy",
     "organization"),
    ("CreateRole", "AccessDenied", DENIED + "because no service control policy allows the "
     "iam:CreateRole action", "organization"),
    ("CreateRole", "AccessDenied", DENIED + "with an explicit deny in a resource control policy",
     "resource control policy of the AWS organization"),
    ("CreateRole", "AccessDenied", DENIED + "because no permissions boundary allows the "
     "iam:CreateRole action", "the caller's own permissions boundary"),
    ("PutRolePolicy", "AccessDenied", DENIED + "with an explicit deny in a permissions boundary",
     "the caller's own permissions boundary"),
    ("ListGroups", "AccessDeniedException", DENIED + "because no session policy allows the action",
     "session policy"),
    ("ListGroups", "AccessDeniedException", DENIED + "with an explicit deny in a VPC endpoint "
     "policy", "VPC endpoint"),
    ("AssumeRole", "AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time "
     "pass code.", "wait for the next one"),
    ("AssumeRole", "AccessDenied", "User: x is not authorized to perform: sts:AssumeRole on "
     "resource: y", "role of the AWS profile cannot be assumed"),
    ("AttachRolePolicy", "AccessDenied", DENIED + "with an explicit deny in an identity-based "
     "policy", "print it again with `provision.py policy`"),
    ("CreateRole", "AccessDenied", DENIED + "with an explicit deny in an identity-based policy",
     "remove the Deny"),
    ("AdminResetUserPassword", "NotAuthorizedException", "User password cannot be reset in the "
     "current state.", "present state"),
    ("AdminCreateUser", "AccessDeniedException", DENIED, "`provision.py policy --users`"),
    ("CreateChangeSet", "AccessDenied", DENIED, "`provision.py policy --bootstrap`"),
    ("AWS::IAM::ManagedPolicy", "", DENIED, "`provision.py policy --bootstrap`"),
    ("CreateRole", "AccessDenied", DENIED, "`provision.py policy` prints"),
    ("DescribeUserPool", "NotAuthorizedException", "not authorized", "`provision.py policy`"),
    ("ListGroups", "InvalidSignatureException", "Signature expired: 2026 is now earlier than",
     "set this machine's clock"),
    ("ListGroups", "SignatureDoesNotMatch", "The request signature we calculated does not match",
     "check the secret key"),
    ("ListGroups", "RequestExpired", "Request has expired.", "set this machine's clock"),
    ("GetCallerIdentity", "RegionDisabledException", "STS is not activated in this region",
     "`aws account enable-region"),
    ("ListGroups", "OptInRequired", "You are not subscribed to this service.", "has not enabled"),
    ("ListGroups", "UnrecognizedClientException", "The security token included in the request is "
     "invalid.", "opt-in region"),
    ("AdminCreateUser", "LimitExceededException", "Exceeded daily email limit for the operation or "
     "the account.", "Amazon SES, or set a password instead"),
    ("PutRolePolicy", "LimitExceeded", "Maximum policy size of 10240 bytes exceeded for role x",
     "cannot be raised; shorten the policies"),
    ("CreateRole", "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048 (PolicySize)",
     "cannot be raised; shorten"),
    ("CreateGroup", "LimitExceededException", "Maximum number of groups in user pool exceeded.",
     "10,000 groups"),
    ("AdminAddUserToGroup", "LimitExceededException", "Maximum groups per user reached.",
     "100 groups"),
    ("TagRole", "LimitExceeded", "The number of tags has reached the maximum limit.", "50 tags"),
    ("CreateRole", "LimitExceeded", "Cannot exceed quota for RolesPerAccount: 1000",
     "raise it in the Service Quotas console"),
    ("CreateRole", "Throttling", "Rate exceeded", "wait a minute"),
    ("AdminCreateUser", "LimitExceededException", "Attempt limit exceeded, please try after some "
     "time.", "wait a minute"),
    ("AdminCreateUser", "UsernameExistsException", "An account with the email already exists.",
     "another user has this e-mail, phone number or alias"),
    ("AdminUpdateUserAttributes", "AliasExistsException", "An account with the given "
     "phone_number already exists.", "another user has this e-mail"),
    ("AdminCreateUser", "UsernameExistsException", "User account already exists",
     "the pool may ignore case"),
    ("AdminGetUser", "UserNotFoundException", "User does not exist.", "`provision.py users list`"),
    ("AdminCreateUser", "CodeDeliveryFailureException", "x", "could not be sent"),
    ("AdminSetUserPassword", "InvalidPasswordException", "x", "password policy"),
    ("AdminSetUserPassword", "PasswordHistoryPolicyViolationException", "x", "used before"),
    ("AdminCreateUser", "UserLambdaValidationException", "PreSignUp failed", "Lambda trigger"),
    ("AWS::Cognito::UserPoolDomain", "", "Domain already associated with another user pool.",
     "--domain-prefix"),
    ("AWS::IAM::OIDCProvider", "", "Provider with url x already exists.", "GitHubProviderArn"),
    ("DeleteRole", "DeleteConflict", "Cannot delete entity, must remove roles from instance "
     "profile first.", "`aws iam remove-role-from-instance-profile --instance-profile-name NAME"),
    ("AWS::IAM::ManagedPolicy", "", "Cannot delete a policy attached to entities. DeleteConflict",
     "`provision.py destroy` for every stage"),
    ("DeleteRole", "DeleteConflict", "Cannot delete entity, must detach all policies first.",
     "attached to the role meanwhile"),
    ("CreateRole", "EntityAlreadyExists", "Role with name SVC-Admins already exists.",
     "perhaps in another case"),
    ("DeleteRole", "UnmodifiableEntity", "Cannot perform the operation on the protected role",
     "belongs to an AWS service"),
    ("PutRolePolicy", "MalformedPolicyDocument", "Partition \"aws\" is not valid for resource",
     "`provision.py validate`"),
    ("TagRole", "ConcurrentModification", "x", "another change of the same resource"),
    ("AWS::Cognito::UserPool", "", "deletion protection is activated", "protected from deletion"),
    ("AWS::S3::Bucket", "", "x already exists in stack y", "rename or delete it"),
    ("AttachRolePolicy", "NoSuchEntity", "Policy arn:aws:iam::1:policy/X does not exist or is "
     "not attachable.", "correct managed_policies"),
    ("PutRolePolicy", "NoSuchEntity", "The role with name x cannot be found.", "is gone"),
    ("DescribeIdentityPool", "ResourceNotFoundException", "x", "check COGNITO_IDENTITY_POOL_ID"),
    ("DescribeUserPool", "ResourceNotFoundException", "x", "check COGNITO_USER_POOL_ID"),
    ("DescribeUserPool", "404", "Not Found", "the endpoint is not AWS"),
    ("DescribeUserPool", "502", "Bad Gateway", "the endpoint is not AWS"),
    ("DescribeUserPool", "UnknownOperationException", "Unknown", "the endpoint is not AWS"),
    ("DescribeUserPool", "InternalErrorException", "x", "AWS failed, not the request"),
]  # fmt: skip


@pytest.mark.parametrize("index", range(len(CASES)))
def test_an_answer_of_aws_is_explained_by_operation_code_and_text(index: int) -> None:
    operation, code, text, expected = CASES[index]
    assert expected in advice_for(operation, code, text)
    if code:
        error = ClientError({"Error": {"Code": code, "Message": text}}, operation)
        assert expected in explain(error)
        assert "\n" not in explain(error)


def test_every_row_of_the_table_is_the_first_that_fits_some_case() -> None:
    given = {advice_for(*case[:3]) for case in CASES}
    assert set(TABLE.values()) - given == set()


@pytest.mark.parametrize(("exported", "expected"), [("x", "AWS_SESSION_TOKEN"), ("", "aws login")])
def test_expired_keys_are_renewed_the_way_they_were_made(
    monkeypatch: pytest.MonkeyPatch, exported: str, expected: str
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", exported)
    assert expected in advice_for("ListGroups", "ExpiredTokenException", "x")


def every_exception() -> dict[str, Exception]:
    """One of each exception that botocore and boto3 can raise, made as they make it."""
    found: dict[str, Exception] = {}
    classes = {**vars(botocore.exceptions), **vars(boto3.exceptions)}
    classes["ResponseParserError"] = botocore.parsers.ResponseParserError
    for name, kind in classes.items():
        if not (inspect.isclass(kind) and issubclass(kind, Exception)):
            continue
        if issubclass(kind, Warning) or kind.__module__.split(".")[0] not in ("boto3", "botocore"):
            continue
        found[name] = made(kind)
    return found


def made(kind: type[Exception]) -> Exception:
    if issubclass(kind, ClientError):
        return kind({"Error": {"Code": "Unheard", "Message": "of"}}, "Operation")
    if issubclass(kind, botocore.exceptions.WaiterError):
        return kind(name="x", reason="y", last_response={})
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    required = [each for each in parameters if each.default is each.empty and each.kind == 1]
    if required or not hasattr(kind, "fmt"):
        return kind(*(["x"] * len(required)))
    fields = [field for _, field, _, _ in Formatter().parse(kind.fmt) if field]
    return kind(**dict.fromkeys(fields, "x"))


EXCEPTIONS = every_exception()


def test_the_walk_covers_botocore() -> None:
    assert len(EXCEPTIONS) > 100


@pytest.mark.parametrize("name", sorted(EXCEPTIONS))
def test_every_exception_of_botocore_has_an_advice(name: str) -> None:
    error = EXCEPTIONS[name]
    assert is_aws_error(error)
    if isinstance(error, ClientError):
        assert explain(error) == "(Operation: Unheard: of)"
    else:
        assert explain(error).startswith(tuple(CLASSES.values()))
    assert "\n" not in explain(error)


def test_every_advice_by_class_belongs_to_an_exception_that_exists() -> None:
    patterns = [pattern for names in CLASSES for pattern in names.split("|")]
    unused = [each for each in patterns if not any(re.fullmatch(each, name) for name in EXCEPTIONS)]
    assert unused == []


COMMANDS = [
    ["plan"],
    ["apply", "--yes"],
    ["destroy"],
    ["import", "--output", "other.json"],
    ["bootstrap", "--yes"],
    ["users", "list"],
    ["users", "disable", "ada"],
]


@pytest.mark.parametrize("argv", COMMANDS, ids=" ".join)
def test_no_exception_of_botocore_is_a_traceback(
    run: Run,
    manifest: Callable[..., Path],
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
) -> None:
    manifest(group("a"))
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    for name, error in EXCEPTIONS.items():

        def fail(*_: Any, error: Exception = error) -> Any:
            raise error

        monkeypatch.setattr("cognises.provisioning.aws.make_client", fail)
        ran = run(*argv)
        assert (ran.code, ran.err.count("\n")) == (1, 1), name
        assert ran.err == f"error: {explain(error)}\n"


SOURCE = "".join(
    re.sub(r'"\s*\n\s*f?"', "", path.read_text(encoding="utf-8"))
    for folder in (aws_errors, infra)
    for path in sorted(Path(folder.__file__).parent.rglob("*.py"))
)
REMEDIES = sorted(set(re.findall(r"`provision\.py ([^`]+)`", SOURCE)))


@pytest.mark.parametrize("remedy", REMEDIES)
def test_every_command_that_is_advised_exists_with_its_options(run: Run, remedy: str) -> None:
    argv = shlex.split(re.sub(r"\{[^}]*\}", "x", remedy))
    names = [each for each in argv if not each.startswith("-")]
    command: Any = cli.cli
    while hasattr(command, "commands") and names:
        command = command.get_command(None, names.pop(0))
    known = {option for parameter in command.params for option in parameter.opts}
    assert {each for each in argv if each.startswith("-")} <= known
    assert not hasattr(command, "commands")


def test_the_source_advises_commands() -> None:
    assert {"plan", "apply --prune", "policy --users", "policy --bootstrap"} <= set(REMEDIES)


PAGE = b"<!DOCTYPE html><html><body>Sign in to this network</body></html>"
ANSWERED = [["plan"], ["apply", "--yes"], ["users", "add-to-group", "ada", "editors"]]


@pytest.mark.parametrize("argv", ANSWERED, ids=" ".join)
def test_a_page_of_a_proxy_is_no_answer_of_aws_wherever_it_comes(
    run: Run,
    manifest: Callable[..., Path],
    staff: Account,
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
) -> None:
    """With status 200: botocore would read it as a group, an identity pool or a user of no data."""
    staff.cognito.admin_remove_user_from_group(
        UserPoolId=staff.pool_id, Username="ada", GroupName="editors"
    )
    manifest(group("a", managed_policies=["arn:aws:iam::123456789012:policy/data"]))
    staff.iam.create_policy(PolicyName="data", PolicyDocument=json.dumps(policy()))
    monkeypatch.setenv("COGNITO_IDENTITY_POOL_ID", make_identity_pool(staff))
    for number in range(20):
        requests = count()

        def tapped(*given: Any, at: int = number, seen: Any = requests) -> Any:
            client = make_client(*given)

            def answer(request: Any, **_: Any) -> Any:
                page = AWSResponse(request.url, 200, {"content-type": "text/html"}, Body(PAGE))
                return page if next(seen) == at else None

            client.meta.events.register_first("before-send", answer)
            return client

        monkeypatch.setattr("cognises.provisioning.aws.make_client", tapped)
        ran = run(*argv)
        if next(requests) <= number:  # the command made fewer requests than that
            break
        assert (ran.code, "the endpoint is not AWS" in ran.err) == (1, True), number
        assert "Traceback" not in ran.err
    assert (ran.code, number > 3) == (0, True)


@pytest.mark.parametrize(
    ("service", "body", "is_aws"),
    [
        ("iam", b'<?xml version="1.0"?>\n<GetRoleResponse xmlns="x"></GetRoleResponse>', True),
        ("iam", PAGE, False),
        ("iam", b"", False),
        ("iam", b"<OtherResponse/>", False),
        ("cognito-idp", b' {"Group": {}}', True),
        ("cognito-idp", b"", True),  # an operation without output
        ("cognito-idp", PAGE, False),
        ("cognito-idp", b"[]", False),
        ("cognito-idp", b"null", False),
        ("s3", b"data", True),
    ],
    ids=str,
)
def test_the_form_of_an_answer_tells_aws_from_others(
    service: str, body: bytes, is_aws: bool
) -> None:
    names = {"iam": "GetRole", "cognito-idp": "GetGroup", "s3": "GetObject"}
    client = boto3.client(service, "us-east-1")
    model = client.meta.service_model.operation_model(names[service])
    raised = nullcontext() if is_aws else pytest.raises(ResponseParserError)
    with raised:
        require_answer_of_aws(model, {"status_code": 200, "body": body})
    require_answer_of_aws(model, {"status_code": 403, "body": body})
