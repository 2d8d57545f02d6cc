"""What a view receives: the original's mapping, read-only, and nothing by accident."""

from __future__ import annotations

import copy
import json
import pickle
import re

import pytest

from cognises import Principal
from cognises.tokens.claims import freeze
from cognises.web.principal import ANONYMOUS


def principal(**claims: object) -> Principal:
    return Principal(freeze({"token_use": "id", "sub": "1"} | claims))


def test_the_mapping_has_the_originals_keys():
    user = principal(email="ada@example.org", **{"cognito:groups": ["a", "b"]})

    assert dict(user) == {
        "status": 200,
        "message": "Validation successful",
        "user_email": "ada@example.org",
        "user_group": ["a", "b"],
    }
    assert len(user) == 4
    with pytest.raises(KeyError):
        user["password"]


def test_nobody_is_401_in_the_same_shape():
    assert (ANONYMOUS["status"], ANONYMOUS["user_email"], ANONYMOUS["user_group"]) == (
        401,
        None,
        [],
    )
    assert not ANONYMOUS.is_authenticated
    assert not ANONYMOUS.can("*")


def test_an_access_token_says_no_email_even_if_it_carries_one():
    assert principal(token_use="access", email="ada@example.org")["user_email"] is None


def test_the_groups_are_a_fresh_list_every_time():
    user = principal(**{"cognito:groups": ["viewers"]})

    user["user_group"].append("admins")

    assert user["user_group"] == ["viewers"]
    assert user.groups == ("viewers",)


def test_nothing_about_a_principal_can_be_changed():
    user = principal(address={"city": ["Paris"]})

    for change in (
        lambda: user.__setitem__("status", 200),
        lambda: user.claims.__setitem__("sub", "2"),
        lambda: user.claims["address"].__setitem__("city", []),
        lambda: setattr(user, "invented", 1),
    ):
        with pytest.raises((TypeError, AttributeError)):
            change()


@pytest.mark.parametrize(
    ("value", "verified"),
    [(True, True), ("true", True), (False, False), ("false", False), (None, False), (1, False),
     ("TRUE", False), (["true"], False)],
)  # fmt: skip
def test_an_email_is_verified_only_where_the_claim_says_exactly_so(value, verified):
    assert principal(email_verified=value).email_verified is verified


@pytest.mark.parametrize("odd", [None, 1, ["x"], {"x": 1}, True])
def test_claims_that_are_no_text_are_none(odd):
    user = principal(sub=odd, email=odd, username=odd, scope=odd, **{"cognito:username": odd})

    assert (user.sub, user.email, user.username, user.scopes) == (None, None, None, frozenset())


def test_the_username_is_under_the_name_of_either_kind_of_token():
    assert principal(**{"cognito:username": "ada"}).username == "ada"
    assert principal(token_use="access", username="ada").username == "ada"


def test_scopes_are_those_of_the_access_token():
    assert principal(token_use="access", scope="a b").scopes == {"a", "b"}


SHOWN = (repr, str, "{}".format, hash)


@pytest.mark.parametrize("show", SHOWN, ids=["repr", "str", "format", "hash"])
def test_what_caches_build_keys_from_differs_by_user_and_stays_the_same_for_one(show):
    ada, eve = principal(sub="ada"), principal(sub="eve")

    assert len({show(ada), show(eve), show(principal(sub="ada")), show(ANONYMOUS)}) == 4
    assert show(ada) == show(ada)
    assert show(of_token("a.b.c")) == show(of_token("a.b.c"))
    assert show(of_token("a.b.c")) != show(of_token("a.b.d"))


def of_token(token: str) -> Principal:
    return Principal(freeze({"sub": "ada"}), token=token)


def test_a_printed_principal_shows_no_claim_and_nothing_of_its_token():
    for user in (principal(email="ada@example.org", sub="secret"), of_token("secret.ada.token")):
        shown = repr(user)
        assert re.fullmatch(r"<Principal [0-9a-f]{32}>", shown)
        assert str(user) == shown
    assert repr(ANONYMOUS) == "<Principal anonymous>"


def test_two_requests_of_one_user_are_two_principals():
    assert principal() != principal()
    assert len({principal(), principal()}) == 2
    user = principal()
    assert user == user


def test_a_principal_is_never_pickled_and_a_copy_is_itself():
    user = of_token("a.b.c")

    with pytest.raises(TypeError, match="holds a token"):
        pickle.dumps(user)
    assert copy.copy(user) is user
    assert copy.deepcopy([user])[0] is user


def test_a_principal_gives_its_token_to_whoever_asks_for_it_by_name_alone():
    user = of_token("a.b.c")

    assert user.token == "a.b.c"
    assert principal().token is None
    assert "a.b.c" not in json.dumps(dict(user)) + json.dumps(user.claims)


@pytest.mark.parametrize(
    ("claims", "is_machine"),
    [
        ({"token_use": "access", "sub": "c", "client_id": "c"}, True),
        ({"token_use": "access", "sub": "c", "client_id": "c", "username": "ada"}, False),
        ({"token_use": "access", "sub": "c", "client_id": "c", "username": ["ada"]}, False),
        ({"token_use": "access", "sub": "ada", "client_id": "c"}, False),
        ({"token_use": "id", "sub": "c", "aud": "c"}, False),
        ({"token_use": "access", "sub": ["c"], "client_id": ["c"]}, False),
    ],
    ids=["machine", "user", "odd user", "another sub", "ID token", "lists"],
)
def test_a_machine_is_an_access_token_of_the_client_itself(claims, is_machine):
    user = Principal(freeze(claims | {"scope": "orders/read orders/write"}))

    assert user.is_machine is is_machine
    assert user.machine_scopes == ({"orders/read", "orders/write"} if is_machine else set())


def test_claims_are_plain_data_that_cannot_be_changed():
    identities = [{"providerName": "Google", "dateCreated": 1, "primary": True}]
    claims = principal(identities=identities, address={"city": ["Paris"]}).claims

    for same in (json.loads(json.dumps(claims)), json.loads(json.dumps(dict(claims)))):
        assert same["identities"] == identities
    for copied in (copy.copy(claims), copy.deepcopy(claims), pickle.loads(pickle.dumps(claims))):
        assert copied == claims
    for change in (
        lambda: claims.update(sub="x"),
        lambda: claims.pop("sub"),
        lambda: claims["identities"][0].update(primary=False),
    ):
        with pytest.raises((TypeError, AttributeError)):
            change()
