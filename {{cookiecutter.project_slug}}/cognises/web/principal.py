"""Who a request is from, as the original's response mapping, and what that one may do. Pure."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from cognises.errors import ANSWERS
from cognises.manifest import Group
from cognises.tokens.claims import FrozenDict, TokenClaims, scopes_of

Can = Callable[[tuple[str, ...], str, frozenset[str]], bool]
_NO_CLAIMS: Mapping[str, Any] = MappingProxyType({})
_NONE: frozenset[str] = frozenset()
_SIGNED_IN = {"status": 200, "message": "Validation successful"}
_ANONYMOUS = {"status": 401, "message": ANSWERS["missing_token"].message}
# Of this process and its forks: what is printed of a principal says nothing elsewhere.
_PRINT_KEY = os.urandom(32)


class Principal(FrozenDict):
    """What a view receives. Read-only; keys as in the original package.
    Keys: `status` (200, or 401 without a credential), `message`, `user_email` (None for access
    tokens), `user_group` (a fresh list). Attributes: `claims`, `groups`, `username`, `sub`,
    `scopes`, `email_verified`, `is_authenticated`, `is_machine`, `token`, and `can(name)`.
    `json`, `jsonify` and `pickle` see a dict with these keys, and nothing of the token. Two users
    differ in `repr`, `str` and `hash`, as caches need it; none of them shows a claim.
    """

    __slots__ = ("_can", "_credential", "_print", "_token")

    def __init__(
        self, claims: Mapping[str, Any] | TokenClaims = _NO_CLAIMS, can: Can | None = None,
        token: str | None = None,
    ) -> None:  # fmt: skip
        self._token = found = claims if isinstance(claims, TokenClaims) else TokenClaims(claims)
        self._can, self._credential = can, token
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
        return self._can is not None and self._can(self.groups, name, self.machine_scopes)

    @property
    def is_authenticated(self) -> bool:
        return bool(self._token.payload)

    @property
    def is_machine(self) -> bool:
        """Whether a client got this access token for itself (RFC 6749, section 4.4)."""
        return self._token.is_machine

    @property
    def machine_scopes(self) -> frozenset[str]:
        """A machine's scopes, which count like groups; none for a user."""
        return self.scopes if self._token.is_machine else _NONE

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
        return cast("str | None", self["user_email"])

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
        if not hasattr(self, "_print"):
            secret = (self._credential or "").encode() or os.urandom(32)
            self._print = blake2b(secret, key=_PRINT_KEY, digest_size=16).hexdigest()
        return self._print

    def __copy__(self, memo: object = None) -> "Principal":
        return self

    __deepcopy__ = __copy__


ANONYMOUS = Principal()


class OpenTo(NamedTuple):
    """Who may use a function: users by their groups, machines by their scopes."""

    groups: frozenset[str]
    scopes: frozenset[str] = frozenset()


class Decision(NamedTuple):
    """Whether a principal may use a view, and the reason in fixed words, for a log."""

    allowed: bool
    reason: str


def decide(groups: tuple[str, ...], open_to: OpenTo, scopes: frozenset[str] = _NONE) -> Decision:
    """The decision for a user in `groups`, or a machine with `scopes`. Default: denied."""
    if not open_to.groups.isdisjoint(groups):
        return Decision(True, "a group lists it")
    if not open_to.scopes.isdisjoint(scopes):
        return Decision(True, "a manifest entry with one of the scopes lists it")
    return Decision(False, "no group of the user lists it" if groups else "the user is in no group")


class Permissions:
    """The manifest inverted, from a function's name to its groups. Equal manifests are equal."""

    def __init__(self, groups: Iterable[Group]) -> None:
        index: dict[str, set[str]] = {}
        scopes: dict[str, set[str]] = {}
        for group in groups:
            scopes.setdefault(group.name, set()).update(group.scopes)
            for name in group.allowed_functions:
                index.setdefault(name, set()).add(group.name)
        self.names = frozenset(index)  # every entry of every `allowed_functions`
        self._index = {name: frozenset(names) for name, names in index.items()}
        self._scopes = {name: frozenset(each) for name, each in scopes.items() if each}
        self._key = (frozenset(self._index.items()), frozenset(self._scopes.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Permissions) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def open_to(
        self, name: str | None, endpoint: str | None = None, ambiguous: frozenset[str] = _NONE
    ) -> OpenTo:
        """Who may use a view, by name, endpoint, blueprints or `*`, but by no `ambiguous` entry."""
        entries = {"*", *([name] if name else ()), *endpoint_entries(endpoint)} - ambiguous
        groups = frozenset().union(*(self._index.get(entry, ()) for entry in entries))
        return OpenTo(groups, frozenset().union(*(self._scopes.get(g, ()) for g in groups)))


def endpoint_entries(endpoint: str | None) -> list[str]:
    """Manifest entries that match an endpoint: itself, and each blueprint that contains it.

    >>> endpoint_entries("admin.reports.monthly")
    ['admin.reports.monthly', 'admin.*', 'admin.reports.*']
    """
    if not endpoint:
        return []
    parts = endpoint.split(".")
    return [endpoint, *(".".join(parts[:end]) + ".*" for end in range(1, len(parts)))]
