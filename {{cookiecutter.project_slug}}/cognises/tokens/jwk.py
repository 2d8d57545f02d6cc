"""Which JSON Web Keys are admitted; the only module that uses python-jose.

It uses `jwk.construct`, once per key, and `Key.verify`. Algorithm, choice of key, parsing and
claims are checked by the other modules of this package.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from jose import jwk

from cognises.errors import CognisesError, SettingsError
from cognises.tokens.jws import MAX_KID, decode_segment

MIN_BITS, MAX_BITS = 2048, 8192
_EXPONENT = (65537).to_bytes(3, "big")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]{1,2048}")

# RFC 7638 thumbprints of the keys in emulators, whose private halves are public.
EMULATOR_THUMBPRINTS = frozenset(
    {
        "DThM452l6A6MKX8FOZQarky5V3qqRNx2uSWRZEF_j4A",  # moto
        "jS8J3RuOy291lpsiFe2NfKV6VkdfMF4Q_840qOLXAjs",  # cognito-local
    }
)
EMULATOR_KIDS = frozenset({"dummy", "CognitoLocal"})


class Key(Protocol):
    """A public key that checks RS256 signatures."""

    def verify(self, msg: bytes, sig: bytes) -> bool: ...


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
            is_emulators = kid in EMULATOR_KIDS or thumbprint(modulus) in EMULATOR_THUMBPRINTS
            if allow_emulators or not is_emulators:
                moduli.setdefault(kid, set()).add(modulus)
    return {
        kid: jwk.construct(_public_jwk(*found), "RS256")
        for kid, found in moduli.items()
        if len(found) == 1
    }


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
    return _base64url(hashlib.sha256(required.encode()).digest())


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
        and MIN_BITS <= int.from_bytes(_number(entry.get("n")), "big").bit_length() <= MAX_BITS
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
    return {"e": _base64url(_EXPONENT), "kty": "RSA", "n": _base64url(modulus)}


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
