"""`verify`: a user's own ID token, exchanged for credentials, shows whose role they are.

live identity pool (rule 24) -> token -> cognises' Verifier -> enhanced flow -> STS -> groups.json
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from cognises.errors import ProvisionBlocked, SettingsError, printable
from cognises.manifest import load_groups
from cognises.provisioning.aws import on_loopback
from cognises.provisioning.groups.checks import unsafe_flows
from cognises.provisioning.groups.commands import Session, identity_client
from cognises.provisioning.groups.model import IdentityPool
from cognises.provisioning.groups.read import observe_identity_pool
from cognises.provisioning.options import EXIT_ERROR
from cognises.provisioning.target import Options, Target, read_target, settings_values
from cognises.provisioning.verification.exchange import caller_of, exchanged, provider_name
from cognises.provisioning.verification.token import read_token, verified_claims
from cognises.provisioning.verification.verdict import Verdict, expected_role, verdict
from cognises.settings.model import Settings, parse
from cognises.settings.sources import PROJECT_FOLDER


def run(options: Options, token_file: Path | None, *, as_json: bool) -> int:
    """Show whose role a token's credentials are. Returns 0, or 1 where it is not the expected one.

    Prints no credential and no token, and makes no user. Raises ProvisionBlocked where the
    identity pool lets guests in or allows the classic flow.
    """
    target, settings = _configured(options)
    manifest = load_groups(target.groups_file, role_prefix=target.role_prefix)
    identity = identity_client(target)
    pool = _closed_pool(identity, target)
    token = read_token(token_file)
    claims = verified_claims(token, settings, target.pool)
    expected = expected_role(claims, manifest, Session.open(target).scope())
    credentials = exchanged(identity, pool, provider_name(pool, target.pool.id), token)
    found = verdict(expected, caller_of(credentials, target), loopback=on_loopback(identity))
    _show(found, target, as_json=as_json)
    return EXIT_ERROR if found.problems else 0


def _configured(options: Options) -> tuple[Target, Settings]:
    """What is needed, all of it asked for at once."""
    target = read_target(options)
    settings = parse(PROJECT_FOLDER, settings_values(options))
    problems = []
    if target.identity_pool_id is None:
        problems.append(
            "COGNITO_IDENTITY_POOL_ID is not set, so nobody gets AWS credentials; "
            "`provision.py bootstrap` makes an identity pool and writes its id"
        )
    if not settings.client_ids:
        problems.append("COGNITO_CLIENT_ID is not set; put the app client's id into .env")
    if problems:
        raise SettingsError(problems)
    return target, settings


def _closed_pool(identity: Any, target: Target) -> IdentityPool:
    """The live identity pool, once it is known that no other door leads into the roles."""
    pool = observe_identity_pool(identity, target.identity_pool_id or "")
    blocks, warnings = unsafe_flows(pool, loopback=on_loopback(identity))
    if blocks:
        raise ProvisionBlocked(blocks)
    for line in warnings:
        click.echo(printable(f"warning: {line}"), err=True)
    return pool


def _show(found: Verdict, target: Target, *, as_json: bool) -> None:
    """The verdict on standard output; what is wrong on standard error, too."""
    if as_json:
        click.echo(json.dumps(verdict_json(found, target), indent=2))
    else:
        for line in verdict_lines(found):
            click.echo(printable(line))
    for level, lines in (("warning", found.warnings), ("error", found.problems)):
        for line in lines:
            click.echo(printable(f"{level}: {line}"), err=True)


def verdict_json(found: Verdict, target: Target) -> dict[str, Any]:
    """The verdict as `--json` prints it."""
    expected = found.expected
    return {
        "user_pool_id": target.pool.id,
        "identity_pool_id": target.identity_pool_id,
        "groups": list(expected.groups),
        "expected": {"group": expected.group, "role_arn": expected.role_arn},
        "preferred_role": expected.preferred,
        "credentials_of": {
            "account": found.caller.account,
            "arn": found.caller.arn,
            "role_arn": found.caller.role_arn,
        },
        "agrees": found.agrees,
        "problems": list(found.problems),
        "warnings": list(found.warnings),
    }


def verdict_lines(found: Verdict) -> list[str]:
    """The verdict for people to read."""
    expected = found.expected
    said = f"{expected.role_arn} (group {expected.group})" if expected.group else ""
    lines = [
        f"groups in the token:  {', '.join(expected.groups) or 'none'}",
        f"groups.json says:     {said or f'no role: {expected.why_none}'}",
    ]
    if expected.preferred:
        lines.append(f"the token prefers:    {expected.preferred}")
    lines.append(f"the credentials are:  {found.caller.role_arn or found.caller.arn}")
    if found.agrees is not None:
        lines.append("they agree" if found.agrees else "they DIFFER")
    return lines
