"""Good tokens come through with their claims; every forgery is refused, and for its reason."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode

import pytest
from forgeries import FORGERIES, Forgery
from hypothesis import given
from hypothesis import strategies as st
from request_side import manifest, refused

from cognises import CognisesError, SettingsError, Verifier, login_check, permission_required
from cognises.errors import ANSWERS
from cognises.testing import FakePool, base64url, encode
from cognises.tokens.verifier import pool_key_set
from cognises.user_pool import UserPool

RESOURCE = "https://api.example.org"


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.name)
def test_a_forged_token_is_refused_for_its_own_reason(forgery: Forgery, verifier: Verifier, forged):
    token = forged(forgery)

    for _ in ("first sight", "repeated"):
        error = refused(verifier.verify, token)
        assert (error.reason, error.status) == (forgery.reason, ANSWERS[forgery.reason].status)


def test_the_table_of_forgeries_is_long_and_names_none_twice():
    names = [forgery.name for forgery in FORGERIES]

    assert len(names) >= 120
    assert len(set(names)) == len(names)


GOOD = {
    "an ID token": lambda pool: pool.token(["editors"]),
    "an access token": lambda pool: pool.token(["editors"], token_use="access"),
    "issued by the updated host": lambda pool: pool.token(iss=pool.user_pool.issuers[1]),
    "an access token by the updated host": lambda pool: pool.token(
        token_use="access", iss=pool.user_pool.issuers[1]
    ),
    "with at_hash": lambda pool: pool.token(at_hash="MTIzNDU2Nzg5MDEyMzQ1Ng"),
    "without groups": lambda pool: pool.token(),
    "signed by the second published key": lambda pool: pool.token(key=pool.keys[1]),
    "with typ, as other issuers write it": lambda pool: pool.token(
        header={"typ": "JWT", "kid": pool.keys[0].kid, "alg": "RS256"}
    ),
    "with its members in another order": lambda pool: pool.token(
        header={"alg": "RS256", "kid": pool.keys[0].kid}
    ),
    "with unknown claims": lambda pool: pool.token(**{"custom:team": {"a": [1, {}]}}),
    "with fractions of seconds": lambda pool: pool.token(
        iat=time.time(), exp=time.time() + 60.5, nbf=time.time()
    ),
    "issued by a clock that is 50 seconds ahead": lambda pool: pool.token(iat=time.time() + 50),
    "an ID token that names our client twice": lambda pool: pool.token(client_id=pool.client_id),
    "letters of every script": lambda pool: pool.token(name="Ådå 東京 🦉"),
    "nested 30 deep": lambda pool: pool.token(deep=json.loads("[" * 30 + "]" * 30)),
    "brackets inside a text": lambda pool: pool.token(art="[{" * 400),
    "an escaped quote beside brackets": lambda pool: pool.token(art='"' + "[" * 100 + '\\"'),
}


@pytest.mark.parametrize("build", GOOD.values(), ids=GOOD.keys())
def test_a_good_token_comes_through_with_its_claims(build, verifier: Verifier, cognito: FakePool):
    token = build(cognito)

    claims = verifier.verify(token)

    assert json.loads(verifier.verify_signature(token))["sub"] == claims["sub"]
    assert claims["token_use"] in ("id", "access")
    assert verifier.verify(token)["jti"] == claims["jti"]


def test_the_pool_writes_tokens_as_cognito_does(cognito: FakePool):
    header, payload, _ = cognito.token().split(".")

    assert b"https:\\/\\/cognito-idp." in urlsafe_b64decode(payload + "==")
    assert len(cognito.keys[0].kid) == 44
    assert encode({"kid": cognito.keys[0].kid, "alg": "RS256"}) == header


@pytest.mark.parametrize("number", [0, 1])
def test_the_issuers_of_a_replica_region_are_trusted_only_where_it_is_configured(
    number: int, cognito: FakePool, verifier: Verifier, make_verifier
):
    replicated = make_verifier(additional_regions=["eu-west-1"])
    token = cognito.token(iss=cognito.user_pool.issuers_in("eu-west-1")[number])

    assert replicated.verify(token)["iss"].split("/")[2].split(".")[1] == "eu-west-1"
    assert refused(verifier.verify, token).reason == "invalid_token"


@pytest.mark.parametrize("regions", [("eu-west-1",), ["eu-west-1"], iter(["eu-west-1"])])
def test_an_additional_region_given_as_any_iterable_counts_for_issuers_and_addresses(regions):
    subject = Verifier("us-east-1_Abc", "client", token_use="id", additional_regions=regions)

    assert any("eu-west-1" in issuer for issuer in subject.expected.issuers)
    assert any("eu-west-1" in url for url in subject.keys._load.args[0])


@pytest.mark.parametrize("regions", ["eu-west-1", ["evil.example/#"], [""], [None]])
def test_an_additional_region_that_is_none_never_becomes_a_host_name(regions):
    try:
        subject = Verifier("us-east-1_Abc", "client", token_use="id", additional_regions=regions)
    except SettingsError:
        return
    hosts = {issuer.split("/")[2] for issuer in subject.expected.issuers}
    assert hosts == {
        f"{prefix}cognito-idp.{region}.amazonaws.com"
        for prefix in ("", "issuer-")
        for region in ("us-east-1", "eu-west-1")
    }


def test_an_id_token_is_refused_where_access_tokens_are_expected(make_verifier, cognito: FakePool):
    assert refused(make_verifier(token_use="access").verify, cognito.token()).reason == (
        "wrong_token_use"
    )


def test_an_access_token_is_refused_where_id_tokens_are_expected(make_verifier, cognito: FakePool):
    token = cognito.token(token_use="access")

    assert refused(make_verifier(token_use="id").verify, token).reason == "wrong_token_use"


def test_several_clients_are_accepted_and_no_other(cognito: FakePool, verifier: Verifier):
    subject = Verifier(
        cognito.id, ["first", "second"], token_use=["id", "access"], key_set=verifier.keys
    )

    assert subject.verify(cognito.token(aud="first"))["aud"] == "first"
    assert subject.verify(cognito.token(token_use="access", client_id="second"))
    assert refused(subject.verify, cognito.token()).reason == "wrong_client"


def test_a_client_id_given_as_one_text_is_one_client_and_not_its_letters(cognito, verifier):
    subject = Verifier(cognito.id, "abc", token_use="id", key_set=verifier.keys)

    assert subject.verify(cognito.token(aud="abc"))
    for part in ("a", "b", "ab", "bc"):
        assert refused(subject.verify, cognito.token(aud=part)).reason == "wrong_client"


def test_a_token_bound_to_a_resource_passes_only_where_that_audience_is_configured(
    make_verifier, cognito: FakePool, verifier: Verifier
):
    bound = make_verifier(token_use="access", audiences=RESOURCE)
    token = cognito.token(token_use="access", aud=RESOURCE)

    assert bound.verify(token)["aud"] == RESOURCE
    assert bound.verify(cognito.token(token_use="access"))
    assert refused(verifier.verify, token).reason == "wrong_client"
    for audience in ("", RESOURCE[:-1], RESOURCE + "/", [RESOURCE], None, 1):
        payload = cognito.claims(token_use="access") | {"aud": audience}
        assert refused(bound.verify, cognito.sign(payload)).reason == "wrong_client"


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        ("data/read data/write", None),
        ("openid data/write data/read", None),
        ("data/read", "insufficient_scope"),
        ("data/read data/writer", "insufficient_scope"),
        ("data/read,data/write", "insufficient_scope"),
        ("DATA/READ DATA/WRITE", "insufficient_scope"),
        ("", "insufficient_scope"),
        (None, "insufficient_scope"),
        (["data/read", "data/write"], "insufficient_scope"),
        ({"data/read": 1, "data/write": 1}, "insufficient_scope"),
    ],
)
def test_every_scope_is_needed_and_none_is_found_as_a_substring(
    scope, reason, make_verifier, cognito: FakePool
):
    subject = make_verifier(token_use="access", scopes=["data/read", "data/write"])
    token = cognito.sign(cognito.claims(token_use="access") | {"scope": scope})

    if reason is None:
        assert subject.verify(token)["scope"] == scope
    else:
        error = refused(subject.verify, token)
        assert error.reason == reason
        assert 'scope="data/read data/write"' in error.headers["WWW-Authenticate"]


def test_a_scope_is_never_granted_to_an_id_token(make_verifier, cognito: FakePool):
    subject = make_verifier(token_use="id", scopes="data/read")

    assert refused(subject.verify, cognito.token()).reason == "insufficient_scope"


def test_claims_cannot_be_changed_at_any_depth(verifier: Verifier, cognito: FakePool):
    token = cognito.token(["viewers"], address={"lines": [{"street": "x"}]})
    claims = verifier.verify(token)

    for change in (
        lambda: claims.__setitem__("cognito:groups", ["admins"]),
        lambda: claims["address"].__setitem__("lines", 1),
        lambda: claims["address"]["lines"].append(1),
        lambda: claims["address"]["lines"][0].__setitem__("street", "y"),
        lambda: claims["cognito:groups"].append("admins"),
    ):
        with pytest.raises((TypeError, AttributeError)):
            change()
    assert verifier.verify(token)["cognito:groups"] == ("viewers",)


@given(text=st.text(max_size=99) | st.text("eyJ0.-_=é", max_size=99) | st.binary() | st.none())
def test_whatever_comes_in_only_a_cognises_error_comes_out(text, verifier: Verifier):
    assert refused(verifier.verify, text).reason == "invalid_token"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(
    changes=st.dictionaries(
        st.sampled_from(
            ["exp", "nbf", "iat", "iss", "token_use", "aud", "client_id", "scope", "sub",
             "cognito:groups", "email"]
        ),
        json_values,
        min_size=1,
        max_size=3,
    )
)  # fmt: skip
def test_claims_of_any_kind_give_claims_or_a_cognises_error(changes, verifier, cognito):
    token = cognito.sign(cognito.claims() | changes)

    try:
        claims = verifier.verify(token)
    except CognisesError:
        return
    assert claims["iss"] in cognito.user_pool.issuers
    assert claims["exp"] > time.time()
    assert claims["token_use"] in ("id", "access")


@given(header=json_values)
def test_headers_of_any_kind_never_get_past_the_first_look(header, verifier, cognito):
    signed = f"{encode(header)}.{encode(cognito.claims())}"

    error = refused(verifier.verify, f"{signed}.{cognito.keys[0].sign(signed)}")
    assert error.reason == "invalid_token"


@given(data=st.data())
def test_one_changed_character_is_enough_to_be_refused(data, verifier: Verifier, cognito):
    token = GOOD["an ID token"](cognito)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(
        st.characters(codec="utf-8").filter(lambda character: character != token[place])
    )

    refused(verifier.verify, token[:place] + other + token[place + 1 :])


@given(place=st.integers(0, 800), text=st.text(min_size=1, max_size=5))
def test_text_put_into_a_good_token_is_enough_to_be_refused(place, text, verifier, cognito):
    token = cognito.token()

    refused(verifier.verify, token[:place] + text + token[place:])


@given(cuts=st.lists(st.integers(1, 600), min_size=1, max_size=1))
def test_a_token_that_was_cut_is_refused(cuts, verifier: Verifier, cognito: FakePool):
    refused(verifier.verify, cognito.token()[: -cuts[0]])


def test_segments_of_two_good_tokens_do_not_make_a_third(verifier: Verifier, cognito: FakePool):
    one, two = (cognito.token([group]).split(".") for group in ("viewers", "admins"))

    refused(verifier.verify, f"{one[0]}.{two[1]}.{one[2]}")
    refused(verifier.verify, f"{two[0]}.{one[1]}.{two[2]}")


BAD_ARGUMENTS = {
    "no client": {"client_ids": []},
    "an empty client": {"client_ids": ""},
    "an empty client among others": {"client_ids": ["client", ""]},
    "a client that is no text": {"client_ids": ["client", None]},
    "a comma list as one client": {"client_ids": "one,two"},
    "no token_use": {"token_use": ()},
    "an empty token_use": {"token_use": ""},
    "a substring of a token_use": {"token_use": "i"},
    "refresh": {"token_use": "refresh"},
    "a comma list as one token_use": {"token_use": "id,access"},
    "a pool id of no form": {"user_pool_id": "pool"},
    "a pool id with a path": {"user_pool_id": "us-east-1_Abc/../x"},
    "a pool id with a newline": {"user_pool_id": "us-east-1_Abc\n"},
    "a pool id on another host": {"user_pool_id": "evil.example/us-east-1_Abc"},
    "no pool id": {"user_pool_id": None},
    "an empty audience": {"audiences": ""},
    "an empty audience among others": {"audiences": ["https://a", ""]},
    "an empty scope": {"scopes": [""]},
    "clients that are none": {"client_ids": None},
    "a number for a client": {"client_ids": 5},
    "token uses that are none": {"token_use": None},
    "scopes that are none": {"scopes": None},
    "a list for a scope": {"scopes": [[]]},
    "no issuer": {"issuers": []},
    "an empty issuer": {"issuers": ""},
    "a cache size as a text": {"cache_size": "5"},
    "a cache size below nothing": {"cache_size": -1},
    "a cache size that is a truth value": {"cache_size": True},
}


def test_an_issuer_given_as_one_text_is_one_issuer_and_not_its_letters(cognito, make_verifier):
    subject = make_verifier(issuers="https://emulator.example/pool")

    assert subject.verify(cognito.token(iss="https://emulator.example/pool"))
    assert refused(subject.verify, cognito.token(iss="h")).reason == "invalid_token"


@pytest.mark.parametrize("change", BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS.keys())
def test_an_argument_that_would_skip_a_check_is_an_error(change):
    arguments = {"user_pool_id": "us-east-1_Abc", "client_ids": "client", "token_use": "id"}

    with pytest.raises(SettingsError):
        Verifier(**(arguments | change))


def test_token_use_has_no_default():
    with pytest.raises(TypeError, match="token_use"):
        Verifier("us-east-1_Abc", "client")  # type: ignore[call-arg]


def test_load_jwks_without_a_usable_key_is_an_error_and_the_old_keys_stay(cognito, make_verifier):
    subject = make_verifier()
    subject.load_jwks(cognito.jwks)

    for document in ({}, {"keys": []}, [], None, "x", {"keys": {}}, {"keys": [{"kty": "oct"}]}):
        assert refused(subject.load_jwks, document).reason == "keys_unavailable"
    assert subject.verify(cognito.token())


# RFC 7515 appendix A.2 and RFC 7520 section 4.1, as printed there.
RFC7515_KEY = (
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d"
    "4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexM"
    "dbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvU"
    "K-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
)
RFC7515_SIGNED = (
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvb"
    "S9pc19yb290Ijp0cnVlfQ"
)
RFC7515_SIGNATURE = (
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5juj"
    "Gbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe"
    "7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8"
    "np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
)
RFC7520_KEY = (
    "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCp"
    "MaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd"
    "1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKn"
    "S2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw"
)
RFC7520_TOKEN = (
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9."
    "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB"
    "0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW"
    "91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4."
    "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7"
    "PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt"
    "9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ"
    "3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg"
)


def rfc_verifier(modulus: str, kid: str, make_verifier) -> Verifier:
    key = {"kty": "RSA", "kid": kid, "use": "sig", "n": modulus, "e": "AQAB"}
    subject = make_verifier(
        key_set=pool_key_set(UserPool.parse("us-east-1_Rfc"), load=lambda kid: {"keys": [key]})
    )
    subject.hydrate()
    return subject


def test_the_token_of_rfc_7520_section_4_1_verifies_and_its_payload_is_no_claims(make_verifier):
    subject = rfc_verifier(RFC7520_KEY, "bilbo.baggins@hobbiton.example", make_verifier)

    payload = subject.verify_signature(RFC7520_TOKEN).decode()

    assert payload.startswith("It’s a dangerous business, Frodo")
    assert refused(subject.verify, RFC7520_TOKEN).reason == "invalid_token"
    assert refused(subject.verify_signature, RFC7520_TOKEN.replace("SXT", "SXU")).status == 401


def test_the_signature_of_rfc_7515_appendix_a_2_verifies_but_a_token_without_kid_does_not(
    make_verifier,
):
    subject = rfc_verifier(RFC7515_KEY, "rfc", make_verifier)
    key, _ = subject.keys.key_for("rfc")
    signature = urlsafe_b64decode(RFC7515_SIGNATURE + "==")

    assert key.verify(RFC7515_SIGNED.encode(), signature)
    assert not key.verify(RFC7515_SIGNED.encode() + b"x", signature)
    token = f"{RFC7515_SIGNED}.{RFC7515_SIGNATURE}"
    assert refused(subject.verify_signature, token).detail == "no usable kid"


def test_no_refusal_carries_the_token_or_a_claim(verifier: Verifier, cognito: FakePool):
    for token in (
        cognito.token(email="ada@example.org", exp=1),
        cognito.token(aud="secret-client"),
        cognito.token(header={"kid": "secret-kid", "alg": "RS256"}),
        base64url(b"secret") + ".x.y",
    ):
        error = refused(verifier.verify, token)
        told = f"{error!r} {error} {error.detail} {error.headers} {error.__cause__}"
        assert not {"secret", "ada@", token} & set(told.split())
        assert "secret" not in told
        assert "ada@example.org" not in told


@pytest.mark.parametrize(
    "claim", ["", "sub", "email", "my groups", None, 7, ["custom:groups"]], ids=repr
)
def test_a_groups_claim_that_cannot_hold_groups_is_refused(claim, make_verifier):
    with pytest.raises(SettingsError, match="groups_claim"):
        make_verifier(groups_claim=claim)


def test_the_groups_claim_of_the_app_opens_its_routes_and_cognitos_own_does_not(make_app, cognito):
    def views(app):
        app.get("/x", endpoint="x")(permission_required(lambda response: response["user_group"]))

    app = make_app(views, manifest(admins=["x"]), COGNITO_GROUPS_CLAIM="custom:groups")
    client = app.test_client()

    def get(groups=(), **claims):
        return client.get("/x", headers=cognito.bearer(groups, **claims))

    assert get(**{"custom:groups": "viewers, admins"}).json == ["viewers", "admins"]
    assert get(**{"custom:groups": ["admins"]}).status_code == 200
    assert get(["admins"]).status_code == 403
    assert get(["admins"], **{"custom:groups": [["admins"]]}).status_code == 403


def test_the_groups_claim_of_the_app_does_not_count_for_another_pool(make_app):
    other = FakePool("eu-west-1_Other", "otherclient")

    def views(app):
        guard = login_check("eu-west-1", other.id, client_ids=other.client_id)
        app.get("/x", endpoint="x")(guard(lambda response: response["user_group"]))

    app = make_app(views, COGNITO_GROUPS_CLAIM="custom:groups")
    other.attach(app, own=False)

    headers = other.bearer(["viewers"], **{"custom:groups": "admins"})
    assert app.test_client().get("/x", headers=headers).json == ["viewers"]
