"""The claims of a verified payload (RFC 7519 section 4.1): what is read, and what they must be.
Source: the Cognito developer guide, "Verifying JSON web tokens".
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import compress
from typing import Any, NoReturn

from cognises.errors import CognisesError

GROUPS_CLAIM = "cognito:groups"
LEEWAY = 60.0
_ABSENT = object()
_is_mutable = frozenset({dict, list}).__contains__


@dataclass(frozen=True)
class Expectations:
    """What a verifier accepts. Nothing here has a default that would skip a check."""

    issuers: tuple[str, ...]
    client_ids: tuple[str, ...]
    token_use: tuple[str, ...]
    audiences: tuple[str, ...]
    scopes: frozenset[str]


class TokenClaims:
    """The claims of one payload; what every request checks is read once, here, and raises nothing.
    A time that is not a number becomes NaN, which fails every comparison.
    """

    def __init__(self, payload: Mapping[str, Any], groups_claim: str = GROUPS_CLAIM) -> None:
        get = payload.get
        self.payload = payload
        self._claims: FrozenDict | None = None
        self.groups = groups_of(payload, groups_claim)
        self.issuer, self.use, self.sub = get("iss"), get("token_use"), get("sub")
        # An ID token names its client in `aud`, an access token in `client_id`.
        if self.use == "id":
            self.client, self.other = get("aud"), get("client_id", _ABSENT)
        else:
            self.client, self.other = get("client_id"), get("aud", _ABSENT)
        self.expires, self.issued = _time(get("exp")), _time(get("iat", 0))
        self.begins = _time(get("nbf", 0))

    @property
    def claims(self) -> Mapping[str, Any]:
        """All of them, read-only at every depth; made on first use."""
        # Before Python 3.12 a cached_property holds a lock, which a fork can copy while it is held.
        if self._claims is None:
            self._claims = freeze(self.payload)
        return self._claims

    @property
    def is_machine(self) -> bool:
        """Whether a client got this access token for itself (RFC 6749 4.4, RFC 9068 2.2)."""
        has_user = "username" in self.payload or "cognito:username" in self.payload
        has_own_sub = isinstance(self.sub, str) and self.sub == self.client != ""
        return self.use == "access" and has_own_sub and not has_user


def check(token: TokenClaims, expected: Expectations, now: float) -> None:
    """Pass, or raise CognisesError. `now` is in seconds since the epoch."""
    latest = now + LEEWAY
    # No comparison with NaN is true: written so that it refuses.
    if not (token.expires > now and token.issued <= latest and token.begins <= latest):
        if token.expires <= now:
            raise CognisesError("token_expired", "exp is past")
        raise CognisesError("invalid_token", "iat or nbf is in the future, or not a number")
    if token.issuer not in expected.issuers:
        raise CognisesError("invalid_token", "iss is not the pool's")
    if type(token.sub) is not str or not token.sub:
        raise CognisesError("invalid_token", "sub is not text")
    if token.use not in expected.token_use:
        raise CognisesError("wrong_token_use", "token_use not accepted")
    # An ID token may name its client twice; an access token's `aud` is its resource (RFC 8707).
    others = expected.client_ids if token.use == "id" else expected.audiences
    is_foreign = token.other is not _ABSENT and token.other not in others
    if is_foreign or token.client not in expected.client_ids:
        raise CognisesError("wrong_client", "client or audience not accepted")
    if expected.scopes and not expected.scopes <= scopes_of(token.payload):
        needed = sorted(expected.scopes)
        raise CognisesError("insufficient_scope", "a scope is missing", scopes=needed)


def _time(value: object) -> float:
    """A NumericDate (RFC 7519 section 2): an int or a finite float, else NaN."""
    if type(value) is int:
        return value
    return value if type(value) is float and math.isfinite(value) else math.nan


def scopes_of(claims: Mapping[str, Any]) -> frozenset[str]:
    """The scopes of an access token; none where the claim is missing or not text."""
    scope = claims.get("scope")
    return frozenset(scope.split(" ")) - {""} if isinstance(scope, str) else frozenset()


def groups_of(claims: Mapping[str, Any], claim: str = GROUPS_CLAIM) -> tuple[str, ...]:
    """The user's groups: a list of texts, in another claim than Cognito's own also one text that
    is split at commas. Anything else, a list with other entries too, gives no group.
    """
    value = claims.get(claim)
    if claim != GROUPS_CLAIM and isinstance(value, str):
        value = [group for each in value.split(",") if (group := each.strip(" "))]
    if not isinstance(value, (list, tuple)):
        return ()
    return tuple(value) if {str}.issuperset(map(type, value)) else ()


class FrozenDict(dict[str, Any]):
    """A dict that cannot be changed. Copies and pickles of it are plain dicts."""

    __slots__ = ()

    def _refuse(self, *args: object, **kwargs: object) -> NoReturn:
        raise TypeError("it is read-only; change a copy: dict(…)")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce_ex__(self, protocol: object) -> tuple[type, tuple[dict[str, Any]]]:
        return dict, (dict(self),)


def freeze(value: Any) -> Any:
    """A copy that is read-only at every depth: lists become tuples, objects FrozenDict."""
    if isinstance(value, dict):
        copy = FrozenDict(value)
        for name in compress(value, map(_is_mutable, map(type, value.values()))):
            dict.__setitem__(copy, name, freeze(value[name]))
        return copy
    return tuple(map(freeze, value)) if isinstance(value, list) else value
