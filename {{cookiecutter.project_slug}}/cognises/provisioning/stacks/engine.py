"""Brings one CloudFormation stack to what a template says, by a change set that is shown first.

For `bootstrap` (infra/cognito.yaml) and `deploy` (infra/service.yaml). How to use it:

    client = StackClient(make_client(make_session(profile), "cloudformation", region, endpoint))
    spec = StackSpec(
        name=stack_name(role_prefix, "service"),          # names.py: one a stage
        template=path.read_text("utf-8"),
        parameters={"ProjectSlug": "…"},                   # text by name, all of them
        tags=stack_tags(role_prefix),                      # names.py: they say that it is ours
        capabilities=("CAPABILITY_IAM",),
        guarded=frozenset({"AWS::Cognito::UserPool"}),     # types that are never replaced or lost
    )
    result = bring_up(client, spec, confirm)
    result.outputs["ServiceUrl"]; result.changed

`confirm(question)` returns if the answer is yes and raises otherwise (`confirmation.confirm_by`
makes one from --yes). `bring_up` reads what is there, refuses a stack whose tags are not ours,
waits for what is going on already, works a change set out, shows it, asks, executes it, shows
its events, and returns the outputs. With nothing to change it asks nothing and returns
`changed=False`. `dry_run=True` stops after showing and leaves nothing behind.

Raises ProvisionBlocked (exit 3: not ours, stuck, or something guarded would be lost), StackFailed
(exit 1: each failed resource with its reason, and what to do), botocore's errors. Everything said
goes to standard error. Interrupted or timed out, AWS goes on by itself: the same command again
waits for its end and goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import click

from cognises.errors import ProblemsError, ProvisionBlocked, printable
from cognises.provisioning.aws import error_code
from cognises.provisioning.names import PROJECT_TAG, is_owned
from cognises.provisioning.stacks.changes import guard_problems
from cognises.provisioning.stacks.client import (
    ChangeSet,
    ChangeSetFailed,
    Stack,
    StackClient,
    Wanted,
)
from cognises.provisioning.stacks.events import Event, causes, kept
from cognises.provisioning.stacks.states import (
    ABSENT,
    DONE,
    Step,
    is_settled,
    next_step,
    repair,
)

Confirm = Callable[[str], None]
PATIENCE = 60 * 60  # seconds; AWS's own limits end most operations long before
LOOKS_FOR_START = 5  # so long an executed change set may not show yet


@dataclass(frozen=True)
class StackSpec(Wanted):
    """What a stack shall be. See the module's docstring."""

    guarded: frozenset[str] = frozenset()


@dataclass(frozen=True)
class StackResult:
    """How it ended: whether anything was changed, and the stack's outputs."""

    changed: bool
    outputs: Mapping[str, str] = field(default_factory=dict)


class StackFailed(ProblemsError):
    """CloudFormation tried and failed: each resource with its reason, then what to do."""


def say(line: str) -> None:
    """One line of progress, on standard error."""
    click.echo(printable(line), err=True)


def bring_up(
    client: StackClient, spec: StackSpec, confirm: Confirm, *, dry_run: bool = False
) -> StackResult:
    """Make the stack what `spec` says. See the module's docstring."""
    stack = _at_rest(client, client.describe(spec.name), spec.tags)
    step = next_step(stack.status)
    if step is Step.STUCK:
        raise ProvisionBlocked([repair(stack.status, stack.name, client.region)])
    if step is Step.REPLACE:
        say(f"stack {stack.name}: making it failed last time; an empty shell is left of it")
        if dry_run:
            say("it would be deleted, and everything made anew")
            return StackResult(changed=False)
        confirm(f"Delete the empty shell of stack {stack.name}?")
        take_down(client, stack)
        stack, step = Stack(spec.name), Step.CREATE
    change_set = _prepared(client, spec, step)
    try:
        if change_set.empty or (step is Step.UPDATE and _is_same(client, spec, stack, change_set)):
            say(f"stack {spec.name}: nothing to change")
            return _discarded(client, spec, stack, change_set)
        _show(spec, change_set, step)
        problems = guard_problems(change_set.changes, spec.guarded)
        if problems:
            raise ProvisionBlocked(problems)
        if dry_run:
            return _discarded(client, spec, stack, change_set)
        confirm(f"{'Make' if step is Step.CREATE else 'Change'} stack {spec.name} so?")
    except BaseException:
        _swept(client, spec, stack, change_set)
        raise
    known = client.newest_event(spec.name)
    client.execute(change_set, spec.name)
    ended, events = _watched(client, client.describe(spec.name), known)
    _raise_if_failed(ended, events, client.region)
    return StackResult(changed=True, outputs=ended.outputs)


def take_down(client: StackClient, stack: Stack) -> list[Event]:
    """Delete a stack and wait. Returns what was kept because the template says so.

    The caller has looked whose it is (`refuse_foreign`) and asked. Raises StackFailed.
    """
    known = client.newest_event(stack.id or stack.name)
    client.delete(stack)
    ended, events = _watched(client, client.describe(stack.id or stack.name, stack.name), known)
    if ended.exists:
        _raise_if_failed(ended, events, client.region)
    return kept(events)


def refuse_foreign(stack: Stack, tags: Mapping[str, str]) -> None:
    """Raise ProvisionBlocked unless the stack carries our tags (or nothing was made in it yet)."""
    unborn = stack.status == "REVIEW_IN_PROGRESS" and not stack.tags
    if not stack.exists or unborn:
        return
    if not is_owned(stack.tags):
        raise ProvisionBlocked(
            [
                f"stack {stack.name} exists and was not made by this project; choose another "
                "COGNISES_ROLE_PREFIX, which names the stage"
            ]
        )
    theirs = stack.tags.get(PROJECT_TAG)
    if theirs != tags[PROJECT_TAG]:
        raise ProvisionBlocked(
            [
                f"stack {stack.name} belongs to {theirs}, not to {tags[PROJECT_TAG]}; stages that "
                "share an account need a COGNISES_ROLE_PREFIX each"
            ]
        )


def _at_rest(client: StackClient, stack: Stack, tags: Mapping[str, str]) -> Stack:
    """The stack once nothing goes on in it. Raises ProvisionBlocked if it is not ours."""
    refuse_foreign(stack, tags)
    if is_settled(stack.status):
        return stack
    say(f"stack {stack.name} is in state {stack.status}; waiting for its end")
    known = client.newest_event(stack.id)
    ended, _ = _watched(client, stack, known)
    return ended


def _prepared(client: StackClient, spec: StackSpec, step: Step) -> ChangeSet:
    try:
        return client.prepare(spec, step.name)
    except ChangeSetFailed as error:
        if step is Step.CREATE:
            _swept(client, spec, Stack(spec.name), ChangeSet("", (), empty=True))
        raise StackFailed(
            [f"stack {spec.name}: AWS cannot work the changes out: {error}"]
        ) from None


def _is_same(client: StackClient, spec: StackSpec, stack: Stack, change_set: ChangeSet) -> bool:
    """Whether a change set has nothing to do although it is there.

    Where nothing changes AWS makes none. Emulators make one that lists nothing, or everything; but
    AWS lists nothing too where only outputs differ. So template and parameters are compared.
    """
    if change_set.changes and not (client.is_emulator and stack.parameters):
        return False
    same_parameters = all(
        stack.parameters.get(name, text) == text for name, text in spec.parameters.items()
    )
    template = client.template(spec.name)
    return same_parameters and template is not None and template.strip() == spec.template.strip()


def _show(spec: StackSpec, change_set: ChangeSet, step: Step) -> None:
    say(f"stack {spec.name} {'will be made' if step is Step.CREATE else 'will change'}:")
    for change in change_set.changes:
        say(f"  {change}")
    if not change_set.changes:
        say("  AWS lists no resource: outputs, or other parts of the template")


def _discarded(
    client: StackClient, spec: StackSpec, stack: Stack, change_set: ChangeSet
) -> StackResult:
    """Leave nothing of a change set that is not executed, nor the stack it would have begun."""
    client.discard(change_set, spec.name)
    if stack.status in (ABSENT, "DELETE_COMPLETE"):
        _drop_placeholder(client, spec.name)
    return StackResult(changed=False, outputs=stack.outputs)


def _swept(client: StackClient, spec: StackSpec, stack: Stack, change_set: ChangeSet) -> None:
    """Discard after something went wrong; that is the news, whatever becomes of this."""
    try:
        _discarded(client, spec, stack, change_set)
    except Exception as error:
        say(
            f"warning: stack {spec.name}: its change set, or the empty stack it began, stays "
            f"({error_code(error) or type(error).__name__}); the next run goes on from there"
        )


def _drop_placeholder(client: StackClient, name: str) -> None:
    placeholder = client.describe(name)
    if placeholder.status == "REVIEW_IN_PROGRESS":
        client.delete(placeholder)


def _watched(client: StackClient, stack: Stack, known: str) -> tuple[Stack, list[Event]]:
    """Look until nothing goes on, saying each event. Returns the stack and the new events."""
    ends, looks, seen = time.monotonic() + PATIENCE, 0, []
    reference = stack.id or stack.name
    while True:
        new = client.events_since(reference, known)
        for event in new:
            known = event.id
            say(f"  {event}")
        seen += new
        stack = client.describe(reference, stack.name)
        begun = any(event.is_about_stack for event in seen) or looks >= LOOKS_FOR_START
        unborn = stack.status == "REVIEW_IN_PROGRESS" and looks < LOOKS_FOR_START
        if not stack.exists or (is_settled(stack.status) and begun and not unborn):
            return stack, seen + _said(client.events_since(reference, known) if known else [])
        if time.monotonic() > ends:
            raise StackFailed(
                [
                    f"stack {stack.name} is still in state {stack.status}; AWS goes on by itself: "
                    "run the same command again to wait for its end"
                ]
            )
        looks += 1
        client.pause()


def _said(events: list[Event]) -> list[Event]:
    for event in events:
        say(f"  {event}")
    return events


def _raise_if_failed(stack: Stack, events: list[Event], region: str) -> None:
    if stack.status in DONE or not stack.exists:
        return
    told = causes(events) or [f"AWS gives no reason; look at the events of stack {stack.name}"]
    left = [
        f"warning: {each.logical_id} {each.physical_id} ({each.resource_type}) was kept: it is no "
        "part of the stack any more; use it or delete it"
        for each in kept(events)
    ]
    raise StackFailed([*told, *left, _what_now(stack, region)])


def _what_now(stack: Stack, region: str) -> str:
    if stack.status == "ROLLBACK_COMPLETE":
        return (
            f"stack {stack.name}: all of it was taken back; mend that and run the same command "
            "again, which deletes the empty shell first"
        )
    if stack.status in ("UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"):
        return f"stack {stack.name}: everything is as it was; mend that and run this again"
    return repair(stack.status, stack.name, region)
