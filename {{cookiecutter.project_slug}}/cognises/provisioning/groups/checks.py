"""Whose is a role? Ours is touched, anybody else's is a block that says what can be done."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from cognises.manifest import Group
from cognises.provisioning.groups.grants import escalations
from cognises.provisioning.groups.model import IdentityPool, Observed, Role, Scope, Wanted
from cognises.provisioning.names import GROUP_TAG, POOL_TAG, is_owned, is_provider_group, role_name


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


def identity_pool_findings(scope: Scope, observed: Observed) -> tuple[list[str], list[str]]:
    """Blocks and warnings from the live identity pool; on loopback all of them only warn."""
    pool = observed.identity_pool
    if pool is None:
        return [], []
    blocks, warnings = open_doors(pool, loopback=observed.loopback)
    return blocks, warnings + ([] if _serves(pool, scope) else [_not_a_provider(pool, scope)])


def open_doors(pool: IdentityPool, *, loopback: bool) -> tuple[list[str], list[str]]:
    """The flows of an identity pool that must be off: blocks, or warnings on an emulator."""
    findings = _open_doors(pool)
    return ([], findings) if loopback else (findings, [])


def standing_warnings(scope: Scope, wanted: Iterable[Wanted]) -> list[str]:
    """What every plan for this scope should say, changes or none."""
    warnings = []
    if scope.identity_pool_id is None:
        warnings.append(
            "no COGNITO_IDENTITY_POOL_ID: roles get a closed trust that nobody can meet; set it "
            "and apply again to let members use their roles"
        )
    if scope.boundary is None:
        warnings.append(
            "no COGNISES_PERMISSIONS_BOUNDARY: whoever edits the manifest can grant anything the "
            "account has; set it to the ARN of a boundary policy"
        )
    for each in wanted:
        warnings += [f"group {each.group} {line}" for line in escalations([], [each.policy])]
    return warnings


def provider_group_warnings(scope: Scope, observed: Observed) -> list[str]:
    """Everybody who signs in through a provider is in its group: a role there is a role for all."""
    return [
        f"group {group.name} is Cognito's own for an identity provider and carries "
        f"{group.role_arn}: whoever signs in there gets that role; take the role off it"
        for group in observed.groups.values()
        if group.role_arn and is_provider_group(scope.pool_id, group.name)
    ]


def created_warnings(
    groups: Iterable[Group], wanted: Iterable[Wanted], observed: Observed
) -> list[str]:
    """Where `created` of an old manifest is not so; what exists is what counts."""
    lies = []
    for group, each in zip(groups, wanted, strict=True):
        exists = each.role.name.lower() in observed.roles
        if group.created is not None and group.created != exists:
            said, so = ("true", "is no") if group.created else ("false", "is a")
            lies.append(
                f'group {group.name} says "created": "{said}" and there {so} role '
                f"{each.role.name}; it is ignored, so remove it"
            )
    return lies


def _open_doors(pool: IdentityPool) -> list[str]:
    findings = []
    if pool.classic_flow:
        findings.append(
            f"identity pool {pool.id} allows the classic flow, in which any member can assume any "
            "group's role; turn it off (AllowClassicFlow: false)"
        )
    if pool.guests:
        findings.append(
            f"identity pool {pool.id} lets guests in; turn it off "
            "(AllowUnauthenticatedIdentities: false)"
        )
    return findings


def _serves(pool: IdentityPool, scope: Scope) -> bool:
    return any(provider.endswith(f"/{scope.pool_id}") for provider in pool.providers)


def _not_a_provider(pool: IdentityPool, scope: Scope) -> str:
    return (
        f"identity pool {pool.id} does not name user pool {scope.pool_id} as a provider; its "
        "members get no credentials until it does"
    )
