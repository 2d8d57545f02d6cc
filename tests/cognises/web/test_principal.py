"""What a view receives: the original's mapping, read-only, and nothing by accident."""

from __future__ import annotations

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


def test_a_printed_principal_shows_no_claim():
    shown = f"{principal(email='ada@example.org')!r} {principal(sub='secret')} {ANONYMOUS}"

    assert shown == "<Principal signed in> <Principal signed in> <Principal anonymous>"


def test_two_requests_of_one_user_are_two_principals():
    assert principal() != principal()
    assert len({principal(), principal()}) == 2
    user = principal()
    assert user == user
