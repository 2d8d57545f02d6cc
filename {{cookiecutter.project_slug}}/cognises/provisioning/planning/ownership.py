"""Whose is a role? Ours is touched, anybody else's is a block that says what can be done."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from cognises.provisioning.planning.names import GROUP_TAG, POOL_TAG, is_owned, role_name
from cognises.provisioning.planning.observed import Observed, Role
from cognises.provisioning.planning.scope import Scope
from cognises.provisioning.planning.wanted import Wanted


def ownership_block(
    wanted: Wanted, observed: Observed, scope: Scope, adopt: Iterable[str]
) -> list[str]:
    """Why the role of a group must not be touched; empty if it may be, or is to be made."""
    live = observed.roles.get(wanted.role.name.lower())
    if live is None:
        return []
    if live.name != wanted.role.name:
        return [
            f"role {live.name} exists and IAM ignores case, so {wanted.role.name} cannot be made;"
            " choose another group name or COGNISES_ROLE_PREFIX"
        ]
    if wanted.role.name in adopt or _is_ours(live, wanted):
        return []
    return [_refusal(live, scope)]


def adopt_problems(
    adopt: Collection[str], wanted: Iterable[Wanted], observed: Observed
) -> list[str]:
    """What is wrong with the names to take over: only a manifest group's own role qualifies."""
    names = {each.role.name for each in wanted}
    problems = []
    for name in adopt:
        if name not in names:
            problems.append(f"--adopt {name}: no group of the manifest has a role of this name")
        elif name.lower() not in observed.roles:
            problems.append(f"--adopt {name}: there is no such role; leave --adopt away")
    return problems


def owned_by(scope: Scope, role: Role) -> bool:
    """Whether a role was made for this pool under this prefix, name and tags agreeing."""
    group = role.tags.get(GROUP_TAG, "").replace(":", ",")
    return (
        is_owned(role.tags)
        and role.tags.get(POOL_TAG) == scope.pool_id
        and bool(group)
        and role.name == role_name(scope.role_prefix, group)
    )


def _is_ours(live: Role, wanted: Wanted) -> bool:
    return is_owned(live.tags) and all(
        live.tags.get(tag) == wanted.role.tags[tag] for tag in (POOL_TAG, GROUP_TAG)
    )


def _refusal(live: Role, scope: Scope) -> str:
    if not is_owned(live.tags):
        return (
            f"role {live.name} exists and was not made by this project; choose another "
            f"COGNISES_ROLE_PREFIX, or take it over: apply --adopt {live.name} "
            f"(create_update: adopt=[{live.name!r}])"
        )
    if live.tags.get(POOL_TAG) != scope.pool_id:
        return (
            f"role {live.name} belongs to user pool {live.tags.get(POOL_TAG)}; stages that share "
            "an account need a COGNISES_ROLE_PREFIX each"
        )
    return (
        f"role {live.name} belongs to group {live.tags.get(GROUP_TAG)}; two prefixes and names "
        "make the same role name: choose another COGNISES_ROLE_PREFIX"
    )
