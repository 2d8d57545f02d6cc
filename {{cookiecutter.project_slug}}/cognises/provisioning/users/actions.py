"""Changes to an existing user: each reads first, writes what is missing, and reports it.

Source: Cognito API reference, the `Admin…` operations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cognises.errors import ProvisionBlocked
from cognises.provisioning.aws import error_code
from cognises.provisioning.users.directory import NO_USER, Directory
from cognises.provisioning.users.model import INVITED, User, UserProblem, name_problems
from cognises.provisioning.users.password_source import PasswordChoice, Secret

TOKENS_STAY_VALID = "tokens issued before stay valid until they expire"
NEXT_TOKEN = "it takes effect with the next token"
# The MFA methods of AdminGetUser, and the parameter that turns each off.
MFA_SETTINGS = {
    "SOFTWARE_TOKEN_MFA": "SoftwareTokenMfaSettings",
    "SMS_MFA": "SMSMfaSettings",
    "EMAIL_OTP": "EmailMfaSettings",
}


@dataclass(frozen=True)
class ActionResult:
    """The outcome of an action. `changed` is False where there was nothing to do."""

    action: str
    user: User
    changed: bool
    message: str
    warnings: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The outcome as `--json` prints it; no password is in it."""
        return {
            "action": self.action,
            "changed": self.changed,
            "user": self.user.as_json(),
            **self.details,
            "message": self.message,
            "warnings": list(self.warnings),
        }


def delete(directory: Directory, user: User) -> ActionResult:
    """Delete a user; one that is gone already, after a repeated call, is success."""
    try:
        directory.write(directory.cognito.admin_delete_user, user.name)
    except Exception as error:
        if error_code(error) != NO_USER:
            raise
    return ActionResult(
        "delete", user, True, f"deleted user {user.display_name}; {TOKENS_STAY_VALID}"
    )


def enable(directory: Directory, name: str) -> ActionResult:
    """Allow a user to sign in."""
    return _set_enabled(directory, directory.cognito.admin_enable_user, name, True)


def disable(directory: Directory, name: str) -> ActionResult:
    """Keep a user from signing in."""
    return _set_enabled(directory, directory.cognito.admin_disable_user, name, False)


def _set_enabled(directory: Directory, call: Any, name: str, enabled: bool) -> ActionResult:
    user, action = directory.user(name), "enable" if enabled else "disable"
    if user.enabled == enabled:
        message = f"user {user.display_name} is {action}d already; nothing to do"
        return ActionResult(action, user, False, message)
    directory.write(call, user.name)
    after = "" if enabled else f": no new sign-in; {TOKENS_STAY_VALID}"
    user = replace(user, enabled=enabled)
    return ActionResult(action, user, True, f"{action}d user {user.display_name}{after}")


def sign_out(directory: Directory, name: str) -> ActionResult:
    """Revoke every refresh token of a user, on all devices."""
    user = directory.user(name)
    directory.write(directory.cognito.admin_user_global_sign_out, user.name)
    message = f"signed out user {user.display_name} everywhere; {TOKENS_STAY_VALID}"
    return ActionResult("sign-out", user, True, message)


def set_password(directory: Directory, name: str, choice: PasswordChoice) -> ActionResult:
    """Set a user's password. Raises ProvisionBlocked for users of an identity provider."""
    user = directory.user(name)
    if user.external:
        raise ProvisionBlocked(
            [
                f"user {user.name} signs in through an identity provider and has no password "
                "here; a password would bypass the provider: change it there"
            ]
        )
    secret = choice.obtain(directory.pool.minimum_password, name)
    with secret.remove_on_failure():
        put_password(directory, user, secret, permanent=choice.permanent)
    secret.reveal(name)
    message = f"user {user.display_name} has a new password{secret.note(choice.permanent)}"
    user = replace(user, status="CONFIRMED" if choice.permanent else INVITED)
    return ActionResult(
        "set-password", user, True, message, details=secret.details(choice.permanent)
    )


def resend(directory: Directory, name: str) -> ActionResult:
    """Send the invitation again, with a new temporary password. Raises UserProblem."""
    user = directory.user(name)
    if user.status != INVITED or not (user.email or user.phone):
        reason = "has no e-mail or phone number" if user.status == INVITED else "signed in already"
        raise UserProblem(
            [
                f"user {user.display_name} {reason}; set a password with "
                "`provision.py users set-password`"
            ]
        )
    # AdminCreateUser takes the e-mail or number, not the UUID, where people sign in by one.
    contacts = (user.attributes.get(each) for each in directory.pool.names)
    directory.write(
        directory.cognito.admin_create_user,
        next(filter(None, contacts), user.name),
        MessageAction="RESEND",
        DesiredDeliveryMediums=["EMAIL" if user.email else "SMS"],
    )
    message = f"sent the invitation to {user.display_name} again, with a new temporary password"
    return ActionResult("resend", user, True, message)


def set_attributes(directory: Directory, name: str, pairs: tuple[str, ...]) -> ActionResult:
    """Set attributes, given as `NAME=VALUE`. Raises UserProblem."""
    split = [pair.partition("=") for pair in pairs]
    problems = [
        f"{key or pair!r}: write NAME=VALUE, as in email_verified=true"
        for pair, (key, equals, _) in zip(pairs, split, strict=True)
        if not equals or name_problems("attribute", key)
    ]
    if problems:
        raise UserProblem(problems)
    wanted = {key: value for key, _, value in split}
    user = directory.user(name)
    changed = {key: text for key, text in wanted.items() if user.attributes.get(key) != text}
    if not changed:
        message = f"user {user.display_name} has these attributes already; nothing to do"
        return ActionResult("set-attributes", user, False, message)
    attributes = [{"Name": key, "Value": value} for key, value in changed.items()]
    write = directory.cognito.admin_update_user_attributes
    directory.write(write, user.name, UserAttributes=attributes)
    user = replace(user, attributes={**user.attributes, **changed})
    message = f"set {', '.join(changed)} of user {user.display_name}; {NEXT_TOKEN}"
    return ActionResult("set-attributes", user, True, message)


def reset_mfa(directory: Directory, name: str) -> ActionResult:
    """Remove a user's MFA methods, so that a new authenticator can be registered."""
    user = directory.user(name)
    active = [each for each in user.mfa if each in MFA_SETTINGS]
    if not active:
        message = f"user {user.display_name} has no authenticator; nothing to do"
        return ActionResult("reset-mfa", user, False, message)
    off = {MFA_SETTINGS[each]: {"Enabled": False, "PreferredMfa": False} for each in active}
    directory.write(directory.cognito.admin_set_user_mfa_preference, user.name, **off)
    message = (
        f"removed {', '.join(active)} of user {user.display_name}: the password alone signs in "
        f"until a new authenticator is registered; {TOKENS_STAY_VALID}"
    )
    return ActionResult("reset-mfa", replace(user, mfa=()), True, message)


def add_to_group(directory: Directory, name: str, group: str) -> ActionResult:
    """Put a user into a group."""
    user, groups = _with_groups(directory, name, group)
    warnings, details = tuple(directory.group_warnings([group])), {"group": group}
    if group in groups:
        message = f"user {user.display_name} is in group {group} already; nothing to do"
        return ActionResult("add-to-group", user, False, message, warnings, details)
    put_into_group(directory, user, group)
    message = f"added user {user.display_name} to group {group}; {NEXT_TOKEN}"
    user = replace(user, groups=(*groups, group))
    return ActionResult("add-to-group", user, True, message, warnings, details)


def remove_from_group(directory: Directory, name: str, group: str) -> ActionResult:
    """Take a user out of a group."""
    user, groups = _with_groups(directory, name, group)
    details = {"group": group}
    if group not in groups:
        message = f"user {user.display_name} is not in group {group}; nothing to do"
        return ActionResult("remove-from-group", user, False, message, details=details)
    directory.write(directory.cognito.admin_remove_user_from_group, user.name, GroupName=group)
    message = f"removed user {user.display_name} from group {group}; {TOKENS_STAY_VALID}"
    user = replace(user, groups=tuple(each for each in groups if each != group))
    return ActionResult("remove-from-group", user, True, message, details=details)


def put_password(directory: Directory, user: User, secret: Secret, *, permanent: bool) -> None:
    """One call; a temporary password must be changed at the next sign-in."""
    call = directory.cognito.admin_set_user_password
    directory.write(call, user.name, Password=secret.text, Permanent=permanent)


def put_into_group(directory: Directory, user: User, group: str) -> None:
    """One call; harmless where the user is a member already."""
    directory.write(directory.cognito.admin_add_user_to_group, user.name, GroupName=group)


def _with_groups(directory: Directory, name: str, group: str) -> tuple[User, tuple[str, ...]]:
    """The user and their groups. Raises UserProblem with what is wrong with both names."""
    problems = name_problems("group", group) or directory.group_problems([group])
    try:
        user = directory.user(name)
    except UserProblem as error:
        raise UserProblem([*error.problems, *problems]) from None
    if problems:
        raise UserProblem(problems)
    groups = directory.groups_of(user)
    return replace(user, groups=groups), groups
