"""Drift: what somebody changed since the last apply, told apart from a changed manifest.

The hash tag of a role says what was applied. Where it equals the manifest's hash, any difference
is drift; where it does not, the manifest has changed, and whether somebody changed the live state
besides is told by hashing that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cognises.provisioning.planning.equivalence import equivalent
from cognises.provisioning.planning.names import HASH_TAG, policy_name
from cognises.provisioning.planning.observed import Document, PoolGroup, Role
from cognises.provisioning.planning.wanted import Wanted, fingerprint


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
