"""`plan`: shows, and says by its exit code whether there is anything to do."""

from __future__ import annotations

import json

import click

from cognises.provisioning.aws.pace import DEFAULT_GROUP_WRITES
from cognises.provisioning.commands.options import EXIT_BLOCKED, EXIT_PENDING
from cognises.provisioning.commands.session import Session
from cognises.provisioning.planning.plan import Plan
from cognises.provisioning.planning.plan_json import plan_json
from cognises.provisioning.planning.plan_text import plan_text
from cognises.provisioning.planning.prune import Pruning
from cognises.provisioning.target import Options, read_target


def run(options: Options, pruning: Pruning | None, *, as_json: bool, detailed: bool) -> int:
    """Compute and print today's plan. Returns 0, 2 (pending, if detailed) or 3 (blocked)."""
    plan = Session.open(read_target(options), DEFAULT_GROUP_WRITES).plan(pruning=pruning)
    show(plan, as_json=as_json)
    if plan.blocks:
        return EXIT_BLOCKED
    return EXIT_PENDING if detailed and plan.changes else 0


def show(plan: Plan, *, as_json: bool, **extra: object) -> None:
    """Print a plan on standard output: as text, or as one JSON object with `extra` in it."""
    if as_json:
        click.echo(json.dumps({**plan_json(plan), **extra}, indent=2))
    else:
        click.echo(plan_text(plan))
