"""`verify`: a user's ID token, exchanged for credentials, shows whose role they are.

live identity pool -> token -> cognises' Verifier -> enhanced flow -> STS -> groups.json

Which role a token gets: of the user's groups, that of the lowest precedence, named in
`cognito:preferred_role`; with two such groups there is no claim, and there are no credentials.

Source: Cognito developer guide, "Assigning precedence values to groups".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cognises.errors import ProvisionBlocked, SettingsError, printable
from cognises.manifest import Group, load_groups
from cognises.provisioning.aws import group_clients, on_loopback
from cognises.provisioning.groups.checks import unsafe_flows
from cognises.provisioning.groups.commands import identity_client
from cognises.provisioning.groups.model import IdentityPool, Scope
from cognises.provisioning.groups.read import observe_identity_pool, scope_of
from cognises.provisioning.names import is_provider_group
from cognises.provisioning.options import EXIT_ERROR
from cognises.provisioning.target import Options, Target, read_target, settings_values
from cognises.provisioning.token_exchange import (
    Caller,
    caller_identity,
    exchange_token,
    read_token,
    verified_claims,
)
from cognises.settings.model import Settings, parse
from cognises.settings.sources import PROJECT_FOLDER
from cognises.tokens.claims import groups_of


@dataclass(frozen=True)
class Expected:
    """The role that groups.json gives to a token's groups, or why there is none."""

    groups: tuple[str, ...]
    group: str | None
    role_arn: str | None
    why_none: str = ""
    unknown: tuple[str, ...] = ()
    preferred: str | None = None


def run(options: Options, token_file: Path | None, *, as_json: bool) -> int:
    """Show whose role a token's credentials are. Returns 0, or 1 if it is not the expected one.

    Prints no credential and no token, and creates no user. Raises ProvisionBlocked where the
    identity pool allows guests or the classic flow.
    """
    target, settings = _configured(options)
    manifest = load_groups(target.groups_file, role_prefix=target.role_prefix)
    identity = identity_client(target)
    pool = _safe_identity_pool(identity, target)
    token = read_token(token_file)
    claims = verified_claims(token, settings, target)
    expected = expected_role(claims, manifest, scope_of(target, group_clients(target.aws)))
    caller = caller_identity(exchange_token(identity, pool, target, token), target)
    problem, warnings = compare(expected, caller, loopback=on_loopback(identity))
    agrees = False if problem else True if caller.role_arn else None
    if as_json:
        shown = _as_json(expected, caller, target)
        problems = [problem] if problem else []
        shown |= {"agrees": agrees, "problems": problems, "warnings": warnings}
        click.echo(json.dumps(shown, indent=2))
    else:
        for line in _as_lines(expected, caller, agrees):
            click.echo(printable(line))
    for line in [f"warning: {each}" for each in warnings] + [f"error: {problem}"] * bool(problem):
        click.echo(printable(line), err=True)
    return EXIT_ERROR if problem else 0


def _configured(options: Options) -> tuple[Target, Settings]:
    """The settings that are needed; raises SettingsError for all that are missing."""
    target = read_target(options)
    settings = parse(PROJECT_FOLDER, settings_values(options))
    problems = []
    if target.identity_pool_id is None:
        problems.append(
            "COGNITO_IDENTITY_POOL_ID is not set, so users get no AWS credentials; "
            "`provision.py bootstrap` creates an identity pool and writes its id"
        )
    if not settings.client_ids:
        problems.append("COGNITO_CLIENT_ID is not set; put the app client's id into .env")
    if problems:
        raise SettingsError(problems)
    return target, settings


def _safe_identity_pool(identity: Any, target: Target) -> IdentityPool:
    """The live identity pool, if only the enhanced flow leads to the roles."""
    pool = observe_identity_pool(identity, target.identity_pool_id or "")
    blocks, warnings = unsafe_flows(pool, loopback=on_loopback(identity))
    if blocks:
        raise ProvisionBlocked(blocks)
    for line in warnings:
        click.echo(printable(f"warning: {line}"), err=True)
    return pool


def expected_role(claims: Mapping[str, Any], manifest: Iterable[Group], scope: Scope) -> Expected:
    """The role that groups.json gives to a user with these claims. Pure."""
    known = {group.name: group for group in manifest}
    groups = groups_of(claims)
    preferred = claims.get("cognito:preferred_role")
    # A group without a policy has no role; one without a precedence comes last.
    ranked = sorted(
        (known[name] for name in groups if name in known and known[name].policy is not None),
        key=lambda each: (each.precedence is None, each.precedence or 0),
    )
    first = [group.name for group in ranked if group.precedence == ranked[0].precedence]
    group = first[0] if len(first) == 1 else None
    if len(first) > 1:
        why = f"groups {' and '.join(first)} have the same precedence"
    else:
        why = "none of the user's groups has one" if groups else "the user is in no group"
    return Expected(
        groups=groups,
        group=group,
        role_arn=scope.role_arn(group) if group else None,
        why_none="" if group else why,
        unknown=tuple(
            name
            for name in groups
            if name not in known and not is_provider_group(scope.pool_id, name)
        ),
        preferred=preferred if isinstance(preferred, str) else None,
    )


def compare(expected: Expected, caller: Caller, *, loopback: bool) -> tuple[str, list[str]]:
    """What is wrong with the credentials, empty if they are as expected, and warnings. Pure."""
    warnings = [
        f"group {name} of the token is not in groups.json: no route is open to it"
        for name in expected.unknown
    ]
    role, advice = caller.role_arn, "repair the role mapping: bootstrap --revert-drift"
    if role is None and loopback:
        note = f"this emulator's credentials belong to {caller.arn}, which is not a role: nothing "
        return "", [*warnings, f"{note}can be compared"]
    if role is None:
        return f"the credentials belong to {caller.arn}, which is not a group's role", warnings
    if expected.role_arn is None:
        problem = f"groups.json gives this user no role: {expected.why_none}"
    elif role != without_path(expected.role_arn):
        advice = "plan and apply, then sign in again"
        if loopback:
            advice = f"an emulator may not choose roles by token; elsewhere: {advice}"
        problem = f"groups.json gives {expected.role_arn} (group {expected.group})"
    elif expected.preferred and without_path(expected.preferred) != role:
        problem = f"the token prefers {expected.preferred}"
    else:
        return "", warnings
    return f"the credentials belong to {role}, and {problem}; {advice}", warnings


def without_path(role_arn: str) -> str:
    """A role's ARN as STS returns it: `…:role/path/name` becomes `…:role/name`."""
    start, _, rest = role_arn.partition(":role/")
    return f"{start}:role/{rest.rpartition('/')[2]}"


def _as_json(expected: Expected, caller: Caller, target: Target) -> dict[str, Any]:
    return {
        "user_pool_id": target.pool.id,
        "identity_pool_id": target.identity_pool_id,
        "groups": list(expected.groups),
        "expected": {"group": expected.group, "role_arn": expected.role_arn},
        "preferred_role": expected.preferred,
        "credentials_of": {
            "account": caller.account,
            "arn": caller.arn,
            "role_arn": caller.role_arn,
        },
    }


def _as_lines(expected: Expected, caller: Caller, agrees: bool | None) -> list[str]:
    role = f"{expected.role_arn} (group {expected.group})"
    lines = [
        f"groups in the token:  {', '.join(expected.groups) or 'none'}",
        f"groups.json gives:    {role if expected.group else f'no role: {expected.why_none}'}",
    ]
    if expected.preferred:
        lines.append(f"the token prefers:    {expected.preferred}")
    lines.append(f"credentials of:       {caller.role_arn or caller.arn}")
    if agrees is not None:
        lines.append("they agree" if agrees else "they DIFFER")
    return lines
