"""Claims and expectations in, verdict out: boundaries that a signed token reaches by time alone."""

from __future__ import annotations

import copy
import json
import math
import operator
import pickle

import pytest
from request_side import refused

from cognises.tokens.claims import Expectations, TokenClaims, check, freeze, groups_of, scopes_of

NOW = 1_800_000_000.0
EXPECTED = Expectations(
    issuers=("https://pool",),
    client_ids=("client",),
    token_use=("id", "access"),
    audiences=("https://api",),
    scopes=frozenset(),
)


def claims(**changes: object) -> TokenClaims:
    good = {"iss": "https://pool", "exp": NOW + 1, "token_use": "id", "aud": "client", "sub": "1"}
    return TokenClaims(good | changes)


TIMES = [
    ({"exp": NOW}, "token_expired"),
    ({"exp": NOW - 0.001}, "token_expired"),
    ({"exp": NOW + 0.001}, None),
    ({"exp": int(NOW) + 1}, None),
    ({"exp": 10**300}, None),
    ({"exp": -(10**300)}, "token_expired"),
    ({"nbf": NOW + 60}, None),
    ({"nbf": NOW + 60.5}, "invalid_token"),
    ({"nbf": -1}, None),
    ({"iat": NOW + 60}, None),
    ({"iat": NOW + 61}, "invalid_token"),
    ({"iat": 10**300}, "invalid_token"),
    ({"iat": 0}, None),
    ({"iat": NOW + 61, "nbf": NOW}, "invalid_token"),
    ({"iat": NOW, "nbf": NOW + 61}, "invalid_token"),
]

NO_TIMES = [None, True, False, "", str(int(NOW) + 9), "NaN", [], [int(NOW) + 9], {}, math.nan,
            math.inf, -math.inf]  # fmt: skip


@pytest.mark.parametrize(("change", "reason"), TIMES, ids=str)
def test_a_token_lives_to_the_second_it_says_and_no_leeway_lengthens_it(change, reason):
    if reason is None:
        check(claims(**change), EXPECTED, NOW)
    else:
        assert refused(check, claims(**change), EXPECTED, NOW).reason == reason


@pytest.mark.parametrize("value", NO_TIMES, ids=repr)
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
def test_what_is_no_number_is_no_time(name, value):
    assert refused(check, claims(**{name: value}), EXPECTED, NOW).reason == "invalid_token"


def test_a_token_without_an_end_is_refused():
    endless = TokenClaims({"iss": "https://pool", "token_use": "id", "aud": "client"})

    assert refused(check, endless, EXPECTED, NOW).reason == "invalid_token"


ODD = [None, True, 0, 1.5, "", "pool", "https://pool/", ["https://pool"], {"https://pool": 1},
       ["client"], {"client": 1}, ["id"], {"id": 1}, "client ", "CLIENT", "cli", "client,x", "ID",
       "id,access", "refresh"]  # fmt: skip


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_issuer_use_and_client_are_one_exact_text_each(value):
    for name, reason in {
        "iss": "invalid_token", "token_use": "wrong_token_use", "aud": "wrong_client",
    }.items():  # fmt: skip
        assert refused(check, claims(**{name: value}), EXPECTED, NOW).reason == reason
    access = {"token_use": "access", "client_id": value}
    assert refused(check, claims(**access), EXPECTED, NOW).reason == "wrong_client"


def test_an_access_token_with_an_audience_is_good_for_that_audience_alone():
    def bound(audience: object) -> TokenClaims:
        return claims(token_use="access", client_id="client", aud=audience)

    check(bound("https://api"), EXPECTED, NOW)
    for foreign in ("https://other", "client", None, ["https://api"], {"https://api": 1}, ""):
        assert refused(check, bound(foreign), EXPECTED, NOW).reason == "wrong_client"


def test_an_id_token_that_names_any_client_of_its_own_names_an_accepted_one():
    check(claims(client_id="client"), EXPECTED, NOW)
    for foreign in ("another", None, ["client"]):
        assert refused(check, claims(client_id=foreign), EXPECTED, NOW).reason == "wrong_client"


GROUPS = {
    "a list": (["admins", "viewers"], ("admins", "viewers")),
    "a text that contains the name": ("admins", ()),
    "a text with commas": ("viewers,admins", ()),
    "null": (None, ()),
    "missing": (..., ()),
    "an object with the name as key": ({"admins": True}, ()),
    "a number": (1, ()),
    "a list in a list": ([["admins"]], ()),
    "a list with what is no text": ([None, 1, True, {"admins": 1}, "viewers"], ()),
    "a list with one number": (["admins", 1], ()),
    "an empty list": ([], ()),
    "an empty name": ([""], ("",)),
    "other case": (["ADMINS"], ("ADMINS",)),
}


@pytest.mark.parametrize(("value", "groups"), GROUPS.values(), ids=GROUPS.keys())
def test_only_texts_in_a_list_are_groups(value: object, groups: tuple[str, ...]):
    found = {} if value is ... else {"cognito:groups": value}

    assert groups_of(found) == groups
    assert groups_of(freeze(found)) == groups
    assert TokenClaims(found).groups == groups


OTHER_CLAIM = {
    "a list": (["admins", "viewers"], ("admins", "viewers")),
    "one text": ("admins", ("admins",)),
    "a text with commas": ("viewers,admins", ("viewers", "admins")),
    "spaces and empty items": (" viewers , ,admins,", ("viewers", "admins")),
    "an empty text": ("", ()),
    "null": (None, ()),
    "missing": (..., ()),
    "true": (True, ()),
    "a number": (1, ()),
    "an object with the name as key": ({"admins": True}, ()),
    "a list in a list": ([["admins"]], ()),
    "a list with a number": (["admins", 1], ()),
    "a list with null": (["admins", None], ()),
    "a list with an object": (["admins", {"admins": 1}], ()),
    "a comma inside a list": (["viewers,admins"], ("viewers,admins",)),
    "another separator": ("viewers;admins", ("viewers;admins",)),
    "separated by spaces": ("viewers admins", ("viewers admins",)),
    "separated by lines": ("viewers\nadmins", ("viewers\nadmins",)),
    "other white space": ("\u2003admins,\tadmins", ("\u2003admins", "\tadmins")),
    "a list as text": ('["admins"]', ('["admins"]',)),
    "a list as SAML writes it": ("[admins, viewers]", ("[admins", "viewers]")),
    "other case": ("ADMINS", ("ADMINS",)),
    "a full-width comma": ("viewers，admins", ("viewers，admins",)),
}


@pytest.mark.parametrize(("value", "groups"), OTHER_CLAIM.values(), ids=OTHER_CLAIM.keys())
def test_another_claim_is_a_list_of_texts_or_a_text_with_commas(value: object, groups):
    found = {} if value is ... else {"custom:groups": value}

    read = TokenClaims(found | {"cognito:groups": ["owners"]}, "custom:groups")

    assert read.groups == groups
    assert TokenClaims(found).groups == ()


@pytest.mark.parametrize("sub", [None, ..., "", 1, 1.5, True, ["1"], {"1": 1}, []], ids=repr)
def test_a_sub_that_is_not_text_is_refused(sub: object):
    found = claims(sub=sub)
    if sub is ...:
        found.sub = None  # as where the claim is missing

    assert refused(check, found, EXPECTED, NOW).reason == "invalid_token"


MACHINES = {
    "a client's own token": ({}, True),
    "an ID token": ({"token_use": "id"}, False),
    "a user name": ({"username": "ada"}, False),
    "a user name that is null": ({"username": None}, False),
    "an empty user name": ({"username": ""}, False),
    "an ID token's user name": ({"cognito:username": "ada"}, False),
    "a user's sub": ({"sub": "5d0f9d6e"}, False),
    "another client's sub": ({"sub": "CLIENT"}, False),
    "no client": ({"client_id": None, "sub": None}, False),
    "a client that is a list": ({"client_id": ["client"], "sub": ["client"]}, False),
}


@pytest.mark.parametrize(("change", "expected"), MACHINES.values(), ids=MACHINES.keys())
def test_a_machine_is_an_access_token_without_user_whose_sub_is_its_client(change, expected):
    good = {"token_use": "access", "client_id": "client", "sub": "client", "scope": "orders/read"}

    assert TokenClaims(good | change).is_machine is expected


NESTED = {
    "identities": [{"providerName": "Google", "userId": "1", "primary": True}],
    "address": {"formatted": "x", "more": {"deep": [1, [2.5, None, True]]}},
    "plain": "text",
    "number": 7,
}


def test_claims_are_plain_data_for_json_copy_and_pickle():
    frozen = freeze(NESTED)

    assert json.loads(json.dumps(frozen)) == NESTED
    assert json.loads(json.dumps(frozen["identities"])) == NESTED["identities"]
    for copied in (
        copy.copy(frozen), copy.deepcopy(frozen), dict(frozen), frozen | {},
        *(pickle.loads(pickle.dumps(frozen, protocol)) for protocol in range(6)),
    ):  # fmt: skip
        assert copied == frozen
        assert type(copied) is dict
        copied["plain"] = "changed"
    assert frozen["plain"] == "text"
    deep = copy.deepcopy(frozen)
    deep["address"]["more"]["added"] = 1
    assert "added" not in frozen["address"]["more"]


CHANGES = {
    "an item": lambda d: d.__setitem__("x", 1),
    "a deletion": lambda d: d.__delitem__("plain"),
    "update": lambda d: d.update(x=1),
    "pop": lambda d: d.pop("plain"),
    "popitem": lambda d: d.popitem(),
    "clear": lambda d: d.clear(),
    "setdefault": lambda d: d.setdefault("x", 1),
    "an operator": lambda d: operator.ior(d, {"x": 1}),
    "an item further in": lambda d: d["address"]["more"].__setitem__("x", 1),
    "an item of a list": lambda d: operator.setitem(d["identities"], 0, 1),
    "an object in a list": lambda d: d["identities"][0].update(primary=False),
    "an attribute": lambda d: setattr(d, "x", 1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_claims_cannot_be_changed(change):
    frozen = freeze(NESTED)

    with pytest.raises((TypeError, AttributeError)):
        change(frozen)
    assert json.loads(json.dumps(frozen)) == NESTED


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [("a b", {"a", "b"}), ("  a ", {"a"}), ("", set()), (None, set()), (["a"], set()), (1, set())],
)
def test_scopes_are_words_of_a_text_and_nothing_else(scope: object, scopes: set[str]):
    assert scopes_of({"scope": scope}) == scopes


def test_the_order_of_refusals_reveals_least():
    wrong = {"iss": "other", "token_use": "other", "aud": "other"}

    assert refused(check, claims(**wrong, exp=NOW - 1), EXPECTED, NOW).reason == "token_expired"
    assert refused(check, claims(**wrong), EXPECTED, NOW).detail == "iss is not the pool's"
