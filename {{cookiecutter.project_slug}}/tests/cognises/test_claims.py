"""Claims and expectations in, verdict out: boundaries that a signed token reaches by time alone."""

from __future__ import annotations

import pytest
from request_side import refused

from cognises.claims import Expectations, check, freeze, groups_of, scopes_of

NOW = 1_800_000_000.0
EXPECTED = Expectations(
    issuers=frozenset({"https://pool"}),
    client_ids=frozenset({"client"}),
    token_use=frozenset({"id", "access"}),
    audiences=frozenset(),
    scopes=frozenset(),
)


def claims(**changes: object) -> dict[str, object]:
    good = {"iss": "https://pool", "exp": NOW + 1, "token_use": "id", "aud": "client"}
    return good | changes


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
]


@pytest.mark.parametrize(("change", "reason"), TIMES, ids=str)
def test_a_token_lives_to_the_second_it_says_and_no_leeway_lengthens_it(change, reason):
    if reason is None:
        check(claims(**change), EXPECTED, NOW)
    else:
        assert refused(check, claims(**change), EXPECTED, NOW).reason == reason


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
    "a list with what is no text": ([None, 1, True, {"admins": 1}, "viewers"], ("viewers",)),
    "an empty list": ([], ()),
    "an empty name": ([""], ("",)),
    "other case": (["ADMINS"], ("ADMINS",)),
}


@pytest.mark.parametrize(("value", "groups"), GROUPS.values(), ids=GROUPS.keys())
def test_only_texts_in_a_list_are_groups(value: object, groups: tuple[str, ...]):
    found = {} if value is ... else {"cognito:groups": value}

    assert groups_of(found) == groups
    assert groups_of(freeze(found)) == groups


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [("a b", {"a", "b"}), ("  a ", {"a"}), ("", set()), (None, set()), (["a"], set()), (1, set())],
)
def test_scopes_are_words_of_a_text_and_nothing_else(scope: object, scopes: set[str]):
    assert scopes_of({"scope": scope}) == scopes


def test_the_order_of_refusals_tells_a_stranger_least():
    wrong = claims(exp=NOW - 1, iss="other", token_use="other", aud="other")

    assert refused(check, wrong, EXPECTED, NOW).reason == "token_expired"
    assert refused(check, wrong | {"exp": NOW + 1}, EXPECTED, NOW).detail == "iss is not the pool's"
