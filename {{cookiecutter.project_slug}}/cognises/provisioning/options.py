"""What all commands share: options, exit codes, who is calling, and how a question is asked."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

import click

from cognises.errors import printable
from cognises.provisioning.aws import Aws, on_loopback
from cognises.provisioning.aws_errors import is_aws_error
from cognises.provisioning.target import Options

EXIT_ERROR = 1
EXIT_PENDING = 2
EXIT_BLOCKED = 3
EXIT_USAGE = 64

Command = Callable[..., int]


class NoSecretArguments(click.Command):
    """A command that handles passwords or tokens: a surplus argument is not repeated."""

    allow_extra_args = True

    def invoke(self, ctx: click.Context) -> Any:
        if ctx.args:
            raise click.UsageError(
                "one argument too many; passwords and tokens are never arguments", ctx
            )
        return super().invoke(ctx)


def aws_options(command: Command) -> Command:
    """Add what says where to work; the command gets one `options`."""

    @place_options
    @click.option("--permissions-boundary", metavar="ARN", help="The boundary every role gets.")
    @wraps(command)
    def wrapped(options: Options, permissions_boundary: str | None, **rest: Any) -> int:
        options = replace(options, permissions_boundary=permissions_boundary)
        return command(options=options, **rest)

    return wrapped


def place_options(command: Command) -> Command:
    """Add what says where to work without making roles; the command gets one `options`."""

    @click.option("--profile", help="The AWS profile to use.")
    @click.option("--region", help="Must be the pool's; default: AWS_REGION.")
    @click.option("--env-file", type=click.Path(path_type=Path), help="Settings, before .env.")
    @click.option("--groups-file", type=click.Path(path_type=Path), help="The manifest.")
    @wraps(command)
    def wrapped(
        profile: str | None,
        region: str | None,
        env_file: Path | None,
        groups_file: Path | None,
        **rest: Any,
    ) -> int:
        options = Options(profile, region, env_file, groups_file=groups_file)
        return command(options=options, **rest)

    return wrapped


def json_option(command: Command) -> Command:
    """Add `--json`; the command gets `as_json`."""
    option = click.option(
        "--json", "as_json", is_flag=True, help="One JSON object on standard output."
    )
    return option(command)


def account_id(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """The value of an option that takes an AWS account's id."""
    if value is not None and not re.fullmatch("[0-9]{12}", value):
        raise click.BadParameter(f"{value!r} is not twelve digits")
    return value


def announce(aws: Aws) -> None:
    """Print account, region and caller on standard error, before a command changes anything.

    GetCallerIdentity needs no permission. An emulator without STS is not a reason to stop.
    """
    sts = aws.client("sts")
    try:
        found = sts.get_caller_identity()
    except Exception as error:
        if not (is_aws_error(error) and on_loopback(sts)):
            raise
        found = {}
    account, caller = (str(found.get(key, "unknown")) for key in ("Account", "Arn"))
    click.echo(printable(f"account {account}, region {aws.region}, caller {caller}"), err=True)


def require_terminal(command: str) -> None:
    """Raise ClickException, naming the command to run instead, where no question can be asked."""
    if not sys.stdin.isatty():
        raise click.ClickException(f"there is no terminal to ask on; run {command}")


def confirm(question: str, *, yes: bool, command: str) -> None:
    """Return if the answer is yes or `--yes` was given; raise ClickException if not.

    In: the question, and the command to name where there is no terminal to ask on.
    """
    if yes:
        return
    require_terminal(command)
    if not click.confirm(question, err=True):
        raise click.ClickException("nothing was changed")
