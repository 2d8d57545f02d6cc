"""A plan as text, statement by statement, and as JSON in the words Terraform uses for its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from typing import Any

from cognises.errors import printable
from cognises.provisioning.groups.grants import describe, difference
from cognises.provisioning.groups.model import Document, PoolGroup, Role
from cognises.provisioning.groups.plan import Change, GroupChange, Plan, RoleChange
from cognises.provisioning.names import HASH_TAG

LEFTOVERS_SHOWN = 40
MARKS = {"create": "+", "update": "~", "adopt": ">", "delete": "-"}


def plan_text(plan: Plan) -> str:
    """The whole plan; text that came from AWS has its control characters escaped."""
    return "\n".join(printable(line) for line in _lines(plan))


def summary(plan: Plan) -> str:
    """One line of counts."""
    counts = dict.fromkeys(MARKS, 0)
    for change in plan.changes:
        counts[change.action] += 1
    drifted = sum(bool(change.drift) for change in plan.changes)
    taken = f", {counts['adopt']} to take over" if counts["adopt"] else ""
    granting = len(plan.broadening)
    return (
        f"{counts['create']} to create, {counts['update']} to change{taken}, "
        f"{counts['delete']} to delete; {drifted} drifted; "
        + ("1 change grants" if granting == 1 else f"{granting} changes grant")
        + " new permissions"
    )


def _lines(plan: Plan) -> Iterator[str]:
    scope = plan.scope
    place = f"account {scope.account} ({scope.partition}), region {scope.region}"
    yield f"user pool {scope.pool_id}, {place}"
    for group, changes in groupby(plan.changes, key=lambda change: change.group):
        yield ""
        yield f"group {group}"
        for change in changes:
            yield from _change_lines(change)
    yield from _leftover_lines(plan)
    yield ""
    yield from (f"warning: {line}" for line in plan.warnings)
    yield from (f"blocked: {line}" for line in plan.blocks)
    yield f"plan: {summary(plan)}" if plan.changes else "plan: nothing to do"
    yield f"digest: {plan.digest}"


def _leftover_lines(plan: Plan) -> Iterator[str]:
    if not plan.leftovers:
        return
    yield ""
    yield "in AWS and not in groups.json:"
    for each in plan.leftovers[:LEFTOVERS_SHOWN]:
        role = f"role {each.role}" if each.role else ""
        what = ", ".join(filter(None, (f"group {each.group}" if each.has_group else "", role)))
        yield f"  {what}: {each.note}"
    if len(plan.leftovers) > LEFTOVERS_SHOWN:
        yield f"  and {len(plan.leftovers) - LEFTOVERS_SHOWN} more; `plan --json` lists all"


def _change_lines(change: Change) -> Iterator[str]:
    kind = "role" if isinstance(change, RoleChange) else "pool group"
    yield f"  {MARKS[change.action]} {change.action} {kind} {_name(change)}"
    yield from (f"      drift: {line}" for line in change.drift)
    details = _role_details(change) if isinstance(change, RoleChange) else _group_details(change)
    yield from (f"      {line}" for line in details)
    yield from (f"      ! widens: {line}" for line in change.broadening)
    yield from (f"      ! escalates: {line}" for line in change.escalating)


def _role_details(change: RoleChange) -> Iterator[str]:
    before, after = change.before, change.after
    old, new = _documents(before), _documents(after)
    for name in sorted({*old, *new}):
        found = difference([old[name]] if name in old else [], [new[name]] if name in new else [])
        yield from (f"- {name}: {describe(each)}" for each in found.removed)
        yield from (f"+ {name}: {describe(each)}" for each in found.added)
        if name in old and name in new and old[name].get("Version") != new[name].get("Version"):
            yield f"~ {name}: Version {old[name].get('Version')} -> {new[name].get('Version')}"
    yield from _settings(before, after)


def _documents(role: Role | None) -> dict[str, Document]:
    return {} if role is None else {**role.policies, "trust": role.trust}


def _settings(before: Role | None, after: Role | None) -> Iterator[str]:
    if before is not None and after is not None:
        yield from (f"- attached: {arn}" for arn in before.attached if arn not in after.attached)
        for tag, value in after.tags.items():
            if before.tags.get(tag) != value:
                yield f"~ tag {tag}" + ("" if tag == HASH_TAG else f": {value}")
    if after is not None and after.boundary != (before.boundary if before else None):
        yield f"~ boundary: {after.boundary}"


def _group_details(change: GroupChange) -> Iterator[str]:
    for name in ("role_arn", "precedence", "description"):
        old, new = (getattr(side, name, None) for side in (change.before, change.after))
        if old != new:
            yield f"~ {name}: {old!r} -> {new!r}"


def plan_json(plan: Plan) -> dict[str, Any]:
    """One JSON object: the changes, what drifted, what blocks, and the digest."""
    scope = plan.scope
    return {
        "format_version": "1.0",
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
