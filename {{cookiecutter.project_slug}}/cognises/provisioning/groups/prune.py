"""Leftovers, that is what the manifest no longer names, and which of them pruning deletes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from cognises.provisioning.groups.checks import owned_by
from cognises.provisioning.groups.model import DesiredGroup, Observed, PoolGroup, Role, Scope
from cognises.provisioning.groups.plan import Change, GroupChange, Leftover, RoleChange
from cognises.provisioning.names import group_of, is_provider_group

LIMITED_FROM = 10  # owned groups; from here on a limit applies by default
DEFAULT_SHARE = 0.3  # of the owned groups


@dataclass(frozen=True)
class Pruning:
    """How to prune: at most how many groups (None: by default), and groups with members, too."""

    max_destroy: int | None = None
    force: bool = False


@dataclass
class Deletions:
    """What the manifest no longer names: leftovers, and what pruning adds to the plan."""

    changes: list[Change] = field(default_factory=list)
    blocks: list[str] = field(default_factory=list)
    leftovers: list[Leftover] = field(default_factory=list)


def find_deletions(
    desired: Iterable[DesiredGroup], observed: Observed, scope: Scope, pruning: Pruning | None
) -> Deletions:
    """Every owned role that no entry has, with its group; deleted only with `pruning`.

    The role's tags and the group's link must agree: a group linked elsewhere is left alone, and
    so is the role. Groups with members, and too many deletions, are blocks.
    """
    found = Deletions()
    has_role = {each.group: each.role is not None for each in desired}
    owned = [role for role in observed.roles.values() if owned_by(scope, role)]
    to_delete = [role for role in owned if not has_role.get(group_of(role.tags), False)]
    for role in sorted(to_delete, key=lambda role: role.name):
        name = group_of(role.tags)
        group = observed.groups.get(name)
        note, deletable = _note(name, role, group, scope, in_manifest=name in has_role)
        group_goes = group if name not in has_role else None
        if pruning and deletable:
            note = "deleted by this plan"
            if group_goes and name in observed.with_members and not pruning.force:
                note = "kept: it has members; empty it, or delete it with --prune --force"
                found.blocks.append(f"group {name} has members; empty it, or use --force")
            else:
                found.changes += _deletions(name, role, group_goes)
        found.leftovers.append(Leftover(name, role.name, group is not None, note))
    found.leftovers += _groups_alone(has_role, observed, scope)
    if pruning:
        deleted = len({change.group for change in found.changes})
        found.blocks += _limit_block(deleted, len(owned), pruning)
    return found


def prune_candidates(
    desired: Iterable[DesiredGroup], observed: Observed, scope: Scope
) -> list[str]:
    """The pool groups that pruning would delete, whose members must be looked up first."""
    found = find_deletions(desired, observed, scope, Pruning(len(observed.roles)))
    return [change.group for change in found.changes if isinstance(change, GroupChange)]


def _note(
    name: str, role: Role, group: PoolGroup | None, scope: Scope, *, in_manifest: bool
) -> tuple[str, bool]:
    """What becomes of an owned role without an entry's policy, and whether pruning deletes it."""
    linked = group is not None and group.role_arn == role.arn
    if is_provider_group(scope.pool_id, name):
        return f"kept: Cognito itself makes groups like {name}", False
    if in_manifest and linked:
        return (
            "kept without policies and with a closed trust: groups.json states no group_policy, "
            "and Cognito cannot unlink a role from a group",
            False,
        )
    if group and not linked and not in_manifest:
        return (
            f"kept: group {name} is linked to {group.role_arn or 'no role'}, not to this role; "
            "delete one of the two by hand",
            False,
        )
    return "kept; `provision.py apply --prune` deletes it", True


def _deletions(name: str, role: Role, group: PoolGroup | None) -> list[Change]:
    """Group first, role last: a member never has a role whose policies are half deleted."""
    changes: list[Change] = [GroupChange(name, "delete", group, None)] if group else []
    return [*changes, RoleChange(name, "delete", role, None)]


def _groups_alone(
    in_manifest: Collection[str], observed: Observed, scope: Scope
) -> Iterator[Leftover]:
    """Groups without a role, or with a role of this project that is gone: perhaps not ours."""
    arns = {role.arn for role in observed.roles.values()}
    for group in sorted(observed.groups.values(), key=lambda group: group.name):
        if group.name in in_manifest or is_provider_group(scope.pool_id, group.name):
            continue
        if group.role_arn is None:
            why = "it carries no role"
        elif group.role_arn == scope.role_arn(group.name) and group.role_arn not in arns:
            why = f"its role {group.role_arn} is gone"
        else:
            continue
        note = f"kept: {why}, so nothing shows that this project made it; delete it by hand"
        yield Leftover(group.name, None, True, note)


def _limit_block(deleted: int, owned: int, pruning: Pruning) -> list[str]:
    limit = pruning.max_destroy
    if limit is None:
        limit = owned if owned < LIMITED_FROM else int(owned * DEFAULT_SHARE)
    if deleted <= limit:
        return []
    return [
        f"{deleted} of {owned} groups would be deleted and at most {limit} may be; "
        f"to confirm: --max-destroy {deleted}"
    ]
