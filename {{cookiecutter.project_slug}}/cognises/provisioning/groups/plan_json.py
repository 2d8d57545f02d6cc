"""A plan as JSON, in the words Terraform uses for its own."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cognises.provisioning.groups.model import PoolGroup, Role
from cognises.provisioning.groups.plan import Change, Plan, RoleChange

FORMAT_VERSION = "1.0"


def plan_json(plan: Plan) -> dict[str, Any]:
    """One JSON object: the changes, what drifted, what blocks, and the digest."""
    scope = plan.scope
    return {
        "format_version": FORMAT_VERSION,
        "digest": plan.digest,
        "account": scope.account,
        "partition": scope.partition,
        "region": scope.region,
        "user_pool_id": scope.pool_id,
        "identity_pool_id": scope.identity_pool_id,
        "role_prefix": scope.role_prefix,
        "resource_changes": [_change(change) for change in plan.changes],
        "resource_drift": [_drift(change) for change in plan.changes if change.drift],
        "leftovers": [asdict(each) for each in plan.leftovers],
        "broadening": list(plan.broadening),
        "blocks": list(plan.blocks),
        "warnings": list(plan.warnings),
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        **_address(change),
        "change": {
            "actions": ["update" if change.action == "adopt" else change.action],
            "before": _state(change.before),
            "after": _state(change.after),
            **({"importing": {"id": _name(change)}} if change.action == "adopt" else {}),
        },
        "drift": list(change.drift),
        "broadening": list(change.broadening),
        "escalating": list(change.escalating),
    }


def _drift(change: Change) -> dict[str, Any]:
    """From the recorded state to the live one, the direction in which Terraform shows drift."""
    return {
        **_address(change),
        "change": {
            "actions": ["delete" if change.before is None else "update"],
            "before": _state(change.after),
            "after": _state(change.before),
        },
        "drift": list(change.drift),
    }


def _address(change: Change) -> dict[str, Any]:
    kind = "aws_iam_role" if isinstance(change, RoleChange) else "aws_cognito_user_group"
    name = _name(change)
    return {"address": f"{kind}.{name}", "type": kind, "name": name, "group": change.group}


def _name(change: Change) -> str:
    side = change.after or change.before
    return side.name if side else change.group


def _state(state: Role | PoolGroup | None) -> dict[str, Any] | None:
    return None if state is None else asdict(state)
