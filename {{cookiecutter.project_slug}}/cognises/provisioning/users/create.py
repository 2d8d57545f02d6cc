"""`users create` and `users import`: checked before anything is created, completed if it exists."""

import csv
import json
from collections.abc import Iterable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import click

from cognises.errors import printable
from cognises.provisioning import target as t
from cognises.provisioning.aws_errors import explain, is_aws_error
from cognises.provisioning.users.commands import Result, on_user, raise_for, users
from cognises.provisioning.users.directory import Directory, UserProblem
from cognises.provisioning.users.passwords import PasswordChoice, password_options
from cognises.users import INVITED, User, is_email, is_phone, name_problems

COLUMNS = ("name", "email", "phone", "email_verified", "groups")


@on_user(
    click.option("--email", help="Receives the invitation; not where NAME is the e-mail."),
    click.option("--email-verified", is_flag=True, help="The address is known to be the user's."),
    click.option("--phone", metavar="NUMBER", help="As +15550100; not where NAME is the number."),
    click.option("--group", "groups", multiple=True, metavar="GROUP", help="May be repeated."),
    password_options,
)
def create(
    directory: Directory, name: str, choice: PasswordChoice, groups: Iterable[str], **contact: Any
) -> Result:
    """Create a user, and put them into groups.

    Without a password option Cognito sends an invitation; without e-mail and phone number, a
    password is asked for. A user that exists is only put into the groups.
    """
    given = {"email": contact["email"], "phone_number": contact["phone"]}
    if (named := directory.attribute_of(name)) and given[named] is None:
        given[named] = name
    given["email_verified"] = "true" if contact["email_verified"] else None
    attributes = {key: value for key, value in given.items() if value is not None}
    desired = User(name, INVITED, True, attributes, groups=tuple(dict.fromkeys(groups)))
    raise_for(_problems(directory, desired) or directory.group_problems(desired.groups or ()))
    if found := directory.find(name):
        return _complete(directory, found, desired, choice)
    if choice.permanent and desired.contact and not choice.given:
        raise UserProblem(["--permanent needs a password: add --password-prompt, for example"])
    return _create(directory, desired, choice)


def _problems(directory: Directory, desired: User) -> list[str]:
    found, given = name_problems("user name", desired.name), desired.attributes
    for group in desired.groups or ():
        found += name_problems("group", group)
    if "email" in given and not is_email(given["email"]):
        found.append(f"--email {given['email']!r} is not an e-mail address")
    if "phone_number" in given and not is_phone(phone := given["phone_number"]):
        found.append(f"--phone {phone!r} is not a phone number, such as +15550100")
    by = " or ".join(each.replace("_", " ") for each in directory.names)
    named = directory.attribute_of(desired.name)
    if directory.names and named is None:
        found.append(f"people sign in by {by} here, and {desired.name!r} is not one")
    elif named and given[named] != desired.name:
        option = "--email" if named == "email" else "--phone"
        found.append(f"people sign in by {by} here: NAME is the {named}, omit {option}")
    if "email_verified" in given and not desired.email:
        found.append("--email-verified needs --email")
    return found


def _create(directory: Directory, desired: User, choice: PasswordChoice) -> Result:
    """Raises UserProblem, after the user was created with the commands that are left to do."""
    if desired.contact and not choice.given:
        user, permanent = _new(directory, desired, None), None
        details = {"password": "sent by e-mail" if desired.email else "sent by SMS"}
        about = f"Cognito sends {desired.contact} an invitation with a temporary password"
    else:
        with choice.obtain(directory.minimum_password, desired.name) as password:
            user = _new(directory, desired, password)
        permanent = password if choice.permanent else None
        details, about = choice.details, f"the password is set{choice.note}"
    groups = desired.groups or ()
    left = [f"users set-password {desired.name} --permanent"] if permanent else []
    left += [f"users add-to-group {user.name} {group}" for group in groups]
    try:
        if permanent:
            how = {"Password": permanent, "Permanent": True}
            directory.write("admin_set_user_password", user.name, **how)
            del left[0]
        for group in groups:
            directory.write("admin_add_user_to_group", user.name, GroupName=group)
            del left[0]
    except Exception as error:
        if not is_aws_error(error):
            raise
        done = f"user {user.name} was created, but not everything else: {explain(error)}"
        raise UserProblem([f"{done}; left to do: {'; '.join(left)}"]) from error
    user = replace(user, groups=groups, status="CONFIRMED" if permanent else user.status)
    message = f"created user {user}{_into(groups)}; {about}"
    return Result(user, message, warnings=directory.group_warnings(groups), details=details)


def _complete(directory: Directory, user: User, desired: User, choice: PasswordChoice) -> Result:
    """The user exists: put them into the groups that are missing, and change nothing else."""
    conflicts, exists = [], f"user {user.name} exists"
    if not _same_contact(user, desired):
        advice = "nothing was changed; `provision.py users set-attributes` changes them"
        conflicts.append(f"{exists} with another e-mail or phone number; {advice}")
    if choice.given or choice.permanent:
        conflicts.append(f"{exists}; `provision.py users set-password` sets a new password")
    raise_for(conflicts)
    before, groups = directory.groups_of(user), desired.groups or ()
    missing = tuple(group for group in groups if group not in before)
    for group in missing:
        directory.write("admin_add_user_to_group", user.name, GroupName=group)
    user = replace(user, groups=(*before, *missing))
    message = f"user {user} exists already{_into(missing) or '; nothing to do'}"
    return Result(user, message, bool(missing), directory.group_warnings(groups))


def _new(directory: Directory, desired: User, password: str | None) -> User:
    """One call. Raises UserProblem where another user has the name or an alias."""
    how: Any = {"MessageAction": "SUPPRESS", "TemporaryPassword": password}
    if password is None:
        how = {"DesiredDeliveryMediums": ["EMAIL" if desired.email else "SMS"]}
    how["UserAttributes"] = [{"Name": name, "Value": v} for name, v in desired.attributes.items()]
    errors = directory.cognito.exceptions
    try:
        return User.of(directory.write("admin_create_user", desired.name, **how)["User"])
    except (errors.UsernameExistsException, errors.AliasExistsException):
        user = directory.find(desired.name)
    if user is None:
        # The name is free, so an attribute is another user's alias.
        aliases = {**desired.attributes, "preferred_username": desired.name}
        advice = "use another one, or change it there with `provision.py users set-attributes`"
        taken = [f"{attribute} {value} is an alias of user {other.name}; {advice}"
                 for attribute, value in aliases.items() if attribute != "email_verified"
                 for other in directory.having(attribute, value)]  # fmt: skip
        unknown = f"the name or a contact of {desired.name} is another user's alias"
        raise UserProblem(taken or [f"{unknown}; use another one"])
    # Ours, if the answer to the call was lost and botocore repeated it.
    if user.status != INVITED or not _same_contact(user, desired):
        raise UserProblem([f"user {desired.name} was created by another caller; run this again"])
    if password is not None:
        directory.write("admin_set_user_password", user.name, Password=password, Permanent=False)
    return user


def _same_contact(user: User, desired: User) -> bool:
    """Cognito keeps the case of an address, and most pools ignore it."""
    given = {each: desired.attributes.get(each, "").lower() for each in ("email", "phone_number")}
    return all(text in ("", user.attributes.get(each, "").lower()) for each, text in given.items())


def _into(groups: tuple[str, ...]) -> str:
    return f", in {'groups' if groups[1:] else 'group'} {', '.join(groups)}" if groups else ""


@users.command("import")
@t.place_options
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@t.json_option
def import_users(options: t.Options, file: Path, as_json: bool) -> int:
    """Create or complete the users of a CSV file; safe to repeat.

    Its first line names the columns: name,email,phone,email_verified,groups. Groups are separated
    by spaces. Prints one result per line of the file.
    """
    directory, results = Directory.open(options), []
    for line, row in _rows(file):
        results.append({"line": line, **(found := _import_row(directory, row))})
        if not as_json:
            text = found.get("message") or f"error: {found['error']}"
            notes = "".join(f"; warning: {each}" for each in found.get("warnings", ()))
            click.echo(printable(f"line {line}: {text}{notes}"))
    failed = sum("error" in each for each in results)
    if as_json:
        click.echo(json.dumps({"failed": failed, "results": results}, indent=2))
    return t.EXIT_ERROR if failed else 0


def _rows(file: Path) -> list[tuple[int, dict[str, Any]]]:
    csv.field_size_limit(4096)  # characters
    try:
        text = file.read_text("utf-8-sig").replace("\0", "\1")  # Python 3.10 reads no line with NUL
        rows = csv.DictReader(StringIO(text, newline=""), strict=True)
        names = rows.fieldnames or ()
        found = [(rows.line_num, row) for row in rows]
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserProblem([f"{file.name} is not readable as CSV in UTF-8: {error}"]) from None
    known = f"the columns are {', '.join(COLUMNS)}"
    problems = [f"column {each!r} is unknown; {known}" for each in names if each not in COLUMNS]
    if "name" not in names:
        problems.append(f"the first line must name the columns: {','.join(COLUMNS)}")
    if len(set(names)) != len(names):
        problems.append("a column is named twice")
    raise_for(problems)
    return found


def _import_row(directory: Directory, row: dict[str, Any]) -> dict[str, Any]:
    try:
        return create(directory, choice=PasswordChoice(), **_arguments(row)).as_json("create")
    except UserProblem as error:
        return {"error": "; ".join(error.problems)}
    except directory.cognito.exceptions.ClientError as error:  # no other: the next line fails too
        return {"error": explain(error)}


def _arguments(row: dict[str, Any]) -> dict[str, Any]:
    if None in row or None in row.values():
        raise UserProblem(["the line has more or fewer fields than the first line"])
    found = dict.fromkeys(COLUMNS, "") | {key: value.strip() for key, value in row.items()}
    if (verified := found["email_verified"].lower()) not in ("", "true", "false"):
        raise UserProblem([f"email_verified {verified!r}: write true or false"])
    email, phone, name = found["email"], found["phone"], found["name"]
    if not (email or phone or is_email(name) or is_phone(name)):
        raise UserProblem(["an invitation needs an e-mail or a phone number; fill one in"])
    contact = {"email": email or None, "phone": phone or None, "email_verified": verified == "true"}
    return {"name": name, "groups": found["groups"].split(), **contact}
