"""`destroy`: deletes every role and group of this project; asks for the pool's id first.

With the stack named, that goes too: app client, sign-in domain, identity pool, boundary. The user
pool stays in any case, and its users with it.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from cognises.errors import ProvisionBlocked
from cognises.provisioning.aws.executor import Executor
from cognises.provisioning.aws.observer import groups_with_members, observe
from cognises.provisioning.aws.pace import DEFAULT_GROUP_WRITES
from cognises.provisioning.bootstrap.removal import OwnStack
from cognises.provisioning.commands.apply import report
from cognises.provisioning.commands.plan import show
from cognises.provisioning.commands.session import Session
from cognises.provisioning.planning.plan import Plan
from cognises.provisioning.planning.planner import make_plan
from cognises.provisioning.planning.prune import Pruning, prune_candidates
from cognises.provisioning.target import Options, read_target


def run(
    options: Options, *, confirm: str | None, force: bool, stack_name: str | None = None
) -> int:
    """Show what would go, ask, delete. The manifest is not read, so a broken one does not matter.

    Raises ProvisionBlocked where the id given is not the pool's, or the stack is not this stage's.
    """
    session = Session.open(read_target(options), DEFAULT_GROUP_WRITES)
    stack = OwnStack.find(session.target, stack_name) if stack_name else None
    plan = _plan(session, force=force)
    show(plan, as_json=False)
    plan.raise_if_blocked()
    if stack:
        stack.show()
    if not plan.changes and not stack:
        return 0
    _confirm(session.target.pool.id, confirm)
    code = report(Executor(session.clients).run(plan), plan) if plan.changes else 0
    # The roles carry the boundary: the stack goes only once they have gone.
    if stack and code == 0:
        stack.delete()
    return code


def _plan(session: Session, *, force: bool) -> Plan:
    scope = session.scope()
    found = observe(session.clients, scope.pool_id, scope.role_prefix)
    candidates = prune_candidates((), found, scope)
    members = groups_with_members(session.clients.cognito, scope.pool_id, candidates)
    # Whoever types the pool's id means all of it: no limit on their number here.
    pruning = Pruning(max_destroy=len(found.roles), force=force)
    plan = make_plan((), replace(found, with_members=members), scope, pruning=pruning)
    return replace(plan, warnings=())


def _confirm(pool_id: str, given: str | None) -> None:
    if given is None and not sys.stdin.isatty():
        raise click.ClickException(f"no terminal to ask on; run destroy --confirm {pool_id}")
    typed = given or click.prompt("Type the user pool's id to delete all this", err=True)
    if typed != pool_id:
        raise ProvisionBlocked([f"{typed!r} is not {pool_id}; nothing was deleted"])
