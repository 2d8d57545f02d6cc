"""One group's live role and live pool group against the wanted ones."""

from __future__ import annotations

from dataclasses import replace

from cognises.provisioning.planning.drift import group_drift, role_drift
from cognises.provisioning.planning.equivalence import equivalent
from cognises.provisioning.planning.grants import broadenings, escalations
from cognises.provisioning.planning.names import HASH_TAG, OWNERSHIP_TAGS, policy_name
from cognises.provisioning.planning.observed import PoolGroup, Role
from cognises.provisioning.planning.plan import GroupChange, RoleChange
from cognises.provisioning.planning.wanted import Wanted, fingerprint


def role_change(
    wanted: Wanted, live: Role | None, group: PoolGroup | None, adopting: bool
) -> RoleChange | None:
    """What the role needs; None if nothing."""
    if live is None:
        return _creation(wanted, group)
    after = _merged(wanted, live)
    if after == live:
        return None
    taken = adopting and any(live.tags.get(tag) != after.tags[tag] for tag in OWNERSHIP_TAGS)
    return RoleChange(
        wanted.group,
        "adopt" if taken else "update",
        live,
        after,
        drift=() if taken else role_drift(wanted, live, after, group),
        broadening=_widened(live, after),
        escalating=escalations(live.policies.values(), after.policies.values()),
    )


def policy_change(wanted: Wanted, live: Role) -> RoleChange | None:
    """What the role's own inline policy needs, all else left as it is; None if nothing."""
    name = policy_name(wanted.group)
    if name in live.policies and equivalent(live.policies[name], wanted.policy):
        return None
    group = wanted.pool_group
    applied = fingerprint(live.trust, wanted.policy, group.description, group.precedence)
    after = replace(
        live,
        policies={**live.policies, name: wanted.policy},
        tags={**live.tags, HASH_TAG: applied},
    )
    grants = live.policies.values(), after.policies.values()
    return RoleChange(
        wanted.group,
        "update",
        live,
        after,
        broadening=broadenings(*grants),
        escalating=escalations(*grants),
    )


def group_change(wanted: Wanted, group: PoolGroup | None, live: Role | None) -> GroupChange | None:
    """What the pool group needs; None if nothing."""
    after = wanted.pool_group
    if group == after:
        return None
    if group is None:
        gone = live is not None and HASH_TAG in live.tags
        drift = ("the group is gone, or an apply was interrupted",) if gone else ()
        return GroupChange(wanted.group, "create", None, after, drift)
    return GroupChange(
        wanted.group,
        "update",
        group,
        after,
        drift=group_drift(wanted, group, live),
        broadening=_relinked(group, after),
    )


def _creation(wanted: Wanted, group: PoolGroup | None) -> RoleChange:
    gone = group is not None and group.role_arn == wanted.role.arn
    documents = wanted.role.policies.values()
    return RoleChange(
        wanted.group,
        "create",
        None,
        wanted.role,
        drift=("the role is gone; the group still names it",) if gone else (),
        broadening=broadenings([], documents),
        escalating=escalations([], documents),
    )


def _merged(wanted: Wanted, live: Role) -> Role:
    """The live role as it shall be: what is equivalent stays as it is, extras go."""
    name = policy_name(wanted.group)
    current = live.policies.get(name)
    same_policy = current is not None and equivalent(current, wanted.policy)
    return replace(
        live,
        trust=live.trust if equivalent(live.trust, wanted.role.trust) else wanted.role.trust,
        policies={name: current if same_policy and current is not None else wanted.policy},
        attached=(),
        # A boundary is never taken away: without a setting a role keeps the one it has.
        boundary=wanted.role.boundary or live.boundary,
        tags={**live.tags, **wanted.role.tags},
    )


def _widened(before: Role, after: Role) -> tuple[str, ...]:
    lines = [*broadenings(before.policies.values(), after.policies.values())]
    lines += [f"trust {line}" for line in broadenings([before.trust], [after.trust])]
    if before.boundary and before.boundary != after.boundary:
        lines.append(f"replaces the permissions boundary {before.boundary}")
    lines += [f"detaches {arn}: whatever it denied is denied no longer" for arn in before.attached]
    return tuple(lines)


def _relinked(before: PoolGroup, after: PoolGroup) -> tuple[str, ...]:
    if before.role_arn == after.role_arn:
        return ()
    return (f"links an existing group to {after.role_arn} (so far {before.role_arn or 'no role'})",)
