"""Options that several commands share, and the exit codes they all keep to."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

import click

from cognises.provisioning.planning.prune import Pruning
from cognises.provisioning.target import Options

EXIT_ERROR = 1
EXIT_PENDING = 2
EXIT_BLOCKED = 3
EXIT_USAGE = 64

Command = Callable[..., int]


class NoSecretArguments(click.Command):
    """A command of passwords or tokens: what is one argument too many is not repeated."""

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
    @click.option("--region", help="Must be the pool's; else AWS_REGION.")
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


def prune_options(command: Command) -> Command:
    """Add what says how to delete; the command gets one `pruning`, None without --prune."""

    @click.option("--prune", is_flag=True, help="Delete what the manifest no longer names.")
    @click.option(
        "--max-destroy",
        type=click.IntRange(min=0),
        help="Delete at most so many groups [default: from ten groups up, 3 in 10].",
    )
    @click.option("--force", is_flag=True, help="Delete groups that have members, too.")
    @wraps(command)
    def wrapped(prune: bool, max_destroy: int | None, force: bool, **rest: Any) -> int:
        if not prune and (force or max_destroy is not None):
            raise click.UsageError("--max-destroy and --force go with --prune")
        return command(pruning=Pruning(max_destroy, force) if prune else None, **rest)

    return wrapped


def account_id(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """The value of an option that takes an AWS account's id."""
    if value is not None and not re.fullmatch("[0-9]{12}", value):
        raise click.BadParameter(f"{value!r} is not twelve digits")
    return value
