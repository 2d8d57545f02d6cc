"""`users …`: who is in the pool, and what is done to them; options in, one outcome out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from cognises.errors import printable
from cognises.provisioning.options import (
    Command,
    NoSecretArguments,
    confirm,
    json_option,
    place_options,
)
from cognises.provisioning.target import Options, read_target
from cognises.provisioning.users import actions
from cognises.provisioning.users.actions import Done
from cognises.provisioning.users.create import NewUser, create
from cognises.provisioning.users.directory import Directory
from cognises.provisioning.users.person import UserProblem, name_problems
from cognises.provisioning.users.secrets import PasswordChoice
from cognises.provisioning.users.text import users_table

PROGRESS_EVERY = 600  # users; said on a terminal only


class _Users(click.Group):
    command_class = NoSecretArguments


@click.group(cls=_Users)
def users() -> None:
    """List, make and manage the people of the user pool.

    NAME is the user name; where people sign in by e-mail, it is the e-mail or Cognito's own name.
    """


def password_options(command: Command) -> Command:
    """Add where a password comes from; the command gets one `choice`."""

    @click.option("--password-prompt", "prompt", is_flag=True, help="Ask for it, twice, hidden.")
    @click.option("--password-stdin", "stdin", is_flag=True, help="Read it from standard input.")
    @click.option(
        "--password-generate",
        "generate",
        is_flag=True,
        help="Make one by the pool's rules; shown once, on a terminal.",
    )
    @click.option(
        "--password-file",
        "file",
        type=click.Path(path_type=Path),
        help="Write the made one to this new file (mode 0600) instead.",
    )
    @click.option("--permanent", is_flag=True, help="It need not be changed at the next sign-in.")
    @wraps(command)
    def wrapped(
        prompt: bool,
        stdin: bool,
        generate: bool,
        file: Path | None,
        permanent: bool,
        **rest: Any,
    ) -> int:
        choice = PasswordChoice(prompt, stdin, generate, file, permanent)
        choice.raise_unless_sound()
        return command(choice=choice, **rest)

    return wrapped


def _on_user(verb: str) -> Callable[[Command], click.Command]:
    """Declare a command on the user NAME; it gets `options`, `name` and `as_json`."""

    def declare(command: Command) -> click.Command:
        return users.command(verb)(place_options(click.argument("name")(json_option(command))))

    return declare


@users.command("list")
@place_options
@click.option("--group", metavar="GROUP", help="Only the members of this group.")
@click.option("--with-groups", is_flag=True, help="Everybody's groups, too.")
@json_option
def list_users(options: Options, group: str | None, with_groups: bool, as_json: bool) -> int:
    """Everybody in the pool, or in one of its groups."""
    if group is not None:
        _raise_for(name_problems("group", group))
    directory = Directory.open(read_target(options))
    found = []
    for user in directory.all() if group is None else directory.members(group):
        found.append(user)
        if len(found) % PROGRESS_EVERY == 0 and sys.stderr.isatty():
            click.echo(f"{len(found)} users …", err=True)
    if with_groups:
        found = directory.with_groups(found)
    if as_json:
        listed = {"user_pool_id": directory.pool.id, "group": group, "count": len(found)}
        _print_json({**listed, "users": [user.as_json() for user in found]})
    else:
        click.echo(users_table(found))
    return 0


@_on_user("create")
@click.option("--email", help="Where the invitation goes; not where NAME is the e-mail.")
@click.option("--email-verified", is_flag=True, help="The address is known to be theirs.")
@click.option("--group", "groups", multiple=True, metavar="GROUP", help="May be repeated.")
@password_options
def create_user(
    options: Options,
    name: str,
    email: str | None,
    email_verified: bool,
    groups: tuple[str, ...],
    choice: PasswordChoice,
    as_json: bool,
) -> int:
    """Make a user, and put them into groups.

    Without a password option Cognito invites them by e-mail; without an e-mail, a password is
    asked for.
    """
    wanted = NewUser(name, email, email_verified, groups)
    return _do(options, name, as_json, lambda directory: create(directory, wanted, choice))


@_on_user("delete")
@click.option("--yes", is_flag=True, help="Do not ask; needed off a terminal.")
def delete_user(options: Options, name: str, yes: bool, as_json: bool) -> int:
    """Delete a user; asks first."""
    if as_json and not yes:
        raise click.UsageError("--json goes with --yes: it asks nothing")

    def confirmed(directory: Directory) -> Done:
        user = directory.user(name)
        question = f"Delete user {printable(user.called())} of {directory.pool.id}?"
        confirm(question, yes=yes, command=f"users delete {name} --yes")
        return actions.delete(directory, user)

    return _do(options, name, as_json, confirmed)


@_on_user("enable")
def enable_user(options: Options, name: str, as_json: bool) -> int:
    """Let a disabled user sign in again."""
    return _do(options, name, as_json, lambda on: actions.set_enabled(on, name, True))


@_on_user("disable")
def disable_user(options: Options, name: str, as_json: bool) -> int:
    """Keep a user from signing in."""
    return _do(options, name, as_json, lambda on: actions.set_enabled(on, name, False))


@_on_user("set-password")
@password_options
def set_password(options: Options, name: str, choice: PasswordChoice, as_json: bool) -> int:
    """Give a user a new password; asks for it unless told where it comes from."""
    return _do(options, name, as_json, lambda on: actions.set_password(on, name, choice))


@_on_user("add-to-group")
@click.argument("group")
def add_to_group(options: Options, name: str, group: str, as_json: bool) -> int:
    """Put a user into a group."""
    return _do(options, name, as_json, lambda on: actions.add_to_group(on, name, group))


@_on_user("remove-from-group")
@click.argument("group")
def remove_from_group(options: Options, name: str, group: str, as_json: bool) -> int:
    """Take a user out of a group."""
    return _do(options, name, as_json, lambda on: actions.remove_from_group(on, name, group))


@_on_user("sign-out")
def sign_out(options: Options, name: str, as_json: bool) -> int:
    """End all sessions of a user: no token is renewed any more."""
    return _do(options, name, as_json, lambda on: actions.sign_out(on, name))


def _do(options: Options, name: str, as_json: bool, action: Callable[[Directory], Done]) -> int:
    """Open the pool, act, and say what came of it."""
    _raise_for(name_problems("user name", name))
    done = action(Directory.open(read_target(options)))
    for warning in done.warnings:
        click.echo(printable(f"warning: {warning}"), err=True)
    if as_json:
        _print_json(done.as_json())
    else:
        click.echo(printable(done.said))
    return 0


def _raise_for(problems: list[str]) -> None:
    if problems:
        raise UserProblem(problems)


def _print_json(value: dict[str, Any]) -> None:
    click.echo(json.dumps(value, indent=2))
