"""One group's live role and live pool group against the wanted ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cognises.provisioning.groups.compare import equivalent
from cognises.provisioning.groups.grants import broadenings, escalations
from cognises.provisioning.groups.model import Document, PoolGroup, Role, Wanted, fingerprint
from cognises.provisioning.groups.plan import GroupChange, RoleChange
from cognises.provisioning.names import HASH_TAG, OWNERSHIP_TAGS, policy_name


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


def role_drift(wanted: Wanted, live: Role, after: Role, group: PoolGroup | None) -> tuple[str, ...]:
    """What drifted on a role, a line each. `after` is what the role shall be."""
    name = policy_name(wanted.group)
    lines = [f"inline policy {each} was added" for each in live.policies if each != name]
    lines += [f"policy {arn} was attached" for arn in live.attached]
    if live.boundary != after.boundary:
        lines.append(f"the permissions boundary is {live.boundary or 'missing'}")
    if name not in live.policies:
        lines.append(f"policy {name} is missing")
    if live.tags.get(HASH_TAG) == wanted.role.tags[HASH_TAG]:
        lines += _edited(wanted, live)
    elif not _as_recorded(live, group, live.policies.get(name)) and not _edited_fields(
        wanted, group, live
    ):
        lines.append("differs from what was last applied, besides the change in the manifest")
    return tuple(lines)


def _edited(wanted: Wanted, live: Role) -> list[str]:
    name = policy_name(wanted.group)
    lines = []
    if name in live.policies and not equivalent(live.policies[name], wanted.policy):
        lines.append(f"policy {name} was edited")
    if not equivalent(live.trust, wanted.role.trust):
        lines.append("the trust policy was edited")
    return lines


def _as_recorded(live: Role, group: PoolGroup | None, policy: Document | None) -> bool:
    """Whether the live state is what the hash tag says was applied."""
    recorded = live.tags.get(HASH_TAG)
    if group is None or policy is None:
        return recorded is None
    now = fingerprint(live.trust, policy, group.description, group.precedence)
    return recorded in (None, now)


def group_drift(wanted: Wanted, group: PoolGroup, live: Role | None) -> tuple[str, ...]:
    """Drift of the group itself, a line each."""
    tags: Mapping[str, str] = live.tags if live else {}
    lines = []
    if live and HASH_TAG in tags and group.role_arn != live.arn:
        lines.append(f"the group was linked to {group.role_arn or 'no role'}")
    edited = _edited_fields(wanted, group, live)
    if "precedence" in edited:
        lines.append(f"the precedence was changed to {group.precedence}")
    if "description" in edited:
        lines.append("the description was changed")
    return tuple(lines)


_FIELDS = ("precedence", "description")


def _edited_fields(wanted: Wanted, group: PoolGroup | None, live: Role | None) -> tuple[str, ...]:
    """The fields of the group that were edited, where the role's hash proves it.

    It proves it by being the manifest's, or by being right for the live role together with what
    the manifest says of these fields: then the manifest has changed elsewhere.
    """
    if group is None or live is None or HASH_TAG not in live.tags:
        return ()
    after, recorded = wanted.pool_group, live.tags[HASH_TAG]
    differ = tuple(each for each in _FIELDS if getattr(group, each) != getattr(after, each))
    if recorded == wanted.role.tags[HASH_TAG]:
        return differ
    policy = live.policies.get(policy_name(wanted.group))
    for fields in (differ[:1], differ[1:], differ):
        applied = replace(group, **{each: getattr(after, each) for each in fields})
        found = fingerprint(live.trust, policy, applied.description, applied.precedence)
        if fields and found == recorded:
            return fields
    return ()
