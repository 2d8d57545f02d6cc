"""What there is in AWS, as frozen data: roles, groups, the identity pool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
