"""A token's text, parsed strictly (RFC 7515, RS256 only). Nothing that is returned is trusted."""

from __future__ import annotations

import binascii
import json
import math
from base64 import urlsafe_b64encode
from itertools import accumulate
from typing import Any

from cognises.errors import CognisesError

MAX_TOKEN, MAX_DEPTH, MAX_KID = 16 * 1024, 32, 256

_BASE64URL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# Bytes outside of the alphabet are, or become, ones that the decoder skips.
_TO_BASE64 = bytes.maketrans(b"-_+/=", b"+/\0\0\0")
# By length modulo four: the last characters that a segment may have (their unused bits must be
# zero, RFC 4648 section 3.5), and the padding that a JWS leaves out.
_ENDINGS = ((_BASE64URL, b""), (b"", b""), (b"AQgw", b"=="), (b"AEIMQUYcgkosw048", b"="))


def split(token: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Header, payload and signature of a compact JWS, and what is signed. Raises CognisesError."""
    try:
        header, payload, signature = token.split(b".", 3)
    except ValueError:
        raise CognisesError("invalid_token", "not three segments") from None
    if not payload:
        raise CognisesError("invalid_token", "no payload")
    return header, payload, signature, token[: -1 - len(signature)]


def decode_segment(segment: bytes) -> bytes:
    """Canonical, unpadded base64url (RFC 7515 section 2) to bytes. Raises CognisesError."""
    length = len(segment)
    tails, padding = _ENDINGS[length % 4]
    if not segment or segment[-1] not in tails:
        raise CognisesError("invalid_token", "base64url empty or not canonical")
    try:
        data = binascii.a2b_base64(segment.translate(_TO_BASE64) + padding)
    except binascii.Error:
        data = b""
    # Where the decoder skipped a character, the result is too short.
    if len(data) != length * 3 // 4:
        raise CognisesError("invalid_token", "not base64url")
    return data


def encode_segment(data: bytes) -> str:
    """Base64url without padding (RFC 7515 section 2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def parse_object(data: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8: no duplicate members, NaN, Infinity or deep nesting."""
    try:
        text = data.decode().strip(" \t\r\n")
        if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
            raise CognisesError("invalid_token", "JSON nested too deep")
        value, end = _raw_decode(text)
    except (ValueError, RecursionError):
        raise CognisesError("invalid_token", "not JSON in UTF-8") from None
    if end != len(text) or not isinstance(value, dict):
        raise CognisesError("invalid_token", "not one JSON object")
    return value


def read_kid(header: dict[str, Any]) -> str:
    """The key id of a header with alg RS256 and no parameter that this module does not support."""
    if header.get("alg") != "RS256":
        raise CognisesError("invalid_token", "alg is not RS256")
    # RFC 7515 section 4.1.11, RFC 7797: each changes what is signed or must be understood.
    if any(name in header for name in ("crit", "b64", "zip")):
        raise CognisesError("invalid_token", "header with crit, b64 or zip")
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID:
        raise CognisesError("invalid_token", "no usable kid")
    return kid


def _depth(text: str) -> int:
    # Without escaped quotes and backslashes, every other piece is outside of strings.
    outside = "".join(text.replace("\\\\", "").replace('\\"', "").split('"')[::2])
    return max(accumulate((each in "[{") - (each in "]}") for each in outside), default=0)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("NaN, Infinity or out of range")
    return number


_raw_decode = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_finite, parse_float=_finite
).raw_decode
