"""Which keys are admitted. One odd entry never costs the good ones beside it."""

from __future__ import annotations

import gzip
import json
from importlib.resources import files

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from request_side import refused

from cognises.testing import SigningKey, number
from cognises.tokens import jws as keys_module
from cognises.tokens.jws import admit, thumbprint

GOOD = SigningKey("good")
OTHER = SigningKey("other")
SMALL_1024 = SigningKey("small", bits=1024)
SMALL_2040 = SigningKey("small", bits=2040)
EXPONENT_3 = SigningKey("three", exponent=3)
COGNITO_LOCAL = (  # the public half; the private one is beside it in the package (5.3.0)
    "2uLO7yh1_6Icfd89V3nNTc_qhfpDN7vEmOYlmJQlc9_RmOns26lg88fXXFntZESwHOm7_homO2Ih6NOtu4P5eskGs8"
    "d8VQMOQfF4YrP-pawVz-gh1S7eSvzZRDHBT4ItUuoiVP1B9HN_uScKxIqjmitpPqEQB_o2NJv8npCfqUAU-4KmxquG"
    "tjdmfctswSZGdz59M3CAYKDfuvLH9_vV6TRGgbUaUAXWC2WJrbbEXzK3XUDBrmF3Xo-yw8f3SgD3JOPl3HaaWMKL1z"
    "GVAsge7gQaGiJBzBurg5vwN61uDGGz0QZC1JqcUTl3cZnrx_L8isIR7074SJEuljIZRnCcjQ"
)
MODULUS = GOOD.private.public_key().public_numbers().n


def jwk(key: SigningKey = OTHER, **changes: object) -> dict[str, object]:
    return {name: value for name, value in (key.jwk | changes).items() if value is not ...}


REFUSED = {
    "no kty": jwk(kty=...),
    "kty EC": jwk(kty="EC"),
    "kty oct with our number": jwk(kty="oct", k=OTHER.jwk["n"]),
    "kty rsa in small letters": jwk(kty="rsa"),
    "kty a list": jwk(kty=["RSA"]),
    "alg RS512": jwk(alg="RS512"),
    "alg PS256": jwk(alg="PS256"),
    "alg none": jwk(alg="none"),
    "alg HS256": jwk(alg="HS256"),
    "alg null": jwk(alg=None),
    "alg a list": jwk(alg=["RS256"]),
    "use enc": jwk(use="enc"),
    "use null": jwk(use=None),
    "use empty": jwk(use=""),
    "key_ops sign": jwk(key_ops=["sign"]),
    "key_ops encrypt": jwk(key_ops=["encrypt", "wrapKey"]),
    "key_ops empty": jwk(key_ops=[]),
    "key_ops a text that contains verify": jwk(key_ops="verify"),
    "key_ops null": jwk(key_ops=None),
    "key_ops an object": jwk(key_ops={"verify": 1}),
    "1024 bits": jwk(SMALL_1024),
    "2040 bits": jwk(SMALL_2040),
    "2047 bits": jwk(n=number(MODULUS >> 1 | 1)),
    "16384 bits": jwk(n=number((1 << 16383) | 1)),
    "1024 bits behind leading zeros": jwk(
        n="A" * 172 + number(SMALL_1024.private.public_key().public_numbers().n)
    ),
    "e 1": jwk(e=number(1)),
    "e 3": jwk(EXPONENT_3),
    "e 65536": jwk(e=number(65536)),
    "e 2 ** 32 + 1": jwk(e=number(2**32 + 1)),
    "e missing": jwk(e=...),
    "e a number": jwk(e=65537),
    "e empty": jwk(e=""),
    "n missing": jwk(n=...),
    "n empty": jwk(n=""),
    "n a number": jwk(n=MODULUS),
    "n padded": jwk(n=str(OTHER.jwk["n"]) + "=="),
    "n in standard base64": jwk(n="+/" + str(OTHER.jwk["n"])[2:]),
    "n not canonical": jwk(n=str(OTHER.jwk["n"])[:-1] + "B"),
    "n with a newline": jwk(n=str(OTHER.jwk["n"]) + "\n"),
    "n of impossible length": jwk(n="A" * 345),
    "n of a megabyte": jwk(n="A" * 1_000_000),
    "kid missing": jwk(kid=...),
    "kid empty": jwk(kid=""),
    "kid null": jwk(kid=None),
    "kid a number": jwk(kid=7),
    "kid a list": jwk(kid=["other"]),
    "kid of 257 characters": jwk(kid="k" * 257),
    "a text": "key",
    "null": None,
    "a list": [],
    "a number": 1,
    "empty": {},
}


@pytest.mark.parametrize("entry", REFUSED.values(), ids=REFUSED.keys())
def test_an_odd_key_is_left_out_and_the_good_one_beside_it_stays(entry: object):
    assert set(admit({"keys": [entry, GOOD.jwk]})) == {"good"}
    assert set(admit({"keys": [GOOD.jwk, entry]})) == {"good"}
    assert admit({"keys": [entry]}) == {}


UNUSUAL = {
    "an even number": number(1 << 2047),
    "a power of two": number(1 << 2048),
    "the largest of its size": number((1 << 2048) - 1),
    "8192 bits": number((1 << 8191) + 1),
}


@pytest.mark.parametrize("modulus", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_a_number_that_is_no_rsa_modulus_never_costs_the_good_key_beside_it(modulus: str):
    assert "good" in admit({"keys": [jwk(n=modulus), GOOD.jwk]})


ADMITTED = {
    "as Cognito writes it": jwk(),
    "without alg": jwk(alg=...),
    "without use": jwk(use=...),
    "key_ops verify": jwk(key_ops=["verify"]),
    "key_ops with verify among others": jwk(key_ops=["sign", "verify"]),
    "kid of real shape": jwk(kid="abcdefghijklmnopqrstuvexyzABCDEFGHI/1234567="),
    "kid of one character": jwk(kid="k"),
    "kid of 256 characters": jwk(kid="k" * 256),
    "kid in another script": jwk(kid="ключ"),
    "with x5c, x5t and an issuer": jwk(x5c=["MIIB"], x5t="x", issuer="https://elsewhere"),
    "with a private exponent": jwk(d="AQAB"),
    "leading zero byte": jwk(n=number(0) + "AAAA" + str(OTHER.jwk["n"])),
}


@pytest.mark.parametrize("entry", ADMITTED.values(), ids=ADMITTED.keys())
def test_a_usable_key_is_admitted_and_verifies(entry: dict[str, object]):
    signature = OTHER.private.sign(b"signed", padding.PKCS1v15(), hashes.SHA256())

    admitted = admit({"keys": [GOOD.jwk, entry]})

    assert set(admitted) == {"good", entry["kid"]}
    assert admitted[str(entry["kid"])].verify(b"signed", signature)
    assert not admitted["good"].verify(b"signed", signature)


DOCUMENTS = {
    "null": None,
    "empty list": [],
    "text": "keys",
    "number": 1,
    "empty object": {},
    "keys null": {"keys": None},
    "keys object": {"keys": {}},
    "keys text": {"keys": "x"},
    "keys empty": {"keys": []},
    "wrong case": {"Keys": [GOOD.jwk]},
    "list of keys": [GOOD.jwk],
    "one key": GOOD.jwk,
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_what_is_no_key_set_has_no_key(document: object):
    assert admit(document) == {}


def test_a_kid_that_two_keys_carry_names_neither():
    assert set(admit({"keys": [jwk(kid="same"), jwk(GOOD, kid="same"), GOOD.jwk]})) == {"good"}


def test_a_key_that_is_listed_twice_is_one_key():
    respelled = jwk(n="AAAA" + str(OTHER.jwk["n"]))

    assert set(admit({"keys": [OTHER.jwk, OTHER.jwk, respelled]})) == {"other"}


def test_a_weak_key_under_a_good_kid_does_not_push_the_good_one_out():
    assert set(admit({"keys": [jwk(SMALL_1024, kid="good"), GOOD.jwk]})) == {"good"}


@pytest.fixture(scope="module", params=["moto", "cognito-local"])
def emulator_key(request: pytest.FixtureRequest) -> dict[str, str]:
    """A key whose private half everybody has."""
    if request.param == "cognito-local":
        return {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "CognitoLocal",
                "n": COGNITO_LOCAL, "e": "AQAB"}  # fmt: skip
    packed = files("moto") / "cognitoidp" / "resources" / "jwks-public.json.gz"
    return json.loads(gzip.decompress(packed.read_bytes()))["keys"][0]


@pytest.mark.parametrize("kid", ["dummy", "CognitoLocal"])
def test_an_emulators_kid_is_refused_whatever_key_carries_it(kid: str):
    assert admit({"keys": [jwk(kid=kid)]}) == {}
    assert set(admit({"keys": [jwk(kid=kid)]}, allow_emulators=True)) == {kid}


def test_an_emulators_key_is_refused_under_another_name_by_its_thumbprint(emulator_key):
    assert emulator_key["kid"] in ("dummy", "CognitoLocal")

    assert admit({"keys": [emulator_key | {"kid": "innocent"}]}) == {}


SPELLINGS = {
    "leading zero bytes": lambda key: key | {"n": "AAAA" + key["n"]},
    "many leading zero bytes": lambda key: key | {"n": "A" * 400 + key["n"]},
    "leading zeros in e": lambda key: key | {"e": "AAAA" + key["e"]},
    "without alg and use": lambda key: {n: v for n, v in key.items() if n not in ("alg", "use")},
    "key_ops verify": lambda key: key | {"key_ops": ["verify"]},
}


@pytest.mark.parametrize("respell", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_an_emulators_key_is_refused_however_it_is_spelled(respell, emulator_key):
    spelled = respell(emulator_key) | {"kid": "innocent"}

    assert admit({"keys": [spelled]}) == {}
    assert set(admit({"keys": [spelled]}, allow_emulators=True)) == {"innocent"}


def test_a_thumbprint_is_that_of_rfc_7638_section_3_1():
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPe"
        "bWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY36"
        "8QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4l"
        "Fd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    expected = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"

    assert thumbprint(keys_module._number(modulus)) == expected


def test_load_jwks_refuses_an_emulators_key_outside_local_mode(emulator_key, make_verifier):
    verifier = make_verifier()

    assert refused(verifier.load_jwks, {"keys": [emulator_key]}).reason == "keys_unavailable"


def test_a_key_of_another_size_than_the_usual_verifies_too():
    key = SigningKey("long", bits=3072)
    signature = key.private.sign(b"x", padding.PKCS1v15(), hashes.SHA256())

    assert admit({"keys": [key.jwk]})["long"].verify(b"x", signature)
