"""What there is to know about users, as frozen data: a person, and how their pool signs them in.

Source: Cognito API reference, UserType, AdminGetUser, UserPoolType.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cognises.errors import ProblemsError
from cognises.provisioning.users.passwords import PasswordPolicy

EXTERNAL = "EXTERNAL_PROVIDER"
LONGEST_NAME = 128
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


class UserProblem(ProblemsError):
    """A name that is not there, or something that cannot be done to it; one line each."""


@dataclass(frozen=True)
class User:
    """One user of a pool. `name` is Cognito's username: a UUID where people sign in by e-mail."""

    name: str
    status: str
    enabled: bool
    email: str = ""
    email_verified: bool = False
    created: str = ""
    groups: tuple[str, ...] | None = None  # None: not asked for
    sub: str = ""

    @property
    def names(self) -> frozenset[str]:
        """What names this user and nobody else, in small letters; an alias is not among it."""
        return frozenset({self.name.casefold(), self.sub.casefold()})

    @property
    def external(self) -> bool:
        """Whether an identity provider vouches for the user, who has no password here."""
        return self.status == EXTERNAL

    def called(self) -> str:
        """The name, with the e-mail where that says more."""
        return f"{self.name} ({self.email})" if self.email not in ("", self.name) else self.name

    def as_json(self) -> dict[str, Any]:
        """The user as the `--json` outputs have it."""
        found: dict[str, Any] = {
            "username": self.name,
            "email": self.email or None,
            "email_verified": self.email_verified,
            "status": self.status,
            "enabled": self.enabled,
            "created": self.created or None,
        }
        return found if self.groups is None else {**found, "groups": list(self.groups)}


@dataclass(frozen=True)
class Pool:
    """How one pool names its users, and what it asks of passwords."""

    id: str
    name_is_email: bool
    found_by_email: bool
    passwords: PasswordPolicy


def user_of(answer: Mapping[str, Any]) -> User:
    """A user from ListUsers (`Attributes`), AdminCreateUser or AdminGetUser (`UserAttributes`)."""
    pairs = answer.get("Attributes") or answer.get("UserAttributes") or ()
    attributes = {str(each["Name"]): str(each.get("Value", "")) for each in pairs}
    created = answer.get("UserCreateDate")
    return User(
        name=str(answer["Username"]),
        status=str(answer.get("UserStatus", "UNKNOWN")),
        enabled=bool(answer.get("Enabled", True)),
        email=attributes.get("email", ""),
        email_verified=attributes.get("email_verified", "").lower() == "true",
        created=created.isoformat(timespec="seconds") if created else "",
        sub=attributes.get("sub", ""),
    )


def pool_of(answer: Mapping[str, Any]) -> Pool:
    """The facts of a pool from DescribeUserPool."""
    signs_in_by = answer.get("UsernameAttributes") or ()
    return Pool(
        id=str(answer["Id"]),
        name_is_email="email" in signs_in_by and "phone_number" not in signs_in_by,
        # Not where the e-mail is an alias: there anybody may claim one that is not theirs.
        found_by_email="email" in signs_in_by,
        passwords=PasswordPolicy.parse((answer.get("Policies") or {}).get("PasswordPolicy")),
    )


def name_problems(what: str, name: str) -> list[str]:
    """Why Cognito can have nothing of this name: letters, marks, symbols, numbers, punctuation."""
    if not name:
        return [f"the {what} is empty"]
    if len(name) > LONGEST_NAME:
        return [f"the {what} has {len(name)} characters; Cognito takes {LONGEST_NAME}"]
    odd = next((each for each in name if unicodedata.category(each)[0] not in "LMSNP"), None)
    if odd is not None:
        return [f"{what} {name!r} has a space or a control character in it; names have none"]
    return []


def is_email(text: str) -> bool:
    """Whether a text has the form of an e-mail address; whether mail arrives is not known here."""
    return bool(_EMAIL.fullmatch(text)) and not name_problems("e-mail", text)


def matching_names(wrong: str, names: Iterable[str]) -> str:
    """A hint for somebody who mistyped: the nearest names, else a few of them."""
    from difflib import get_close_matches

    known = sorted(names)
    close = get_close_matches(wrong, known, n=1)
    if close:
        return f"did you mean {close[0]}?"
    if not known:
        return "there is none yet"
    shown = ", ".join(known[:10])
    return f"there are: {shown}" + (f" and {len(known) - 10} more" if len(known) > 10 else "")
