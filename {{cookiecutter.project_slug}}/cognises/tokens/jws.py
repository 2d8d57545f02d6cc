"""A token's text and the keys that verify it, parsed strictly (RFC 7515, RFC 7517; RS256 only).

Nothing that is returned of a text is trusted. The only module that uses python-jose.
"""

import binascii
import hashlib
import json
import math
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

from jose import jwk
from jose.backends.base import Key as Key

from cognises.errors import CognisesError, SettingsError

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
        if data.count(b"[") + data.count(b"{") > MAX_DEPTH:
            # Without escaped quotes and backslashes, every other piece is outside of strings.
            outside = "".join(text.replace("\\\\", "").replace('\\"', "").split('"')[::2])
            steps = ((each in "[{") - (each in "]}") for each in outside)
            if max(accumulate(steps), default=0) > MAX_DEPTH:
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
_MIN_BITS, _MAX_BITS, _EXPONENT = 2048, 8192, (65537).to_bytes(3, "big")
_NUMBER = re.compile(r"[A-Za-z0-9_-]{1,2048}")
# Key ids and RFC 7638 thumbprints of the keys in emulators, whose private halves are public.
_MOTO = ("dummy", "DThM452l6A6MKX8FOZQarky5V3qqRNx2uSWRZEF_j4A")
_COGNITO_LOCAL = ("CognitoLocal", "jS8J3RuOy291lpsiFe2NfKV6VkdfMF4Q_840qOLXAjs")
_EMULATORS = frozenset(_MOTO + _COGNITO_LOCAL)


def admit(document: object, *, allow_emulators: bool = False) -> dict[str, Key]:
    """The usable keys of a JWKS (RFC 7517), by kid; other entries are left out.
    Admitted: kty RSA, alg RS256 or none, use sig or none, key_ops with verify or none, 2048 bits
    or more, e 65537, and a kid that no other admitted key has.
    """
    entries = document.get("keys") if isinstance(document, Mapping) else None
    moduli: dict[str, set[bytes]] = {}
    for entry in entries if isinstance(entries, (list, tuple)) else ():
        if isinstance(entry, Mapping) and _is_strong_rs256(entry):
            kid, modulus = entry["kid"], _number(entry["n"])
            if allow_emulators or _EMULATORS.isdisjoint((kid, thumbprint(modulus))):
                moduli.setdefault(kid, set()).add(modulus)
    unique = {kid: found for kid, found in moduli.items() if len(found) == 1}
    return {kid: jwk.construct(_public_jwk(*found), "RS256") for kid, found in unique.items()}


def read_key_file(file: Path, *, allow_emulators: bool) -> object:
    """The JWKS in a file, with a usable key in it. Raises SettingsError."""
    try:
        document = json.loads(file.read_bytes())
        problem = "" if admit(document, allow_emulators=allow_emulators) else "has no usable key"
    except (OSError, ValueError, RecursionError):
        problem = "cannot be read as JSON"
    if problem:
        hint = "save the pool's /.well-known/jwks.json there"
        raise SettingsError([f"COGNITO_JWKS_FILE: {problem}; {hint}"])
    return document


def thumbprint(modulus: bytes) -> str:
    """The SHA-256 thumbprint of an RSA key (RFC 7638 section 3.1), e being 65537."""
    required = json.dumps(_public_jwk(modulus), separators=(",", ":"))
    return encode_segment(hashlib.sha256(required.encode()).digest())


def _is_strong_rs256(entry: Mapping[str, Any]) -> bool:
    kid, operations = entry.get("kid"), entry.get("key_ops", ["verify"])
    kind = (entry.get("kty"), entry.get("alg", "RS256"), entry.get("use", "sig"))
    may_verify = isinstance(operations, list) and "verify" in operations
    has_kid = isinstance(kid, str) and 0 < len(kid) <= MAX_KID
    bits = int.from_bytes(_number(entry.get("n")), "big").bit_length()
    is_strong = _number(entry.get("e")) == _EXPONENT and _MIN_BITS <= bits <= _MAX_BITS
    return kind == ("RSA", "RS256", "sig") and may_verify and has_kid and is_strong


def _number(value: object) -> bytes:
    """A base64url integer (RFC 7518 section 6.3.1) without leading zeros; empty if it is none."""
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        return b""
    try:
        return decode_segment(value.encode()).lstrip(b"\0")
    except CognisesError:
        return b""


def _public_jwk(modulus: bytes) -> dict[str, str]:
    return {"e": encode_segment(_EXPONENT), "kty": "RSA", "n": encode_segment(modulus)}
