"""Drift: what somebody changed since the last apply, told apart from a changed manifest.

The hash tag of a role says what was applied. Where it equals the manifest's hash, any difference
is drift; where it does not, the manifest has changed, and whether somebody changed the live state
besides is told by hashing that.
"""

from __future__ import annotations

from collections.abc import Mapping

from cognises.provisioning.equivalence import equivalent
from cognises.provisioning.names import HASH_TAG, policy_name
from cognises.provisioning.observed import Document, PoolGroup, Role
from cognises.provisioning.wanted import Wanted, fingerprint


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
    elif not _as_recorded(live, group, live.policies.get(name)):
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
    """Drift of the group itself; only a role with the wanted hash proves that it was applied."""
    tags: Mapping[str, str] = live.tags if live else {}
    lines = []
    if live and HASH_TAG in tags and group.role_arn != live.arn:
        lines.append(f"the group was linked to {group.role_arn or 'no role'}")
    if tags.get(HASH_TAG) == wanted.role.tags[HASH_TAG]:
        after = wanted.pool_group
        if group.precedence != after.precedence:
            lines.append(f"the precedence was changed to {group.precedence}")
        if group.description != after.description:
            lines.append("the description was changed")
    return tuple(lines)
