"""What the administrator's own role certainly does not allow, by groups.json."""

from collections import defaultdict
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import abort, current_app

from cognises.errors import ManifestError
from cognises.manifest import Group, load_groups
from cognises.manifest.iam_decision import decide
from cognises.manifest.iam_policy import statements_of
from cognises.manifest.rules import fill
from cognises.user_pool import UserPool
from cognises.web.authorize import current_user
from cognises.web.state import state_of

_POOL = "arn:${AWS::Partition}:cognito-idp:${AWS::Region}:${AWS::AccountId}:userpool/${UserPoolId}"


def permission_problem(action: str) -> str:
    """Why AWS certainly refuses an action on the pool, by the policy of the user's group.

    Empty where AWS may allow it, or where that cannot be known here (managed policies, conditions):
    AWS decides in any case.
    """
    having = [each for each in manifest() if each.name in current_user.groups and each.has_role]
    precedences = [each.precedence for each in having if each.precedence is not None]
    if len(precedences) < max(1, len(having)):  # no role, or a precedence that AWS alone knows
        return ""
    own = having[precedences.index(min(precedences))]  # as Cognito chooses
    if own.managed_policies:
        return ""
    role = str(current_user.claims.get("cognito:preferred_role", ""))
    account = role.split(":")[4] if role.count(":") > 4 else "123456789012"
    known = {"AWS::Region": pool().region, "AWS::Partition": pool().partition,
             "AWS::AccountId": account, "UserPoolId": pool().id}  # fmt: skip
    values = defaultdict(str, known)  # no other placeholder is in a pool's ARN
    allowing: Any = [
        fill({key: value for key, value in each.items() if key != "Condition"}, values)
        for _, each in statements_of(own.policy)
        if each.get("Effect") == "Allow" or "Condition" not in each
    ]
    if decide(allowing, action, str(fill(_POOL, values)), {}) == "allowed":
        return ""
    return f"the policy of group {own.name} does not allow {action}"


def is_powerful(group: Group) -> bool:
    """Whether the policies of a group may let its members get more rights.

    What a managed policy allows is not known here, so each counts.
    """
    from cognises.manifest.iam_warnings import escalating_actions  # only when a page needs it

    return bool(group.managed_policies) or any(
        escalating_actions(each) for _, each in statements_of(group.policy)
    )


def pool() -> UserPool:
    return state_of(current_app).own_pool or abort(404)


def manifest() -> tuple[Group, ...]:
    """The groups of groups.json; read once, as the guards do."""
    return _read(state_of(current_app).settings.groups_file)


@lru_cache(maxsize=8)
def _read(path: Path) -> tuple[Group, ...]:
    with suppress(ManifestError):  # what provisioning refuses and the guards do not need
        return load_groups(path)
    return ()
