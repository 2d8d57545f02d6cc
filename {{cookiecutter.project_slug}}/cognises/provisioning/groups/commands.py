"""`plan`, `apply`, `destroy` and `import`: read the manifest and AWS, plan, show, ask, apply."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from cognises.errors import ProvisionBlocked, SettingsError
from cognises.manifest import Group, load_groups
from cognises.provisioning import target as t
from cognises.provisioning.aws import DEFAULT_GROUP_WRITES, Clients, group_clients
from cognises.provisioning.aws_errors import explain, is_aws_error
from cognises.provisioning.groups import read
from cognises.provisioning.groups.applied import compare_with_applied, compare_with_revision
from cognises.provisioning.groups.apply import apply_plan
from cognises.provisioning.groups.model import Scope
from cognises.provisioning.groups.plan import Change, GroupChange, Plan, plan_json, plan_text
from cognises.provisioning.groups.planner import Pruning, make_plan
from cognises.provisioning.target import say

COUNTED, COUNTED_GROUPS = 1000, 20  # members of a group, and groups, that a plan counts


def _pruning(prune: bool, max_destroy: int | None, force: bool) -> Pruning | None:
    if not prune and (force or max_destroy is not None):
        raise click.UsageError("--max-destroy and --force go with --prune")
    return Pruning(max_destroy, force) if prune else None


_LIMIT = "Delete at most so many groups [default: from ten groups up, 3 in 10]."
_force = t.flag("--force", help="Delete groups that have members, too.")
prune_options = t.gather("pruning", _pruning, {
    "prune": t.flag("--prune", help="Delete what the manifest no longer names."),
    "max_destroy": click.option("--max-destroy", type=click.IntRange(min=0), help=_LIMIT),
    "force": _force,
})  # fmt: skip
_WRITES = click.FloatRange(0.1, DEFAULT_GROUP_WRITES)  # the default is Cognito's own limit


@click.command()
@t.aws_options
@prune_options
@t.json_option
@t.flag("--detailed-exitcode", "detailed", help="Exit 2 if anything is to be changed.")
def plan(options: t.Options, pruning: Pruning | None, as_json: bool, detailed: bool) -> int:
    """Show what apply would change and what drifted; write nothing."""
    target = t.read_target(options)
    groups = load_groups(target.groups_file, role_prefix=target.role_prefix)
    found = _plan(target, group_clients(target.aws), groups, pruning, options=options)
    _show(found, as_json=as_json)
    if found.blocks:
        return t.EXIT_BLOCKED
    return t.EXIT_PENDING if detailed and (found.changes or found.broadening) else 0


@click.command("access-diff")
@t.place_options
@click.option("--against", metavar="REV", help="A git revision; default: what was applied last.")
@click.option("--format", "kind", type=click.Choice(("text", "json", "markdown")), default="text")
def access_diff(options: t.Options, against: str | None, kind: str) -> int:
    """Show which routes groups gain and lose: working tree against what was applied or a revision.

    With --against, manifest and code of the revision count, and AWS is not called.
    """
    if against is None:
        target = t.read_target(options)
        groups = load_groups(target.groups_file, role_prefix=target.role_prefix)
        found = _plan(target, group_clients(target.aws), groups, None, options=options).access
    else:
        file = t.groups_file(options, t.settings_values(options))
        found = compare_with_revision(against, file, options)
    if kind == "json":
        click.echo(json.dumps(found.as_json(), indent=2))
    else:
        click.echo(found.text() if kind == "text" else found.markdown())
    return 0


def _plan(
    target: t.Target, clients: Clients, groups: tuple[Group, ...], pruning: Pruning | None,
    adopt: tuple[str, ...] = (), options: t.Options | None = None,
) -> Plan:  # fmt: skip
    """Read AWS and plan; with `options` routes are compared. Members are looked up only of groups
    that would be deleted, or whose routes change.
    """
    scope = read.scope_of(target, clients)
    identity = None
    if scope.identity_pool_id:
        client = target.aws.client("cognito-identity", scope.identity_region)
        identity = (client, scope.identity_pool_id)
    observed = read.observe(clients, scope.pool_id, scope.role_prefix, identity)
    if groups and scope.boundary is not None:
        observed = read.confirm_boundaries(clients.iam, observed, scope.pool_id)
    found = make_plan(groups, observed, scope, adopt=adopt, pruning=pruning)
    deleted = [c.group for c in found.changes if isinstance(c, GroupChange) and c.after is None]
    if deleted and not (pruning and pruning.force):
        member = partial(clients.cognito.list_users_in_group, UserPoolId=scope.pool_id, Limit=1)
        members = frozenset(group for group in deleted if member(GroupName=group)["Users"])
        observed = replace(observed, with_members=members)
        found = make_plan(groups, observed, scope, adopt=adopt, pruning=pruning)
    if options is None:
        return found
    access = compare_with_applied(target, options, groups, observed, scope)
    changed = {name for each in access.changes for name in each.groups} & observed.groups.keys()
    counts = _members(clients, scope.pool_id, sorted(changed))
    return replace(found, access=replace(access, members=counts))


def _members(clients: Clients, pool_id: str, groups: Sequence[str]) -> dict[str, str]:
    """How many people are in each of the first groups, as far as the caller may ask."""
    pages, found = clients.cognito.get_paginator("list_users_in_group"), dict[str, str]()
    for name in groups[:COUNTED_GROUPS]:
        asked = {"UserPoolId": pool_id, "GroupName": name}
        try:
            read = pages.paginate(**asked, PaginationConfig={"MaxItems": COUNTED, "PageSize": 60})
            number = sum(len(page["Users"]) for page in read)
        except Exception as error:
            if not is_aws_error(error):
                raise
            break
        found[name] = f"{number:,}" + " or more" * (number >= COUNTED)
    return found


def managed_policies(target: t.Target, account: str) -> list[str]:
    """The managed policies that groups.json names, filled for an account (`*`: any); offline."""
    if not target.groups_file.exists():
        return []
    groups = load_groups(target.groups_file, role_prefix=target.role_prefix)
    pool = target.pool
    ids = (pool.id, target.identity_pool_id, target.role_prefix)
    scope = Scope(account, pool.partition, pool.region, *ids)
    return sorted({scope.fill(arn) for group in groups for arn in group.managed_policies})


def _show(plan: Plan, *, as_json: bool, **extra: object) -> None:
    click.echo(json.dumps({**plan_json(plan), **extra}, indent=2) if as_json else plan_text(plan))


@click.command()
@t.aws_options
@prune_options
@t.yes_option
@click.option("--expect", metavar="DIGEST", help="Only if today's plan is exactly this one.")
@click.option("--adopt", multiple=True, metavar="NAME", help="Take over a role; asks, always.")
@click.option("--no-broadening", is_flag=True, help="Refuse to grant anything new.")
@t.json_option
@click.option("--group-writes", type=_WRITES, default=_WRITES.max, help="At most 15 a second.")
def apply(
    options: t.Options, pruning: Pruning | None, yes: bool, expect: str | None,
    adopt: tuple[str, ...], no_broadening: bool, as_json: bool, group_writes: float,
) -> int:  # fmt: skip
    """Apply groups.json to AWS. Safe to interrupt and to run again."""
    if adopt and (yes or not sys.stdin.isatty()):
        problem = "--adopt takes over a role that others made: run it on a terminal, without --yes"
        raise ProvisionBlocked([problem])
    if as_json and not yes:
        raise click.UsageError("--json needs --yes: it shows the plan when it is done")
    target = t.read_target(options)
    groups = load_groups(target.groups_file, role_prefix=target.role_prefix)
    clients = group_clients(target.aws, group_writes)
    found = _plan(target, clients, groups, pruning, adopt, options)
    t.announce(target.aws)
    try:
        found.raise_if_blocked(allow_broadening=not no_broadening, expect=expect)
    except ProvisionBlocked:
        _show(found, as_json=as_json)
        raise
    if not as_json:
        _show(found, as_json=False)
    if found.changes:
        t.confirm("Apply these changes?", yes=yes)
    total = len(found.changes)

    def progress(change: Change, done: int) -> None:
        if done == total or done % max(1, total // 40) == 0:  # at most about 40 lines
            say(f"[{done}/{total}] {change.action} {change.kind} {change.name}")

    done, failed = apply_plan(found, clients, progress=progress)
    if as_json:
        _show(found, as_json=True, applied=len(done), complete=len(done) == total)
    return _report(found, done, failed)


def _report(plan: Plan, done: list[Change], failed: list[tuple[str, Exception]]) -> int:
    if not (left := len(plan.changes) - len(done)):
        if done:
            say(f"applied: {plan.summary}")
        return 0
    failures: dict[str, list[str]] = {}  # groups by reason, so that each reason is printed once
    for group, error in failed:
        reason = explain(error) if is_aws_error(error) else str(error)
        failures.setdefault(reason, []).append(group)
    again = f"{left} of {len(plan.changes)} changes are left: run it again"
    for reason, groups in failures.items():
        say(f"error: {', '.join(groups)}: {reason}; {again}")
    blocked = all(isinstance(error, ProvisionBlocked) for _, error in failed)
    return t.EXIT_BLOCKED if blocked else t.EXIT_ERROR


@click.command()
@t.aws_options
@click.option("--confirm", metavar="POOL_ID", help="The pool's id, instead of being asked.")
@_force
@click.option("--stack", metavar="NAME", help="Delete bootstrap's stack of this name, too.")
def destroy(options: t.Options, confirm: str | None, force: bool, stack: str | None) -> int:
    """Delete the roles and groups this project made; the pool and its users stay."""
    target = t.read_target(options)
    clients = group_clients(target.aws)
    own_stack = t.of_infra("infra.stacks:find_own_stack")(target, stack) if stack else None
    # Typing the pool's id confirms any number of deletions, whatever the identity pool allows.
    everything = Pruning(max_destroy=sys.maxsize, force=force)
    found = _plan(replace(target, identity_pool_id=None), clients, (), everything)
    found = replace(found, warnings=())
    t.announce(target.aws)
    _show(found, as_json=False)
    found.raise_if_blocked()
    if own_stack:
        parts = "app client, sign-in domain, identity pool, permissions boundary"
        say(f"stack {own_stack.name} will be deleted: {parts}; sign-in stops working")
        say(f"user pool {target.pool.id} and its users stay")
    if not found.changes and not own_stack:
        return 0
    if confirm is None:
        t.require_terminal(f"--confirm {target.pool.id}")
        confirm = str(click.prompt("Type the user pool's id to delete all this", err=True))
    if confirm != target.pool.id:
        raise ProvisionBlocked([f"{confirm!r} is not {target.pool.id}; nothing was deleted"])
    code = _report(found, *apply_plan(found, clients))
    # The roles carry the boundary, which is in the stack: it is deleted after them.
    if own_stack and code == 0:
        t.of_infra("infra.stacks:delete_own_stack")(target, own_stack, options.env_file_name)
    return code


@click.command("import")
@t.place_options
@click.option("--output", type=t.PATH, help="The new file; default: the manifest.")
def import_groups(options: t.Options, output: Path | None) -> int:
    """Write a groups.json from the groups that the user pool has, and their roles' policies."""
    target = t.read_target(options)
    path = output or target.groups_file
    if path.exists():
        raise SettingsError([f"{path} exists; name a new file with --output"])
    clients = group_clients(target.aws)
    scope = read.scope_of(target, clients)
    observed = read.observe(clients, target.pool.id, "")  # a group's role may have any name
    entries, notes = read.manifest_of(observed, scope)
    # "x": never over a file that was made meanwhile, never through a link.
    with path.open("x", encoding="utf-8") as file:
        file.write(json.dumps(entries, indent=2, ensure_ascii=False) + "\n")
    for note in notes:
        say(f"note: {note}")
    click.echo(f"{path.name}: {len(entries)} groups; next: list the allowed_functions of each")
    return 0
