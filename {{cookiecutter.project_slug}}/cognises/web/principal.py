"""Who a request is from, as the original's response mapping, and the decision about it. Pure."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, NamedTuple

from cognises.errors import ANSWERS
from cognises.tokens.claims import FrozenDict, TokenClaims, scopes_of

_NO_CLAIMS: Mapping[str, Any] = MappingProxyType({})
_SIGNED_IN = {"status": 200, "message": "Validation successful"}
_ANONYMOUS = {"status": 401, "message": ANSWERS["missing_token"].message}

_NO_SCOPES: frozenset[str] = frozenset()
# Of this process and its forks: what is printed of a principal says nothing to anyone else.
_PRINT_KEY = os.urandom(32)

Can = Callable[[tuple[str, ...], str, frozenset[str]], bool]


def cannot(groups: tuple[str, ...], name: str, machine_scopes: frozenset[str]) -> bool:
    """The answer where no manifest names the principal's groups."""
    return False


class Principal(FrozenDict):
    """What a view receives. Read-only; keys as in the original package.

    Keys: `status` (200, or 401 without a credential), `message`, `user_email` (None for access
    tokens), `user_group` (a fresh list). Attributes: `claims`, `groups`, `username`, `sub`,
    `scopes`, `email_verified`, `is_authenticated`, `is_machine`, `token`, and `can(name)`.

    `json`, `jsonify` and `pickle` see a dict with these keys, and nothing of the token. Two users
    differ in `repr`, `str` and `hash`, as caches need it; none of them shows a claim.
    """

    __slots__ = ("_can", "_credential", "_print", "_token")

    _print: str

    def __init__(
        self,
        claims: Mapping[str, Any] | TokenClaims = _NO_CLAIMS,
        can: Can = cannot,
        token: str | None = None,
    ) -> None:
        self._token = found = claims if isinstance(claims, TokenClaims) else TokenClaims(claims)
        self._can = can
        self._credential = token
        email = found.payload.get("email") if found.use == "id" else None
        super().__init__(
            _SIGNED_IN if found.payload else _ANONYMOUS,
            user_email=email if isinstance(email, str) else None,
            user_group=found.groups,
        )

    @property
    def claims(self) -> Mapping[str, Any]:
        return self._token.claims

    @property
    def token(self) -> str | None:
        """The raw token, for calls in the user's name; None for a principal without one."""
        return self._credential

    @property
    def groups(self) -> tuple[str, ...]:
        return self._token.groups

    def can(self, name: str) -> bool:
        """Whether the manifest lists `name` for any of this principal's groups or scopes."""
        return self._can(self._token.groups, name, self.machine_scopes)

    @property
    def is_authenticated(self) -> bool:
        return bool(self._token.payload)

    @property
    def is_machine(self) -> bool:
        """Whether a client got this access token for itself (RFC 6749, section 4.4)."""
        return self._token.is_machine

    @property
    def machine_scopes(self) -> frozenset[str]:
        """The scopes that make a machine a member of manifest entries; none for a user."""
        return self.scopes if self._token.is_machine else _NO_SCOPES

    @property
    def sub(self) -> str | None:
        """The user's id for life. Key your data on this, not on an e-mail address."""
        return self._text("sub")

    @property
    def username(self) -> str | None:
        return self._text("cognito:username") or self._text("username")

    @property
    def email(self) -> str | None:
        """As an ID token has it; an access token names none."""
        email: str | None = self["user_email"]
        return email

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
        value = super().__getitem__(key)
        return list(value) if key == "user_group" else value

    # A dict's own would read the stored values, and dict(principal) with a dict's own __iter__.
    get = Mapping.get  # type: ignore[assignment]
    items, values = Mapping.items, Mapping.values  # type: ignore[assignment]

    def __iter__(self) -> Iterator[str]:
        return super().__iter__()

    # Two requests of one user are two principals. `current_user` compares as what it stands for.
    def __eq__(self, other: object) -> bool:
        return True if self is other else NotImplemented

    __ne__ = object.__ne__

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(self._fingerprint)

    def __repr__(self) -> str:
        return f"<Principal {self._fingerprint}>"

    @property
    def _fingerprint(self) -> str:
        """The same for one token, another for every other; it shows nothing of either."""
        if not self.is_authenticated:
            return "anonymous"
        try:
            return self._print
        except AttributeError:
            secret = (self._credential or "").encode() or os.urandom(32)
            self._print = blake2b(secret, key=_PRINT_KEY, digest_size=16).hexdigest()
            return self._print

    def __copy__(self) -> Principal:
        return self

    def __deepcopy__(self, memo: object) -> Principal:
        return self


ANONYMOUS = Principal()


class OpenTo(NamedTuple):
    """Who may use a function: users by their groups, machines by their scopes."""

    groups: frozenset[str]
    scopes: frozenset[str] = frozenset()


class Decision(NamedTuple):
    """Whether a principal may use a view, and the reason in fixed words, for a log."""

    allowed: bool
    reason: str


_ALLOWED = Decision(True, "a group lists it")
_ALLOWED_MACHINE = Decision(True, "a manifest entry with one of the scopes lists it")
_NO_GROUP = Decision(False, "the user is in no group")
_UNLISTED = Decision(False, "no group of the user lists it")


def decide(
    groups: tuple[str, ...], open_to: OpenTo, machine_scopes: frozenset[str] = frozenset()
) -> Decision:
    """The decision for a user in `groups`, or a machine with `machine_scopes`. Default: denied."""
    if not open_to.groups.isdisjoint(groups):
        return _ALLOWED
    if not open_to.scopes.isdisjoint(machine_scopes):
        return _ALLOWED_MACHINE
    return _UNLISTED if groups else _NO_GROUP
