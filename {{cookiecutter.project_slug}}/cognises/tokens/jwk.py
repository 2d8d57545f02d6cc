"""Which JSON Web Keys are admitted. The only module that uses python-jose: to verify with a key."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jose import jwk
from jose.backends.base import Key as Key

from cognises.errors import CognisesError, SettingsError
from cognises.tokens.jws import MAX_KID, decode_segment, encode_segment

_MIN_BITS, _MAX_BITS, _EXPONENT = 2048, 8192, (65537).to_bytes(3, "big")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]{1,2048}")

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
    return (
        entry.get("kty") == "RSA"
        and entry.get("alg", "RS256") == "RS256"
        and entry.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and isinstance(kid, str)
        and 0 < len(kid) <= MAX_KID
        and _number(entry.get("e")) == _EXPONENT
        and _MIN_BITS <= int.from_bytes(_number(entry.get("n")), "big").bit_length() <= _MAX_BITS
    )


def _number(value: object) -> bytes:
    """A base64url integer (RFC 7518 section 6.3.1) without leading zeros; empty if it is none."""
    if not isinstance(value, str) or not _BASE64URL.fullmatch(value):
        return b""
    try:
        return decode_segment(value.encode()).lstrip(b"\0")
    except CognisesError:
        return b""


def _public_jwk(modulus: bytes) -> dict[str, str]:
    return {"e": encode_segment(_EXPONENT), "kty": "RSA", "n": encode_segment(modulus)}
