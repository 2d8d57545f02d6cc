"""An AWS of plain data for the planner: what a scope is, and what applying a plan makes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from accounts import group

from cognises.manifest import Group, parse_groups
from cognises.provisioning.groups.model import Observed, Scope
from cognises.provisioning.groups.plan import Plan, RoleChange
from cognises.provisioning.groups.planner import make_plan

SCOPE = Scope(
    account="123456789012",
    partition="aws",
    region="us-east-1",
    pool_id="us-east-1_Pool",
    identity_pool_id="us-east-1:0d1c",
    role_prefix="svc-",
    boundary="arn:aws:iam::123456789012:policy/boundary",
)


def groups(*raw: dict[str, Any]) -> tuple[Group, ...]:
    return parse_groups(list(raw), role_prefix=SCOPE.role_prefix)


def plan(*raw: dict[str, Any], on: Observed | None = None, **options: Any) -> Plan:
    scope = options.pop("scope", SCOPE)
    return make_plan(groups(*raw), on or Observed(), scope, **options)


def applied(plan: Plan, on: Observed | None = None) -> Observed:
    """What there is after every change of a plan was made."""
    before = on or Observed()
    roles, pool_groups = dict(before.roles), dict(before.groups)
    for change in plan.changes:
        target: dict[str, Any] = roles if isinstance(change, RoleChange) else pool_groups
        side = change.after or change.before
        assert side is not None
        key = side.name.lower() if isinstance(change, RoleChange) else side.name
        if change.after is None:
            del target[key]
        else:
            target[key] = change.after
    return replace(before, roles=roles, groups=pool_groups)


def world(*raw: dict[str, Any], **options: Any) -> Observed:
    """An account in which a manifest was applied."""
    return applied(plan(*raw, **options))


def with_role(observed: Observed, name: str, /, **fields: Any) -> Observed:
    """The same account, one role edited."""
    role = replace(observed.roles[name.lower()], **fields)
    return replace(observed, roles={**observed.roles, name.lower(): role})


def with_group(observed: Observed, name: str, /, **fields: Any) -> Observed:
    """The same account, one pool group edited."""
    edited = replace(observed.groups[name], **fields)
    return replace(observed, groups={**observed.groups, name: edited})


def without(observed: Observed, *, role: str = "", pool_group: str = "") -> Observed:
    """The same account without a role or a group."""
    return replace(
        observed,
        roles={key: each for key, each in observed.roles.items() if each.name != role},
        groups={key: each for key, each in observed.groups.items() if key != pool_group},
    )


ADMINS = group("admins", description="Admins")
EDITORS = group("editors")
