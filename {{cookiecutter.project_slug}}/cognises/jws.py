"""The text of a token, taken apart strictly: RFC 7515 compact serialization, RS256 only.

Nothing here is believed: the payload leaves as bytes, to be read after its signature is verified.
"""

from __future__ import annotations

import json
import math
import re
from binascii import a2b_base64
from typing import Any, NamedTuple

from cognises.errors import CognisesError

MAX_TOKEN = 16 * 1024
MAX_DEPTH = 32
MAX_KID = 256

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)

# RFC 4648 section 3.5: the bits of the last character that carry no data must be zero.
_CANONICAL_TAIL = {0: None, 2: frozenset("AQgw"), 3: frozenset("AEIMQUYcgkosw048")}

# RFC 7515 section 4.1.11, RFC 7797: each changes what is signed or must be understood.
_REFUSED_PARAMETERS = ("crit", "b64", "zip")


class Parts(NamedTuple):
    """The three segments as text, and the text that is signed."""

    header: str
    payload: str
    signature: str
    signed: bytes


def split(token: object) -> Parts:
    """The segments of a compact JWS. Raises CognisesError (`invalid_token`)."""
    if not isinstance(token, str):
        raise CognisesError("invalid_token", "not text")
    if len(token) > MAX_TOKEN:
        raise CognisesError("invalid_token", "too long")
    match = _COMPACT.fullmatch(token)
    if match is None:
        raise CognisesError("invalid_token", "not three base64url segments")
    header, payload, signature = match.groups()
    return Parts(header, payload, signature, token[: match.end(2)].encode("ascii"))


def decode_segment(segment: str) -> bytes:
    """Canonical, unpadded base64url (RFC 7515 section 2) to bytes."""
    rest = len(segment) % 4
    tail = _CANONICAL_TAIL.get(rest, frozenset())
    if tail is not None and segment[-1] not in tail:
        raise CognisesError("invalid_token", "base64url not canonical")
    return a2b_base64(segment.replace("-", "+").replace("_", "/") + "=" * (-rest % 4))


def parse_object(data: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8: no duplicate members, NaN, Infinity or deep nesting."""
    try:
        text = data.decode()
        if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
            raise CognisesError("invalid_token", "JSON nested too deep")
        value = _decode(text)
    except (ValueError, RecursionError):
        raise CognisesError("invalid_token", "not JSON in UTF-8") from None
    if not isinstance(value, dict):
        raise CognisesError("invalid_token", "not a JSON object")
    return value


def read_kid(header: dict[str, Any]) -> str:
    """The key id of a header that says RS256 and nothing that this module would have to obey."""
    if header.get("alg") != "RS256":
        raise CognisesError("invalid_token", "alg is not RS256")
    if any(name in header for name in _REFUSED_PARAMETERS):
        raise CognisesError("invalid_token", "header with crit, b64 or zip")
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID:
        raise CognisesError("invalid_token", "no usable kid")
    return kid


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in _STRING.sub("", text):
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")
    return members


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("number out of range")
    return number


_decode = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite
).decode
