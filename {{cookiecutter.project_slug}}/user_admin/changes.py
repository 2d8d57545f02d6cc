"""What can be changed of a user, made in AWS with the rights of the administrator who asks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import abort
from werkzeug.exceptions import Conflict, HTTPException

from cognises.aws import user_client
from cognises.errors import printable
from cognises.users import INVITED, User, is_email, name_problems
from cognises.web.authorize import current_user
from user_admin.rights import is_powerful, manifest, pool

_UNDO = "another administrator must undo it."
# What AWS answers that is not about rights, by its code; any other is a 400 with AWS's own text.
_ANSWERS = {
    "UserNotFoundException": (404, "The user pool has no such user."),
    "ResourceNotFoundException": (404, "The pool has no such group; run `provision.py apply`."),
    "NoSuchBucket": (409, "COGNISES_FILES_BUCKET names no bucket; run `provision.py bootstrap`."),
    "UnsupportedUserStateException": (409, "This user has signed in already, or cannot."),
    "UsernameExistsException": (409, "There is a user with this e-mail address already."),
}


@dataclass(frozen=True)
class Change:
    """One change: its texts, its call, and a warning about changes of the own account."""

    label: str
    effect: str
    method: str
    own: str = ""
    needs_group: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def action(self) -> str:
        """The IAM action, which has the name of the call."""
        return f"cognito-idp:{self.method.title().replace('_', '').replace('Mfa', 'MFA')}"

    def make(self, user: User, groups: Iterable[str]) -> User:
        """Make it, and return the user; to repeat it does no harm."""
        # People who sign in by e-mail have a UUID as name; AdminCreateUser takes the e-mail.
        is_by_email = self is RESEND and user.name == user.attributes.get("sub")
        name, calls = (is_by_email and user.email) or user.name, self
        if self is INVITE:
            user, calls = _invited(user), CHANGES["add"]
            name = user.name
        for group in groups if calls.needs_group else [""]:
            given = {"GroupName": group} if group else calls.arguments
            call(calls.method, Username=name, **given)
        return user


INVITE = Change("Invite", "is invited by e-mail", "admin_create_user")
RESEND = Change(
    "Invite again", "gets a new temporary password by e-mail", "admin_create_user",
    arguments={"MessageAction": "RESEND", "DesiredDeliveryMediums": ["EMAIL"]},
)  # fmt: skip
CHANGES = {
    "invite": INVITE,
    "resend": RESEND,
    "add": Change("Add to group", "gets the rights of the group with the next token",
                  "admin_add_user_to_group", needs_group=True,
                  own=f"If this group comes before yours, its AWS role replaces yours: {_UNDO}"),
    "remove": Change("Remove from group", "loses the rights of the group with the next token",
                     "admin_remove_user_from_group", needs_group=True,
                     own=f"You may lose these pages and your AWS role: {_UNDO}"),
    "sign-out": Change("Sign out everywhere", "must sign in again everywhere",
                       "admin_user_global_sign_out", own="Your own sessions end, too."),
    "reset-mfa": Change("Reset authenticator", "signs in by password alone until an authenticator "
                        "is registered again", "admin_set_user_mfa_preference",
                        own="Your password alone signs in until you register one again.",
                        arguments={"SoftwareTokenMfaSettings": {"Enabled": False},
                                   "SMSMfaSettings": {"Enabled": False}}),
    "disable": Change("Disable", "cannot sign in any more", "admin_disable_user",
                      own=f"You cannot sign in again: {_UNDO}"),
    "enable": Change("Enable", "can sign in again", "admin_enable_user"),
}  # fmt: skip


def offered(user: User) -> list[str]:
    """The changes, but those of groups, that make sense for a user."""
    found = {"resend": user.status == INVITED, "sign-out": True, "reset-mfa": bool(user.mfa),
             "disable": user.enabled, "enable": not user.enabled}  # fmt: skip
    return [name for name, makes_sense in found.items() if makes_sense]


def call(method: str, service: str = "cognito-idp", **arguments: Any) -> Any:
    """Call AWS as the administrator, in the pool. Raises HTTPException for what AWS refuses."""
    from cognises.aws.sessions import ParamValidationError  # imports boto3: on first use

    client = user_client(service)
    if service == "cognito-idp":
        arguments["UserPoolId"] = pool().id
    try:
        return getattr(client, method)(**arguments)
    except HTTPException:
        raise  # about rights, or throttled: it has its own answer
    except ParamValidationError as error:
        abort(400, printable(f"AWS does not take this input: {error}"))
    except client.exceptions.ClientError as error:
        found = error.response["Error"]
        text = f"AWS refuses it: {found.get('Code')}: {found.get('Message')}"
        abort(*_ANSWERS.get(found.get("Code"), (400, printable(text))))


def find(name: str) -> User:
    """The user of Cognito's own name: no alias, which any user can claim. Raises NotFound."""
    found = User.of(call("admin_get_user", Username=name))
    return found if found.name == name else abort(404, "The user pool has no such user.")


def groups_of(user: User) -> list[str]:
    """The names of a user's groups; one call for sixty of them."""
    names: list[str] = []
    more: dict[str, str] = {}
    while True:
        found = call("admin_list_groups_for_user", Username=user.name, Limit=60, **more)
        names += [str(each["GroupName"]) for each in found["Groups"]]
        if not (token := found.get("NextToken")):
            return names
        more = {"NextToken": token}


def _invited(user: User) -> User:
    """Create a user, or find the one who was invited before and has not signed in.

    The invitation goes to the address, so a user who signs in with it has the address.
    """
    verified = {"email": user.name, "email_verified": "true"}
    attributes = [{"Name": name, "Value": value} for name, value in verified.items()]
    try:
        found = call("admin_create_user", Username=user.name, UserAttributes=attributes,
                     DesiredDeliveryMediums=["EMAIL"])["User"]  # fmt: skip
    except Conflict:
        found = call("admin_get_user", Username=user.name)
        if found.get("UserStatus") != INVITED:
            raise
    return User.of(found)


def input_problems(change: Change, name: str, groups: tuple[str, ...]) -> list[str]:
    """Everything that is wrong with a form's user and groups, before AWS is asked."""
    found = name_problems("e-mail address" if change is INVITE else "user name", name)
    if change is INVITE and not found and not is_email(name):
        found.append(f"{name} is no e-mail address")
    if change.needs_group and len(groups) != 1:
        found.append("group: name one")
    known = [group.name for group in manifest()]
    for group in groups:
        found += name_problems("group", group)
        if change is not CHANGES["remove"] and group not in known:
            found.append(f"groups.json has no group {group[:128]}")
    return found


def warning(change: Change, user: User, groups: Iterable[str]) -> str:
    """What must be understood before a change: it takes own rights, or gives much power."""
    texts = [f"This is your own account. {change.own}"] if change.own and is_own(user) else []
    gives = [each.name for each in manifest() if each.name in groups and is_powerful(each)]
    if gives and change is not CHANGES["remove"]:
        texts.append(f"Members of {', '.join(gives)} can take the rights of every group.")
    return " ".join(texts)


def is_own(user: User) -> bool:
    """Whether the administrator is this user."""
    return current_user.sub in (user.name, user.attributes.get("sub"))
