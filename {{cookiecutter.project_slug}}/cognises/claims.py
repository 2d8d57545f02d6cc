"""What the claims of a verified payload must say. Pure: claims and expectations in, verdict out.

Sources: RFC 7519 section 4.1; AWS, "Verifying JSON web tokens" (Cognito developer guide).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from cognises.errors import CognisesError

LEEWAY = 60.0
_STARTS = ("iat", "nbf")
_OPEN = frozenset({dict, list})


@dataclass(frozen=True)
class Expectations:
    """What a verifier accepts. Nothing here has a default that would skip a check."""

    issuers: frozenset[str]
    client_ids: frozenset[str]
    token_use: frozenset[str]
    audiences: frozenset[str]
    scopes: frozenset[str]


def check(claims: Mapping[str, Any], expected: Expectations, now: float) -> None:
    """Pass, or raise CognisesError. `now` is in seconds since the epoch."""
    if _time(claims.get("exp"), "exp") <= now:
        raise CognisesError("token_expired", "exp is past")
    for name in _STARTS:
        if name in claims and _time(claims[name], name) > now + LEEWAY:
            raise CognisesError("invalid_token", f"{name} lies ahead")
    issuer, use = claims.get("iss"), claims.get("token_use")
    if not isinstance(issuer, str) or issuer not in expected.issuers:
        raise CognisesError("invalid_token", "iss is not the pool's")
    if not isinstance(use, str) or use not in expected.token_use:
        raise CognisesError("wrong_token_use", "token_use not accepted")
    _check_client(claims, use, expected)
    if expected.scopes and not expected.scopes <= scopes_of(claims):
        wanted = sorted(expected.scopes)
        raise CognisesError("insufficient_scope", "a scope is missing", scopes=wanted)


def _time(value: object, name: str) -> float:
    """A NumericDate (RFC 7519 section 2): a finite number; true and false are none."""
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return value
    raise CognisesError("invalid_token", f"{name} is no time")


def _check_client(claims: Mapping[str, Any], use: str, expected: Expectations) -> None:
    """An ID token names its client in `aud`, an access token in `client_id`."""
    client, audience = claims.get("client_id"), claims.get("aud")
    if use == "id":
        own = audience
        foreign = "client_id" in claims and not _is_one_of(client, expected.client_ids)
    else:
        # A resource-bound access token is meant for that resource (RFC 8707), and only for it.
        own, foreign = client, "aud" in claims and not _is_one_of(audience, expected.audiences)
    if foreign or not _is_one_of(own, expected.client_ids):
        raise CognisesError("wrong_client", "client or audience not accepted")


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


def freeze(claims: dict[str, Any]) -> Mapping[str, Any]:
    """Freshly parsed claims, read-only: a view of the dict, whose values are replaced in place."""
    for name, value in claims.items():
        if type(value) in _OPEN:
            claims[name] = _frozen(value)
    return MappingProxyType(claims)


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return freeze(value)
    if isinstance(value, list):
        return tuple([_frozen(item) for item in value])
    return value


def _is_one_of(value: object, accepted: frozenset[str]) -> bool:
    return isinstance(value, str) and value in accepted
