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
from typing import Any, NamedTuple, Protocol

from jose import jwk

from cognises.errors import CognisesError
from cognises.tokens.jws import MAX_KID, decode_segment

MIN_BITS, MAX_BITS = 2048, 8192
_EXPONENT = 65537
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


class PublicNumbers(NamedTuple):
    """The numbers of an RSA key, however its JWK is written."""

    modulus: int
    exponent: int


def admit(document: object, *, allow_emulators: bool = False) -> dict[str, Key]:
    """The usable keys of a JWKS (RFC 7517), by kid; other entries are left out.

    Admitted: kty RSA, alg RS256 or none, use sig or none, key_ops with verify or none, 2048 bits
    or more, e 65537, and a kid that no other admitted key has.
    """
    entries = document.get("keys") if isinstance(document, Mapping) else None
    admitted: dict[str, set[PublicNumbers]] = {}
    for entry in entries if isinstance(entries, (list, tuple)) else ():
        if isinstance(entry, Mapping) and _says_verify_rs256(entry):
            kid, numbers = entry["kid"], _public_numbers(entry)
            is_emulators = kid in EMULATOR_KIDS or thumbprint(numbers) in EMULATOR_THUMBPRINTS
            if _is_strong(numbers) and (allow_emulators or not is_emulators):
                admitted.setdefault(kid, set()).add(numbers)
    return {kid: _construct(*found) for kid, found in admitted.items() if len(found) == 1}


def thumbprint(numbers: PublicNumbers) -> str:
    """The SHA-256 thumbprint of an RSA key, whatever its encoding (RFC 7638 section 3.1)."""
    required = {"e": _base64url(numbers.exponent), "kty": "RSA", "n": _base64url(numbers.modulus)}
    digest = hashlib.sha256(json.dumps(required, separators=(",", ":")).encode()).digest()
    return _base64url(int.from_bytes(digest, "big"), 32)


def _says_verify_rs256(entry: Mapping[str, Any]) -> bool:
    kid, operations = entry.get("kid"), entry.get("key_ops", ["verify"])
    return (
        entry.get("kty") == "RSA"
        and entry.get("alg", "RS256") == "RS256"
        and entry.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and isinstance(kid, str)
        and 0 < len(kid) <= MAX_KID
    )


def _public_numbers(entry: Mapping[str, Any]) -> PublicNumbers:
    return PublicNumbers(_number(entry.get("n")), _number(entry.get("e")))


def _is_strong(numbers: PublicNumbers) -> bool:
    bits = numbers.modulus.bit_length()
    return numbers.exponent == _EXPONENT and MIN_BITS <= bits <= MAX_BITS


def _number(value: object) -> int:
    """A base64url integer (RFC 7518 section 6.3.1); 0 for anything else."""
    if not isinstance(value, str) or not _BASE64URL.fullmatch(value):
        return 0
    try:
        return int.from_bytes(decode_segment(value.encode()), "big")
    except CognisesError:
        return 0


def _base64url(number: int, length: int = 0) -> str:
    data = number.to_bytes(length or (number.bit_length() + 7) // 8, "big")
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _construct(numbers: PublicNumbers) -> Key:
    entry = {"kty": "RSA", "n": _base64url(numbers.modulus), "e": _base64url(numbers.exponent)}
    key: Key = jwk.construct(entry, "RS256")
    return key
