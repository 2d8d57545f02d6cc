"""One entry's live role and pool group compared with the desired ones, and what drifted.

Drift is what others changed since the last apply, whose hash is in a tag of the role. If it is the
manifest's hash, any difference is drift; if not, the hash of the live state shows what was changed.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace

from cognises.manifest.iam_warnings import is_administrative
from cognises.provisioning.groups import compare
from cognises.provisioning.groups.compare import Document, equivalent, fingerprint
from cognises.provisioning.groups.model import Entry, PoolGroup, Role, Scope
from cognises.provisioning.groups.plan import Action, Change, GroupChange, RoleChange
from cognises.provisioning.names import ACCESS_TAG, HASH_TAG, OWNERSHIP_TAGS, policy_name


def changes_of(entry: Entry, scope: Scope, adopt: Collection[str]) -> Iterator[Change]:
    """The changes of one entry: its role, then the group that is linked to it."""
    live, group = entry.live_role, entry.live_group
    if entry.role is not None:
        yield from _role_changes(entry, entry.role, adopt)
    elif live and scope.owns(live) and group and group.role_arn == live.arn:
        # The entry has lost its policy. Cognito cannot unlink the role: it stays without rights.
        closed = scope.trust(closed=True)
        trust = live.trust if equivalent(live.trust, closed) else closed
        tags = {**live.tags, HASH_TAG: fingerprint(trust, None, None, None), ACCESS_TAG: ""}
        if (after := replace(live, trust=trust, policies={}, attached=(), tags=tags)) != live:
            yield RoleChange(group.name, "update", live, after)
    if group != entry.group:
        yield _group_change(entry, group)


def policy_change(entry: Entry) -> RoleChange | None:
    """What the live role's own policies need, all else left as it is; None if nothing."""
    group, live, role = entry.group, entry.live_role, entry.role
    if live is None or role is None:
        return None
    policies = {**live.policies, **_kept_policies(role, live)}
    attached = tuple(sorted({*live.attached, *role.attached}))
    if (policies, attached) == (live.policies, live.attached):
        return None
    policy = policies.get(policy_name(group.name))
    applied = fingerprint(live.trust, policy, group.description, group.precedence, *role.attached)
    tags = {**live.tags, HASH_TAG: applied}
    after = replace(live, policies=policies, attached=attached, tags=tags)
    return RoleChange(group.name, "update", live, after, (), *widening(live, after))


def _role_changes(entry: Entry, role: Role, adopt: Collection[str]) -> Iterator[RoleChange]:
    name, live, group = entry.group.name, entry.live_role, entry.live_group
    if live is None:
        gone = group is not None and group.role_arn == role.arn
        drift = ("the role is gone; the group still names it",) * gone
        yield RoleChange(name, "create", None, role, drift, *widening(None, role))
        return
    after = replace(
        live,
        trust=live.trust if equivalent(live.trust, role.trust) else role.trust,
        policies=_kept_policies(role, live),
        attached=role.attached,
        # A boundary is never removed: without a setting a role keeps the one it has.
        boundary=role.boundary or live.boundary,
        tags={**live.tags, **role.tags},
    )
    foreign = any(live.tags.get(tag) != after.tags[tag] for tag in OWNERSHIP_TAGS)
    adopted = role.name in adopt and foreign
    if after != live:
        lines = () if adopted else tuple(_role_drift(entry, live, after))
        action: Action = "adopt" if adopted else "update"
        yield RoleChange(name, action, live, after, lines, *widening(live, after))


def _kept_policies(role: Role, live: Role) -> dict[str, Document]:
    """The inline policies that a role should have, as they are live where that is equivalent."""
    found = ((name, live.policies.get(name, {}), each) for name, each in role.policies.items())
    return {name: old if equivalent(old, new) else new for name, old, new in found}


def widening(before: Role | None, after: Role) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a role newly allows, and by what its members could raise their rights, a line each."""
    old, new = before.policies.values() if before else (), after.policies.values()
    attached = [arn for arn in after.attached if not before or arn not in before.attached]
    lines = [f"attaches {arn}: a plan cannot show what that allows" for arn in attached]
    lines += compare.broadenings(old, new)
    administrative = filter(is_administrative, attached)
    raising = [f"could raise its own rights by {arn}" for arn in administrative]
    if before is not None:
        lines += [f"trust {line}" for line in compare.broadenings([before.trust], [after.trust])]
        if before.boundary and before.boundary != after.boundary:
            lines.append(f"replaces the permissions boundary {before.boundary}")
        detached = [arn for arn in before.attached if arn not in after.attached]
        lines += [f"detaches {arn}: what it denied is no longer denied" for arn in detached]
    return tuple(lines), (*raising, *compare.escalations(old, new))


def _group_change(entry: Entry, group: PoolGroup | None) -> GroupChange:
    after, live = entry.group, entry.live_role
    recorded = bool(entry.role and live and HASH_TAG in live.tags)
    if group is None:
        lines = ("the group is gone, or an apply was interrupted",) * recorded
        return GroupChange(after.name, "create", None, after, lines)
    relinks, edited = group.role_arn != after.role_arn, _edited_fields(entry) or ()
    link = group.role_arn or "no role"
    lines = (f"the group was linked to {link}",) * (relinks and recorded)
    lines += (f"the precedence was changed to {group.precedence}",) * ("precedence" in edited)
    lines += ("the description was changed",) * ("description" in edited)
    broadening = (f"links an existing group to {after.role_arn} (so far {link})",) * relinks
    return GroupChange(after.name, "update", group, after, lines, broadening)


def _role_drift(entry: Entry, live: Role, after: Role) -> Iterator[str]:
    name, recorded = policy_name(entry.group.name), live.tags.get(HASH_TAG)
    bare = fingerprint(live.trust, None, None, None)  # what a retirement records
    as_retired = entry.live_group is not None and name not in live.policies and recorded == bare
    yield from (f"inline policy {each} was added" for each in live.policies if each != name)
    if live.boundary != after.boundary:
        yield f"the permissions boundary is {live.boundary or 'missing'}"
    is_changed = recorded != after.tags[HASH_TAG]  # the manifest, too
    if is_changed and _edited_fields(entry) is not None:
        return
    extra = [arn for arn in live.attached if arn not in after.attached]
    yield from (f"policy {arn} was attached" for arn in extra)
    if recorded is None or as_retired:
        return
    if name in after.policies and name not in live.policies:
        yield f"policy {name} is missing"
    if is_changed:
        yield "differs from what was last applied, besides the change in the manifest"
        return
    detached = [arn for arn in after.attached if arn not in live.attached]
    yield from (f"policy {arn} was detached" for arn in detached)
    if name in live.policies and not equivalent(live.policies[name], entry.policy):
        yield f"policy {name} was edited"
    if not equivalent(live.trust, after.trust):
        yield "the trust policy was edited"


def _edited_fields(entry: Entry) -> tuple[str, ...] | None:
    """The fields of the group that were edited, where the role's hash proves it; else None."""
    after, group, live = entry.group, entry.live_group, entry.live_role
    if group is None or live is None or HASH_TAG not in live.tags or entry.role is None:
        return None
    recorded, fields = live.tags[HASH_TAG], ("precedence", "description")
    differ = tuple(each for each in fields if getattr(group, each) != getattr(after, each))
    if recorded == entry.role.tags[HASH_TAG]:
        return differ
    # Else the hash is that of the live role with the edited fields as the manifest has them, or
    # without a precedence, which a manifest may leave as it is.
    as_is = (live.trust, live.policies.get(policy_name(group.name)))
    for edited in ((), differ[:1], differ[1:], differ):
        applied = replace(group, **{each: getattr(after, each) for each in edited})
        for precedence in {applied.precedence, applied.precedence if edited else None}:
            if recorded == fingerprint(*as_is, applied.description, precedence, *live.attached):
                return edited
    return None
