"""`users …`: list the users, and change one. Each change reads first and writes what is missing."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import click

from cognises.errors import ProvisionBlocked, printable
from cognises.provisioning import target as t
from cognises.provisioning.users.directory import Directory, UserProblem
from cognises.provisioning.users.passwords import PasswordChoice, password_options
from cognises.users import INVITED, User, name_problems

TOKENS_STAY_VALID = "tokens issued before stay valid until they expire"
NEXT_TOKEN = "it takes effect with the next token"
# The MFA methods of AdminGetUser, and the parameter that turns each off.
MFA_SETTINGS = {"SOFTWARE_TOKEN_MFA": "SoftwareTokenMfaSettings", "SMS_MFA": "SMSMfaSettings",
                "EMAIL_OTP": "EmailMfaSettings"}  # fmt: skip
Action = Callable[..., "Result"]
_ROW = "{:<36}  {:<40}  {}"  # fixed widths: a line is printed before the next page is read


@click.group()
def users() -> None:
    """List, create and manage the users of the user pool.

    NAME is the user name, or the e-mail or phone number where people sign in by it.
    """


users.command_class = t.NoSecretArguments


@dataclass(frozen=True)
class Result:
    """The outcome of an action; not `changed` where there was nothing to do."""

    user: User
    message: str
    changed: bool = True
    warnings: Sequence[str] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self, action: str) -> dict[str, Any]:
        """The outcome as `--json` prints it; no password is in it."""
        head = {"action": action, "changed": self.changed, "user": self.user.as_json()}
        return {**head, **self.details, "message": self.message, "warnings": list(self.warnings)}


def on_user(*declared: Callable[[Any], Any]) -> Callable[[Action], Action]:
    """Make an action on a Directory and the user NAME a command; its docstring is the help."""

    def declare(action: Action) -> Action:
        verb = action.__name__.replace("_", "-")

        def command(options: t.Options, name: str, as_json: bool, **given: Any) -> int:
            raise_for(name_problems("user name", name))
            result = action(Directory.open(options), name, **given)
            for warning in result.warnings:
                click.echo(printable(f"warning: {warning}"), err=True)
            document = json.dumps(result.as_json(verb), indent=2)
            click.echo(document if as_json else printable(result.message))
            return 0

        for option in (t.json_option, *reversed(declared), click.argument("name"), t.place_options):
            command = option(command)
        users.command(verb, help=action.__doc__)(command)
        return action

    return declare


def raise_for(problems: list[str]) -> None:
    if problems:
        raise UserProblem(problems)


@users.command("list")
@t.place_options
@click.option("--group", metavar="GROUP", help="Only the members of this group.")
@click.option("--with-groups", is_flag=True, help="Each user's groups, too.")
@t.json_option
def list_users(options: t.Options, group: str | None, with_groups: bool, as_json: bool) -> int:
    """The users of the pool, or of one group; printed page by page."""
    if group is not None:
        raise_for(name_problems("group", group))
    directory = Directory.open(options)
    found = directory.all() if group is None else directory.members(group)
    if with_groups:
        found = directory.with_groups(found)
    of = json.dumps({"user_pool_id": directory.pool_id, "group": group})
    head, count = f'{of[:-1]}, "users": [\n', 0
    columns = _ROW.format("NAME", "E-MAIL OR PHONE", f"STATUS{', GROUPS' * with_groups}\n")
    for count, user in enumerate(found, 1):
        if as_json:
            click.echo((head if count == 1 else ",\n") + json.dumps(user.as_json()), nl=False)
        else:
            click.echo(columns * (count == 1) + _row(user))
    end = f'{"" if count else head}\n], "count": {count}}}'
    click.echo(end if as_json else f"{count} user{'' if count == 1 else 's'}")
    return 0


def _row(user: User) -> str:
    is_verified = user.is_verified("email" if user.email else "phone_number")
    contact = f"{user.contact} (unverified)" if user.contact and not is_verified else user.contact
    status = user.status if user.enabled else f"{user.status}, disabled"
    groups = "" if user.groups is None else f"  {', '.join(user.groups)}"
    return printable(_ROW.format(user.name, contact, status + groups).rstrip())


@on_user(t.yes_option)
def delete(directory: Directory, name: str, yes: bool) -> Result:
    """Delete a user; asks first."""
    if click.get_current_context().params["as_json"] and not yes:
        raise click.UsageError("--json needs --yes: it does not ask")
    user = directory.user(name)
    question = f"Delete user {printable(str(user))} of {directory.pool_id}?"
    t.confirm(question, yes=yes)
    with suppress(directory.cognito.exceptions.UserNotFoundException):  # a repeated call's answer
        directory.write("admin_delete_user", user.name)
    return Result(user, f"deleted user {user}; {TOKENS_STAY_VALID}")


@on_user()
def enable(directory: Directory, name: str) -> Result:
    """Allow a disabled user to sign in again."""
    return _switch(directory, name, "enable")


@on_user()
def disable(directory: Directory, name: str) -> Result:
    """Keep a user from signing in."""
    return _switch(directory, name, "disable", f": no new sign-in; {TOKENS_STAY_VALID}")


def _switch(directory: Directory, name: str, verb: str, note: str = "") -> Result:
    user, enabled = directory.user(name), verb == "enable"
    if user.enabled == enabled:
        return _nothing_to_do(user, f"is {verb}d already")
    directory.write("admin_enable_user" if enabled else "admin_disable_user", user.name)
    return Result(replace(user, enabled=enabled), f"{verb}d user {user}{note}")


@on_user()
def sign_out(directory: Directory, name: str) -> Result:
    """End all sessions of a user: no token is renewed any more."""
    user = directory.user(name)
    directory.write("admin_user_global_sign_out", user.name)
    return Result(user, f"signed out user {user} everywhere; {TOKENS_STAY_VALID}")


@on_user(password_options)
def set_password(directory: Directory, name: str, choice: PasswordChoice) -> Result:
    """Set a user's password; asks for it unless an option says where it comes from."""
    user = directory.user(name)
    if user.status == "EXTERNAL_PROVIDER":
        problem = f"user {user.name} signs in through an identity provider"
        raise ProvisionBlocked([f"{problem}; a password here would bypass it: change it there"])
    with choice.obtain(directory.minimum_password, name) as password:
        how = {"Password": password, "Permanent": choice.permanent}
        directory.write("admin_set_user_password", user.name, **how)
    user = replace(user, status="CONFIRMED" if choice.permanent else INVITED)
    return Result(user, f"user {user} has a new password{choice.note}", details=choice.details)


@on_user()
def resend(directory: Directory, name: str) -> Result:
    """Send an invitation again, with a new temporary password."""
    user, advice = directory.user(name), "set a password with `provision.py users set-password`"
    if user.status != INVITED:
        raise UserProblem([f"user {user} signed in already; {advice}"])
    if not user.contact:
        raise UserProblem([f"user {user} has no e-mail or phone number; {advice}"])
    # AdminCreateUser takes the e-mail or number, not the UUID, where people sign in by one.
    contacts = (user.attributes.get(each) for each in directory.names)
    how: Any = {"DesiredDeliveryMediums": ["EMAIL" if user.email else "SMS"]}
    to = next(filter(None, contacts), user.name)
    directory.write("admin_create_user", to, MessageAction="RESEND", **how)
    return Result(user, f"sent the invitation to {user} again, with a new temporary password")


@on_user(click.argument("attributes", nargs=-1, required=True, metavar="NAME=VALUE..."))
def set_attributes(directory: Directory, name: str, attributes: tuple[str, ...]) -> Result:
    """Set attributes of a user: email_verified=true says that the e-mail is known to be theirs."""
    keys = {each: each.partition("=")[0] for each in attributes}
    wrong = [each for each, key in keys.items() if each == key or name_problems("", key)]
    raise_for([f"{each!r}: write NAME=VALUE, as in email_verified=true" for each in wrong])
    desired = dict(pair.split("=", 1) for pair in attributes)
    user = directory.user(name)
    changed = {key: text for key, text in desired.items() if user.attributes.get(key) != text}
    if not changed:
        return _nothing_to_do(user, "has these attributes already")
    pairs = [{"Name": key, "Value": value} for key, value in changed.items()]
    directory.write("admin_update_user_attributes", user.name, UserAttributes=pairs)
    user = replace(user, attributes={**user.attributes, **changed})
    return Result(user, f"set {', '.join(changed)} of user {user}; {NEXT_TOKEN}")


@on_user()
def reset_mfa(directory: Directory, name: str) -> Result:
    """Remove a lost authenticator, to register a new one."""
    user = directory.user(name)
    if not (active := [each for each in user.mfa if each in MFA_SETTINGS]):
        return _nothing_to_do(user, "has no authenticator")
    off = {MFA_SETTINGS[each]: {"Enabled": False, "PreferredMfa": False} for each in active}
    directory.write("admin_set_user_mfa_preference", user.name, **off)
    until = "the password alone signs in until a new authenticator is registered"
    message = f"removed {', '.join(active)} of user {user}: {until}; {TOKENS_STAY_VALID}"
    return Result(replace(user, mfa=()), message)


@on_user(click.argument("group"))
def add_to_group(directory: Directory, name: str, group: str) -> Result:
    """Put a user into a group."""
    user, groups = _with_groups(directory, name, group)
    more: Any = {"warnings": directory.group_warnings([group]), "details": {"group": group}}
    if group in groups:
        return _nothing_to_do(user, f"is in group {group} already", **more)
    directory.write("admin_add_user_to_group", user.name, GroupName=group)
    user = replace(user, groups=(*groups, group))
    return Result(user, f"added user {user} to group {group}; {NEXT_TOKEN}", **more)


@on_user(click.argument("group"))
def remove_from_group(directory: Directory, name: str, group: str) -> Result:
    """Take a user out of a group."""
    user, groups = _with_groups(directory, name, group)
    if group not in groups:
        return _nothing_to_do(user, f"is not in group {group}", details={"group": group})
    directory.write("admin_remove_user_from_group", user.name, GroupName=group)
    user = replace(user, groups=tuple(each for each in groups if each != group))
    message = f"removed user {user} from group {group}; {TOKENS_STAY_VALID}"
    return Result(user, message, details={"group": group})


def _nothing_to_do(user: User, why: str, **more: Any) -> Result:
    return Result(user, f"user {user} {why}; nothing to do", changed=False, **more)


def _with_groups(directory: Directory, name: str, group: str) -> tuple[User, tuple[str, ...]]:
    """The user and their groups. Raises UserProblem with what is wrong with both names."""
    problems = name_problems("group", group) or directory.group_problems([group])
    try:
        user = directory.user(name)
    except UserProblem as error:
        raise UserProblem([*error.problems, *problems]) from None
    raise_for(problems)
    groups = directory.groups_of(user)
    return replace(user, groups=groups), groups
