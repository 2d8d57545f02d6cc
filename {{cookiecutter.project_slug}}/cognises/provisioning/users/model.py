"""A user and a pool as frozen data, and the names that Cognito takes. Pure.

Source: Cognito API reference, UserType, AdminGetUser, UserPoolType.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cognises.errors import ProblemsError

EXTERNAL = "EXTERNAL_PROVIDER"
INVITED = "FORCE_CHANGE_PASSWORD"
LONGEST_NAME = 128
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_PHONE = re.compile(r"\+[0-9]{5,15}", re.ASCII)  # E.164


class UserProblem(ProblemsError):
    """A name that does not exist, or an action that is not possible; one line each."""


@dataclass(frozen=True)
class User:
    """One user. `name` is Cognito's username: a UUID where people sign in by e-mail or phone."""

    name: str
    status: str
    enabled: bool
    attributes: Mapping[str, str]
    created: str = ""
    mfa: tuple[str, ...] = ()
    groups: tuple[str, ...] | None = None  # None: not read

    @property
    def email(self) -> str:
        return self.attributes.get("email", "")

    @property
    def phone(self) -> str:
        return self.attributes.get("phone_number", "")

    @property
    def external(self) -> bool:
        """Whether the user signs in through an identity provider and has no password here."""
        return self.status == EXTERNAL

    @property
    def display_name(self) -> str:
        """The name, with the e-mail or phone number where that says more."""
        contact = self.email or self.phone
        return f"{self.name} ({contact})" if contact not in ("", self.name) else self.name

    def is_verified(self, attribute: str) -> bool:
        return self.attributes.get(f"{attribute}_verified", "").lower() == "true"

    def as_json(self) -> dict[str, Any]:
        """The user as `--json` prints it."""
        found: dict[str, Any] = {
            "username": self.name,
            "email": self.email or None,
            "email_verified": self.is_verified("email"),
            "phone_number": self.phone or None,
            "status": self.status,
            "enabled": self.enabled,
            "created": self.created or None,
        }
        return found if self.groups is None else {**found, "groups": list(self.groups)}

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> User:
        """From ListUsers (`Attributes`), AdminCreateUser or AdminGetUser (`UserAttributes`)."""
        pairs = answer.get("Attributes") or answer.get("UserAttributes") or ()
        created = answer.get("UserCreateDate")
        return cls(
            name=str(answer["Username"]),
            status=str(answer.get("UserStatus", "UNKNOWN")),
            enabled=bool(answer.get("Enabled", True)),
            attributes={str(each["Name"]): str(each.get("Value", "")) for each in pairs},
            created=created.isoformat(timespec="seconds") if created else "",
            mfa=tuple(answer.get("UserMFASettingList") or ()),
        )


@dataclass(frozen=True)
class Pool:
    """How one pool names its users. `names` are the attributes that people sign in by.

    Aliases are not among them: in a pool of user names anybody may claim somebody else's e-mail.
    """

    id: str
    names: tuple[str, ...] = ()
    minimum_password: int = 8
    estimated_users: int = 0

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Pool:
        """From DescribeUserPool."""
        policy = (answer.get("Policies") or {}).get("PasswordPolicy") or {}
        return cls(
            id=str(answer["Id"]),
            names=tuple(answer.get("UsernameAttributes") or ()),
            minimum_password=int(policy.get("MinimumLength", 8)),
            estimated_users=int(answer.get("EstimatedNumberOfUsers") or 0),
        )

    def is_named(self, user: User, name: str) -> bool:
        """Whether a name is this user's and no other's; an alias is not."""
        found = {user.name, user.attributes.get("sub", "")}
        found |= {user.attributes.get(each, "") for each in self.names}
        return name.casefold() in {each.casefold() for each in found}

    def attribute_of(self, name: str) -> str | None:
        """The attribute that a name is in this pool; None in a pool of user names."""
        shapes = {"email": is_email, "phone_number": is_phone}
        return next((each for each in self.names if shapes[each](name)), None)


def name_problems(what: str, name: str) -> list[str]:
    """Why Cognito cannot take a name: it takes letters, marks, symbols, numbers, punctuation."""
    if not name:
        return [f"the {what} is empty"]
    if len(name) > LONGEST_NAME:
        return [f"the {what} has {len(name)} characters; Cognito takes {LONGEST_NAME}"]
    if any(unicodedata.category(each)[0] not in "LMSNP" for each in name):
        return [f"{what} {name!r} has a space or a control character in it; names have none"]
    return []


def is_email(text: str) -> bool:
    """Whether a text has the form of an e-mail address."""
    return bool(_EMAIL.fullmatch(text)) and not name_problems("e-mail", text)


def is_phone(text: str) -> bool:
    """Whether a text has the form of a phone number: +15550100."""
    return bool(_PHONE.fullmatch(text))
