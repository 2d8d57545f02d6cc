"""One group's live role and pool group compared with the desired ones, and what drifted.

Drift is what others changed since the last apply. The hash tag of a role records what was
applied. If it equals the manifest's hash, any difference is drift; if not, the manifest has
changed, and the hash of the live state shows whether that was changed, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cognises.provisioning.groups.compare import equivalent
from cognises.provisioning.groups.grants import broadenings, escalations
from cognises.provisioning.groups.model import (
    DesiredGroup,
    PoolGroup,
    Role,
    Scope,
    fingerprint,
    trust_policy,
)
from cognises.provisioning.groups.plan import GroupChange, RoleChange
from cognises.provisioning.names import HASH_TAG, OWNERSHIP_TAGS, policy_name


def role_change(
    desired: DesiredGroup, live: Role | None, group: PoolGroup | None, adopting: bool
) -> RoleChange | None:
    """What the role needs; None if nothing. Raises ValueError where none is desired."""
    if desired.role is None:
        raise ValueError("a group without a policy has no role")
    if live is None:
        return _creation(desired, desired.role, group)
    after = _merged(desired, desired.role, live)
    if after == live:
        return None
    adopted = adopting and any(live.tags.get(tag) != after.tags[tag] for tag in OWNERSHIP_TAGS)
    return RoleChange(
        desired.group,
        "adopt" if adopted else "update",
        live,
        after,
        drift=() if adopted else tuple(_role_drift(desired, live, after, group)),
        broadening=tuple(_broadening(live, after)),
        escalating=escalations(live.policies.values(), after.policies.values()),
    )


def _creation(desired: DesiredGroup, role: Role, group: PoolGroup | None) -> RoleChange:
    missing = group is not None and group.role_arn == role.arn
    return RoleChange(
        desired.group,
        "create",
        None,
        role,
        drift=("the role is gone; the group still names it",) if missing else (),
        broadening=broadenings([], role.policies.values()),
        escalating=escalations([], role.policies.values()),
    )


def _merged(desired: DesiredGroup, role: Role, live: Role) -> Role:
    """The live role as it should be: equivalent documents stay, extra policies go."""
    name = policy_name(desired.group)
    current = live.policies.get(name)
    keep = current is not None and equivalent(current, desired.policy)
    return replace(
        live,
        trust=live.trust if equivalent(live.trust, role.trust) else role.trust,
        policies={name: current if keep and current is not None else desired.policy},
        attached=(),
        # A boundary is never removed: without a setting a role keeps the one it has.
        boundary=role.boundary or live.boundary,
        tags={**live.tags, **role.tags},
    )


def _broadening(before: Role, after: Role) -> Iterator[str]:
    yield from broadenings(before.policies.values(), after.policies.values())
    yield from (f"trust {line}" for line in broadenings([before.trust], [after.trust]))
    if before.boundary and before.boundary != after.boundary:
        yield f"replaces the permissions boundary {before.boundary}"
    yield from (f"detaches {arn}: what it denied is no longer denied" for arn in before.attached)


def retirement(group: str, live: Role, scope: Scope) -> RoleChange | None:
    """What the role of a group needs whose entry has lost its policy; None if nothing.

    It loses its policies and its trust is closed. It stays, for Cognito cannot unlink a role from
    a group.
    """
    closed = trust_policy(scope.identity_service, None)
    trust = live.trust if equivalent(live.trust, closed) else closed
    tags = {**live.tags, HASH_TAG: fingerprint(trust, None, None, None)}
    after = replace(live, trust=trust, policies={}, attached=(), tags=tags)
    return None if after == live else RoleChange(group, "update", live, after)


def policy_change(desired: DesiredGroup, live: Role) -> RoleChange | None:
    """What the role's own inline policy needs, all else left as it is; None if nothing."""
    name = policy_name(desired.group)
    if name in live.policies and equivalent(live.policies[name], desired.policy):
        return None
    group = desired.pool_group
    applied = fingerprint(live.trust, desired.policy, group.description, group.precedence)
    after = replace(
        live,
        policies={**live.policies, name: desired.policy},
        tags={**live.tags, HASH_TAG: applied},
    )
    grants = live.policies.values(), after.policies.values()
    return RoleChange(
        desired.group,
        "update",
        live,
        after,
        broadening=broadenings(*grants),
        escalating=escalations(*grants),
    )


def group_change(
    desired: DesiredGroup, group: PoolGroup | None, live: Role | None
) -> GroupChange | None:
    """What the pool group needs; None if nothing."""
    after = desired.pool_group
    if group == after:
        return None
    if group is None:
        missing = live is not None and HASH_TAG in live.tags
        drift = ("the group is gone, or an apply was interrupted",) if missing else ()
        return GroupChange(desired.group, "create", None, after, drift)
    relinked = f"links an existing group to {after.role_arn} (so far {group.role_arn or 'no role'})"
    return GroupChange(
        desired.group,
        "update",
        group,
        after,
        drift=tuple(_group_drift(desired, group, live)),
        broadening=() if group.role_arn == after.role_arn else (relinked,),
    )


def _role_drift(
    desired: DesiredGroup, live: Role, after: Role, group: PoolGroup | None
) -> Iterator[str]:
    name = policy_name(desired.group)
    as_recorded = _as_recorded(live, group, name)
    yield from (f"inline policy {each} was added" for each in live.policies if each != name)
    yield from (f"policy {arn} was attached" for arn in live.attached)
    if live.boundary != after.boundary:
        yield f"the permissions boundary is {live.boundary or 'missing'}"
    if name not in live.policies and not as_recorded:
        yield f"policy {name} is missing"
    if live.tags.get(HASH_TAG) == after.tags[HASH_TAG]:
        if name in live.policies and not equivalent(live.policies[name], desired.policy):
            yield f"policy {name} was edited"
        if not equivalent(live.trust, after.trust):
            yield "the trust policy was edited"
    elif not as_recorded and not _edited_fields(desired, group, live):
        yield "differs from what was last applied, besides the change in the manifest"


def _as_recorded(live: Role, group: PoolGroup | None, name: str) -> bool:
    """Whether the live state is what the hash tag says was applied."""
    recorded = live.tags.get(HASH_TAG)
    if group is None or recorded is None:
        return recorded is None
    policy = live.policies.get(name)
    if policy is None:
        return recorded == fingerprint(live.trust, None, None, None)
    # A manifest may leave the precedence as it is: then the hash was made without one.
    return recorded in {
        fingerprint(live.trust, policy, group.description, precedence)
        for precedence in (group.precedence, None)
    }


def _group_drift(desired: DesiredGroup, group: PoolGroup, live: Role | None) -> Iterator[str]:
    if live and HASH_TAG in live.tags and group.role_arn != live.arn:
        yield f"the group was linked to {group.role_arn or 'no role'}"
    edited = _edited_fields(desired, group, live)
    if "precedence" in edited:
        yield f"the precedence was changed to {group.precedence}"
    if "description" in edited:
        yield "the description was changed"


def _edited_fields(
    desired: DesiredGroup, group: PoolGroup | None, live: Role | None
) -> tuple[str, ...]:
    """The fields of the group that were edited, where the role's hash proves it.

    It does if it is the manifest's, or if it is right for the live role together with what the
    manifest says of these fields: then the manifest has changed elsewhere.
    """
    if group is None or live is None or HASH_TAG not in live.tags or desired.role is None:
        return ()
    after, recorded = desired.pool_group, live.tags[HASH_TAG]
    fields = ("precedence", "description")
    differ = tuple(each for each in fields if getattr(group, each) != getattr(after, each))
    if recorded == desired.role.tags[HASH_TAG]:
        return differ
    policy = live.policies.get(policy_name(desired.group))
    for names in (differ[:1], differ[1:], differ):
        applied = replace(group, **{each: getattr(after, each) for each in names})
        found = fingerprint(live.trust, policy, applied.description, applied.precedence)
        if names and found == recorded:
            return names
    return ()
