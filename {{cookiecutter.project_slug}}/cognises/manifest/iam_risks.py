"""Grants that IAM accepts and a person should know: everything, or rights to get more rights.

Standard library only. The checker warns by it; the planner marks by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from cognises.errors import Problem, warning
from cognises.manifest.iam_policy import statements_of, texts

# Rights that lead to other rights: IAM itself, other roles' credentials, and the administration
# of the pool (or identity pool) that decides who is in which group.
ESCALATING_SERVICES = ("iam", "sts", "cognito-idp", "cognito-identity")

# Calls of those services that only read, or that every signed-in user may make for themselves.
_HARMLESS = re.compile(
    r"(iam|cognito-idp|cognito-identity):(Admin)?(Get|List|Describe|Lookup|Simulate)[A-Za-z*?]*"
    r"|iam:Generate[A-Za-z*?]*|sts:(Get[A-Za-z*?]*|DecodeAuthorizationMessage|TagSession)"
    r"|cognito-idp:(ChangePassword|ConfirmForgotPassword|ForgotPassword|GlobalSignOut|InitiateAuth"
    r"|RespondToAuthChallenge|RevokeToken|UpdateUserAttributes|VerifyUserAttribute)",
    re.IGNORECASE,
)
# Named like a read action, and signs a token for any identity.
_MINTS_TOKENS = "cognito-identity:GetOpenIdTokenForDeveloperIdentity"


def check_risks(document: object) -> Iterator[Problem]:
    """A warning for each statement that grants everything, or PassRole on every role."""
    if not isinstance(document, dict):
        return
    for place, statement in statements_of(document):
        if not isinstance(statement, dict) or statement.get("Effect") != "Allow":
            continue
        resources, actions = _reached(statement), texts(statement.get("Action"))
        if statement.get("Condition"):
            continue
        if "*" in resources and _all_but_a_few(statement):
            yield warning(place, "allows all but a few actions, iam among them; use Action")
        elif "*" in resources and any(action in ("*", "*:*") for action in actions):
            yield warning(place, "allows every action on everything; name what the group needs")
        elif any(_every_role(each) for each in resources) and any(
            _covers(action, "iam:PassRole") for action in actions
        ):
            yield warning(place, "allows iam:PassRole on every role; name the roles to pass")


def escalating_actions(statement: Mapping[str, object]) -> list[str]:
    """The actions of an Allow statement by which a group could give itself more.

    In: one statement, placeholders filled. Out: the actions as written, empty if there are none;
    for NotAction, which grants all the rest, `NotAction` itself unless it leaves out all services
    that matter.
    """
    if statement.get("Effect") != "Allow":
        return []
    if "NotAction" in statement:
        left_out = {action.lower() for action in texts(statement["NotAction"])}
        safe = all(f"{service}:*" in left_out for service in ESCALATING_SERVICES)
        return [] if safe or "*" in left_out else ["NotAction"]
    return [action for action in texts(statement.get("Action")) if _escalates(action)]


def _escalates(action: str) -> bool:
    service, _, _ = action.lower().partition(":")
    if service == "*":
        return True
    if service not in ESCALATING_SERVICES:
        return False
    return _covers(action, _MINTS_TOKENS) or not _HARMLESS.fullmatch(action)


def _reached(statement: Mapping[str, object]) -> list[str]:
    """The resources of a statement; all but some of them are taken for all."""
    return ["*"] if "NotResource" in statement else texts(statement.get("Resource"))


def _all_but_a_few(statement: Mapping[str, object]) -> bool:
    left_out = texts(statement.get("NotAction"))
    return bool(left_out) and not any(_covers(action, "iam:PassRole") for action in left_out)


def _every_role(resource: str) -> bool:
    return resource == "*" or re.fullmatch(r"arn:[^:]*:iam::[^:]*:(role/)?\*", resource) is not None


def _covers(pattern: str, action: str) -> bool:
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, action, re.IGNORECASE) is not None
