"""`users create`: everything is checked before the user is made; what is there is completed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from cognises.provisioning.aws import error_code
from cognises.provisioning.aws_errors import explain, is_aws_error
from cognises.provisioning.users.actions import Done, put_into_group, put_password
from cognises.provisioning.users.directory import Directory
from cognises.provisioning.users.person import (
    User,
    UserProblem,
    is_email,
    name_problems,
    user_of,
)
from cognises.provisioning.users.secrets import PasswordChoice, Secret

EXISTS = "UsernameExistsException"
INVITED = "FORCE_CHANGE_PASSWORD"


@dataclass(frozen=True)
class NewUser:
    """Who is to be made."""

    name: str
    email: str | None = None
    email_verified: bool = False
    groups: tuple[str, ...] = ()

    def problems(self, name_is_email: bool) -> list[str]:
        """Everything that Cognito would refuse, or take for something else."""
        found = name_problems("user name", self.name)
        for group in self.groups:
            found += name_problems("group", group)
        if name_is_email and not is_email(self.name):
            found.append(f"people sign in by e-mail here, and {self.name!r} is no e-mail address")
        elif name_is_email and self.email not in (None, self.name):
            found.append("people sign in by e-mail here: NAME is the e-mail, leave --email away")
        elif self.email is not None and not is_email(self.email):
            found.append(f"--email {self.email!r} is no e-mail address")
        if self.email_verified and not self.email and not name_is_email:
            found.append("--email-verified goes with --email")
        return found


def create(directory: Directory, wanted: NewUser, choice: PasswordChoice) -> Done:
    """Make a user and put them into groups; one who is there already is only put into the groups.

    Without a password Cognito invites the user by e-mail. Raises UserProblem, before anything is
    made, where a name or a group is wrong.
    """
    problems = wanted.problems(directory.pool.name_is_email)
    if problems:
        raise UserProblem(problems)
    groups = tuple(dict.fromkeys(wanted.groups))
    email = wanted.name if directory.pool.name_is_email else wanted.email
    wanted = replace(wanted, groups=groups, email=email)
    directory.raise_unless_groups(groups)
    found = directory.find(wanted.name)
    if found is not None:
        return _complete(directory, found, wanted, choice)
    if choice.permanent and email and not choice.stated:
        raise UserProblem(["--permanent goes with a password: add --password-prompt, for one"])
    return _create(directory, wanted, choice)


def _create(directory: Directory, wanted: NewUser, choice: PasswordChoice) -> Done:
    if wanted.email and not choice.stated:
        user = _made(directory, wanted, None)
        steps, password = [], {"password": "sent by e-mail"}
        about = f"Cognito invites {wanted.email} by e-mail, with a temporary password"
    else:
        secret = choice.obtain(directory.pool.passwords, wanted.name)
        with secret.kept_only_if_done():
            user = _made(directory, wanted, secret)
        secret.reveal(wanted.name)
        steps = _password_steps(directory, user, secret, wanted, choice)
        password = secret.details(choice.permanent)
        about = f"the password is set{secret.about(choice.permanent)}"
    _finish(steps + _group_steps(directory, user, wanted.groups), wanted.name)
    user = replace(user, groups=wanted.groups)
    if choice.permanent:
        user = replace(user, status="CONFIRMED")
    said = f"made user {user.called()}{_into(wanted.groups)}; {about}"
    return Done("create", user, True, said, _warnings(directory, wanted), password)


def _complete(directory: Directory, user: User, wanted: NewUser, choice: PasswordChoice) -> Done:
    """Somebody of the name is there: put into the groups that are missing, and nothing else."""
    problems = []
    if wanted.email and not _same_email(user, wanted):
        problems.append(
            f"user {user.name} exists already, with another e-mail; nothing was changed"
        )
    if choice.stated or choice.permanent:
        problems.append(
            f"user {user.name} exists already; `provision.py users set-password` gives them a new "
            "password"
        )
    if problems:
        raise UserProblem(problems)
    before = directory.groups_of(user)
    missing = tuple(group for group in wanted.groups if group not in before)
    for group in missing:
        put_into_group(directory, user, group)
    user = replace(user, groups=(*before, *missing))
    said = f"user {user.called()} exists already{_into(missing) or '; nothing to do'}"
    return Done("create", user, bool(missing), said, _warnings(directory, wanted))


def _made(directory: Directory, wanted: NewUser, secret: Secret | None) -> User:
    """One call. The user may be there by then: made by it, if its answer was lost on the way."""
    attributes = {"email": wanted.email} if wanted.email else {}
    if wanted.email_verified:
        attributes["email_verified"] = "true"
    arguments: dict[str, Any] = {
        "UserPoolId": directory.pool.id,
        "Username": wanted.name,
        "UserAttributes": [{"Name": key, "Value": value} for key, value in attributes.items()],
    }
    if secret is None:
        arguments["DesiredDeliveryMediums"] = ["EMAIL"]
    else:
        arguments |= {"MessageAction": "SUPPRESS", "TemporaryPassword": secret.text}
    try:
        return user_of(directory.cognito.admin_create_user(**arguments)["User"])
    except Exception as error:
        if error_code(error) != EXISTS:
            raise
    user = directory.find(wanted.name)
    if user is None or user.status != INVITED or not _same_email(user, wanted):
        raise UserProblem([f"user {wanted.name} was made by somebody else meanwhile; look again"])
    if secret is not None:
        put_password(directory, user, secret, permanent=False)
    return user


def _same_email(user: User, wanted: NewUser) -> bool:
    """Cognito keeps the case of an address, and most pools ignore it."""
    return user.email.lower() == (wanted.email or "").lower()


Step = tuple[str, Callable[[], None]]


def _password_steps(
    directory: Directory, user: User, secret: Secret, wanted: NewUser, choice: PasswordChoice
) -> list[Step]:
    if not choice.permanent:
        return []
    put = partial(put_password, directory, user, secret, permanent=True)
    return [(f"users set-password {wanted.name} --permanent", put)]


def _group_steps(directory: Directory, user: User, groups: tuple[str, ...]) -> list[Step]:
    return [
        (f"users add-to-group {user.name} {group}", partial(put_into_group, directory, user, group))
        for group in groups
    ]


def _finish(steps: list[Step], name: str) -> None:
    """Take the steps that follow. Raises UserProblem that names those that are left."""
    for index, (_, step) in enumerate(steps):
        try:
            step()
        except Exception as error:
            if not is_aws_error(error):
                raise
            left = "; ".join(command for command, _ in steps[index:])
            said = f"user {name} was made, and not all else: {explain(error)}; left to do: {left}"
            raise UserProblem([said]) from error


def _into(groups: tuple[str, ...]) -> str:
    if not groups:
        return ""
    return f", in {'group' if len(groups) == 1 else 'groups'} {', '.join(groups)}"


def _warnings(directory: Directory, wanted: NewUser) -> tuple[str, ...]:
    return tuple(directory.unlisted(wanted.groups)) if wanted.groups else ()
