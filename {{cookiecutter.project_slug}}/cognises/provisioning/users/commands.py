"""`users …`: the commands; options in, one outcome out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import click

from cognises.errors import printable
from cognises.provisioning.options import (
    EXIT_ERROR,
    Command,
    NoSecretArguments,
    confirm,
    json_option,
    place_options,
)
from cognises.provisioning.target import Options, read_target
from cognises.provisioning.users import actions
from cognises.provisioning.users.actions import ActionResult
from cognises.provisioning.users.create import NewUser, create, import_users
from cognises.provisioning.users.directory import Directory
from cognises.provisioning.users.model import User, UserProblem, name_problems
from cognises.provisioning.users.password_source import PasswordChoice

_ROW = "{:<36}  {:<40}  {}"  # fixed widths: a line is printed before the next page is read


class _Users(click.Group):
    command_class = NoSecretArguments


@click.group(cls=_Users)
def users() -> None:
    """List, create and manage the users of the user pool.

    NAME is the user name; where people sign in by e-mail or phone number, that one or Cognito's own
    name.
    """


def password_options(command: Command) -> Command:
    """Add where a password comes from; the command gets one `choice`."""

    @click.option("--password-prompt", "prompt", is_flag=True, help="Ask for it, twice, hidden.")
    @click.option("--password-stdin", "stdin", is_flag=True, help="Read it from standard input.")
    @click.option(
        "--password-generate", "generate", is_flag=True, help="Generate it; shown once, here."
    )
    @click.option(
        "--password-file",
        "file",
        type=click.Path(path_type=Path),
        help="Generate it into this new file (mode 0600).",
    )
    @click.option("--permanent", is_flag=True, help="It need not be changed at the next sign-in.")
    @wraps(command)
    def wrapped(
        prompt: bool, stdin: bool, generate: bool, file: Path | None, permanent: bool, **rest: Any
    ) -> int:
        choice = PasswordChoice(prompt, stdin, generate, file, permanent)
        choice.check()
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
@click.option("--with-groups", is_flag=True, help="Each user's groups, too.")
@json_option
def list_users(options: Options, group: str | None, with_groups: bool, as_json: bool) -> int:
    """The users of the pool, or of one group; printed page by page."""
    if group is not None:
        _raise_for(name_problems("group", group))
    directory = Directory.open(read_target(options))
    found = directory.all() if group is None else directory.members(group)
    if with_groups:
        found = directory.with_groups(found)
    if as_json:
        _print_json_list({"user_pool_id": directory.pool.id, "group": group}, found)
    else:
        _print_rows(found)
    return 0


def _print_rows(found: Iterator[User]) -> None:
    count = 0
    for count, user in enumerate(found, 1):
        if count == 1:
            head = "STATUS" + ("" if user.groups is None else ", GROUPS")
            click.echo(_ROW.format("NAME", "E-MAIL OR PHONE", head))
        click.echo(_row(user))
    click.echo(f"{count} user{'' if count == 1 else 's'}")


def _row(user: User) -> str:
    attribute = "email" if user.email else "phone_number"
    contact = user.email or user.phone
    unverified = " (unverified)" if contact and not user.is_verified(attribute) else ""
    status = user.status + ("" if user.enabled else ", disabled")
    groups = "" if user.groups is None else f"  {', '.join(user.groups)}"
    return printable(_ROW.format(user.name, contact + unverified, status + groups).rstrip())


def _print_json_list(head: dict[str, Any], found: Iterator[User]) -> None:
    """One JSON object, a user a line, written as the pages arrive."""
    count = 0
    for count, user in enumerate(found, 1):
        start = f'{json.dumps(head)[:-1]}, "users": [\n' if count == 1 else ",\n"
        click.echo(start + json.dumps(user.as_json()), nl=False)
    if not count:
        click.echo(f'{json.dumps(head)[:-1]}, "users": [', nl=False)
    click.echo(f'\n], "count": {count}}}')


@_on_user("create")
@click.option("--email", help="Receives the invitation; not where NAME is the e-mail.")
@click.option("--email-verified", is_flag=True, help="The address is known to be the user's.")
@click.option("--phone", metavar="NUMBER", help="As +15550100; not where NAME is the number.")
@click.option("--group", "groups", multiple=True, metavar="GROUP", help="May be repeated.")
@password_options
def create_user(
    options: Options, name: str, as_json: bool, choice: PasswordChoice, **wanted: Any
) -> int:
    """Create a user, and put them into groups.

    Without a password option Cognito sends an invitation; without e-mail and phone number, a
    password is asked for.
    """
    new = NewUser(name, **wanted)
    return _run(options, name, as_json, lambda directory: create(directory, new, choice))


@users.command("import")
@place_options
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def import_file(options: Options, file: Path, as_json: bool) -> int:
    """Create or complete the users of a CSV file; safe to repeat.

    Its first line names the columns: name,email,phone,email_verified,groups. Groups are separated
    by spaces. Prints one result per line of the file.
    """
    directory = Directory.open(read_target(options))
    results, failed = [], 0
    for line, result in import_users(directory, file):
        failed += isinstance(result, str)
        if as_json:
            shown = {"error": result} if isinstance(result, str) else result.as_json()
            results.append({"line": line, **shown})
            continue
        text = f"error: {result}" if isinstance(result, str) else result.message
        warnings = () if isinstance(result, str) else result.warnings
        notes = "".join(f"; warning: {each}" for each in warnings)
        click.echo(printable(f"line {line}: {text}{notes}"))
    if as_json:
        click.echo(json.dumps({"failed": failed, "results": results}, indent=2))
    return EXIT_ERROR if failed else 0


@_on_user("delete")
@click.option("--yes", is_flag=True, help="Do not ask; needed off a terminal.")
def delete_user(options: Options, name: str, yes: bool, as_json: bool) -> int:
    """Delete a user; asks first."""
    if as_json and not yes:
        raise click.UsageError("--json needs --yes: it does not ask")

    def confirmed(directory: Directory) -> ActionResult:
        user = directory.user(name)
        question = f"Delete user {printable(user.display_name)} of {directory.pool.id}?"
        confirm(question, yes=yes, command=f"users delete {name} --yes")
        return actions.delete(directory, user)

    return _run(options, name, as_json, confirmed)


@_on_user("set-password")
@password_options
def set_password(options: Options, name: str, choice: PasswordChoice, as_json: bool) -> int:
    """Set a user's password; asks for it unless an option says where it comes from."""
    return _run(options, name, as_json, lambda on: actions.set_password(on, name, choice))


@_on_user("set-attributes")
@click.argument("attributes", nargs=-1, required=True, metavar="NAME=VALUE...")
def set_attributes(options: Options, name: str, attributes: tuple[str, ...], as_json: bool) -> int:
    """Set attributes of a user: email_verified=true says that the e-mail is known to be theirs."""
    return _run(options, name, as_json, lambda on: actions.set_attributes(on, name, attributes))


def _on_group(verb: str, action: Callable[..., ActionResult], text: str) -> None:
    @_on_user(verb)
    @click.argument("group")
    def command(options: Options, name: str, group: str, as_json: bool) -> int:
        return _run(options, name, as_json, lambda on: action(on, name, group))

    command.help = text


def _on_name(verb: str, action: Callable[[Directory, str], ActionResult], text: str) -> None:
    @_on_user(verb)
    def command(options: Options, name: str, as_json: bool) -> int:
        return _run(options, name, as_json, lambda on: action(on, name))

    command.help = text


_on_name("resend", actions.resend, "Send an invitation again, with a new temporary password.")
_on_name("enable", actions.enable, "Allow a disabled user to sign in again.")
_on_name("disable", actions.disable, "Keep a user from signing in.")
_on_name("reset-mfa", actions.reset_mfa, "Remove a lost authenticator, to register a new one.")
_on_name("sign-out", actions.sign_out, "End all sessions of a user: no token is renewed any more.")
_on_group("add-to-group", actions.add_to_group, "Put a user into a group.")
_on_group("remove-from-group", actions.remove_from_group, "Take a user out of a group.")


def _run(
    options: Options, name: str, as_json: bool, action: Callable[[Directory], ActionResult]
) -> int:
    """Open the pool, act, and print the outcome."""
    _raise_for(name_problems("user name", name))
    result = action(Directory.open(read_target(options)))
    for warning in result.warnings:
        click.echo(printable(f"warning: {warning}"), err=True)
    if as_json:
        click.echo(json.dumps(result.as_json(), indent=2))
    else:
        click.echo(printable(result.message))
    return 0


def _raise_for(problems: list[str]) -> None:
    if problems:
        raise UserProblem(problems)
