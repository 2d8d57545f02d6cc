"""Manifest and observed state to a plan. Pure: no clock, no network, no order of dictionaries."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from cognises.manifest import Group
from cognises.provisioning.groups import checks
from cognises.provisioning.groups.changes import changes_of
from cognises.provisioning.groups.compare import digest_of
from cognises.provisioning.groups.model import Observed, PoolGroup, Role, Scope, entries_of
from cognises.provisioning.groups.plan import Change, GroupChange, Leftover, Plan, RoleChange
from cognises.provisioning.names import group_of, is_provider_group

LIMITED_FROM = 10  # owned groups; from here on a limit applies by default
DEFAULT_SHARE = 0.3  # of the owned groups


@dataclass(frozen=True)
class Pruning:
    """How to prune: at most how many groups (None: by default), and groups with members, too."""

    max_destroy: int | None = None
    force: bool = False


def make_plan(
    groups: Sequence[Group],
    observed: Observed,
    scope: Scope,
    *,
    adopt: Collection[str] = (),
    pruning: Pruning | None = None,
) -> Plan:
    """What has to change so that AWS is what the manifest says. Raises the errors of entries_of.

    In: also names of roles to take over, and how to prune (None: delete nothing).
    """
    entries = entries_of(groups, scope, observed)
    blocks, warnings = checks.identity_pool_findings(scope, observed)
    blocks += [*checks.boundary_blocks(scope), *checks.adopt_blocks(adopt, entries)]
    warnings += checks.scope_warnings(scope, entries, observed)
    changes: list[Change] = []
    for entry in entries:
        found = list(checks.entry_blocks(entry, scope, adopt))
        blocks += found
        changes += [] if found else changes_of(entry, scope, adopt)
        warnings += checks.entry_warnings(entry, scope, observed)
    has_role = {each.group.name: each.role is not None for each in entries}
    deletions, limits, leftovers = _prune(has_role, observed, scope, pruning)
    digest, all_changes = digest_of([asdict(group) for group in groups]), (*changes, *deletions)
    return Plan(scope, digest, all_changes, (*blocks, *limits), tuple(warnings), tuple(leftovers))


def _prune(
    has_role: Mapping[str, bool], observed: Observed, scope: Scope, pruning: Pruning | None
) -> tuple[list[Change], list[str], list[Leftover]]:
    """Changes, blocks and leftovers for owned roles, and their groups, that no entry has."""
    changes, blocks, leftovers = list[Change](), list[str](), list[Leftover]()
    owned = [role for role in observed.roles.values() if scope.owns(role)]
    members = frozenset() if pruning and pruning.force else observed.with_members - {*has_role}
    for role in sorted(owned, key=lambda role: role.name):
        name = group_of(role.tags)
        if has_role.get(name):
            continue
        group = observed.groups.get(name)
        note = _why_kept(role, group, scope, name in has_role)
        if not note and pruning is None:
            note = "kept; `provision.py apply --prune` deletes it"
        elif not note and group and name in members:
            note = "kept: it has members; empty it, or delete it with --prune --force"
            blocks.append(f"group {name} has members; empty it, or use --force")
        elif not note:
            note = "deleted by this plan"
            # The group first: a member never has a role whose policies are half deleted.
            if group and name not in has_role:
                changes.append(GroupChange(name, "delete", group, None))
            changes.append(RoleChange(name, "delete", role, None))
        leftovers.append(Leftover(name, role.name, group is not None, note))
    if pruning:
        blocks += _limit_blocks(len({change.group for change in changes}), len(owned), pruning)
    return changes, blocks, [*leftovers, *_groups_alone(has_role, observed, scope)]


def _why_kept(role: Role, group: PoolGroup | None, scope: Scope, in_manifest: bool) -> str:
    """Why pruning keeps an owned role without an entry's policy; empty if it deletes it."""
    name, linked = group_of(role.tags), group is not None and group.role_arn == role.arn
    if is_provider_group(scope.pool_id, name):
        return f"kept: Cognito itself makes groups like {name}"
    if in_manifest and linked:
        why = "groups.json states no group_policy, and Cognito cannot unlink a role from a group"
        return f"kept without policies and with a closed trust: {why}"
    if group and not linked and not in_manifest:
        link = f"linked to {group.role_arn or 'no role'}, not to this role"
        return f"kept: group {name} is {link}; delete one of the two by hand"
    return ""


def _groups_alone(known: Collection[str], observed: Observed, scope: Scope) -> Iterator[Leftover]:
    """Groups without a role, or with a role of this project that is gone: perhaps not ours."""
    arns = {role.arn for role in observed.roles.values()}
    for name, group in sorted(observed.groups.items()):
        gone = group.role_arn == scope.role_arn(name) and group.role_arn not in arns
        listed = name not in known and not is_provider_group(scope.pool_id, name)
        if listed and (gone or group.role_arn is None):
            why = f"its role {group.role_arn} is gone" if gone else "it carries no role"
            note = f"kept: {why}, so nothing shows that this project made it; delete it by hand"
            yield Leftover(name, None, True, note)


def _limit_blocks(deleted: int, owned: int, pruning: Pruning) -> Iterator[str]:
    default = owned if owned < LIMITED_FROM else int(owned * DEFAULT_SHARE)
    limit = default if pruning.max_destroy is None else pruning.max_destroy
    if deleted > limit:
        problem = f"{deleted} of {owned} groups would be deleted and at most {limit} may be"
        yield f"{problem}; to confirm: --max-destroy {deleted}"
