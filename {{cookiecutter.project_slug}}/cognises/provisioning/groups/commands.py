"""`plan`, `apply` and `destroy`: read the manifest and AWS, plan, show, ask, apply."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

import click

from cognises.errors import CognisesError, ProvisionBlocked, printable
from cognises.manifest import Group, load_groups
from cognises.provisioning.aws import DEFAULT_GROUP_WRITES, Clients, group_clients
from cognises.provisioning.aws_errors import explain, is_aws_error
from cognises.provisioning.groups.apply import Executor, Outcome
from cognises.provisioning.groups.model import Observed, Scope, desired_groups
from cognises.provisioning.groups.plan import Change, Plan, RoleChange
from cognises.provisioning.groups.plan_text import plan_json, plan_text, summary
from cognises.provisioning.groups.planner import make_plan
from cognises.provisioning.groups.prune import Pruning, prune_candidates
from cognises.provisioning.groups.read import (
    confirm_boundaries,
    groups_with_members,
    observe,
    scope_of,
)
from cognises.provisioning.stacks import OwnStack
from cognises.provisioning.target import (
    EXIT_BLOCKED,
    EXIT_ERROR,
    EXIT_PENDING,
    Command,
    Options,
    Target,
    announce,
    confirm,
    read_target,
    require_terminal,
)


def prune_options(command: Command) -> Command:
    """Add what says how to delete; the command gets one `pruning`, None without --prune."""

    @click.option("--prune", is_flag=True, help="Delete what the manifest no longer names.")
    @click.option(
        "--max-destroy",
        type=click.IntRange(min=0),
        help="Delete at most so many groups [default: from ten groups up, 3 in 10].",
    )
    @click.option("--force", is_flag=True, help="Delete groups that have members, too.")
    @wraps(command)
    def wrapped(prune: bool, max_destroy: int | None, force: bool, **rest: Any) -> int:
        if not prune and (force or max_destroy is not None):
            raise click.UsageError("--max-destroy and --force go with --prune")
        return command(pruning=Pruning(max_destroy, force) if prune else None, **rest)

    return wrapped


class Session:
    """One run of a command against one target: reads the manifest and AWS, and plans."""

    def __init__(self, target: Target, clients: Clients) -> None:
        self.target, self.clients = target, clients

    @classmethod
    def open(cls, target: Target, group_writes: float = DEFAULT_GROUP_WRITES) -> Session:
        """Make the clients. Raises botocore's errors."""
        return cls(target, group_clients(target.aws, group_writes))

    def plan(self, *, adopt: tuple[str, ...] = (), pruning: Pruning | None = None) -> Plan:
        """Today's plan for the manifest. Raises ManifestError and botocore's errors."""
        target = self.target
        groups = load_groups(target.groups_file, role_prefix=target.role_prefix)
        scope = scope_of(target, self.clients)
        observed = self._observed(groups, scope, pruning)
        return make_plan(groups, observed, scope, adopt=adopt, pruning=pruning)

    def _observed(
        self, groups: tuple[Group, ...], scope: Scope, pruning: Pruning | None
    ) -> Observed:
        identity = identity_client(self.target) if scope.identity_pool_id else None
        found = observe(
            self.clients, scope.pool_id, scope.role_prefix, identity, scope.identity_pool_id
        )
        if scope.boundary is not None:
            found = confirm_boundaries(self.clients.iam, found, scope.pool_id)
        if pruning is None or pruning.force:
            return found
        candidates = prune_candidates(desired_groups(groups, scope), found, scope)
        members = groups_with_members(self.clients.cognito, scope.pool_id, candidates)
        return replace(found, with_members=members)


def identity_client(target: Target) -> Any:
    """A client for the identity pool that the settings name, in the region of its id."""
    return target.aws.client("cognito-identity", target.identity_region)


def plan(options: Options, pruning: Pruning | None, *, as_json: bool, detailed: bool) -> int:
    """Compute and print today's plan. Returns 0, 2 (pending, if detailed) or 3 (blocked)."""
    found = Session.open(read_target(options)).plan(pruning=pruning)
    show(found, as_json=as_json)
    if found.blocks:
        return EXIT_BLOCKED
    return EXIT_PENDING if detailed and found.changes else 0


def show(plan: Plan, *, as_json: bool, **extra: object) -> None:
    """Print a plan on standard output: as text, or as one JSON object with `extra` in it."""
    if as_json:
        click.echo(json.dumps({**plan_json(plan), **extra}, indent=2))
    else:
        click.echo(plan_text(plan))


@dataclass(frozen=True)
class ApplyChoices:
    """The options of `apply`."""

    yes: bool
    expect: str | None
    adopt: tuple[str, ...]
    no_broadening: bool
    as_json: bool
    group_writes: float


def apply(options: Options, pruning: Pruning | None, choices: ApplyChoices) -> int:
    """Apply today's plan. Returns 0, 1 (failed, or not confirmed); blocks are raised."""
    if choices.adopt and (choices.yes or not sys.stdin.isatty()):
        raise ProvisionBlocked(
            ["--adopt takes over a role that others made: run it on a terminal, without --yes"]
        )
    if choices.as_json and not choices.yes:
        raise click.UsageError("--json needs --yes: it shows the plan when it is done")
    session = Session.open(read_target(options), choices.group_writes)
    found = session.plan(adopt=choices.adopt, pruning=pruning)
    announce(session.target.aws)
    _raise_if_refused(found, choices)
    if not choices.as_json:
        show(found, as_json=False)
    if found.changes:
        confirm("Apply these changes?", yes=choices.yes, command="apply --yes")
    outcome = Executor(session.clients, progress=_progress).run(found)
    if choices.as_json:
        show(found, as_json=True, applied=len(outcome.done), complete=outcome.complete)
    return report(outcome, found)


def _raise_if_refused(plan: Plan, choices: ApplyChoices) -> None:
    """Show a plan that a safety rule refuses, then raise ProvisionBlocked."""
    try:
        plan.raise_if_blocked(allow_broadening=not choices.no_broadening)
        if choices.expect is not None and choices.expect != plan.digest:
            raise ProvisionBlocked(
                [
                    f"--expect: today's plan is {plan.digest}, not {choices.expect}; read it "
                    "again: `provision.py plan`"
                ]
            )
    except CognisesError:
        show(plan, as_json=choices.as_json)
        raise


def _progress(change: Change, done: int, total: int) -> None:
    every = max(1, total // 40)  # about 40 lines, however long the work
    if done % every == 0 or done == total:
        kind = "role" if isinstance(change, RoleChange) else "group"
        what = f"{change.action} {kind} of {printable(change.group)}"
        click.echo(f"[{done}/{total}] {what}", err=True)


def report(outcome: Outcome, plan: Plan) -> int:
    """Print on standard error what was done and what failed; returns the exit code."""
    if outcome.complete:
        if plan.changes:
            click.echo(f"applied: {summary(plan)}", err=True)
        return 0
    failures: dict[str, list[str]] = {}  # groups by reason, so that each reason is printed once
    for group, error in outcome.failed:
        reason = explain(error) if is_aws_error(error) else str(error)
        failures.setdefault(reason, []).append(group)
    left = f"{outcome.total - len(outcome.done)} of {outcome.total} changes are left: run it again"
    for reason, groups in failures.items():
        click.echo(printable(f"error: {', '.join(groups)}: {reason}; {left}"), err=True)
    blocked = all(isinstance(error, ProvisionBlocked) for _, error in outcome.failed)
    return EXIT_BLOCKED if blocked else EXIT_ERROR


def destroy(
    options: Options, *, pool_id: str | None, force: bool, stack_name: str | None = None
) -> int:
    """Delete every role and group of this project; with the stack named, that too.

    The user pool and its users stay. The manifest is not read, so it may be broken. Raises
    ProvisionBlocked where the id given is not the pool's, or the stack is not this stage's.
    """
    session = Session.open(read_target(options))
    target = session.target
    stack = OwnStack.find(target, stack_name) if stack_name else None
    found = _destruction(session, force=force)
    announce(target.aws)
    show(found, as_json=False)
    found.raise_if_blocked()
    if stack:
        stack.show()
    if not found.changes and not stack:
        return 0
    if pool_id is None:
        require_terminal(f"destroy --confirm {target.pool.id}")
        pool_id = str(click.prompt("Type the user pool's id to delete all this", err=True))
    if pool_id != target.pool.id:
        raise ProvisionBlocked([f"{pool_id!r} is not {target.pool.id}; nothing was deleted"])
    code = report(Executor(session.clients).run(found), found) if found.changes else 0
    # The roles carry the boundary, which is in the stack: it is deleted after them.
    if stack and code == 0:
        stack.delete()
    return code


def _destruction(session: Session, *, force: bool) -> Plan:
    scope = scope_of(session.target, session.clients)
    found = observe(session.clients, scope.pool_id, scope.role_prefix)
    candidates = prune_candidates((), found, scope)
    members = groups_with_members(session.clients.cognito, scope.pool_id, candidates)
    # Typing the pool's id confirms all of it: no limit on the number of deletions.
    pruning = Pruning(max_destroy=len(found.roles), force=force)
    plan = make_plan((), replace(found, with_members=members), scope, pruning=pruning)
    return replace(plan, warnings=())
