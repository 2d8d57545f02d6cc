"""Who a request is from: the original's response mapping, with attributes for the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from cognises.errors import ANSWERS
from cognises.tokens.claims import TokenClaims, scopes_of

_NO_CLAIMS: Mapping[str, Any] = MappingProxyType({})
_KEYS = ("status", "message", "user_email", "user_group")

Can = Callable[[tuple[str, ...], str], bool]


def cannot(groups: tuple[str, ...], name: str) -> bool:
    """The answer where no manifest speaks of the user."""
    return False


class Principal(Mapping[str, Any]):
    """What a view receives. Read-only; keys as in the original package.

    Keys: `status` (200, or 401 where nobody signed in), `message`, `user_email` (None for access
    tokens), `user_group` (a fresh list). Attributes: `claims`, `groups`, `username`, `sub`,
    `scopes`, `email_verified`, `is_authenticated`, and `can(name)`.
    """

    __slots__ = ("_can", "_token")

    def __init__(
        self, claims: Mapping[str, Any] | TokenClaims = _NO_CLAIMS, can: Can = cannot
    ) -> None:
        self._token = claims if isinstance(claims, TokenClaims) else TokenClaims(claims)
        self._can = can

    @property
    def claims(self) -> Mapping[str, Any]:
        return self._token.claims

    @property
    def groups(self) -> tuple[str, ...]:
        return self._token.groups

    def can(self, name: str) -> bool:
        """Whether the manifest lists `name` for any of this user's groups."""
        return self._can(self._token.groups, name)

    @property
    def is_authenticated(self) -> bool:
        return bool(self._token.payload)

    @property
    def sub(self) -> str | None:
        """The user's id for life. Key your data on this, not on an e-mail address."""
        return self._text("sub")

    @property
    def username(self) -> str | None:
        return self._text("cognito:username") or self._text("username")

    @property
    def email(self) -> str | None:
        return self._text("email") if self._token.use == "id" else None

    @property
    def email_verified(self) -> bool:
        value = self._token.payload.get("email_verified")
        return value is True or value == "true"

    @property
    def scopes(self) -> frozenset[str]:
        return scopes_of(self._token.payload)

    def _text(self, name: str) -> str | None:
        value = self._token.payload.get(name)
        return value if isinstance(value, str) else None

    def __getitem__(self, key: str) -> Any:
        if key == "status":
            return 200 if self.is_authenticated else 401
        if key == "message":
            signed_in = self.is_authenticated
            return "Validation successful" if signed_in else ANSWERS["missing_token"].message
        if key == "user_email":
            return self.email
        if key == "user_group":
            return list(self._token.groups)
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(_KEYS)

    def __len__(self) -> int:
        return len(_KEYS)

    # Two requests of one user are two principals; and no claim is shown by accident.
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def __repr__(self) -> str:
        return f"<Principal {'signed in' if self.is_authenticated else 'anonymous'}>"


ANONYMOUS = Principal()
