"""What is dangerous around a plan: the identity pool's flows, no boundary, a closed trust."""

from __future__ import annotations

from collections.abc import Iterable

from cognises.manifest import Group
from cognises.provisioning.planning.grants import escalations
from cognises.provisioning.planning.names import is_provider_group
from cognises.provisioning.planning.observed import IdentityPool, Observed
from cognises.provisioning.planning.scope import Scope
from cognises.provisioning.planning.wanted import Wanted


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
