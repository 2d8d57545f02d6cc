"""A plan is data: what would change and why, what blocks it, and a digest that identifies it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Generic, Literal, TypeVar

from cognises.errors import ProvisionBlocked
from cognises.provisioning.groups.model import PoolGroup, Role, Scope

State = TypeVar("State", Role, PoolGroup)


@dataclass(frozen=True)
class _Change(Generic[State]):
    """One resource: from `before` (None: to be created) to `after` (None: to be deleted)."""

    group: str
    action: Literal["create", "update", "adopt", "delete"]
    before: State | None
    after: State | None
    drift: tuple[str, ...] = ()  # what others changed since the last apply
    broadening: tuple[str, ...] = ()  # what members could do that they could not do before
    escalating: tuple[str, ...] = ()  # newly granted ways to take more


class RoleChange(_Change[Role]):
    """A change of one role."""


class GroupChange(_Change[PoolGroup]):
    """A change of one group of the user pool."""


Change = RoleChange | GroupChange


@dataclass(frozen=True)
class Leftover:
    """A role or group in AWS that the manifest does not name, and what becomes of it."""

    group: str
    role: str | None  # its name
    has_group: bool  # whether the group itself is there
    note: str


@dataclass(frozen=True)
class Plan:
    """Everything an apply would do, in order, or the blocks because of which it does nothing."""

    scope: Scope
    manifest_digest: str
    changes: tuple[Change, ...] = ()
    blocks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    leftovers: tuple[Leftover, ...] = ()

    @property
    def digest(self) -> str:
        """Identifies this plan: account, partition, region, pool, manifest and the changes."""
        content = asdict(self)
        del content["warnings"], content["leftovers"]  # what is done does not depend on them
        text = json.dumps(content, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def broadening(self) -> tuple[str, ...]:
        """Every line that widens rights, with the group it widens."""
        return tuple(
            f"{change.group}: {line}"
            for change in self.changes
            for line in (*change.broadening, *change.escalating)
        )

    def raise_if_blocked(self, *, allow_broadening: bool = True) -> None:
        """Raise ProvisionBlocked where a safety rule refuses this plan."""
        problems = list(self.blocks)
        if not allow_broadening:
            problems += [f"--no-broadening: {line}" for line in self.broadening]
        if problems:
            raise ProvisionBlocked(problems)


def digest_of_manifest(groups: Sequence[object]) -> str:
    """Identifies the content of a manifest, whatever its white space."""
    return hashlib.sha256(json.dumps(groups, sort_keys=True, default=str).encode()).hexdigest()
