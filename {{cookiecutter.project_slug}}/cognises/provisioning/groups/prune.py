"""Deleting what the manifest no longer names: roles of ours, and groups linked to them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from cognises.provisioning.groups.checks import owned_by
from cognises.provisioning.groups.model import Observed, PoolGroup, Role, Scope
from cognises.provisioning.groups.plan import Change, GroupChange, RoleChange
from cognises.provisioning.names import group_of, is_provider_group

LIMITED_FROM = 10  # owned groups from which on a limit applies by default
DEFAULT_SHARE = 0.3  # of the owned groups


@dataclass(frozen=True)
class Pruning:
    """How to prune: at most how many groups (None: by default), and groups with members too."""

    max_destroy: int | None = None
    force: bool = False


@dataclass
class Deletions:
    """What pruning adds to a plan."""

    changes: list[Change] = field(default_factory=list)
    blocks: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def prune(keep: Collection[str], observed: Observed, scope: Scope, pruning: Pruning) -> Deletions:
    """Delete every owned pair of role and group that `keep` does not name.

    The role's tags and the group's link must agree; a group linked elsewhere is left alone, and
    so is the role. What groups with members, and too many deletions, add are blocks.
    """
    found = Deletions()
    owned = [role for role in observed.roles.values() if owned_by(scope, role)]
    doomed = [role for role in owned if group_of(role.tags) not in keep]
    for role in sorted(doomed, key=lambda role: role.name):
        _prune_one(role, observed, scope, pruning, found)
    deleted = len({change.group for change in found.changes})
    found.blocks += _limit(deleted, len(owned), pruning)
    return found


def prune_candidates(keep: Collection[str], observed: Observed, scope: Scope) -> list[str]:
    """The pool groups that pruning would delete, whose members have to be looked at first."""
    doomed = prune(keep, observed, scope, Pruning(max_destroy=len(observed.roles)))
    return [change.group for change in doomed.changes if isinstance(change, GroupChange)]


def _prune_one(
    role: Role, observed: Observed, scope: Scope, pruning: Pruning, found: Deletions
) -> None:
    name = group_of(role.tags)
    group = observed.groups.get(name)
    if is_provider_group(scope.pool_id, name):
        found.warnings.append(f"role {role.name} is kept: Cognito itself makes groups like {name}")
        return
    if group and group.role_arn != role.arn:
        found.warnings.append(
            f"role {role.name} is kept: group {name} is linked to {group.role_arn or 'no role'}, "
            "not to it; delete one of the two by hand"
        )
        return
    if group and name in observed.with_members and not pruning.force:
        found.blocks.append(f"group {name} has members; empty it, or delete it with --force")
        return
    found.changes += _deletions(name, group, role)


def _deletions(name: str, group: PoolGroup | None, role: Role) -> list[Change]:
    """Group first, role last: a member never holds a role whose policies are half gone."""
    changes: list[Change] = [GroupChange(name, "delete", group, None)] if group else []
    return [*changes, RoleChange(name, "delete", role, None)]


def _limit(deleted: int, owned: int, pruning: Pruning) -> list[str]:
    limit = pruning.max_destroy
    if limit is None:
        limit = owned if owned < LIMITED_FROM else int(owned * DEFAULT_SHARE)
    if deleted <= limit:
        return []
    return [
        f"{deleted} of {owned} groups would be deleted and at most {limit} may be; "
        f"if that is meant: --max-destroy {deleted}"
    ]
