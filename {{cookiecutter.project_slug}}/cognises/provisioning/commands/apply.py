"""`apply`: plans, shows, asks, and does exactly what was shown."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import click

from cognises.errors import CognisesError, ProvisionBlocked
from cognises.provisioning.aws.executor import Executor, Outcome
from cognises.provisioning.aws.explain import explain, is_aws_error
from cognises.provisioning.commands.options import EXIT_BLOCKED, EXIT_ERROR
from cognises.provisioning.commands.plan import show
from cognises.provisioning.commands.session import Session
from cognises.provisioning.planning.plan import Change, Plan, RoleChange
from cognises.provisioning.planning.plan_text import summary
from cognises.provisioning.planning.prune import Pruning
from cognises.provisioning.printable import printable
from cognises.provisioning.target import Options, read_target

PROGRESS_STEPS = 40  # at most so many lines, however long the work


@dataclass(frozen=True)
class Choices:
    """What the person who applies has decided."""

    yes: bool
    expect: str | None
    adopt: tuple[str, ...]
    no_broadening: bool
    as_json: bool
    group_writes: float


def run(options: Options, pruning: Pruning | None, choices: Choices) -> int:
    """Apply today's plan. Returns 0, 1 (failed, or not confirmed); blocks are raised."""
    if choices.adopt and (choices.yes or not sys.stdin.isatty()):
        raise ProvisionBlocked(
            ["--adopt takes over somebody else's role: run it on a terminal, without --yes"]
        )
    if choices.as_json and not choices.yes:
        raise click.UsageError("--json goes with --yes: it shows the plan when it is done")
    session = Session.open(read_target(options), choices.group_writes)
    plan = session.plan(adopt=choices.adopt, pruning=pruning)
    _raise_if_refused(plan, choices)
    if not choices.as_json:
        show(plan, as_json=False)
    if plan.changes and not choices.yes:
        _confirm()
    outcome = Executor(session.clients, progress=_progress).run(plan)
    if choices.as_json:
        show(plan, as_json=True, applied=len(outcome.done), complete=outcome.complete)
    return report(outcome, plan)


def report(outcome: Outcome, plan: Plan) -> int:
    """Say on standard error what was done and what failed; returns the exit code."""
    if outcome.complete:
        if plan.changes:
            click.echo(f"applied: {summary(plan)}", err=True)
        return 0
    left = f"{outcome.total - len(outcome.done)} of {outcome.total} changes are left: run it again"
    for said, groups in _failures(outcome).items():
        click.echo(printable(f"error: {', '.join(groups)}: {said}; {left}"), err=True)
    blocked = all(isinstance(error, ProvisionBlocked) for _, error in outcome.failed)
    return EXIT_BLOCKED if blocked else EXIT_ERROR


def _failures(outcome: Outcome) -> dict[str, list[str]]:
    """What went wrong, and for which groups: the same reason is told once."""
    found: dict[str, list[str]] = {}
    for group, error in outcome.failed:
        said = explain(error) if is_aws_error(error) else str(error)
        found.setdefault(said, []).append(group)
    return found


def _raise_if_refused(plan: Plan, choices: Choices) -> None:
    """Safety rules first, so that a refused plan is shown before it is refused."""
    try:
        plan.raise_if_blocked(allow_broadening=not choices.no_broadening)
        if choices.expect is not None and choices.expect != plan.digest:
            raise ProvisionBlocked(
                [f"--expect: today's plan is {plan.digest}, not {choices.expect}; look at it again"]
            )
    except CognisesError:
        show(plan, as_json=choices.as_json)
        raise


def _confirm() -> None:
    if not sys.stdin.isatty():
        raise click.ClickException("there is no terminal to ask on; run apply --yes")
    if not click.confirm("Do this?", err=True):
        raise click.ClickException("nothing was changed")


def _progress(change: Change, done: int, total: int) -> None:
    every = max(1, total // PROGRESS_STEPS)
    if done % every == 0 or done == total:
        kind = "role" if isinstance(change, RoleChange) else "group"
        what = f"{change.action} {kind} of {printable(change.group)}"
        click.echo(f"[{done}/{total}] {what}", err=True)
