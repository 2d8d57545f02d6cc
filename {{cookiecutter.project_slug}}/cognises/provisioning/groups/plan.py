"""A plan is data: what would change and why, what blocks it, and a digest; as text and as JSON."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any, ClassVar, Generic, Literal, TypeVar

from cognises.errors import ProvisionBlocked, printable
from cognises.provisioning.groups.access import Access
from cognises.provisioning.groups.compare import describe, difference, digest_of
from cognises.provisioning.groups.model import PoolGroup, Role, Scope
from cognises.provisioning.names import ACCESS_TAG, HASHES

LEFTOVERS_SHOWN = 40
MARKS = {"create": "+", "update": "~", "adopt": ">", "delete": "-"}
State = TypeVar("State", Role, PoolGroup)
Action = Literal["create", "update", "adopt", "delete"]


@dataclass(frozen=True)
class _Change(Generic[State]):
    """One resource: from `before` (None: to be created) to `after` (None: to be deleted)."""

    kind: ClassVar[str]
    type: ClassVar[str]  # as Terraform names it

    group: str
    action: Action
    before: State | None
    after: State | None
    drift: tuple[str, ...] = ()  # what others changed since the last apply
    broadening: tuple[str, ...] = ()  # what members could do that they could not do before
    escalating: tuple[str, ...] = ()  # newly granted ways to take more

    @property
    def name(self) -> str:
        side = self.after or self.before
        return side.name if side else self.group


class RoleChange(_Change[Role]):
    kind, type = "role", "aws_iam_role"


class GroupChange(_Change[PoolGroup]):
    kind, type = "pool group", "aws_cognito_user_group"


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
    access: Access = field(default_factory=Access)

    @property
    def digest(self) -> str:
        """Identifies this plan: account, partition, region, pool, manifest, changes, routes."""
        content = asdict(self)
        del content["warnings"], content["leftovers"]  # what is done does not depend on them
        content["access"] = [self.access.changes, self.access.unknown]
        return digest_of(content)

    @property
    def broadening(self) -> tuple[str, ...]:
        """Every line that widens rights or may, with the group that it concerns."""
        widened = ((each.group, each.broadening + each.escalating) for each in self.changes)
        lines = [f"{group}: {line}" for group, lines in widened for line in lines]
        lines += [f"{each.who}: {each.text}" for each in self.access.changes if each.gained]
        return (*lines, *self.access.unknown)

    @property
    def summary(self) -> str:
        actions = [change.action for change in self.changes]
        adopted = f", {actions.count('adopt')} to take over" if "adopt" in actions else ""
        drifted, granting = sum(bool(each.drift) for each in self.changes), len(self.broadening)
        grants = "1 change grants" if granting == 1 else f"{granting} changes grant"
        return (
            f"{actions.count('create')} to create, {actions.count('update')} to change{adopted}, "
            f"{actions.count('delete')} to delete; {drifted} drifted; {grants} new permissions"
        )

    def raise_if_blocked(self, *, allow_broadening: bool = True, expect: str | None = None) -> None:
        """Raise ProvisionBlocked where a safety rule, or another digest, refuses this plan."""
        problems = list(self.blocks)
        if not allow_broadening and (refused := self.broadening):
            problems += [f"--no-broadening: {line}" for line in refused]
            problems.append("to grant it, read `provision.py plan`, then run `provision.py apply`")
        if expect not in (None, self.digest):
            found = f"today's plan is {self.digest}, not {expect}"
            problems.append(f"--expect: {found}; read it again: `provision.py plan`")
        if problems:
            raise ProvisionBlocked(problems)


def plan_text(plan: Plan) -> str:
    """The whole plan, statement by statement; control characters from AWS are escaped."""
    scope, kept, access = plan.scope, plan.leftovers, plan.access
    place = f"account {scope.account} ({scope.partition}), region {scope.region}"
    now, last = access.manifest, access.manifest_applied or "not recorded"
    manifest = [f"manifest {now}; applied last: {'the same' if last == now else last}"]
    lines = [f"user pool {scope.pool_id}, {place}", *manifest * bool(now)]
    for group, changes in groupby(plan.changes, key=lambda change: change.group):
        lines += ["", f"group {group}", *(line for each in changes for line in _change_lines(each))]
    lines += ["", "in AWS and not in groups.json:"] if kept else []
    for each in kept[:LEFTOVERS_SHOWN]:
        named = [f"group {each.group}"] * each.has_group + [f"role {each.role}"] * bool(each.role)
        lines.append(f"  {', '.join(named)}: {each.note}")
    if len(kept) > LEFTOVERS_SHOWN:
        lines.append(f"  and {len(kept) - LEFTOVERS_SHOWN} more; `plan --json` lists all")
    lines += ["", *found] if (found := list(access.lines())) else []
    lines += ["", *(f"warning: {line}" for line in plan.warnings)]
    lines += [f"blocked: {line}" for line in plan.blocks]
    lines += [f"plan: {plan.summary if plan.changes or plan.broadening else 'nothing to do'}"]
    return "\n".join(map(printable, [*lines, f"digest: {plan.digest}"]))


def _change_lines(change: Change) -> Iterator[str]:
    yield f"  {MARKS[change.action]} {change.action} {change.kind} {change.name}"
    yield from (f"      drift: {line}" for line in change.drift)
    if isinstance(change, RoleChange):
        yield from (f"      {line}" for line in _role_lines(change))
    else:
        why = {"precedence": " (by default the place in groups.json)", "access": f" ({ACCESS_TAG})"}
        for name in ("role_arn", "precedence", "description", "access"):
            old, new = (getattr(side, name, None) for side in (change.before, change.after))
            shown = f": {old!r} -> {new!r}" * (name != "access")
            yield from [f"      ~ {name}{why.get(name, '')}{shown}"] if old != new else []
    yield from (f"      ! widens: {line}" for line in change.broadening)
    yield from (f"      ! escalates: {line}" for line in change.escalating)


def _role_lines(change: RoleChange) -> Iterator[str]:
    before, after = change.before, change.after
    old, new = ({**each.policies, "trust": each.trust} if each else {} for each in (before, after))
    for name in sorted({*old, *new}):
        removed, added = difference(old.get(name, {}), new.get(name, {}))
        yield from (f"- {name}: {describe(each)}" for each in removed)
        yield from (f"+ {name}: {describe(each)}" for each in added)
        versions = [each[name].get("Version") for each in (old, new) if name in each]
        if len({*versions}) > 1:
            yield "~ {}: Version {} -> {}".format(name, *versions)
    old_arns, new_arns = (each.attached if each else () for each in (before, after))
    yield from (f"- attached: {arn}" for arn in old_arns if arn not in new_arns)
    yield from (f"+ attached: {arn}" for arn in new_arns if arn not in old_arns)
    if before is not None and after is not None:
        changed = {tag: text for tag, text in after.tags.items() if before.tags.get(tag) != text}
        yield from (f"~ tag {tag}" + f": {changed[tag]}" * (tag not in HASHES) for tag in changed)
    if after is not None and after.boundary != (before.boundary if before else None):
        yield f"~ boundary: {after.boundary}"


def plan_json(plan: Plan) -> dict[str, Any]:
    """One object for JSON, in the words Terraform uses for its own plans."""
    scope = asdict(plan.scope)
    scope["user_pool_id"] = scope.pop("pool_id")
    del scope["boundary"], scope["role_path"]
    return {
        "format_version": "1.0", "digest": plan.digest, **scope,
        "resource_changes": [_resource(change) for change in plan.changes],
        "resource_drift": [_resource(each, drifted=True) for each in plan.changes if each.drift],
        "leftovers": [asdict(each) for each in plan.leftovers],
        "broadening": plan.broadening, "access": plan.access.as_json(),
        "blocks": plan.blocks, "warnings": plan.warnings,
    }  # fmt: skip


def _resource(change: Change, *, drifted: bool = False) -> dict[str, Any]:
    """One change; of what drifted, from the recorded state to the live one, as in Terraform."""
    address = f"{change.type}.{change.name}"
    found = {"address": address, "type": change.type, "name": change.name, **asdict(change)}
    action, before, after = (found.pop(name) for name in ("action", "before", "after"))
    found["change"] = {"actions": [action], "before": before, "after": after}
    if drifted:
        actions = ["delete" if before is None else "update"]
        found["change"] = {"actions": actions, "before": after, "after": before}
        del found["broadening"], found["escalating"]
    elif action == "adopt":
        found["change"] |= {"actions": ["update"], "importing": {"id": change.name}}
    return found
