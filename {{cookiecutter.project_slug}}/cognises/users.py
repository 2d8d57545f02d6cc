"""One user of a pool as Cognito returns it, and the names and filters that Cognito takes."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

INVITED = "FORCE_CHANGE_PASSWORD"  # the status of a user who has never signed in


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

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> "User":
        """From ListUsers (`Attributes`), AdminCreateUser or AdminGetUser (`UserAttributes`)."""
        pairs = answer.get("Attributes") or answer.get("UserAttributes") or ()
        created = answer.get("UserCreateDate")
        return cls(
            str(answer["Username"]),
            str(answer.get("UserStatus", "UNKNOWN")),
            bool(answer.get("Enabled", True)),
            {str(each["Name"]): str(each.get("Value", "")) for each in pairs},
            created=created.isoformat(timespec="seconds") if created else "",
            mfa=tuple(answer.get("UserMFASettingList") or ()),
        )

    @property
    def email(self) -> str:
        return self.attributes.get("email", "")

    @property
    def contact(self) -> str:
        return self.email or self.attributes.get("phone_number", "")

    def __str__(self) -> str:
        return f"{self.name} ({self.contact})" if self.contact not in ("", self.name) else self.name

    def is_verified(self, attribute: str) -> bool:
        return self.attributes.get(f"{attribute}_verified", "").lower() == "true"

    def as_json(self) -> dict[str, Any]:
        groups = {} if self.groups is None else {"groups": list(self.groups)}
        return {
            "username": self.name, "email": self.email or None,
            "email_verified": self.is_verified("email"),
            "phone_number": self.attributes.get("phone_number") or None,
            "status": self.status, "enabled": self.enabled, "created": self.created or None,
            **groups,
        }  # fmt: skip


def name_problems(what: str, name: str) -> list[str]:
    """Why Cognito cannot take a name: it takes letters, marks, symbols, numbers, punctuation."""
    if not name:
        return [f"the {what} is empty"]
    if len(name) > 128:
        return [f"the {what} has {len(name)} characters; Cognito takes 128"]
    if any(unicodedata.category(each)[0] not in "LMSNP" for each in name):
        return [f"{what} {name!r} has a space or a control character in it; names have none"]
    return []


def is_email(text: str) -> bool:
    return bool(re.fullmatch(r"[^@\s]+@[^@\s]+", text)) and not name_problems("e-mail", text)


def is_phone(text: str) -> bool:
    return bool(re.fullmatch(r"\+[0-9]{5,15}", text))  # E.164


def filter_by(attribute: str, value: str, comparison: str = "=") -> str:
    """The `Filter` of ListUsers for an attribute that equals a value, or starts with it (`^=`)."""
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{attribute} {comparison} "{quoted}"'
