"""What a view receives: the original's mapping, read-only, and nothing by accident."""

from __future__ import annotations

import copy
import json
import pickle
import re

import pytest
from flask import jsonify

from cognises import Principal, current_user, login_check
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


def test_no_user_is_401_in_the_same_shape():
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
        lambda: user.update(status=200),
        lambda: user.pop("status"),
        lambda: user.setdefault("invented", 1),
        lambda: user.__ior__({"status": 200}),
        lambda: setattr(user, "token", "a.b.c"),
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
    assert (user != user) is False
    assert user != principal(sub="1")


RESPONSE = {
    "status": 200,
    "message": "Validation successful",
    "user_email": "ada@example.org",
    "user_group": ["a", "b"],
}

COPIES = {
    "json": lambda user: json.loads(json.dumps(user)),
    "json, indented": lambda user: json.loads(json.dumps(user, indent=1, sort_keys=True)),
    "dict": dict,
    "unpacked": lambda user: {**user},
    "items": lambda user: dict(user.items()),
    "values": lambda user: dict(zip(user.keys(), user.values(), strict=True)),
    "get": lambda user: {key: user.get(key) for key in user},
    "pickle": lambda user: pickle.loads(pickle.dumps(user)),
    "deep copy of a pickle": lambda user: copy.deepcopy(pickle.loads(pickle.dumps([user]))[0]),
}


@pytest.mark.parametrize("made", COPIES.values(), ids=COPIES.keys())
def test_a_principal_is_plain_data_to_json_and_pickle_without_its_token(made):
    claims = {"token_use": "id", "email": "ada@example.org", "cognito:groups": ["a", "b"]}
    user = Principal(freeze(claims), token="a.b.c")

    copied = made(user)
    assert type(copied) is dict
    assert copied == RESPONSE
    copied["user_group"].append("admins")
    assert made(user) == RESPONSE


def test_a_copy_of_a_principal_is_itself():
    user = of_token("a.b.c")

    assert b"a.b.c" not in pickle.dumps(user)
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


VIEWS = {
    "return response": lambda response: response,
    "jsonify(response)": lambda response: jsonify(response),
    "jsonify(**response)": lambda response: jsonify(**response),
    "dict(response)": lambda response: dict(response),
    "dict(current_user)": lambda: dict(current_user),
    "a pickle of current_user": lambda: pickle.loads(pickle.dumps(current_user)),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
def test_a_view_can_answer_with_its_response(view, make_app, cognito):
    app = make_app(lambda app: app.get("/", endpoint="view")(login_check(view)))

    answer = app.test_client().get("/", headers=cognito.bearer(["a", "b"], email="ada@example.org"))

    assert (answer.status_code, answer.json) == (200, RESPONSE)


def test_current_user_equals_the_response_from_both_sides_and_no_other(make_app, cognito):
    other = principal(sub="other")

    def views(app):
        @app.get("/")
        @login_check
        def view(response):
            same = current_user == response and response == current_user
            different = current_user != other and other != current_user
            swapped = current_user == other or other == current_user or response != current_user
            return [same, different, swapped, {response: 1}[current_user]]

    client = make_app(views).test_client()

    assert client.get("/", headers=cognito.bearer()).json == [True, True, False, 1]
