"""What the manifest wants of AWS: one role and one pool group for each of its groups."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from cognises.errors import ManifestError, Problem
from cognises.manifest import Group
from cognises.manifest.iam_policy import INLINE_LIMIT, policy_size
from cognises.manifest.placeholders import fill
from cognises.provisioning.planning.equivalence import canonical
from cognises.provisioning.planning.names import HASH_TAG, ownership_tags, policy_name, role_name
from cognises.provisioning.planning.observed import Document, PoolGroup, Role
from cognises.provisioning.planning.scope import Scope
from cognises.provisioning.planning.trust import trust_policy


@dataclass(frozen=True)
class Wanted:
    """One group of the manifest, placeholders filled, as role and pool group."""

    group: str
    role: Role
    pool_group: PoolGroup

    @property
    def policy(self) -> Document:
        """The one inline policy of the role."""
        return self.role.policies[policy_name(self.group)]


def wanted_groups(groups: Iterable[Group], scope: Scope) -> tuple[Wanted, ...]:
    """Fill the manifest for one pool. Raises ManifestError where a filled policy is too large."""
    groups = tuple(groups)
    without = [
        Problem(f"[{index}].group_policy", "missing; provisioning needs it; add it")
        for index, each in enumerate(groups)
        if each.policy is None
    ]
    if without:
        raise ManifestError(without)
    wanted = tuple(_wanted(group, scope) for group in groups)
    too_large = [
        Problem(f"[{index}].group_policy", f"{size} characters once filled; IAM allows {limit}")
        for index, each in enumerate(wanted)
        if (size := policy_size(each.policy)) > (limit := INLINE_LIMIT)
    ]
    if too_large:
        raise ManifestError(too_large)
    return wanted


def fingerprint(
    trust: object, policy: object, description: str | None, precedence: int | None
) -> str:
    """The hash that a role's tag keeps of what was applied, equal for equivalent documents."""
    parts = [canonical(trust), canonical(policy), description, precedence]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _wanted(group: Group, scope: Scope) -> Wanted:
    policy = cast("dict[str, Any]", fill(group.policy, scope.placeholders))
    trust = trust_policy(scope.identity_pool_id, scope.partition)
    tags = ownership_tags(scope.pool_id, group.name)
    tags[HASH_TAG] = fingerprint(trust, policy, group.description, group.precedence)
    role = Role(
        name=role_name(scope.role_prefix, group.name),
        arn=scope.role_arn(group.name),
        trust=trust,
        policies={policy_name(group.name): policy},
        boundary=scope.boundary,
        tags=tags,
    )
    pool_group = PoolGroup(group.name, role.arn, group.description, group.precedence)
    return Wanted(group.name, role, pool_group)
