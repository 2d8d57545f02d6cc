"""The command line: reads options, runs a command, turns its outcome into an exit code."""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from traceback import walk_tb
from typing import Any

import click

from cognises.errors import CognisesError, ProvisionBlocked, printable
from cognises.manifest.__main__ import check_file
from cognises.provisioning import target as t
from cognises.provisioning.aws_errors import explain, is_aws_error
from cognises.provisioning.groups import commands
from cognises.provisioning.names import DEFAULT_ROLE_PREFIX
from cognises.provisioning.policies import runner_policy, users_policy
from cognises.provisioning.users import users

OF_PROFILE = "; correct credential_process or web_identity_token_file, or AWS_…_TOKEN_FILE"
INTERRUPTED = "interrupted; run the same command again to finish"
NO_TERMINAL = "the AWS profile needs an MFA code; run the command in a terminal"
OF_INFRA = {"bootstrap": "infra.bootstrap:run", "deploy": "infra.deploy:run"}


class Commands(click.Group):
    """`provision.py`: its own commands, and those of infra/, imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*self.commands, *OF_INFRA])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in OF_INFRA:
            return super().get_command(ctx, cmd_name)
        try:
            command: click.Command = t.of_infra(OF_INFRA[cmd_name])
        except click.ClickException as error:
            return Missing(cmd_name, short_help=error.message)
        return command


class Missing(click.Command):
    """Stands for a command of infra/ where that folder is missing: help says so, and each use."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        raise click.ClickException(str(self.short_help))


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
def cli() -> None:
    """Bring groups.json to AWS: IAM roles and Cognito groups, planned before they are made.

    Exit codes: 0 done or nothing to do, 1 error, 2 changes pending (with --detailed-exitcode),
    3 blocked by a safety rule, 64 bad usage.
    """


@cli.command()
@t.where("groups_file", "env_file")
def validate(options: t.Options) -> int:
    """Check groups.json, offline; every problem at once."""
    values = t.settings_values(options)
    prefix = values.get("COGNISES_ROLE_PREFIX", DEFAULT_ROLE_PREFIX)
    return check_file(t.groups_file(options, values), prefix)


@cli.command()
@t.where("env_file", "groups_file", "permissions_boundary")
@click.option("--account", metavar="ID", default="*", help="Twelve digits.")
@click.option("--bootstrap", is_flag=True, help="Of the caller of bootstrap.")
@click.option("--users", is_flag=True, help="Also what the `users` commands need.")
@click.option("--users-only", is_flag=True, help="Only what the `users` commands need.")
def policy(options: t.Options, account: str, **of: bool) -> int:
    """Print the least-privilege policy of the caller of plan and apply of groups.json; offline."""
    if not re.fullmatch(r"[0-9]{12}|\*", account):
        raise click.BadParameter(f"{account!r} is not twelve digits", param_hint="--account")
    if sum(of.values()) > 1:
        raise click.UsageError("--bootstrap, --users and --users-only exclude one another")
    if of["bootstrap"]:
        document = t.of_infra("infra.bootstrap_policy:policy_for")(options, account)
    elif of["users_only"]:
        document = users_policy(t.read_target(options), account)
    else:
        target = t.read_target(options)
        named = commands.managed_policies(target, account)
        document = runner_policy(target, account, users=of["users"], attach=named)
        if target.boundary is None:
            click.echo("warning: not conditioned on a COGNISES_PERMISSIONS_BOUNDARY", err=True)
    click.echo(json.dumps(document, indent=2))
    return 0


@cli.command(cls=t.NoSecretArguments)
@t.place_options
@click.option("--token-file", type=t.PATH, help="Holds the ID token; default: standard input.")
@t.json_option
def verify(options: t.Options, token_file: Path | None, as_json: bool) -> int:
    """Exchange a user's ID token for AWS credentials, and show whose role they are."""
    from cognises.provisioning import verify as command_verify  # and all that verifies tokens

    return command_verify.run(options, token_file, as_json=as_json)


for _command in (
    commands.plan, commands.access_diff, commands.apply, commands.import_groups, commands.destroy,
    users,
):  # fmt: skip
    cli.add_command(_command)


def run(argv: Sequence[str] | None = None, program: str = "provision.py") -> int:
    """Run one command line and return its exit code; errors become one message each."""
    try:
        return int(cli.main(argv, prog_name=program, standalone_mode=False) or 0)
    except click.UsageError as error:
        error.show()
        return t.EXIT_USAGE
    except (click.Abort, KeyboardInterrupt) as error:
        is_ended = isinstance(error.__cause__, EOFError)  # botocore asked for an MFA code
        return _fail([NO_TERMINAL if is_ended else INTERRUPTED])
    except ProvisionBlocked as error:
        return _fail((f"blocked: {each}" for each in error.problems), t.EXIT_BLOCKED)
    except Exception as error:
        return _fail(_problems(error))


def _problems(error: Exception) -> Sequence[str]:
    if is_aws_error(error):  # before all others: some of botocore's errors are OSErrors, too
        return [explain(error)]
    if isinstance(error, click.ClickException):
        return [error.format_message()]
    if isinstance(error, CognisesError):
        return getattr(error, "problems", [str(error)])
    if isinstance(error, OSError):
        frames = (frame.f_globals["__name__"] for frame, _ in walk_tb(error.__traceback__))
        advice = OF_PROFILE if "botocore.credentials" in frames else ""
        return [f"{error.filename or 'cannot go on'}: {error.strerror or error}{advice}"]
    raise error


def _fail(problems: Iterable[str], code: int = t.EXIT_ERROR) -> int:
    for problem in problems:
        level = "" if problem.startswith(("error:", "warning:", "blocked:")) else "error: "
        click.echo(f"{level}{printable(problem)}", err=True)
    return code


def __getattr__(name: str) -> click.Command:
    """`flask_plan` and so on, for `flask cognises`: the same options, messages and exit codes."""
    command = name.removeprefix("flask_").replace("_", "-")
    found = cli.get_command(click.Context(cli), command) if command != name else None
    if found is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def passed_on(arguments: tuple[str, ...]) -> None:
        t.forget_env_files()
        sys.exit(run([command, *arguments], program="flask cognises"))

    return click.Command(
        command, callback=passed_on, add_help_option=False, short_help=found.get_short_help_str(),
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    )  # fmt: skip
