"""Tokens that must be refused, by name, each with the reason it must be refused for.

The classes are those of RFC 8725 and of what other verifiers were seen to accept. `FORGERIES` is
a table: add a row, and every test that walks it covers the new attack.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from forging import (
    Build,
    access,
    claim,
    claim_text,
    cut,
    deep,
    embedded_key,
    foreign_key,
    header_of,
    header_text,
    hmac_with,
    made_claim,
    modulus,
    not_canonical,
    other_published_key,
    payload_text,
    pointed_key,
    public_bytes,
    rsa_with,
    signed,
    unsigned,
    used_as,
    with_header,
    without_header,
)

from cognises.testing import base64url, encode


@dataclass(frozen=True)
class Forgery:
    """A bad token: what it is called, how it is made, and why it must be refused."""

    name: str
    reason: str
    build: Build


BAD = "invalid_token"
PKCS1, SHA256 = padding.PKCS1v15, hashes.SHA256()

_FORM = [
    Forgery("empty text", BAD, lambda pool: ""),
    Forgery("no text at all", BAD, lambda pool: None),
    Forgery("bytes", BAD, lambda pool: pool.token().encode()),
    Forgery("a number", BAD, lambda pool: 7),
    Forgery("one segment", BAD, lambda pool: "token"),
    Forgery("two segments", BAD, cut(lambda s: ".".join(s[:2]))),
    Forgery("two segments and a dot", BAD, cut(lambda s: f"{s[0]}.{s[1]}.")),
    Forgery("four segments", BAD, cut(lambda s: ".".join([*s, "AAAA"]))),
    Forgery("five segments", BAD, cut(lambda s: ".".join([*s, "AAAA", "AAAA"]))),
    Forgery("two dots alone", BAD, lambda pool: ".."),
    Forgery("empty header", BAD, cut(lambda s: f".{s[1]}.{s[2]}")),
    Forgery("empty payload", BAD, cut(lambda s: f"{s[0]}..{s[2]}")),
    Forgery("dot inside the payload", BAD, cut(lambda s: f"{s[0]}.{s[1][:9]}.{s[1][9:]}.{s[2]}")),
    Forgery("leading space", BAD, cut(lambda s: " " + ".".join(s))),
    Forgery("trailing newline", BAD, cut(lambda s: ".".join(s) + "\n")),
    Forgery("space inside", BAD, cut(lambda s: f"{s[0]}. {s[1]}.{s[2]}")),
    Forgery("exclamation mark inside", BAD, cut(lambda s: f"{s[0]}.{s[1][:5]}!{s[1][5:]}.{s[2]}")),
    Forgery("standard base64 plus", BAD, cut(lambda s: f"{s[0]}.{s[1]}.+{s[2][1:]}")),
    Forgery("standard base64 slash", BAD, cut(lambda s: f"{s[0]}.{s[1]}./{s[2][1:]}")),
    Forgery("padded header", BAD, cut(lambda s: f"{s[0]}=.{s[1]}.{s[2]}")),
    Forgery("padded signature", BAD, cut(lambda s: ".".join(s) + "==")),
    Forgery("impossible base64 length", BAD, cut(lambda s: f"{s[0]}.{s[1]}.AAAAA")),
    Forgery("header not canonical", BAD, not_canonical(0)),
    Forgery("payload not canonical", BAD, not_canonical(1)),
    Forgery("signature not canonical", BAD, not_canonical(2)),
    Forgery("letters beyond ASCII", BAD, cut(lambda s: f"{s[0]}.é{s[1]}.{s[2]}")),
    Forgery("digits beyond ASCII", BAD, cut(lambda s: f"{s[0]}.٣{s[1]}.{s[2]}")),
    Forgery("lone surrogate", BAD, cut(lambda s: f"{s[0]}.\ud800{s[1]}.{s[2]}")),
    Forgery("NUL inside", BAD, cut(lambda s: f"{s[0]}.\x00{s[1]}.{s[2]}")),
    Forgery("one byte over the limit", BAD, cut(lambda s: f"{s[0]}.{s[1]}." + "A" * (
        16 * 1024 + 1 - len(s[0]) - len(s[1]) - 2))),
    Forgery("a megabyte", BAD, lambda pool: "A" * 1_000_000),
    Forgery("JSON serialization instead", BAD, lambda pool: json.dumps({"payload": "e30"})),
    Forgery("Bearer in front", BAD, cut(lambda s: "Bearer " + ".".join(s))),
]  # fmt: skip

_ALG = [
    *(Forgery(f"alg {alg}, no signature", BAD, unsigned(alg))
      for alg in ("none", "None", "NONE", "nOnE")),
    *(Forgery(f"alg {alg}, a real signature", BAD, with_header(alg=alg))
      for alg in ("none", "None", "NONE", "nOnE", "rs256", "Rs256", "RS256 ", "RS25", "S2", "")),
    Forgery("alg HS256 with the PEM", BAD, hmac_with(public_bytes(serialization.Encoding.PEM))),
    Forgery("alg HS256 with the DER", BAD, hmac_with(public_bytes(serialization.Encoding.DER))),
    Forgery("alg HS256 with the modulus", BAD, hmac_with(modulus)),
    Forgery("alg HS256 with nothing", BAD, hmac_with(lambda public: b"")),
    Forgery("alg RS256, HMAC inside", BAD, hmac_with(
        public_bytes(serialization.Encoding.PEM), "RS256")),
    Forgery("alg RS512", BAD, rsa_with("RS512", PKCS1, hashes.SHA512())),
    Forgery("alg RS384", BAD, rsa_with("RS384", PKCS1, hashes.SHA384())),
    Forgery("alg PS256", BAD, rsa_with(
        "PS256", lambda: padding.PSS(padding.MGF1(hashes.SHA256()), 32), SHA256)),
    Forgery("alg RS256, RS512 inside", BAD, rsa_with("RS256", PKCS1, hashes.SHA512())),
    Forgery("alg RS256, SHA-1 inside", BAD, rsa_with("RS256", PKCS1, hashes.SHA1())),
    Forgery("alg RS512, RS256 inside", BAD, with_header(alg="RS512")),
    Forgery("alg ES256", BAD, with_header(alg="ES256")),
    Forgery("alg a list", BAD, with_header(alg=["RS256"])),
    Forgery("alg a number", BAD, with_header(alg=256)),
    Forgery("alg null", BAD, with_header(alg=None)),
    Forgery("alg missing", BAD, without_header("alg")),
]  # fmt: skip

_SIGNATURE = [
    Forgery("signature cut by a byte", BAD, cut(lambda s: f"{s[0]}.{s[1]}.{s[2][:-2]}A")),
    Forgery("signature cut in half", BAD, cut(lambda s: f"{s[0]}.{s[1]}.{s[2][:172]}")),
    Forgery("signature extended", BAD, cut(lambda s: f"{s[0]}.{s[1]}.AAAA{s[2]}")),
    Forgery("signature of zeros", BAD, cut(lambda s: f"{s[0]}.{s[1]}." + "A" * 342)),
    Forgery("signature of another token", BAD, lambda pool: (
        pool.token().rpartition(".")[0] + "." + pool.token().rpartition(".")[2])),
    Forgery("payload changed after signing", BAD, lambda pool: cut(
        lambda s: f"{s[0]}.{encode(pool.claims(['admins']))}.{s[2]}")(pool)),
    Forgery("header changed after signing", BAD, lambda pool: cut(
        lambda s: f"{encode(header_of(pool, typ='JWT'))}.{s[1]}.{s[2]}")(pool)),
    Forgery("a foreign key under our kid", BAD, foreign_key),
    Forgery("a key of its own, embedded (jwk)", BAD, embedded_key),
    *(Forgery(f"a key of its own, pointed at ({name})", BAD, pointed_key(name))
      for name in ("jku", "x5u", "x5c", "x5t")),
]  # fmt: skip

_KID = [
    Forgery("kid missing", BAD, without_header("kid")),
    *(Forgery(f"kid {json.dumps(kid)}", BAD, with_header(kid=kid))
      for kid in (None, "", 0, 1, True, [], ["kid"], {}, {"kid": 1})),
    Forgery("kid over the limit", BAD, with_header(kid="k" * 257)),
    Forgery("kid of 200 kB", BAD, with_header(kid="k" * 200_000)),
    Forgery("kid a path", "unknown_key", with_header(kid="../../../../dev/null")),
    Forgery("kid with SQL", "unknown_key", with_header(kid="' OR 1=1 --")),
    Forgery("kid that names nothing", "unknown_key", with_header(kid="nobody")),
    Forgery("kid in other case", "unknown_key", lambda pool: with_header(
        kid=pool.keys[0].kid.swapcase())(pool)),
    Forgery("another published key's kid", BAD, other_published_key),
]  # fmt: skip

_HEADER = [
    Forgery("crit", BAD, with_header(crit=["exp"])),
    Forgery("crit, empty", BAD, with_header(crit=[])),
    Forgery("b64 false", BAD, with_header(b64=False)),
    Forgery("b64 true", BAD, with_header(b64=True)),
    Forgery("zip", BAD, with_header(zip="DEF")),
    Forgery("duplicate alg", BAD, header_text('{"kid":KID,"alg":"none","alg":"RS256"}')),
    Forgery("duplicate kid", BAD, header_text('{"kid":"x","kid":KID,"alg":"RS256"}')),
    Forgery("duplicate by escape", BAD, header_text(
        '{"kid":KID,"alg":"RS256","\\u0061lg":"none"}')),
    Forgery("header an array", BAD, header_text('[{"kid":KID,"alg":"RS256"}]')),
    Forgery("header a string", BAD, header_text('"RS256"')),
    Forgery("header null", BAD, header_text("null")),
    Forgery("header not JSON", BAD, header_text("{kid:KID,alg:RS256}")),
    Forgery("header with a trailing comma", BAD, header_text('{"kid":KID,"alg":"RS256",}')),
    Forgery("header with text behind it", BAD, header_text('{"kid":KID,"alg":"RS256"}{}')),
    Forgery("header with NaN", BAD, header_text('{"kid":KID,"alg":"RS256","n":NaN}')),
    Forgery("header not UTF-8", BAD, lambda pool: signed(
        pool, base64url(b'{"kid":"\xff","alg":"RS256"}'), encode(pool.claims()))),
    Forgery("header in UTF-16", BAD, lambda pool: signed(
        pool, base64url(json.dumps(header_of(pool)).encode("utf-16")), encode(pool.claims()))),
    Forgery("header with a byte order mark", BAD, header_text('\ufeff{"kid":KID,"alg":"RS256"}')),
    Forgery("header nested 40 deep", BAD, header_text(
        '{"kid":KID,"alg":"RS256","x":' + deep("[", "]", 40) + "}")),
    Forgery("header nested 5,000 deep", BAD, header_text(
        '{"kid":KID,"alg":"RS256","x":' + deep("[", "]", 5000) + "}")),
]  # fmt: skip

_PAYLOAD = [
    Forgery("payload an array", BAD, payload_text("[{CLAIMS}]")),
    Forgery("payload a string", BAD, payload_text('"claims"')),
    Forgery("payload not JSON", BAD, payload_text("{CLAIMS")),
    Forgery("payload not UTF-8", BAD, lambda pool: signed(
        pool, encode(header_of(pool)), base64url(b'{"sub":"\xff"}'))),
    Forgery("duplicate claim", BAD, payload_text('{"token_use":"access",CLAIMS}')),
    Forgery("duplicate nested member", BAD, payload_text('{CLAIMS,"x":{"a":1,"a":2}}')),
    Forgery("NaN anywhere", BAD, payload_text('{CLAIMS,"x":NaN}')),
    Forgery("Infinity anywhere", BAD, payload_text('{CLAIMS,"x":[-Infinity]}')),
    Forgery("1e400 anywhere", BAD, payload_text('{CLAIMS,"x":1e400}')),
    Forgery("payload nested 40 deep", BAD, payload_text('{CLAIMS,"x":' + deep("[", "]", 40) + "}")),
    Forgery("payload nested 5,000 deep", BAD, payload_text(
        '{CLAIMS,"x":' + deep('{"a":', "", 900) + "1" + "}" * 900 + "}")),
]  # fmt: skip

_ODD_NUMBERS = ["null", '"123"', "true", "false", "[1]", "{}", "Infinity", "-Infinity", "NaN",
                "1e400", "9" * 5000]  # fmt: skip


def _shown(text: str) -> str:
    return text if len(text) < 20 else f"of {len(text)} digits"


_TIME = [
    Forgery("exp missing", BAD, claim(exp=None)),
    *(Forgery(f"{name} {_shown(text)}", BAD, claim_text(name, text))
      for name in ("exp", "nbf", "iat") for text in _ODD_NUMBERS),
    Forgery("exp -1", "token_expired", claim(exp=-1)),
    Forgery("exp 0", "token_expired", claim(exp=0)),
    Forgery("exp now", "token_expired", lambda pool: pool.token(exp=int(time.time()))),
    Forgery("exp an hour ago", "token_expired", lambda pool: pool.token(exp=time.time() - 3600)),
    Forgery("nbf in an hour", BAD, lambda pool: pool.token(nbf=time.time() + 3600)),
    Forgery("iat in an hour", BAD, lambda pool: pool.token(iat=time.time() + 3600)),
]  # fmt: skip

_ISS = [
    Forgery("iss missing", BAD, claim(iss=None)),
    Forgery("iss empty", BAD, claim(iss="")),
    Forgery("iss a number", BAD, claim(iss=1)),
    Forgery("iss a list", BAD, lambda pool: pool.token(iss=[pool.issuer])),
    Forgery("iss an object", BAD, lambda pool: pool.token(iss={pool.issuer: 1})),
    *(Forgery(f"iss {name}", BAD, made_claim("id", "iss", change))
      for name, change in {
        "with a slash behind": lambda pool: pool.issuer + "/",
        "with a space behind": lambda pool: pool.issuer + " ",
        "cut short": lambda pool: pool.issuer[:-1],
        "lengthened": lambda pool: pool.issuer + "x",
        "over http": lambda pool: pool.issuer.replace("https", "http"),
        "in capitals": lambda pool: pool.issuer.upper(),
        "without its scheme": lambda pool: pool.issuer.removeprefix("https://"),
        "of a look-alike host": lambda pool: pool.issuer.replace(
            "amazonaws.com", "amazonaws.com.attacker.example"),
        "of another host": lambda pool: f"https://attacker.example/{pool.id}",
        "of another pool": lambda pool: pool.issuer.replace(pool.id, f"{pool.region}_Other"),
        "of another region": lambda pool: pool.issuer.replace(pool.region, "eu-west-1", 1),
        "of Google": lambda pool: "https://accounts.google.com",
      }.items()),
]  # fmt: skip

_CLIENT = [
    *(Forgery(f"{kind} token, {name} {how}", "wrong_client", made_claim(kind, name, make))
      for kind, name in (("id", "aud"), ("access", "client_id"))
      for how, make in {
        "missing": lambda pool: None,
        "empty": lambda pool: "",
        "of another app": lambda pool: "anotherclient",
        "a list with ours": lambda pool: [pool.client_id],
        "an object": lambda pool: {pool.client_id: 1},
        "a substring of ours": lambda pool: pool.client_id[:-1],
        "a superstring of ours": lambda pool: pool.client_id + "x",
        "in other case": lambda pool: pool.client_id.upper(),
      }.items()),
    Forgery("aud ours, client_id foreign", "wrong_client", claim(client_id="anotherclient")),
    Forgery("access token, client_id foreign, aud ours", "wrong_client", lambda pool: pool.token(
        token_use="access", client_id="anotherclient", aud=pool.client_id)),
    Forgery("access token for a resource that is not configured", "wrong_client",
            access(aud="https://api.example.org")),
    Forgery("access token whose aud is our client", "wrong_client", lambda pool: pool.token(
        token_use="access", aud=pool.client_id)),
    Forgery("access token, aud null", "wrong_client", lambda pool: signed(
        pool, encode(header_of(pool)), encode(pool.claims(token_use="access") | {"aud": None}))),
]  # fmt: skip

_TOKEN_USE = [
    Forgery("token_use missing", "wrong_token_use", lambda pool: pool.sign(
        {k: v for k, v in pool.claims().items() if k != "token_use"})),
    *(Forgery(f"token_use {json.dumps(value)}", "wrong_token_use", used_as(value))
      for value in (None, "", "refresh", "ID", "id ", "id,access", ["id"], {"id": 1}, True, 1)),
]  # fmt: skip

_SUB = [
    Forgery("sub missing", BAD, claim(sub=None)),
    *(Forgery(f"sub {json.dumps(value)}", BAD, lambda pool, value=value: pool.sign(
        pool.claims() | {"sub": value}))
      for value in (None, "", 1, 1.5, True, ["ada"], [], {"ada": 1})),
]  # fmt: skip

FORGERIES: tuple[Forgery, ...] = (
    *_FORM, *_ALG, *_SIGNATURE, *_KID, *_HEADER, *_PAYLOAD, *_TIME, *_ISS, *_CLIENT, *_TOKEN_USE,
    *_SUB,
)  # fmt: skip
