"""What the claims of a verified payload must say. Pure: claims and expectations in, verdict out.

Sources: RFC 7519 section 4.1; AWS, "Verifying JSON web tokens" (Cognito developer guide).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import compress
from types import MappingProxyType
from typing import Any

from cognises.errors import CognisesError

LEEWAY = 60.0
_ABSENT = object()
_is_open = frozenset({dict, list}).__contains__


@dataclass(frozen=True)
class Expectations:
    """What a verifier accepts. Nothing here has a default that would skip a check."""

    issuers: tuple[str, ...]
    client_ids: tuple[str, ...]
    token_use: tuple[str, ...]
    audiences: tuple[str, ...]
    scopes: frozenset[str]


class TokenClaims:
    """The claims of one payload, with what is checked on every request taken out once.

    Reading refuses nothing: a time that is none becomes NaN, which no comparison lets pass, and
    what is no text equals none that is expected.
    """

    __slots__ = (
        "_frozen", "begins", "client", "expires", "groups", "issued", "issuer", "other", "payload",
        "use",
    )  # fmt: skip

    def __init__(self, payload: Mapping[str, Any]) -> None:
        get = payload.get
        self.payload = payload
        self._frozen: Mapping[str, Any] | None = None
        self.groups = groups_of(payload)
        self.issuer, self.use = get("iss"), get("token_use")
        # An ID token names its client in `aud`, an access token in `client_id`; the other of the
        # two is the exception.
        if self.use == "id":
            self.client, self.other = get("aud"), get("client_id", _ABSENT)
        else:
            self.client, self.other = get("client_id"), get("aud", _ABSENT)
        expires, issued, begins = get("exp"), get("iat", 0), get("nbf", 0)
        self.expires = expires if type(expires) is int else _time(expires)
        self.issued = issued if type(issued) is int else _time(issued)
        self.begins = begins if type(begins) is int else _time(begins)

    @property
    def claims(self) -> Mapping[str, Any]:
        """All of them, read-only at every depth; frozen once somebody looks."""
        if self._frozen is None:
            self._frozen = freeze(self.payload)
        return self._frozen


def check(token: TokenClaims, expected: Expectations, now: float) -> None:
    """Pass, or raise CognisesError. `now` is in seconds since the epoch."""
    # No comparison with NaN is true: written so that it refuses.
    if not token.expires > now:
        raise _untimely("token_expired", "exp", token.expires, "is past")
    latest = now + LEEWAY
    if not token.issued <= latest:
        raise _untimely("invalid_token", "iat", token.issued, "lies ahead")
    if not token.begins <= latest:
        raise _untimely("invalid_token", "nbf", token.begins, "lies ahead")
    if token.issuer not in expected.issuers:
        raise CognisesError("invalid_token", "iss is not the pool's")
    if token.use not in expected.token_use:
        raise CognisesError("wrong_token_use", "token_use not accepted")
    if token.client not in expected.client_ids:
        raise CognisesError("wrong_client", "client or audience not accepted")
    if token.other is not _ABSENT:
        _check_other(token, expected)
    if expected.scopes and not expected.scopes <= scopes_of(token.payload):
        wanted = sorted(expected.scopes)
        raise CognisesError("insufficient_scope", "a scope is missing", scopes=wanted)


def _untimely(reason: str, name: str, value: float, why: str) -> CognisesError:
    if value != value:  # NaN, and nothing else
        return CognisesError("invalid_token", f"{name} is no time")
    return CognisesError(reason, f"{name} {why}")


def _check_other(token: TokenClaims, expected: Expectations) -> None:
    """An ID token may name one of its own clients once more; an access token a resource.

    A resource-bound access token is meant for that resource (RFC 8707), and only for it.
    """
    accepted = expected.client_ids if token.use == "id" else expected.audiences
    if token.other not in accepted:
        raise CognisesError("wrong_client", "client or audience not accepted")


def _time(value: object) -> float:
    """What is no whole number, as a NumericDate (RFC 7519 section 2): a finite fraction, or NaN."""
    return value if type(value) is float and math.isfinite(value) else math.nan


def scopes_of(claims: Mapping[str, Any]) -> frozenset[str]:
    """The scopes of an access token; none for an ID token, or where the claim is odd."""
    scope = claims.get("scope")
    return frozenset(scope.split(" ")) - {""} if isinstance(scope, str) else frozenset()


def groups_of(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """The user's groups; none unless the claim is a list. Entries that are no text are left out."""
    groups = claims.get("cognito:groups")
    if not isinstance(groups, (list, tuple)):
        return ()
    return tuple([group for group in groups if isinstance(group, str)])


def freeze(claims: Mapping[str, Any]) -> Mapping[str, Any]:
    """A read-only copy, at every depth."""
    copy = dict(claims)
    for name in compress(claims, map(_is_open, map(type, claims.values()))):
        copy[name] = _frozen(copy[name])
    return MappingProxyType(copy)


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return freeze(value)
    if isinstance(value, list):
        return tuple([_frozen(item) for item in value])
    return value
