"""What there is in AWS, as frozen data: roles, groups, the identity pool."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from cognises.errors import ManifestError, Problem
from cognises.manifest import Group
from cognises.manifest.iam_policy import INLINE_LIMIT, policy_size
from cognises.manifest.placeholders import fill
from cognises.provisioning.groups.compare import canonical
from cognises.provisioning.names import (
    DEFAULT_ROLE_PREFIX,
    HASH_TAG,
    ownership_tags,
    policy_name,
    role_name,
)

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Role:
    """An IAM role as it is, or as it shall be."""

    name: str
    arn: str
    trust: Document
    policies: Mapping[str, Document] = field(default_factory=dict)  # inline, by name
    attached: tuple[str, ...] = ()  # ARNs of managed policies
    boundary: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PoolGroup:
    """A group of the user pool as it is, or as it shall be."""

    name: str
    role_arn: str | None
    description: str = ""
    precedence: int | None = None


@dataclass(frozen=True)
class IdentityPool:
    """What rule 24 asks of an identity pool."""

    id: str
    classic_flow: bool
    guests: bool
    providers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Observed:
    """One look at the account. `roles` is keyed by the role's name in lower case."""

    roles: Mapping[str, Role] = field(default_factory=dict)
    groups: Mapping[str, PoolGroup] = field(default_factory=dict)
    identity_pool: IdentityPool | None = None
    loopback: bool = False
    with_members: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Scope:
    """Account, partition, region and pool, with what every role of the pool gets."""

    account: str
    partition: str
    region: str
    pool_id: str
    identity_pool_id: str | None = None
    role_prefix: str = DEFAULT_ROLE_PREFIX
    boundary: str | None = None

    @property
    def placeholders(self) -> Mapping[str, str]:
        """Values for the placeholders of a manifest."""
        return {
            "AWS::Region": self.region,
            "AWS::AccountId": self.account,
            "AWS::Partition": self.partition,
            "UserPoolId": self.pool_id,
        }

    def role_arn(self, group: str) -> str:
        """The ARN that a group's role will get."""
        name = role_name(self.role_prefix, group)
        return f"arn:{self.partition}:iam::{self.account}:role/{name}"


IDENTITY_SERVICE = "cognito-identity.amazonaws.com"
GOV_IDENTITY_SERVICE = "cognito-identity-us-gov.amazonaws.com"

# No identity pool has this id, so no token can carry it: a trust that nobody can meet.
NOBODY = "no-identity-pool-configured"


def trust_policy(identity_pool_id: str | None, partition: str = "aws") -> dict[str, Any]:
    """The trust policy of every group's role; without an identity pool, a closed one."""
    service = GOV_IDENTITY_SERVICE if partition == "aws-us-gov" else IDENTITY_SERVICE
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": service},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {f"{service}:aud": identity_pool_id or NOBODY},
                    "ForAnyValue:StringLike": {f"{service}:amr": "authenticated"},
                },
            }
        ],
    }


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
