"""Whose role the credentials should be, whose they are, and what is wrong where the two differ.

Pure. Which role a token gets: of the user's groups the one with the lowest precedence, named in
`cognito:preferred_role`; with two such groups the claim is missing, and so are credentials.

Source: Cognito developer guide, "Adding groups to a user pool", "Assigning precedence values".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cognises.manifest import Group
from cognises.provisioning.groups.model import Scope
from cognises.provisioning.names import is_provider_group
from cognises.provisioning.verification.exchange import Caller
from cognises.tokens.claims import groups_of


@dataclass(frozen=True)
class Expected:
    """What a token's groups come to by groups.json: a group and its role, or why there is none."""

    groups: tuple[str, ...]
    group: str | None
    role_arn: str | None
    why_none: str = ""
    unknown: tuple[str, ...] = ()
    preferred: str | None = None


@dataclass(frozen=True)
class Verdict:
    """The comparison. `agrees` is None where an emulator's credentials are of no role."""

    expected: Expected
    caller: Caller
    problems: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def agrees(self) -> bool | None:
        if self.problems:
            return False
        return True if self.caller.role_arn else None


def expected_role(claims: Mapping[str, Any], manifest: Iterable[Group], scope: Scope) -> Expected:
    """The role that groups.json gives to whoever carries these claims."""
    known = {group.name: group for group in manifest}
    groups = groups_of(claims)
    preferred = claims.get("cognito:preferred_role")
    ranked = sorted((known[name] for name in groups if name in known), key=_rank)
    first = [group.name for group in ranked if group.precedence == ranked[0].precedence]
    group = first[0] if len(first) == 1 else None
    if group:
        why = ""
    elif first:
        why = f"groups {' and '.join(first)} have the same precedence"
    else:
        why = "the user is in none of its groups" if groups else "the user is in no group"
    return Expected(
        groups=groups,
        group=group,
        role_arn=scope.role_arn(group) if group else None,
        why_none=why,
        unknown=tuple(
            name
            for name in groups
            if name not in known and not is_provider_group(scope.pool_id, name)
        ),
        preferred=preferred if isinstance(preferred, str) else None,
    )


def _rank(group: Group) -> tuple[bool, int]:
    """The lowest precedence first, groups without one last."""
    return (group.precedence is None, group.precedence or 0)


def verdict(expected: Expected, caller: Caller, *, loopback: bool) -> Verdict:
    """Hold the credentials against what they should be."""
    warnings = [
        f"group {name} of the token is not in groups.json: no route is open to it"
        for name in expected.unknown
    ]
    problems = []
    role = caller.role_arn
    if role is None and loopback:
        warnings.append(
            f"this emulator's credentials are of {caller.arn}, which is no role: nothing can be "
            "compared"
        )
    elif role is None:
        problems.append(f"the credentials are of {caller.arn}, which is no role of a group")
    elif expected.role_arn is None:
        problems.append(
            f"the credentials are of {role}, and groups.json gives this user no role: "
            f"{expected.why_none}; look at the identity pool's roles"
        )
    elif role != expected.role_arn:
        advice = "plan and apply, then sign in again"
        if loopback:
            advice = f"an emulator may not choose roles by token; elsewhere: {advice}"
        problems.append(
            f"the credentials are of {role}, and groups.json says {expected.role_arn} (group "
            f"{expected.group}); {advice}"
        )
    elif expected.preferred and without_path(expected.preferred) != role:
        problems.append(
            f"the token prefers {expected.preferred}, and the credentials are of {role}; look at "
            "the identity pool's role mapping"
        )
    return Verdict(expected, caller, tuple(problems), tuple(warnings))


def without_path(role_arn: str) -> str:
    """A role's ARN as STS lets it be known: `…:role/path/name` is `…:role/name`."""
    start, _, rest = role_arn.partition(":role/")
    return f"{start}:role/{rest.rpartition('/')[2]}"
