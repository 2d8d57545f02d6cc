"""`users create` and `users import`: checked before anything is created, completed if it exists.

Source: Cognito API reference, AdminCreateUser.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

from cognises.provisioning.aws import error_code
from cognises.provisioning.aws_errors import explain, is_aws_error
from cognises.provisioning.users.actions import ActionResult, put_into_group, put_password
from cognises.provisioning.users.directory import Directory
from cognises.provisioning.users.model import (
    INVITED,
    User,
    UserProblem,
    is_email,
    is_phone,
    name_problems,
)
from cognises.provisioning.users.password_source import PasswordChoice, Secret

EXISTS = ("UsernameExistsException", "AliasExistsException")
COLUMNS = ("name", "email", "phone", "email_verified", "groups")
LARGEST_FIELD = 4096  # characters


@dataclass(frozen=True)
class NewUser:
    """The user to create."""

    name: str
    email: str | None = None
    email_verified: bool = False
    groups: tuple[str, ...] = ()
    phone: str | None = None

    @property
    def attributes(self) -> dict[str, str]:
        found = {"email": self.email, "phone_number": self.phone}
        given = {key: value for key, value in found.items() if value}
        return {**given, **({"email_verified": "true"} if self.email_verified else {})}

    def problems(self, directory: Directory) -> list[str]:
        """Everything that Cognito would refuse, or misunderstand."""
        pool, found = directory.pool, name_problems("user name", self.name)
        for group in self.groups:
            found += name_problems("group", group)
        if self.email is not None and not is_email(self.email):
            found.append(f"--email {self.email!r} is not an e-mail address")
        if self.phone is not None and not is_phone(self.phone):
            found.append(f"--phone {self.phone!r} is not a phone number, such as +15550100")
        by = " or ".join(each.replace("_", " ") for each in pool.names)
        named = pool.attribute_of(self.name)
        if pool.names and named is None:
            found.append(f"people sign in by {by} here, and {self.name!r} is not one")
        elif named and self.attributes.get(named) != self.name:
            option = "--email" if named == "email" else "--phone"
            found.append(f"people sign in by {by} here: NAME is the {named}, omit {option}")
        if self.email_verified and not self.email:
            found.append("--email-verified needs --email")
        return found


def create(directory: Directory, wanted: NewUser, choice: PasswordChoice) -> ActionResult:
    """Create a user and put them into groups; an existing one is only put into the groups.

    Without a password Cognito sends an invitation. Raises UserProblem, before anything is
    created, where a name or a group is wrong.
    """
    named = directory.pool.attribute_of(wanted.name)
    if named == "email" and wanted.email is None:
        wanted = replace(wanted, email=wanted.name)
    if named == "phone_number" and wanted.phone is None:
        wanted = replace(wanted, phone=wanted.name)
    wanted = replace(wanted, groups=tuple(dict.fromkeys(wanted.groups)))
    problems = wanted.problems(directory) or directory.group_problems(wanted.groups)
    if problems:
        raise UserProblem(problems)
    found = directory.find(wanted.name)
    if found is not None:
        return _complete(directory, found, wanted, choice)
    if choice.permanent and (wanted.email or wanted.phone) and not choice.given:
        raise UserProblem(["--permanent needs a password: add --password-prompt, for example"])
    return _create(directory, wanted, choice)


def import_users(directory: Directory, file: Path) -> Iterator[tuple[int, ActionResult | str]]:
    """Create or complete the user of each line of a CSV file.

    Out: the number of the line, and the outcome or why there is none. Lines are independent, and
    the import can be repeated. Raises UserProblem, before anything is created, for a file that is
    not such a table.
    """
    for line, row in _rows(file):
        yield line, _import_row(directory, row)


def _rows(file: Path) -> list[tuple[int, dict[str, Any]]]:
    csv.field_size_limit(LARGEST_FIELD)
    try:
        rows = csv.DictReader(StringIO(file.read_text("utf-8-sig"), newline=""), strict=True)
        _check_columns(rows.fieldnames or ())
        return [(rows.line_num, row) for row in rows]
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserProblem([f"{file.name} is not readable as CSV in UTF-8: {error}"]) from None


def _check_columns(names: Any) -> None:
    problems = [
        f"column {name!r} is unknown; the columns are {', '.join(COLUMNS)}"
        for name in names
        if name not in COLUMNS
    ]
    if "name" not in names:
        problems.append(f"the first line must name the columns: {','.join(COLUMNS)}")
    if len(set(names)) != len(names):
        problems.append("a column is named twice")
    if problems:
        raise UserProblem(problems)


def _import_row(directory: Directory, row: dict[str, Any]) -> ActionResult | str:
    try:
        return create(directory, _new_user(row), PasswordChoice())
    except UserProblem as error:
        return "; ".join(error.problems)
    except Exception as error:
        if not error_code(error):  # credentials or the network: the next line fails too
            raise
        return explain(error)


def _new_user(row: dict[str, Any]) -> NewUser:
    if None in row or None in row.values():
        raise UserProblem(["the line has more or fewer fields than the first line"])
    fields = {key: value.strip() for key, value in row.items()}
    verified = fields.get("email_verified", "").lower()
    if verified not in ("", "true", "false"):
        raise UserProblem([f"email_verified {verified!r}: write true or false"])
    wanted = NewUser(
        name=fields["name"],
        email=fields.get("email") or None,
        phone=fields.get("phone") or None,
        email_verified=verified == "true",
        groups=tuple(fields.get("groups", "").split()),
    )
    if not (wanted.email or wanted.phone or is_email(wanted.name) or is_phone(wanted.name)):
        raise UserProblem(["an invitation needs an e-mail or a phone number"])
    return wanted


def _create(directory: Directory, wanted: NewUser, choice: PasswordChoice) -> ActionResult:
    contact = wanted.email or wanted.phone
    secret = None
    if contact and not choice.given:
        user = _new(directory, wanted, None)
        details = {"password": "sent by e-mail" if wanted.email else "sent by SMS"}
        about = f"Cognito sends {contact} an invitation with a temporary password"
    else:
        secret = choice.obtain(directory.pool.minimum_password, wanted.name)
        with secret.remove_on_failure():
            user = _new(directory, wanted, secret)
        secret.reveal(wanted.name)
        details = secret.details(choice.permanent)
        about = f"the password is set{secret.note(choice.permanent)}"
    _finish(directory, user, wanted, secret if choice.permanent else None)
    user = replace(user, groups=wanted.groups)
    if choice.permanent:
        user = replace(user, status="CONFIRMED")
    message = f"created user {user.display_name}{_into(wanted.groups)}; {about}"
    warnings = tuple(directory.group_warnings(wanted.groups))
    return ActionResult("create", user, True, message, warnings, details)


def _complete(
    directory: Directory, user: User, wanted: NewUser, choice: PasswordChoice
) -> ActionResult:
    """The user exists: put them into the groups that are missing, and change nothing else."""
    problems = []
    if not _same_contact(user, wanted):
        problems.append(
            f"user {user.name} exists with another e-mail or phone number; nothing was changed; "
            "`provision.py users set-attributes` changes them"
        )
    if choice.given or choice.permanent:
        problems.append(
            f"user {user.name} exists; `provision.py users set-password` sets a new password"
        )
    if problems:
        raise UserProblem(problems)
    before = directory.groups_of(user)
    missing = tuple(group for group in wanted.groups if group not in before)
    for group in missing:
        put_into_group(directory, user, group)
    user = replace(user, groups=(*before, *missing))
    message = f"user {user.display_name} exists already{_into(missing) or '; nothing to do'}"
    warnings = tuple(directory.group_warnings(wanted.groups))
    return ActionResult("create", user, bool(missing), message, warnings)


def _new(directory: Directory, wanted: NewUser, secret: Secret | None) -> User:
    """One call. Raises UserProblem where another user has the name or an alias."""
    given = [{"Name": key, "Value": value} for key, value in wanted.attributes.items()]
    arguments: dict[str, Any] = {"UserAttributes": given}
    if secret is None:
        arguments["DesiredDeliveryMediums"] = ["EMAIL" if wanted.email else "SMS"]
    else:
        arguments |= {"MessageAction": "SUPPRESS", "TemporaryPassword": secret.text}
    try:
        made = directory.write(directory.cognito.admin_create_user, wanted.name, **arguments)
        return User.of(made["User"])
    except Exception as error:
        if error_code(error) not in EXISTS:
            raise
    user = directory.find(wanted.name)
    if user is None:
        raise UserProblem(_alias_problems(directory, wanted))
    # Ours, if the answer to the call was lost and botocore repeated it.
    if user.status != INVITED or not _same_contact(user, wanted):
        raise UserProblem([f"user {wanted.name} was created by another caller; run this again"])
    if secret is not None:
        put_password(directory, user, secret, permanent=False)
    return user


def _alias_problems(directory: Directory, wanted: NewUser) -> list[str]:
    """The name is free, so an attribute is another user's alias: which one."""
    aliases = {"email": wanted.email, "phone_number": wanted.phone}
    aliases["preferred_username"] = wanted.name
    return [
        f"{attribute} {value} is an alias of user {user.name}; use another one, or change it there "
        "with `provision.py users set-attributes`"
        for attribute, value in aliases.items()
        if value
        for user in directory.having(attribute, value)
    ] or [f"the name or a contact of {wanted.name} is another user's alias; use another one"]


def _same_contact(user: User, wanted: NewUser) -> bool:
    """Cognito keeps the case of an address, and most pools ignore it."""
    return (not wanted.email or user.email.lower() == wanted.email.lower()) and (
        not wanted.phone or user.phone == wanted.phone
    )


def _finish(directory: Directory, user: User, wanted: NewUser, permanent: Secret | None) -> None:
    """Set a permanent password and the groups. Raises UserProblem that names what is left."""
    left = [f"users set-password {wanted.name} --permanent"] if permanent else []
    left += [f"users add-to-group {user.name} {group}" for group in wanted.groups]
    try:
        if permanent:
            put_password(directory, user, permanent, permanent=True)
            del left[0]
        for group in wanted.groups:
            put_into_group(directory, user, group)
            del left[0]
    except Exception as error:
        if not is_aws_error(error):
            raise
        raise UserProblem(
            [
                f"user {wanted.name} was created, but not everything else: {explain(error)}; left "
                f"to do: {'; '.join(left)}"
            ]
        ) from error


def _into(groups: tuple[str, ...]) -> str:
    if not groups:
        return ""
    return f", in {'group' if len(groups) == 1 else 'groups'} {', '.join(groups)}"
