"""Manifest and observed state to a plan. Pure: no clock, no network, no order of dictionaries.

wanted + observed -> changes (role, then group, of each manifest group) + blocks + warnings
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, replace

from cognises.manifest import Group
from cognises.provisioning.groups.changes import group_change, role_change
from cognises.provisioning.groups.checks import (
    adopt_problems,
    created_warnings,
    identity_pool_findings,
    ownership_block,
    provider_group_warnings,
    standing_warnings,
)
from cognises.provisioning.groups.model import (
    Observed,
    PoolGroup,
    Role,
    Scope,
    Wanted,
    wanted_groups,
)
from cognises.provisioning.groups.plan import Change, Plan, digest_of_manifest
from cognises.provisioning.groups.prune import Pruning, prune
from cognises.provisioning.names import is_provider_group


def make_plan(
    groups: Sequence[Group],
    observed: Observed,
    scope: Scope,
    *,
    adopt: Collection[str] = (),
    pruning: Pruning | None = None,
) -> Plan:
    """What has to change so that AWS says what the manifest says.

    In: the checked manifest, one look at AWS, where it applies, names of roles to take over, and
    how to prune (None: delete nothing). Raises ManifestError where a policy, once filled, is
    larger than IAM allows.
    """
    wanted = wanted_groups(groups, scope)
    blocks, warnings = identity_pool_findings(scope, observed)
    blocks += adopt_problems(adopt, wanted, observed)
    changes: list[Change] = []
    for each in wanted:
        found = _blocks_of(each, observed, scope, adopt)
        blocks += found
        if not found:
            changes += changes_of(each, observed, adopt)
    if pruning:
        deletions = prune({each.group for each in wanted}, observed, scope, pruning)
        changes += deletions.changes
        blocks += deletions.blocks
        warnings += deletions.warnings
    warnings += standing_warnings(scope, wanted)
    warnings += provider_group_warnings(scope, observed)
    warnings += created_warnings(groups, wanted, observed)
    content = [asdict(group) for group in groups]
    return Plan(scope, digest_of_manifest(content), tuple(changes), tuple(blocks), tuple(warnings))


def changes_of(wanted: Wanted, observed: Observed, adopt: Collection[str]) -> list[Change]:
    """The changes of one group: its role, then the group that is linked to it."""
    live = observed.roles.get(wanted.role.name.lower())
    group = observed.groups.get(wanted.group)
    linked = replace(wanted, pool_group=_linked(wanted, live))
    adopting = wanted.role.name in adopt
    found = [role_change(linked, live, group, adopting), group_change(linked, group, live)]
    return [change for change in found if change is not None]


def _linked(wanted: Wanted, live: Role | None) -> PoolGroup:
    """The group as wanted; an existing role may have a path, so its own ARN counts."""
    return replace(wanted.pool_group, role_arn=live.arn) if live else wanted.pool_group


def _blocks_of(wanted: Wanted, observed: Observed, scope: Scope, adopt: Iterable[str]) -> list[str]:
    if is_provider_group(scope.pool_id, wanted.group):
        return [f"group {wanted.group}: Cognito makes groups of this name itself; rename yours"]
    return ownership_block(wanted, observed, scope, adopt)
