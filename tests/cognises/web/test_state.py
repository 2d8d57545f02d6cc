"""Where an app's keys come from, told at the start and never at the first token."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from flask import Flask
from key_server import KeyServer
from request_side import refused

from cognises import Cognises, SettingsError, login_check
from cognises.testing import FakePool, SigningKey
from cognises.tokens.http import FetchError
from cognises.user_pool import UserPool
from cognises.web.extension import check
from cognises.web.routes import LoginGuard
from cognises.web.state import state_of


@pytest.fixture
def server(cognito: FakePool) -> Iterator[KeyServer]:
    server = KeyServer(lambda: cognito.jwks)
    yield server
    server.close()


def service(tmp_path, cognito: FakePool, **config: object) -> Flask:
    """An app as it is deployed: settings alone, no pool attached."""
    app = Flask("service", root_path=str(tmp_path))
    app.config.update(
        TESTING=True,
        COGNITO_USER_POOL_ID=cognito.id,
        COGNITO_CLIENT_ID=cognito.client_id,
        **config,
    )
    app.get("/me", endpoint="me")(login_check(lambda response: response.sub))
    Cognises(app)
    return app


def test_in_local_mode_keys_come_from_the_loopback_address(tmp_path, cognito, server):
    app = service(tmp_path, cognito, COGNISES_LOCAL="1", COGNITO_JWKS_URL=server.url)

    answer = app.test_client().get("/me", headers=cognito.bearer(sub="ada"))

    assert answer.text == "ada"
    assert len(server.hits) == 1


def test_in_local_mode_an_emulators_kid_is_trusted_and_outside_it_is_not(tmp_path, cognito, server):
    emulator = SigningKey("dummy")
    server.answer = lambda: {"keys": [emulator.jwk]}
    local = service(tmp_path, cognito, COGNISES_LOCAL="1", COGNITO_JWKS_URL=server.url)
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [emulator.jwk]}))
    headers = cognito.bearer(key=emulator)

    assert local.test_client().get("/me", headers=headers).status_code == 200
    deployed = service(tmp_path, cognito, COGNITO_JWKS_FILE="keys.json")
    with pytest.raises(SettingsError, match="COGNITO_JWKS_FILE"):
        check(deployed)


def test_in_local_mode_the_loopback_issuer_replaces_the_pools_own(tmp_path, cognito, server):
    issuer = f"http://localhost:1/{cognito.id}"
    app = service(tmp_path, cognito, COGNISES_LOCAL="1", COGNITO_JWKS_URL=server.url,
                  COGNITO_ISSUER=issuer)  # fmt: skip
    client = app.test_client()

    assert client.get("/me", headers=cognito.bearer(iss=issuer)).status_code == 200
    assert client.get("/me", headers=cognito.bearer()).status_code == 401


def test_a_key_file_serves_an_app_whose_pool_cannot_be_reached(tmp_path, cognito):
    (tmp_path / "keys.json").write_text(json.dumps(cognito.jwks))
    app = offline_service(tmp_path, cognito)

    assert app.test_client().get("/me", headers=cognito.bearer(sub="ada")).text == "ada"


def offline_service(tmp_path, cognito: FakePool) -> Flask:
    app = service(tmp_path, cognito, COGNITO_JWKS_FILE="keys.json")

    def refuse(kid: str | None) -> dict[str, object]:
        raise FetchError("offline")

    state_of(app).verifier(LoginGuard()).keys._load = refuse
    return app


BROKEN = {
    "not JSON": "{",
    "no key set": "[]",
    "no key": '{"keys": []}',
    "no usable key": json.dumps({"keys": [SigningKey("weak", bits=1024).jwk]}),
    "an emulator's key": json.dumps({"keys": [SigningKey("dummy").jwk]}),
    "nesting without end": "[" * 100_000,
    "not UTF-8": "\udcff",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_a_key_file_without_a_usable_key_stops_the_start(text, tmp_path, cognito):
    (tmp_path / "keys.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    app = service(tmp_path, cognito, COGNITO_JWKS_FILE="keys.json")

    with pytest.raises(SettingsError, match="COGNITO_JWKS_FILE"):
        check(app)


def test_keys_that_were_given_for_one_pool_do_not_vouch_for_another(tmp_path, cognito):
    (tmp_path / "keys.json").write_text(json.dumps(cognito.jwks))
    state = state_of(service(tmp_path, cognito, COGNITO_JWKS_FILE="keys.json"))
    other = LoginGuard(UserPool.parse("eu-west-1_OtherPool"), frozenset({"client"}))

    assert state.verifier(LoginGuard()).keys is not state.verifier(other).keys
    assert state.verifier(other).keys._snapshot is None


def test_one_given_key_set_and_two_pools_without_an_own_one_are_an_error(tmp_path, cognito):
    (tmp_path / "keys.json").write_text(json.dumps(cognito.jwks))
    app = service(tmp_path, cognito, COGNITO_JWKS_FILE="keys.json")
    app.config.pop("COGNITO_USER_POOL_ID")
    state = state_of(app)
    one, two = (LoginGuard(UserPool.parse(f"us-east-1_Pool{n}"), frozenset({"c"})) for n in "12")

    with pytest.raises(SettingsError, match="COGNITO_USER_POOL_ID"):
        [state.verifier(guard) for guard in (one, two)]


def test_a_view_put_in_after_the_start_without_rules_of_its_own_is_an_error(tmp_path, cognito):
    app = service(tmp_path, cognito)
    client = app.test_client()
    assert client.get("/me").status_code == 401
    app.view_functions["me"] = login_check("eu-west-1", "eu-west-1_Other")(lambda response: "x")

    with pytest.raises(SettingsError, match="client_ids of its own"):
        client.get("/me", headers=cognito.bearer())


def test_two_apps_own_their_key_sets(tmp_path, cognito, server):
    apps = [
        service(tmp_path, cognito, COGNISES_LOCAL="1", COGNITO_JWKS_URL=server.url)
        for _ in range(2)
    ]

    for app in apps:
        assert app.test_client().get("/me", headers=cognito.bearer()).status_code == 200
    assert len(server.hits) == 2


def test_routes_of_one_app_share_one_key_set(tmp_path, cognito, server):
    app = service(tmp_path, cognito, COGNISES_LOCAL="1", COGNITO_JWKS_URL=server.url)
    app.add_url_rule("/two", "two", login_check(scopes="a")(lambda response: "two"))
    client = app.test_client()

    assert client.get("/me", headers=cognito.bearer()).status_code == 200
    assert client.get("/two", headers=cognito.bearer()).status_code == 403
    assert len(server.hits) == 1


def test_starting_an_app_fetches_nothing(tmp_path, cognito, server):
    app = service(tmp_path, cognito, COGNISES_LOCAL="1", COGNITO_JWKS_URL=server.url)
    check(app)

    assert app.test_client().get("/me").status_code == 401
    assert server.hits == []


def test_a_settings_error_names_every_problem_and_is_raised_again_each_time(tmp_path):
    app = Flask("service", root_path=str(tmp_path))
    app.config["COGNITO_CLIENT_ID"] = "a,,b"

    for _ in range(2):
        assert "COGNITO_CLIENT_ID" in str(refused(lambda: state_of(app).settings))
