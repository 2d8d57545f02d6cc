"""The data of this folder: roles, groups and identity pools, as they are and as they should be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from cognises.errors import ManifestError, Problem, SettingsError
from cognises.manifest import Group
from cognises.manifest.iam_policy import INLINE_LIMIT, policy_size, resources_of
from cognises.manifest.placeholders import fill
from cognises.provisioning.groups.compare import Document, canonical
from cognises.provisioning.names import (
    DEFAULT_ROLE_PREFIX,
    HASH_TAG,
    ownership_tags,
    policy_name,
    role_name,
)
from cognises.user_pool import partition_of

# The identity service's name as principal, in condition keys and in policy variables.
# Source: Cognito developer guide, "Role trust and permissions"; AWS GovCloud (US) user guide,
# "Amazon Cognito"; AWS China, "Amazon Cognito".
_IDENTITY_SERVICES = {
    "us-gov-west-1": "cognito-identity-us-gov.amazonaws.com",
    "us-gov-east-1": "cognito-identity.us-gov-east-1.amazonaws.com",
    "cn-north-1": "cognito-identity.cn-north-1.amazonaws.com.cn",
}

# No identity pool has this id, so no token carries it: a closed trust.
CLOSED_AUDIENCE = "no-identity-pool-configured"


@dataclass(frozen=True)
class Role:
    """An IAM role as it is, or as it should be."""

    name: str
    arn: str
    trust: Document
    policies: Mapping[str, Document] = field(default_factory=dict)  # inline, by name
    attached: tuple[str, ...] = ()  # ARNs of managed policies
    boundary: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PoolGroup:
    """A group of the user pool as it is, or as it should be."""

    name: str
    role_arn: str | None
    description: str = ""
    precedence: int | None = None


@dataclass(frozen=True)
class IdentityPool:
    """What security rule 24 depends on in an identity pool."""

    id: str
    classic_flow: bool
    guests: bool
    providers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Observed:
    """One reading of the account. `roles` is keyed by the role's name in lower case."""

    roles: Mapping[str, Role] = field(default_factory=dict)
    groups: Mapping[str, PoolGroup] = field(default_factory=dict)
    identity_pool: IdentityPool | None = None
    loopback: bool = False
    with_members: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Scope:
    """Where a plan applies: one pool of one account, and the settings that shape its roles."""

    account: str
    partition: str
    region: str
    pool_id: str
    identity_pool_id: str | None = None
    role_prefix: str = DEFAULT_ROLE_PREFIX
    boundary: str | None = None
    role_path: str = "/"

    @property
    def identity_region(self) -> str:
        """The region of the identity pool; without one, the user pool's."""
        return (self.identity_pool_id or self.region).partition(":")[0]

    @property
    def identity_service(self) -> str:
        """The identity service's name there. Raises SettingsError where it is not known."""
        region = self.identity_region
        if region not in _IDENTITY_SERVICES and partition_of(region)[0] != "aws":
            message = (
                f"the name of the identity service in {region} is not known, so no trust policy "
                "can be written there; use another region, or groups without a group_policy"
            )
            raise SettingsError([message])
        return _IDENTITY_SERVICES.get(region, "cognito-identity.amazonaws.com")

    def role_arn(self, group: str) -> str:
        """The ARN that a group's role will get."""
        name = role_name(self.role_prefix, group)
        return f"arn:{self.partition}:iam::{self.account}:role{self.role_path}{name}"


def trust_policy(service: str, identity_pool_id: str | None) -> dict[str, Any]:
    """A role's trust in signed-in users of one identity pool; None: a closed trust.

    The condition on `aud` keeps every other identity pool of every account out.
    Source: Cognito developer guide, "Role trust and permissions".
    """
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": service},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {f"{service}:aud": identity_pool_id or CLOSED_AUDIENCE},
            "ForAnyValue:StringLike": {f"{service}:amr": "authenticated"},
        },
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


@dataclass(frozen=True)
class DesiredGroup:
    """One group of the manifest, placeholders filled, as pool group and role (None: no role)."""

    group: str
    role: Role | None
    pool_group: PoolGroup

    @property
    def policy(self) -> Document:
        """The inline policy of the role; empty without a role."""
        return self.role.policies[policy_name(self.group)] if self.role else {}


def desired_groups(groups: Iterable[Group], scope: Scope) -> tuple[DesiredGroup, ...]:
    """Fill the manifest for one pool.

    Raises ManifestError where a filled policy is too large or names another partition, and
    SettingsError where a role is to be made in a region whose identity service is not known.
    """
    desired = tuple(_desired(group, scope) for group in groups)
    problems = [
        problem.under(f"[{index}].group_policy")
        for index, each in enumerate(desired)
        for problem in _filled_problems(each.policy, scope)
    ]
    if problems:
        raise ManifestError(problems)
    return desired


def _desired(group: Group, scope: Scope) -> DesiredGroup:
    role = None if group.policy is None else _desired_role(group, scope)
    arn = role.arn if role else None
    pool_group = PoolGroup(group.name, arn, group.description, group.precedence)
    return DesiredGroup(group.name, role, pool_group)


def _desired_role(group: Group, scope: Scope) -> Role:
    values = {
        "AWS::Region": scope.region,
        "AWS::AccountId": scope.account,
        "AWS::Partition": scope.partition,
        "UserPoolId": scope.pool_id,
        "IdentityService": scope.identity_service,
    }
    policy = cast("dict[str, Any]", fill(group.policy, values))
    trust = trust_policy(scope.identity_service, scope.identity_pool_id)
    applied = fingerprint(trust, policy, group.description, group.precedence)
    return Role(
        name=role_name(scope.role_prefix, group.name),
        arn=scope.role_arn(group.name),
        trust=trust,
        policies={policy_name(group.name): policy},
        boundary=scope.boundary,
        tags={**ownership_tags(scope.pool_id, group.name), HASH_TAG: applied},
    )


def _filled_problems(policy: Document, scope: Scope) -> Iterator[Problem]:
    size = policy_size(policy)
    if size > INLINE_LIMIT:
        yield Problem("", f"{size} characters once filled; IAM allows {INLINE_LIMIT}")
    for place, resource in resources_of(policy):
        partition = resource.split(":")[1] if resource.startswith("arn:") else scope.partition
        if partition not in (scope.partition, "*"):
            problem = (
                f"{resource!r} is in partition {partition}, and user pool {scope.pool_id} is in "
                f"{scope.partition}; write arn:${{AWS::Partition}}:…"
            )
            yield Problem(place, problem)


def fingerprint(
    trust: object, policy: object, description: str | None, precedence: int | None
) -> str:
    """The hash of what was applied, kept in a role's tag; equal for equivalent documents."""
    parts = [canonical(trust), canonical(policy), description, precedence]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
