"""The pool for tests: real keys, made in the process, and refused in a deployed service."""

from __future__ import annotations

import builtins
import json
from pathlib import Path

import pytest
from flask import Flask
from request_side import refused

from cognises import login_check
from cognises.settings.model import DEPLOYED_MARKERS
from cognises.settings.sources import NAMES
from cognises.testing import FakePool, SigningKey
from cognises.tokens.claims import TokenClaims


@pytest.mark.parametrize("testing", [False, "false", 1, None])
def test_it_attaches_to_an_app_under_test_only(testing, cognito: FakePool):
    app = Flask("service")
    app.config["TESTING"] = testing

    with pytest.raises(RuntimeError, match="TESTING"):
        cognito.attach(app)


def test_a_second_pool_serves_the_routes_that_name_it_and_no_other(make_app, cognito: FakePool):
    other = FakePool("eu-west-1_Other", "otherclient")

    def views(app: Flask) -> None:
        app.get("/own", endpoint="own")(login_check(lambda response: "own"))
        guard = login_check("eu-west-1", other.id, client_ids=other.client_id)
        app.get("/other", endpoint="other")(guard(lambda response: "other"))

    app = make_app(views)
    other.attach(app, own=False)
    client = app.test_client()

    for pool, statuses in ((cognito, (200, 401)), (other, (401, 200))):
        headers = pool.bearer()
        found = [client.get(path, headers=headers).status_code for path in ("/own", "/other")]
        assert tuple(found) == statuses


@pytest.mark.parametrize("marker", DEPLOYED_MARKERS)
def test_it_never_attaches_where_a_deployed_service_runs(marker, monkeypatch, cognito: FakePool):
    app = Flask("service")
    app.testing = True
    monkeypatch.setenv(marker, "1")

    with pytest.raises(RuntimeError):
        cognito.attach(app)


def test_two_pools_share_no_key(make_verifier):
    one, two = FakePool(), FakePool()

    assert not {key["n"] for key in one.jwks["keys"]} & {key["n"] for key in two.jwks["keys"]}
    assert refused(make_verifier(one).verify, two.token()).reason == "unknown_key"


def test_its_keys_are_never_written_anywhere(monkeypatch, tmp_path):
    opened: list[str] = []
    real = builtins.open

    def watch(file, mode="r", *rest, **options):
        if set(mode) & set("wax+"):
            opened.append(str(file))
        return real(file, mode, *rest, **options)

    monkeypatch.setattr(builtins, "open", watch)
    monkeypatch.setattr(Path, "write_text", lambda *_: opened.append("Path"))
    pool = FakePool()
    pool.rotate()
    pool.token()

    assert opened == []


def test_its_jwks_contains_public_keys_only(cognito: FakePool):
    for key in cognito.jwks["keys"]:
        assert set(key) == {"kty", "alg", "use", "kid", "n", "e"}


def test_a_change_to_none_leaves_a_claim_out(cognito: FakePool):
    assert "email" in cognito.claims()
    assert "email" not in cognito.claims(email=None)
    assert "cognito:groups" not in cognito.claims()
    assert cognito.claims([])["cognito:groups"] == []


def test_a_machine_token_has_a_client_and_no_user(make_verifier, cognito: FakePool):
    verifier = make_verifier(token_use="access")

    claims = verifier.verify(cognito.machine_token(["orders/read", "orders/write"]))

    assert claims["sub"] == claims["client_id"] == cognito.client_id
    assert claims["scope"] == "orders/read orders/write"
    assert {"username", "email", "cognito:groups"}.isdisjoint(claims)
    assert verifier.verify(cognito.machine_token("a/b", version=3))["scope"] == "a/b"
    assert TokenClaims(claims).is_machine
    assert not TokenClaims(verifier.verify(cognito.token(token_use="access"))).is_machine


@pytest.mark.parametrize(
    ("provider", "kind"),
    [("Google", "Google"), ("SignInWithApple", "SignInWithApple"), ("Corp", "SAML")],
)
def test_a_federated_user_has_the_claims_that_cognito_gives(provider, kind, verifier, cognito):
    claims = verifier.verify(cognito.token(["editors"], federated=provider))

    assert claims["cognito:username"].startswith(f"{provider}_")
    assert claims["cognito:groups"] == (f"{cognito.id}_{provider}", "editors")
    assert json.loads(json.dumps(claims))["identities"][0]["providerType"] == kind
    access = verifier.verify(cognito.token(token_use="access", federated=provider, sub="x"))
    assert access["username"].startswith(f"{provider}_")
    assert access["sub"] == "x"
    assert "identities" not in access


def test_rotation_signs_with_a_new_key_and_publishes_the_old_ones(make_verifier):
    pool = FakePool()
    before = pool.keys[0]
    old = pool.token()

    assert pool.rotate() is pool.keys[0]

    verifier = make_verifier(pool)
    assert verifier.verify(old)
    assert verifier.verify(pool.token())
    assert pool.keys[0].kid != before.kid


def test_signing_keys_may_be_weak_or_named_for_tests():
    assert SigningKey("name", bits=1024).jwk["kid"] == "name"


def test_attaching_replaces_the_keys_that_the_app_used_before(make_app):
    app = make_app(lambda app: app.get("/me")(login_check(lambda r: r.sub)))
    one, two = FakePool(client_id="one"), FakePool(client_id="two")
    client = app.test_client()
    for pool, other in ((one, two), (two, one)):
        pool.attach(app)
        assert client.get("/me", headers=pool.bearer(sub="ada")).text == "ada"
        assert client.get("/me", headers=other.bearer(sub="eve")).status_code == 401


def test_the_settings_have_no_switch_that_turns_authentication_off():
    assert not [name for name in NAMES if "DISABLE" in name or "SKIP" in name or "AUTH" in name]


def test_the_plugins_fixture_signs_in_as_a_group(app: Flask, as_group, pool: FakePool):
    assert as_group("editors").get("/me").json == ["editors"]
    assert as_group().get("/me").json == []
    assert as_group("a", "b", email="x@y.z").get("/me").json == ["a", "b"]
    assert app.test_client().get("/me").status_code == 401


@pytest.fixture
def app(make_app) -> Flask:
    return make_app(lambda app: app.get("/me")(login_check(lambda r: r["user_group"])))
