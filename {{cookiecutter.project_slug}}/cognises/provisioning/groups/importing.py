"""`import`: a groups.json from the groups of an existing pool and the policies of their roles.

Once the roles are taken over (`apply --adopt`), plan finds nothing to change.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from cognises.errors import SettingsError, printable
from cognises.provisioning.aws import group_clients
from cognises.provisioning.groups.model import Observed, PoolGroup, Role, Scope
from cognises.provisioning.groups.read import observe, scope_of
from cognises.provisioning.names import is_provider_group, policy_name, role_name
from cognises.provisioning.target import Options, read_target


def run(options: Options, output: Path | None) -> int:
    """Write the manifest to a new file, and say on standard error what it does not hold.

    Raises SettingsError where the file exists, and botocore's errors. Nothing in AWS is changed.
    """
    target = read_target(options)
    path = output or target.groups_file
    if path.exists():
        raise SettingsError([f"{path} exists; name a new file with --output"])
    clients = group_clients(target.aws)
    scope = scope_of(target, clients)
    observed = observe(clients, target.pool.id, "")  # a group may be linked to a role of any name
    entries, notes = manifest_of(observed, scope)
    # "x": never over a file that was made meanwhile, never through a link.
    with path.open("x", encoding="utf-8") as file:
        file.write(json.dumps(entries, indent=2, ensure_ascii=False) + "\n")
    for note in notes:
        click.echo(printable(f"note: {note}"), err=True)
    click.echo(f"{path.name}: {len(entries)} groups; next: list the allowed_functions of each")
    return 0


def manifest_of(observed: Observed, scope: Scope) -> tuple[list[dict[str, Any]], list[str]]:
    """The entries of the manifest, in the order of precedence, and what they cannot say."""
    roles = {role.arn: role for role in observed.roles.values()}
    groups = [
        group
        for group in observed.groups.values()
        if not is_provider_group(scope.pool_id, group.name)
    ]
    groups.sort(key=lambda group: (group.precedence is None, group.precedence or 0, group.name))
    notes: list[str] = []
    entries = [_entry(group, roles.get(group.role_arn or ""), scope, notes) for group in groups]
    return entries, notes


def _entry(group: PoolGroup, role: Role | None, scope: Scope, notes: list[str]) -> dict[str, Any]:
    entry: dict[str, Any] = {"group_name": group.name}
    if group.description:
        entry["description"] = group.description
    entry["precedence"] = group.precedence
    entry["allowed_functions"] = []
    if role is None and group.role_arn:
        notes.append(f"group {group.name}: its role {group.role_arn} does not exist")
    if role is not None:
        notes += _role_notes(group, role, scope)
        policy = _merged(role.policies)
        if policy:
            entry["group_policy"] = _with_placeholders(policy, scope)
        else:
            notes.append(f"group {group.name}: role {role.name} has no inline policy; none written")
    return entry


def _role_notes(group: PoolGroup, role: Role, scope: Scope) -> Iterable[str]:
    wanted = role_name(scope.role_prefix, group.name)
    if role.name != wanted:
        hint = ""
        if role.name.endswith(group.name):
            prefix = role.name.removesuffix(group.name)
            hint = f"; with COGNISES_ROLE_PREFIX={prefix} it can be taken over"
        yield f"group {group.name}: its role is {role.name}, and plan creates {wanted}{hint}"
    else:
        yield f"group {group.name}: take its role over: apply --adopt {role.name}"
    if list(role.policies) not in ([], [policy_name(group.name)]):
        yield (
            f"group {group.name}: the inline policies {', '.join(role.policies)} become one, "
            f"{policy_name(group.name)}"
        )
    for arn in role.attached:
        yield f"group {group.name}: managed policy {arn} is not imported; apply detaches it"


def _merged(policies: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """One document of all inline policies; the only one as it is, so that nothing changes."""
    if len(policies) <= 1:
        return next((dict(each) for each in policies.values()), {})
    statements: list[Any] = []
    for document in policies.values():
        found = document.get("Statement", [])
        statements += found if isinstance(found, list) else [found]
    # Sids must be unique in one document.
    plain = [{k: v for k, v in each.items() if k != "Sid"} for each in statements]
    return {"Version": "2012-10-17", "Statement": plain}


def _with_placeholders(value: Any, scope: Scope) -> Any:
    """The account's and the pool's ids as placeholders, so that other stages can use the file."""
    if isinstance(value, str):
        value = value.replace(scope.pool_id, "${UserPoolId}")
        return value.replace(f":{scope.account}:", ":${AWS::AccountId}:")
    if isinstance(value, list):
        return [_with_placeholders(each, scope) for each in value]
    if isinstance(value, dict):
        return {key: _with_placeholders(each, scope) for key, each in value.items()}
    return value
