"""One entry's live role and pool group compared with the desired ones, and what drifted.

Drift is what others changed since the last apply. The hash tag of a role records what was
applied. If it equals the manifest's hash, any difference is drift; if not, the manifest has
changed, and the hash of the live state shows whether that was changed, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Literal

from cognises.provisioning.groups.checks import owned_by
from cognises.provisioning.groups.compare import broadenings, equivalent, escalations
from cognises.provisioning.groups.model import (
    DesiredGroup,
    Observed,
    PoolGroup,
    Role,
    Scope,
    fingerprint,
    trust_policy,
)
from cognises.provisioning.groups.plan import Change, GroupChange, RoleChange
from cognises.provisioning.names import HASH_TAG, OWNERSHIP_TAGS, policy_name, role_name


def changes_of(
    desired: DesiredGroup, observed: Observed, scope: Scope, adopt: Collection[str]
) -> Iterator[Change]:
    """The changes of one entry: its role, then the group that is linked to it."""
    live = observed.roles.get(role_name(scope.role_prefix, desired.group).lower())
    group = observed.groups.get(desired.group)
    desired = replace(desired, pool_group=_linked(desired, live, group))
    role = None
    if desired.role is not None:
        role = _role_change(desired, desired.role, live, group, desired.role.name in adopt)
    elif live and owned_by(scope, live) and group and group.role_arn == live.arn:
        role = _retirement(desired.group, live, scope)
    if role is not None:
        yield role
    if group != desired.pool_group:
        yield _group_change(desired, group, live if desired.role else None)


def policy_change(desired: DesiredGroup, live: Role) -> RoleChange | None:
    """What the role's own inline policy needs, all else left as it is; None if nothing."""
    name = policy_name(desired.group)
    if name in live.policies and equivalent(live.policies[name], desired.policy):
        return None
    group = desired.pool_group
    applied = fingerprint(live.trust, desired.policy, group.description, group.precedence)
    policies = {**live.policies, name: desired.policy}
    after = replace(live, policies=policies, tags={**live.tags, HASH_TAG: applied})
    return RoleChange(desired.group, "update", live, after, (), *_widening(live, after))


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


def _role_change(
    desired: DesiredGroup, role: Role, live: Role | None, group: PoolGroup | None, adopting: bool
) -> RoleChange | None:
    if live is None:
        gone = group is not None and group.role_arn == role.arn
        drift = ("the role is gone; the group still names it",) * gone
        return RoleChange(desired.group, "create", None, role, drift, *_widening(None, role))
    after = _merged(desired, role, live)
    if after == live:
        return None
    adopts = adopting and any(live.tags.get(tag) != after.tags[tag] for tag in OWNERSHIP_TAGS)
    lines = () if adopts else tuple(_role_drift(desired, live, after, group))
    action: Literal["adopt", "update"] = "adopt" if adopts else "update"
    return RoleChange(desired.group, action, live, after, lines, *_widening(live, after))


def _merged(desired: DesiredGroup, role: Role, live: Role) -> Role:
    """The live role as it should be: equivalent documents stay, extra policies go."""
    name = policy_name(desired.group)
    current = live.policies.get(name, {})
    return replace(
        live,
        trust=live.trust if equivalent(live.trust, role.trust) else role.trust,
        policies={name: current if equivalent(current, desired.policy) else desired.policy},
        attached=(),
        # A boundary is never removed: without a setting a role keeps the one it has.
        boundary=role.boundary or live.boundary,
        tags={**live.tags, **role.tags},
    )


def _retirement(group: str, live: Role, scope: Scope) -> RoleChange | None:
    """What the role of an entry that has lost its policy needs; None if nothing.

    It loses its policies and its trust is closed. It stays, for Cognito cannot unlink a role from
    a group.
    """
    closed = trust_policy(scope.identity_service, None)
    trust = live.trust if equivalent(live.trust, closed) else closed
    tags = {**live.tags, HASH_TAG: fingerprint(trust, None, None, None)}
    after = replace(live, trust=trust, policies={}, attached=(), tags=tags)
    return None if after == live else RoleChange(group, "update", live, after)


def _widening(before: Role | None, after: Role) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What members could not do before: all of it, and what leads to more rights."""
    old, new = before.policies.values() if before else (), after.policies.values()
    others = _broadening(before, after) if before else ()
    return (*broadenings(old, new), *others), escalations(old, new)


def _broadening(before: Role, after: Role) -> Iterator[str]:
    yield from (f"trust {line}" for line in broadenings([before.trust], [after.trust]))
    if before.boundary and before.boundary != after.boundary:
        yield f"replaces the permissions boundary {before.boundary}"
    detached = (arn for arn in before.attached if arn not in after.attached)
    yield from (f"detaches {arn}: what it denied is no longer denied" for arn in detached)


def _group_change(desired: DesiredGroup, group: PoolGroup | None, live: Role | None) -> GroupChange:
    after, recorded = desired.pool_group, live is not None and HASH_TAG in live.tags
    if group is None:
        drift = ("the group is gone, or an apply was interrupted",) if recorded else ()
        return GroupChange(desired.group, "create", None, after, drift)
    linked, edited = group.role_arn or "no role", _edited_fields(desired, group, live)
    lines = {
        f"the group was linked to {linked}": live and recorded and group.role_arn != live.arn,
        f"the precedence was changed to {group.precedence}": "precedence" in edited,
        "the description was changed": "description" in edited,
    }
    relinked = f"links an existing group to {after.role_arn} (so far {linked})"
    return GroupChange(
        desired.group,
        "update",
        group,
        after,
        drift=tuple(line for line, applies in lines.items() if applies),
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
    recorded, policy = live.tags.get(HASH_TAG), live.policies.get(name)
    if group is None or recorded is None:
        return recorded is None
    if policy is None:
        return recorded == fingerprint(live.trust, None, None, None)
    # A manifest may leave the precedence as it is: then the hash was made without one.
    return any(
        recorded == fingerprint(live.trust, policy, group.description, precedence)
        for precedence in (group.precedence, None)
    )


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
