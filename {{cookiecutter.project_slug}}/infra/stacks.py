"""Brings one CloudFormation stack to what a template says: a change set, shown before it runs.

Source: AWS CloudFormation API reference, ResourceChange; user guide, "Drift-aware change sets".
"""

import re
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from cognises.errors import ProvisionBlocked, printable
from cognises.provisioning.aws import error_code, error_message, on_loopback
from cognises.provisioning.aws_errors import is_aws_error
from cognises.provisioning.target import Target, say
from infra import stack_state as state
from infra.stack_state import Operation, Stack, StackFailed, read_stack, stack_name, stack_tags

# The reason of a change set that fails only because there is nothing to change.
NOTHING_CHANGES = re.compile(
    r"(?i)did\s?n.?.?t contain changes|no updates are to be performed"
    r"|no changes to (deploy|perform)"
)
# By AWS's action, or by `Replacement` for Modify: the verb, what happens to the data, and a note.
_ACTIONS = {
    "Add": ("+ add", "", ""),
    "Import": ("+ import", "", ""),
    "Modify": ("~ modify", "", ""),
    "Conditional": ("~ modify", "possibly replaced",
                    "  <- possibly replaced: AWS decides during the update"),
    "True": ("! replace", "replaced",
             "  <- REPLACED: a new resource is created and the old one is deleted"),
    "Remove": ("- remove", "removed", "  <- DELETED"),
}  # fmt: skip


@dataclass(frozen=True)
class StackInput:
    """What the stack has to be. Resources of `protected` types are never replaced or deleted."""

    name: str
    template: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    protected: frozenset[str] = frozenset()
    revert_drift: bool = False


def deploy_stack(
    client: Any, desired: StackInput, confirm: Callable[[str], None], *, dry_run: bool = False
) -> Mapping[str, str]:
    """Create or update the stack, and return its outputs. Safe to interrupt and to run again.

    A change set is printed, and executed unless `confirm(question)` raises. Raises ProvisionBlocked
    (not ours, in need of repair, a loss of protected data), StackFailed, botocore's errors.
    """
    stack = read_stack(client, desired.name)
    state.require_owned(stack, desired.tags)
    if stack.in_progress:
        say(f"{stack}; waiting until that ends")
        stack = Operation(client, stack).wait()
    if stack.status == state.FAILED_CREATION:
        say(f"stack {stack.name}: its creation failed and was rolled back")
        if dry_run:
            say("the failed stack would be deleted, and everything created again")
            return {}
        confirm(f"Delete the failed stack {stack.name}?")
        delete_stack(client, stack)
        stack = Stack(desired.name)
    if not stack.is_new and stack.status not in state.TO_UPDATE:
        raise ProvisionBlocked([stack.next_step(client.meta.region_name)])
    with ExitStack() as unless_executed:
        change_set = _create_change_set(client, desired, stack)
        unless_executed.callback(_discard, client, stack, change_set)
        if not _show(client, desired, stack, change_set) or dry_run:
            return stack.outputs
        confirm(f"{'Create' if stack.is_new else 'Update'} stack {desired.name}?")
        unless_executed.pop_all()
    operation = Operation(client, read_stack(client, desired.name))
    client.execute_change_set(ChangeSetName=change_set, StackName=desired.name)
    stack = operation.wait()
    if stack.status not in state.SUCCEEDED:
        raise operation.failure()
    return stack.outputs


def delete_stack(client: Any, stack: Stack) -> None:
    """Delete a stack and wait; the caller checks the owner and asks. Raises StackFailed."""
    operation = Operation(client, stack)
    client.delete_stack(StackName=stack.id or stack.name)
    if operation.wait().exists:
        raise operation.failure()


def _create_change_set(client: Any, desired: StackInput, stack: Stack) -> str:
    """The id of a new change set; empty if AWS says at once that nothing changes."""
    # Without this mode CloudFormation compares with its last template, not with what exists.
    drift = {"DeploymentMode": "REVERT_DRIFT"} if desired.revert_drift and not stack.is_new else {}
    parameters = desired.parameters.items()
    try:
        created = client.create_change_set(
            StackName=desired.name,
            ChangeSetName=f"cognises-{secrets.token_hex(8)}",
            ChangeSetType="CREATE" if stack.is_new else "UPDATE",
            TemplateBody=desired.template,
            Parameters=[{"ParameterKey": key, "ParameterValue": text} for key, text in parameters],
            Tags=[{"Key": key, "Value": text} for key, text in desired.tags.items()],
            Capabilities=["CAPABILITY_IAM"],
            **drift,
        )
    except client.exceptions.ClientError as error:
        if not NOTHING_CHANGES.search(error_message(error)):
            raise
        return ""
    return str(created["Id"])


def _show(client: Any, desired: StackInput, stack: Stack, change_set: str) -> bool:
    """Print the changes and return whether there are any. Raises ProvisionBlocked for losses."""
    changes = _wait_for_changes(client, desired.name, change_set) if change_set else None
    if changes is None or (not stack.is_new and _is_same(client, desired, stack, changes)):
        say(f"stack {desired.name}: nothing to change")
        return False
    say(f"stack {desired.name} will be {'created' if stack.is_new else 'updated'}:")
    lines, problems = read_changes(changes, desired.protected)
    for line in lines or ["no resource: outputs or other parts of the template"]:
        say(f"  {line}")
    if problems:
        raise ProvisionBlocked(problems)
    return True


def _wait_for_changes(client: Any, name: str, change_set: str) -> list[Any] | None:
    """The changes once AWS has computed them; None if there are none. Raises StackFailed."""
    pages = client.get_paginator("describe_change_set")
    for _ in range(state.MAX_POLLS):
        found = pages.paginate(ChangeSetName=change_set, StackName=name).build_full_result()
        if found["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
            break
        time.sleep(state.delay(client))
    if found["Status"] == "CREATE_COMPLETE":
        return [each for each in found.get("Changes") or () if each.get("ResourceChange")]
    reason = found.get("StatusReason") or f"the change set stays in state {found['Status']}"
    if NOTHING_CHANGES.search(reason):
        return None
    raise StackFailed([f"stack {name}: AWS cannot create the change set: {reason}"])


def _is_same(client: Any, desired: StackInput, stack: Stack, changes: list[Any]) -> bool:
    # Emulators create a change set that lists nothing, or everything, where nothing changes; AWS
    # lists nothing where only outputs differ. So template and parameters are compared.
    if changes and (desired.revert_drift or not (on_loopback(client) and stack.parameters)):
        return False
    if any(stack.parameters.get(name, text) != text for name, text in desired.parameters.items()):
        return False
    template = client.get_template(StackName=desired.name)["TemplateBody"]
    return isinstance(template, str) and template.strip() == desired.template.strip()


def read_changes(changes: list[Any], protected: Collection[str]) -> tuple[list[str], list[str]]:
    """A line for each change of DescribeChangeSet, and for each that would lose protected data."""
    lines, problems = [], []
    for resource in (each["ResourceChange"] for each in changes):
        action, replacement = str(resource.get("Action", "")), resource.get("Replacement")
        key = replacement if action == "Modify" and replacement in _ACTIONS else action
        verb, loss, note = _ACTIONS.get(key, (f"? {action}", f"changed by {action!r}", ""))
        name = f"{resource.get('LogicalResourceId', '')} ({resource.get('ResourceType', '')})"
        if loss and resource.get("ResourceType") in protected:
            would = f"{name} would be {loss} and its data lost"
            problems.append(f"{would}; undo the edit that causes this")
        if (drift := resource.get("ResourceDriftStatus")) in ("MODIFIED", "DELETED"):
            note = f"  <- reverts a manual change ({drift}){note}"
        # The properties that differ; for tags and metadata, the attribute's name.
        targets = [each.get("Target") or {} for each in resource.get("Details") or ()]
        differing = filter(None, (each.get("Name") or each.get("Attribute") for each in targets))
        properties = ", ".join(dict.fromkeys(differing))
        lines.append(printable(f"{verb} {name}{f': {properties}' if properties else ''}{note}"))
    return lines, problems


def _discard(client: Any, stack: Stack, change_set: str) -> None:
    try:
        if change_set:
            client.delete_change_set(ChangeSetName=change_set, StackName=stack.name)
        if not stack.exists and read_stack(client, stack.name).status == "REVIEW_IN_PROGRESS":
            client.delete_stack(StackName=stack.name)
    except Exception as error:
        if not is_aws_error(error):
            raise
        reason = error_code(error) or type(error).__name__
        stays = f"its change set, or the empty stack that it began, stays ({reason})"
        say(f"warning: stack {stack.name}: {stays}; the next run goes on from there")


def find_own_stack(target: Target, named: str) -> Stack | None:
    """Bootstrap's stack of this stage; None if absent. Raises ProvisionBlocked, AWS's errors."""
    ours = stack_name(target.role_prefix, "cognito")
    if named != ours:
        raise ProvisionBlocked([f"--stack {named}: this stage's stack is {ours}"])
    stack = read_stack(target.aws.client("cloudformation"), ours)
    state.require_owned(stack, stack_tags(target.role_prefix))
    if stack.exists:
        return stack
    say(f"stack {ours} does not exist")
    return None


def delete_own_stack(target: Target, stack: Stack, env_file: str) -> None:
    """Delete it, wait, print how to delete the pool and edit `env_file`. Raises StackFailed."""
    client, pool_id = target.aws.client("cloudformation"), target.pool.id
    delete_stack(client, stack)
    say(f"stack {stack.name} is deleted")
    if stack.parameters.get("ExistingUserPoolId"):
        say(f"user pool {pool_id}, which was there before the stack, is unchanged")
    else:
        why = "retained and protected from deletion, because its users cannot be restored"
        say(f"user pool {pool_id} is {why}. To delete it with all its users:")
        at = f"--user-pool-id {pool_id} --region {client.meta.region_name}"
        say(f"  aws cognito-idp update-user-pool {at} --deletion-protection INACTIVE")
        say(f"  aws cognito-idp delete-user-pool {at}")
    names = "COGNITO_CLIENT_ID, COGNITO_IDENTITY_POOL_ID, COGNITO_DOMAIN and "
    say(f"remove {names}COGNISES_PERMISSIONS_BOUNDARY from {env_file}")
    say(f"with COGNITO_USER_POOL_ID left in {env_file}, bootstrap uses the pool again")
