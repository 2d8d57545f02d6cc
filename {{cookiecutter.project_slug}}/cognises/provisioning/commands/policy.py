"""`policy`: who needs what, as an IAM policy; offline."""

from __future__ import annotations

from dataclasses import dataclass

import click

from cognises.provisioning.bootstrap.request import read_request
from cognises.provisioning.policies.bootstrap import bootstrap_policy_text
from cognises.provisioning.policies.runner import policy_text, runner_policy, users_policy
from cognises.provisioning.target import Options, read_target


@dataclass(frozen=True)
class Choices:
    """For whom: nothing said is whoever runs plan and apply."""

    for_bootstrap: bool = False
    users_too: bool = False
    users_only: bool = False


def run(options: Options, account: str | None, choices: Choices) -> int:
    """Print one policy. Raises UsageError for two at once, SettingsError for what is missing."""
    if choices.for_bootstrap + choices.users_too + choices.users_only > 1:
        raise click.UsageError("--bootstrap, --users and --users-only exclude one another")
    click.echo(_text(options, account, choices))
    return 0


def _text(options: Options, account: str | None, choices: Choices) -> str:
    if choices.for_bootstrap:
        return bootstrap_policy_text(read_request(options), account)
    target = read_target(options)
    if choices.users_only:
        return policy_text(users_policy(target, account or "*"))
    if target.boundary is None:
        click.echo("warning: no COGNISES_PERMISSIONS_BOUNDARY: not conditioned on one", err=True)
    return policy_text(runner_policy(target, account or "*", users=choices.users_too))
