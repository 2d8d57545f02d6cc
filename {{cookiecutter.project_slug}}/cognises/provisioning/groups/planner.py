"""Manifest and observed state to a plan. Pure: no clock, no network, no order of dictionaries.

desired + observed -> changes (role, then group, of each entry) + blocks + warnings + leftovers
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, replace

from cognises.manifest import Group
from cognises.provisioning.groups.changes import group_change, retirement, role_change
from cognises.provisioning.groups.checks import (
    account_warnings,
    adopt_blocks,
    boundary_blocks,
    group_blocks,
    identity_pool_findings,
    manifest_warnings,
    owned_by,
    scope_warnings,
)
from cognises.provisioning.groups.model import (
    DesiredGroup,
    Observed,
    PoolGroup,
    Role,
    Scope,
    desired_groups,
)
from cognises.provisioning.groups.plan import Change, Plan, digest_of_manifest
from cognises.provisioning.groups.prune import Pruning, find_deletions
from cognises.provisioning.names import role_name


def make_plan(
    groups: Sequence[Group],
    observed: Observed,
    scope: Scope,
    *,
    adopt: Collection[str] = (),
    pruning: Pruning | None = None,
) -> Plan:
    """What has to change so that AWS is what the manifest says.

    In: the checked manifest, one reading of AWS, where it applies, names of roles to take over,
    and how to prune (None: delete nothing). Raises ManifestError where a filled policy is too
    large or names another partition.
    """
    desired = desired_groups(groups, scope)
    blocks, warnings = identity_pool_findings(scope, observed)
    blocks += [*boundary_blocks(scope), *adopt_blocks(adopt, desired, observed)]
    changes: list[Change] = []
    for each in desired:
        found = list(group_blocks(each, observed, scope, adopt))
        blocks += found
        if not found:
            changes += _changes_of(each, observed, scope, adopt)
    deletions = find_deletions(desired, observed, scope, pruning)
    warnings += scope_warnings(scope, desired)
    warnings += account_warnings(scope, desired, observed)
    warnings += manifest_warnings(groups, desired, observed)
    return Plan(
        scope,
        digest_of_manifest([asdict(group) for group in groups]),
        (*changes, *deletions.changes),
        (*blocks, *deletions.blocks),
        tuple(warnings),
        tuple(deletions.leftovers),
    )


def _changes_of(
    desired: DesiredGroup, observed: Observed, scope: Scope, adopt: Collection[str]
) -> Iterator[Change]:
    """The changes of one entry: its role, then the group that is linked to it."""
    live = observed.roles.get(role_name(scope.role_prefix, desired.group).lower())
    group = observed.groups.get(desired.group)
    linked = replace(desired, pool_group=_linked(desired, live, group))
    role = None
    if desired.role is not None:
        role = role_change(linked, live, group, desired.role.name in adopt)
    elif live and owned_by(scope, live) and group and group.role_arn == live.arn:
        role = retirement(desired.group, live, scope)
    changes = (role, group_change(linked, group, live if desired.role else None))
    yield from (change for change in changes if change is not None)


def _linked(desired: DesiredGroup, live: Role | None, group: PoolGroup | None) -> PoolGroup:
    """The group as it should be: linked to the live role, which may be at another path.

    Without a role it keeps the link it has, which Cognito can replace and not remove; without a
    precedence it keeps the one it has.
    """
    after = desired.pool_group
    if desired.role is None:
        after = replace(after, role_arn=group.role_arn if group else None)
    elif live:
        after = replace(after, role_arn=live.arn)
    if group and after.precedence is None:
        after = replace(after, precedence=group.precedence)
    return after
