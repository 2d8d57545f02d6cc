"""What is done to a user who is there: each looks first, writes what is missing, and says it.

Source: Cognito API reference, the `Admin…` operations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cognises.errors import ProvisionBlocked
from cognises.provisioning.aws import error_code
from cognises.provisioning.users.directory import NO_USER, Directory
from cognises.provisioning.users.person import User, UserProblem, name_problems
from cognises.provisioning.users.secrets import PasswordChoice, Secret

TOKENS_LIVE_ON = "tokens handed out before stay good until they expire"
NEXT_TOKEN = "it counts from the next token on"


@dataclass(frozen=True)
class Done:
    """What an action came to. `changed` is False where there was nothing to do."""

    action: str
    user: User
    changed: bool
    said: str
    warnings: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The outcome as `--json` prints it; no password is in it."""
        return {
            "action": self.action,
            "changed": self.changed,
            "user": self.user.as_json(),
            **self.details,
            "message": self.said,
            "warnings": list(self.warnings),
        }


def delete(directory: Directory, user: User) -> Done:
    """Delete a user; a lost answer that botocore repeats finds the user gone: that is success."""
    try:
        directory.cognito.admin_delete_user(**who(directory, user))
    except Exception as error:
        if error_code(error) != NO_USER:
            raise
    return Done("delete", user, True, f"deleted user {user.called()}; {TOKENS_LIVE_ON}")


def set_enabled(directory: Directory, name: str, enabled: bool) -> Done:
    """Let a user sign in, or not any more."""
    user = directory.user(name)
    action, word = ("enable", "enabled") if enabled else ("disable", "disabled")
    if user.enabled == enabled:
        return Done(action, user, False, f"user {user.called()} is {word} already; nothing to do")
    call = directory.cognito.admin_enable_user if enabled else directory.cognito.admin_disable_user
    call(**who(directory, user))
    after = "" if enabled else f": no new sign-in; {TOKENS_LIVE_ON}"
    user = replace(user, enabled=enabled)
    return Done(action, user, True, f"{word} user {user.called()}{after}")


def sign_out(directory: Directory, name: str) -> Done:
    """Revoke every refresh token of a user, on all devices."""
    user = directory.user(name)
    directory.cognito.admin_user_global_sign_out(**who(directory, user))
    said = f"signed user {user.called()} out everywhere: no token is renewed; {TOKENS_LIVE_ON}"
    return Done("sign-out", user, True, said)


def set_password(directory: Directory, name: str, choice: PasswordChoice) -> Done:
    """Give a user a new password. Raises ProvisionBlocked for users of an identity provider."""
    user = directory.user(name)
    if user.external:
        raise ProvisionBlocked(
            [
                f"user {user.name} signs in through an identity provider and has no password "
                "here; one would let them in past it: change it there"
            ]
        )
    secret = choice.obtain(directory.pool.passwords, name)
    with secret.kept_only_if_done():
        put_password(directory, user, secret, permanent=choice.permanent)
    secret.reveal(name)
    said = f"user {user.called()} has a new password{secret.about(choice.permanent)}"
    user = replace(user, status="CONFIRMED" if choice.permanent else "FORCE_CHANGE_PASSWORD")
    return Done("set-password", user, True, said, details=secret.details(choice.permanent))


def add_to_group(directory: Directory, name: str, group: str) -> Done:
    """Put a user into a group."""
    user, groups = _with_groups(directory, name, group)
    warnings = tuple(directory.unlisted([group]))
    details = {"group": group}
    if group in groups:
        said = f"user {user.called()} is in group {group} already; nothing to do"
        return Done("add-to-group", user, False, said, warnings, details)
    put_into_group(directory, user, group)
    said = f"added user {user.called()} to group {group}; {NEXT_TOKEN}"
    user = replace(user, groups=(*groups, group))
    return Done("add-to-group", user, True, said, warnings, details)


def remove_from_group(directory: Directory, name: str, group: str) -> Done:
    """Take a user out of a group."""
    user, groups = _with_groups(directory, name, group)
    details = {"group": group}
    if group not in groups:
        said = f"user {user.called()} is not in group {group}; nothing to do"
        return Done("remove-from-group", user, False, said, details=details)
    directory.cognito.admin_remove_user_from_group(**who(directory, user), GroupName=group)
    said = f"took user {user.called()} out of group {group}; {TOKENS_LIVE_ON}"
    user = replace(user, groups=tuple(each for each in groups if each != group))
    return Done("remove-from-group", user, True, said, details=details)


def put_password(directory: Directory, user: User, secret: Secret, *, permanent: bool) -> None:
    """One call; a temporary password must be changed at the next sign-in."""
    directory.cognito.admin_set_user_password(
        **who(directory, user), Password=secret.text, Permanent=permanent
    )


def put_into_group(directory: Directory, user: User, group: str) -> None:
    """One call; harmless where the user is a member already."""
    directory.cognito.admin_add_user_to_group(**who(directory, user), GroupName=group)


def who(directory: Directory, user: User) -> dict[str, str]:
    """The arguments that name a user, by Cognito's own name and not by what was typed."""
    return {"UserPoolId": directory.pool.id, "Username": user.name}


def _with_groups(directory: Directory, name: str, group: str) -> tuple[User, tuple[str, ...]]:
    """The user and their groups, told together what is wrong with both names."""
    problems = name_problems("group", group)
    user = None
    try:
        user = directory.user(name)
    except UserProblem as error:
        problems += error.problems
    if not name_problems("group", group):
        try:
            directory.raise_unless_groups([group])
        except UserProblem as error:
            problems += error.problems
    if user is None or problems:
        raise UserProblem(problems)
    groups = directory.groups_of(user)
    return replace(user, groups=groups), groups
