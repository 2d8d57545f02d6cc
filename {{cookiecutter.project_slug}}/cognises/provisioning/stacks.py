"""Brings one CloudFormation stack to what a template says: a change set, shown before it runs.

    desired = StackInput(name, template, parameters, tags, protected={"AWS::Cognito::UserPool"})
    result = deploy_stack(client, desired, confirm_by(yes, "bootstrap"))

`deploy_stack` reads the stack, refuses one that is not tagged as ours, waits for an operation that
is in progress, creates a change set, prints it, asks, executes it, prints its events, and returns
the outputs. Where nothing changes it asks nothing. `dry_run` stops after printing and leaves
nothing behind. Interrupted or timed out, AWS continues by itself: the same command run again waits
for the end and goes on from there.

Raises ProvisionBlocked (not ours, needs a repair, or protected data would be lost), StackFailed
(each failed resource with its reason and what to do), botocore's errors. Progress goes to standard
error. Source: AWS CloudFormation user guide, "Stack status codes", "Drift-aware change sets".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cognises.errors import ProvisionBlocked
from cognises.provisioning.aws import error_code, on_loopback
from cognises.provisioning.names import PROJECT_TAG, is_owned
from cognises.provisioning.stack_calls import (
    TO_CREATE,
    ChangeSet,
    Stack,
    StackFailed,
    StackInput,
    create_change_set,
    discard,
    newest_event,
    pause,
    read_stack,
    say,
    wait,
)
from cognises.provisioning.stack_report import Event, failure_causes, protection_problems, retained

Confirm = Callable[[str], None]

TO_UPDATE = frozenset(
    {
        *("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"),
        *("IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"),
    }
)
SUCCEEDED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
FAILED_CREATION = "ROLLBACK_COMPLETE"  # such a stack can only be deleted
_DELETE = "aws cloudformation delete-stack --stack-name {name} --region {region}"
REPAIRS = {
    "CREATE_FAILED": f"its resources still exist; delete it: {_DELETE}",
    "ROLLBACK_FAILED": f"some of its resources still exist; delete it: {_DELETE}",
    "UPDATE_FAILED": "roll the update back: "
    "aws cloudformation rollback-stack --stack-name {name} --region {region}",
    "UPDATE_ROLLBACK_FAILED": "fix what its events name, then continue the rollback: "
    "aws cloudformation continue-update-rollback --stack-name {name} --region {region}",
    "DELETE_FAILED": f"a resource could not be deleted; fix that, then: {_DELETE}",
    "IMPORT_ROLLBACK_FAILED": "an import was not rolled back; fix it in the CloudFormation console",
}
_WAITERS = {
    "CREATE": "stack_create_complete",
    "ROLLBACK": "stack_create_complete",
    "UPDATE": "stack_update_complete",
    "DELETE": "stack_delete_complete",
    "IMPORT": "stack_import_complete",
}
START_POLLS = 5  # an executed change set may not show in the stack's state at once


@dataclass(frozen=True)
class StackResult:
    """Whether anything was changed, and the stack's outputs."""

    changed: bool
    outputs: Mapping[str, str] = field(default_factory=dict)


def require_owned(stack: Stack, tags: Mapping[str, str]) -> None:
    """Raise ProvisionBlocked unless the stack carries our tags, or nothing was created in it."""
    in_review = stack.status == "REVIEW_IN_PROGRESS" and not stack.tags
    if not stack.exists or in_review:
        return
    owner = stack.tags.get(PROJECT_TAG)
    if not is_owned(stack.tags):
        problem = (
            f"stack {stack.name} exists and was not created by this project; choose another "
            "COGNISES_ROLE_PREFIX, which names the stage"
        )
    elif owner != tags[PROJECT_TAG]:
        problem = (
            f"stack {stack.name} belongs to {owner}, not to {tags[PROJECT_TAG]}; stages that "
            "share an account need a COGNISES_ROLE_PREFIX each"
        )
    else:
        return
    raise ProvisionBlocked([problem])


def deploy_stack(
    client: Any, desired: StackInput, confirm: Confirm, *, dry_run: bool = False
) -> StackResult:
    """Create or update the stack; see the module's docstring.

    `confirm(question)` returns if the answer is yes, and raises otherwise.
    """
    stack = read_stack(client, desired.name)
    require_owned(stack, desired.tags)
    stack = _wait_until_idle(client, stack)
    if stack.status == FAILED_CREATION:
        say(f"stack {stack.name}: its creation failed and was rolled back")
        if dry_run:
            say("the failed stack would be deleted, and everything created again")
            return StackResult(changed=False)
        confirm(f"Delete the failed stack {stack.name}?")
        delete_stack(client, stack)
        stack = Stack(desired.name)
    if stack.status not in TO_CREATE | TO_UPDATE:
        raise ProvisionBlocked([_repair(stack, client.meta.region_name)])
    change_set = create_change_set(client, desired, stack)
    try:
        if not _accepted(client, desired, stack, change_set, confirm, dry_run=dry_run):
            discard(client, stack, change_set.id)
            return StackResult(changed=False, outputs=stack.outputs)
    except BaseException:
        discard(client, stack, change_set.id)
        raise
    return _execute(client, desired.name, change_set, creates=stack.status in TO_CREATE)


def delete_stack(client: Any, stack: Stack) -> None:
    """Delete a stack and wait. Raises StackFailed, and botocore's errors.

    The caller checks the owner (`require_owned`) and asks first.
    """
    known = newest_event(client, stack.id or stack.name)
    client.delete_stack(StackName=stack.id or stack.name)
    ended, events = wait(client, stack, "stack_delete_complete", known)
    if ended.exists:
        raise StackFailed(_failure(ended, events, client.meta.region_name))


def _wait_until_idle(client: Any, stack: Stack) -> Stack:
    while stack.in_progress:
        say(f"stack {stack.name} is in state {stack.status}; waiting until that ends")
        waiter = _WAITERS.get(stack.status.partition("_")[0], "stack_update_complete")
        stack, _ = wait(client, stack, waiter, newest_event(client, stack.id))
        pause(client)
    return stack


def _accepted(
    client: Any,
    desired: StackInput,
    stack: Stack,
    change_set: ChangeSet,
    confirm: Confirm,
    *,
    dry_run: bool,
) -> bool:
    """Print the changes, refuse losses, ask. Returns whether to execute the change set."""
    creates = stack.status in TO_CREATE
    if change_set.empty or (not creates and _is_same(client, desired, stack, change_set)):
        say(f"stack {desired.name}: nothing to change")
        return False
    say(f"stack {desired.name} will be {'created' if creates else 'updated'}:")
    for change in change_set.changes or ("no resource: outputs or other parts of the template",):
        say(f"  {change}")
    problems = protection_problems(change_set.changes, desired.protected)
    if problems:
        raise ProvisionBlocked(problems)
    if not dry_run:
        confirm(f"{'Create' if creates else 'Update'} stack {desired.name}?")
    return not dry_run


def _is_same(client: Any, desired: StackInput, stack: Stack, change_set: ChangeSet) -> bool:
    """Whether a change set has nothing to do although it was created.

    AWS creates none where nothing changes. Emulators create one that lists nothing, or everything;
    and AWS lists nothing where only outputs differ. So template and parameters are compared.
    """
    if change_set.changes and not (on_loopback(client) and stack.parameters):
        return False
    if change_set.changes and desired.revert_drift:
        return False
    given = desired.parameters.items()
    if any(stack.parameters.get(name, text) != text for name, text in given):
        return False
    try:
        template = client.get_template(StackName=desired.name)["TemplateBody"]
    except Exception as error:
        if not error_code(error):
            raise
        return False
    return isinstance(template, str) and template.strip() == desired.template.strip()


def _execute(client: Any, name: str, change_set: ChangeSet, *, creates: bool) -> StackResult:
    known = newest_event(client, name)
    client.execute_change_set(ChangeSetName=change_set.id, StackName=name)
    stack = read_stack(client, name)
    waiter = "stack_create_complete" if creates else "stack_update_complete"
    events: list[Event] = []
    for _ in range(START_POLLS):
        stack, more = wait(client, stack, waiter, known)
        events += more
        if any(each.is_about_stack for each in events):
            break
        pause(client)
    if stack.status not in SUCCEEDED:
        raise StackFailed(_failure(stack, events, client.meta.region_name))
    return StackResult(changed=True, outputs=stack.outputs)


def _failure(stack: Stack, events: list[Event], region: str) -> list[str]:
    no_reason = f"AWS gives no reason; look at the events of stack {stack.name}"
    left = [
        f"warning: {each.logical_id} {each.physical_id} ({each.resource_type}) is retained and no "
        "longer part of the stack; use it or delete it"
        for each in retained(events)
    ]
    return [*(failure_causes(events) or [no_reason]), *left, _next_step(stack, region)]


def _next_step(stack: Stack, region: str) -> str:
    if stack.status == FAILED_CREATION:
        return (
            f"stack {stack.name}: the creation was rolled back; fix the cause and run the same "
            "command again, which deletes the failed stack first"
        )
    if stack.status in TO_UPDATE:
        return (
            f"stack {stack.name}: the update was rolled back and nothing has changed; fix the "
            "cause and run the same command again"
        )
    return _repair(stack, region)


def _repair(stack: Stack, region: str) -> str:
    advice = REPAIRS.get(stack.status, "a state unknown to this program; see the console")
    text = advice.format(name=stack.name, region=region)
    return f"stack {stack.name} is in state {stack.status}: {text}, then run this command again"
