"""How bad tokens are made: each function gives a recipe that a pool turns into a token."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization

from cognises.testing import FakePool, SigningKey, base64url, encode

Build = Callable[[FakePool], Any]


def raw(text: str) -> str:
    """A segment from JSON text as it stands, valid or not."""
    return base64url(text.encode("utf-8", "surrogatepass"))


def signed(pool: FakePool, header: str, payload: str, key: SigningKey | None = None) -> str:
    """A token over two segments as they stand, signed by the pool."""
    key = key or pool.keys[0]
    return f"{header}.{payload}.{key.sign(f'{header}.{payload}')}"


def header_of(pool: FakePool, **changes: Any) -> dict[str, Any]:
    return {"kid": pool.keys[0].kid, "alg": "RS256"} | changes


def with_header(**changes: Any) -> Build:
    """Cognito's header with members changed or added, honestly signed."""
    return lambda pool: pool.sign(pool.claims(), header=header_of(pool, **changes))


def without_header(name: str) -> Build:
    def build(pool: FakePool) -> str:
        header = {key: value for key, value in header_of(pool).items() if key != name}
        return pool.sign(pool.claims(), header=header)

    return build


def header_text(template: str) -> Build:
    """A header from JSON text; KID stands for the pool's key id, quoted."""

    def build(pool: FakePool) -> str:
        text = template.replace("KID", json.dumps(pool.keys[0].kid))
        return signed(pool, raw(text), encode(pool.claims()))

    return build


def payload_text(template: str) -> Build:
    """A payload from JSON text; CLAIMS stands for the members of good claims."""

    def build(pool: FakePool) -> str:
        text = template.replace("CLAIMS", json.dumps(pool.claims())[1:-1])
        return signed(pool, encode(header_of(pool)), raw(text))

    return build


def claim(**changes: Any) -> Build:
    """Good claims with some changed (None: left out), honestly signed."""
    return lambda pool: pool.token(**changes)


def access(**changes: Any) -> Build:
    return lambda pool: pool.token(token_use="access", **changes)


def claim_text(name: str, value: str) -> Build:
    """One claim as JSON text, which need not be JSON that Python would write."""

    def build(pool: FakePool) -> str:
        claims = {key: item for key, item in pool.claims().items() if key != name}
        text = f"{json.dumps(claims)[:-1]},{json.dumps(name)}:{value}}}"
        return signed(pool, encode(header_of(pool)), raw(text))

    return build


def made_claim(token_use: str, name: str, make: Build) -> Build:
    """One claim changed to what `make` gives for the pool."""
    return lambda pool: pool.token(token_use=token_use, **{name: make(pool)})


def used_as(value: object) -> Build:
    return lambda pool: pool.sign(pool.claims() | {"token_use": value})


def unsigned(alg: str) -> Build:
    return lambda pool: f"{encode(header_of(pool, alg=alg))}.{encode(pool.claims())}."


def cut(change: Callable[[list[str]], str]) -> Build:
    """A good token whose three segments are put together differently."""
    return lambda pool: change(pool.token().split("."))


def hmac_with(secret: Callable[[Any], bytes], alg: str = "HS256") -> Build:
    """Signed by HMAC with something public as the secret: the classic confusion."""

    def build(pool: FakePool) -> str:
        text = f"{encode(header_of(pool, alg=alg))}.{encode(pool.claims())}"
        public = pool.keys[0].private.public_key()
        digest = hmac.new(secret(public), text.encode(), hashlib.sha256).digest()
        return f"{text}.{base64url(digest)}"

    return build


def public_bytes(encoding: serialization.Encoding) -> Callable[[Any], bytes]:
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    return lambda public: bytes(public.public_bytes(encoding, info))


def modulus(public: Any) -> bytes:
    return int(public.public_numbers().n).to_bytes(256, "big")


def rsa_with(alg: str, pad: Callable[[], Any], digest: hashes.HashAlgorithm) -> Build:
    """Another RSA algorithm, its own honest signature by the pool's key."""

    def build(pool: FakePool) -> str:
        text = f"{encode(header_of(pool, alg=alg))}.{encode(pool.claims())}"
        return f"{text}.{base64url(pool.keys[0].private.sign(text.encode(), pad(), digest))}"

    return build


def foreign_key(pool: FakePool) -> str:
    return pool.token(key=SigningKey(pool.keys[0].kid))


def embedded_key(pool: FakePool) -> str:
    mine = SigningKey(pool.keys[0].kid)
    return pool.sign(pool.claims(), mine, header_of(pool, jwk=mine.jwk))


def pointed_key(parameter: str) -> Build:
    def build(pool: FakePool) -> str:
        mine = SigningKey(pool.keys[0].kid)
        pointer: Any = "https://attacker.example/jwks.json"
        pointer = ["MIIB"] if parameter == "x5c" else pointer
        return pool.sign(pool.claims(), mine, header_of(pool, **{parameter: pointer}))

    return build


def other_published_key(pool: FakePool) -> str:
    return pool.sign(pool.claims(), pool.keys[0], header_of(pool, kid=pool.keys[1].kid))


def not_canonical(segment: int) -> Build:
    """The same bytes, another last character: bits that carry no data are set."""

    def build(pool: FakePool) -> str:
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        for filler in range(4):
            segments = pool.token(filler="x" * filler, nonce="n" * filler).split(".")
            header = encode(header_of(pool, filler="x" * filler))
            segments = signed(pool, header, segments[1]).split(".") if not segment else segments
            if len(segments[segment]) % 4:
                break
        last = alphabet.index(segments[segment][-1])
        segments[segment] = segments[segment][:-1] + alphabet[last ^ 1]
        if segment != 2:
            return signed(pool, segments[0], segments[1])
        return ".".join(segments)

    return build


def deep(opening: str, closing: str, depth: int) -> str:
    return opening * depth + closing * depth
