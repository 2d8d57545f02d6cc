"""`provision.py verify`: a token in, whose role it comes to out; every way in which it does not."""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from accounts import Account, Ran, group, make_identity_pool
from botocore.exceptions import ClientError
from moto.cognitoidentity.models import cognitoidentity_backends
from moto.cognitoidentity.responses import CognitoIdentityResponse
from moto.core.exceptions import JsonRESTError
from moto.sts.models import sts_backends

from cognises.provisioning import verify as verify_exchange
from cognises.provisioning.verify import compare
from cognises.testing import FakePool, SigningKey

Run = Callable[..., Ran]
Manifest = Callable[..., Path]
ROLE = "arn:aws:iam::123456789012:role/"
NOT_ALLOWED = "NotAuthorizedException"


@dataclass
class IdentityPool:
    """The identity pool as Cognito runs it: the role that the token prefers, or a refusal.

    moto returns the same credentials for every token.
    """

    role: str | None = None
    refusal: tuple[str, str] | None = None
    logins: tuple[str, ...] = ()
    handed_out: tuple[str, ...] = ()

    def exchange(self, logins: dict[str, str]) -> dict[str, Any]:
        self.logins = tuple(logins)
        if self.refusal:
            raise JsonRESTError(*self.refusal)
        (token,) = logins.values()
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "==="))
        role = self.role or claims.get("cognito:preferred_role")
        if role is None:
            raise JsonRESTError(
                NOT_ALLOWED, "The ambiguous role mapping rules for: x denied this request"
            )
        made = sts_backends["123456789012"]["aws"].assume_role(
            region_name="us-east-1",
            role_session_name="CognitoIdentityCredentials",
            role_arn=role,
            policy="",
            duration=3600,
            external_id="",
        )
        self.handed_out = (made.access_key_id, made.secret_access_key, made.session_token)
        key, secret, session = self.handed_out
        return {"AccessKeyId": key, "SecretKey": secret, "SessionToken": session}


@pytest.fixture
def identity_pool(monkeypatch: pytest.MonkeyPatch) -> IdentityPool:
    found = IdentityPool()

    def answer(self: CognitoIdentityResponse) -> str:
        return json.dumps(
            {
                "IdentityId": self._get_param("IdentityId"),
                "Credentials": found.exchange(self._get_param("Logins")),
            }
        )

    monkeypatch.setattr(CognitoIdentityResponse, "get_credentials_for_identity", answer)
    return found


@pytest.fixture
def people(
    account: Account,
    manifest: Manifest,
    identity_pool: IdentityPool,
    monkeypatch: pytest.MonkeyPatch,
) -> FakePool:
    """Groups a and b in groups.json; the pool's keys are real, and so are its tokens."""
    manifest(group("a", precedence=1), group("b", precedence=2))
    with monkeypatch.context() as patch:
        patch.setattr("cognises.testing.SigningKey", one_key)
        pool = FakePool(account.pool_id, "client0123")
    pool.keys = [one_key()]
    monkeypatch.setenv("COGNITO_CLIENT_ID", pool.client_id)
    monkeypatch.setenv("COGNITO_IDENTITY_POOL_ID", make_identity_pool(account))
    monkeypatch.setattr("cognises.tokens.http.fetch_json", lambda url, **_: pool.jwks)
    return pool


@lru_cache(maxsize=1)
def one_key() -> SigningKey:
    """Made once for all tests here."""
    return SigningKey()


def member(pool: FakePool, *groups: str, role: str | None = None, **claims: Any) -> str:
    """The ID token of a member, as Cognito writes it."""
    preferred = {"cognito:preferred_role": ROLE + role} if role else {}
    return pool.token(groups or None, **preferred, **claims)


@pytest.fixture
def verify(
    run: Run, monkeypatch: pytest.MonkeyPatch, identity_pool: IdentityPool
) -> Callable[..., Ran]:
    """Runs `verify` with a token on standard input; whatever it says holds no secret."""

    def ran(token: str, *argv: str) -> Ran:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(token.encode())))
        found = run("verify", *argv)
        parts = [part for part in token.split(".") if len(part) > 8]
        for secret in (token, *parts, *identity_pool.handed_out):
            assert not secret or secret not in found.out + found.err
        return found

    return ran


Verify = Callable[..., Ran]


def test_a_member_gets_the_role_of_the_group(
    verify: Verify, people: FakePool, identity_pool: IdentityPool
) -> None:
    ran = verify(member(people, "a", role="svc-a") + "\n")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "groups in the token:  a",
        f"groups.json gives:    {ROLE}svc-a (group a)",
        f"the token prefers:    {ROLE}svc-a",
        f"credentials of:       {ROLE}svc-a",
        "they agree",
    ]
    assert identity_pool.handed_out
    assert identity_pool.logins == (f"cognito-idp.us-east-1.amazonaws.com/{people.id}",)


def test_the_json_is_one_object_and_holds_no_credential(
    verify: Verify, people: FakePool, tmp_path: Path, run: Run
) -> None:
    file = tmp_path / "token"
    file.write_text(member(people, "b", "a", role="svc-a"))
    found = run("verify", "--token-file", str(file), "--json").json
    assert found.pop("identity_pool_id").startswith("us-east-1:")
    assert found == {
        "user_pool_id": people.id,
        "groups": ["b", "a"],
        "expected": {"group": "a", "role_arn": f"{ROLE}svc-a"},
        "preferred_role": f"{ROLE}svc-a",
        "credentials_of": {
            "account": "123456789012",
            "arn": "arn:aws:sts::123456789012:assumed-role/svc-a/CognitoIdentityCredentials",
            "role_arn": f"{ROLE}svc-a",
        },
        "agrees": True,
        "problems": [],
        "warnings": [],
    }


DIFFERENCES: dict[str, tuple[list[str], str | None, str | None, str]] = {
    "another group's role": (
        ["a"],
        "svc-b",
        None,
        f"the credentials belong to {ROLE}svc-b, and groups.json gives {ROLE}svc-a (group a)",
    ),
    "the weaker group's role": (["a", "b"], "svc-b", None, "plan and apply, then sign in again"),
    "a default role for everybody": (
        [],
        None,
        "anybody",
        "gives this user no role: the user is in no group; repair the role mapping: bootstrap "
        "--revert-drift",
    ),
    "a group made by hand": (["hand"], "hand-role", None, "none of the user's groups has one"),
    "a role that the token does not prefer": (
        ["a"],
        "svc-b",
        "svc-a",
        f"the credentials belong to {ROLE}svc-a, and the token prefers {ROLE}svc-b",
    ),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_role_that_differs_is_reported_plainly_and_exits_1(
    verify: Verify, people: FakePool, identity_pool: IdentityPool, name: str
) -> None:
    groups, preferred, given, expected = DIFFERENCES[name]
    identity_pool.role = ROLE + given if given else None
    token = member(people, *groups, role=preferred)
    ran = verify(token)
    assert (ran.code, ran.out.endswith("they DIFFER\n")) == (1, True)
    assert expected in ran.err
    found = verify(token, "--json")
    assert (found.code, found.json["agrees"], len(found.json["problems"])) == (1, False, 1)


def test_groups_of_equal_precedence_have_no_first(
    verify: Verify, people: FakePool, manifest: Manifest
) -> None:
    manifest(group("a", precedence=1), group("b", precedence=1))
    ran = verify(member(people, "a", "b", role="svc-a"))
    assert (ran.code, "groups a and b have the same precedence" in ran.err) == (1, True)


def test_a_group_without_a_policy_has_no_role_and_the_next_one_counts(
    verify: Verify, people: FakePool, manifest: Manifest
) -> None:
    plain = {"group_name": "a", "allowed_functions": [], "precedence": 1}
    manifest(plain, group("b", precedence=2))
    assert verify(member(people, "a", "b", role="svc-b")).code == 0


def test_a_group_beside_the_manifest_is_warned_about_and_cognitos_own_is_not(
    verify: Verify, people: FakePool
) -> None:
    ran = verify(member(people, "a", "hand", f"{people.id}_Google", role="svc-a"))
    assert ran.code == 0
    assert ran.err == (
        "warning: group hand of the token is not in groups.json: no route is open to it\n"
    )


def test_a_role_under_a_path_is_the_same_role(verify: Verify, people: FakePool) -> None:
    ran = verify(people.token(["a"], **{"cognito:preferred_role": f"{ROLE}team/svc-a"}))
    assert (ran.code, ran.err) == (0, "")


def test_credentials_of_no_role_are_no_members(verify: Verify, people: FakePool) -> None:
    """moto's own credentials: on AWS such an answer would be an error, and is one."""
    import moto.cognitoidentity.responses as responses

    backend = cognitoidentity_backends["123456789012"]["us-east-1"]
    answer = json.loads(backend.get_credentials_for_identity("x"))["Credentials"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            responses.CognitoIdentityResponse,
            "get_credentials_for_identity",
            lambda self: json.dumps({"IdentityId": "x", "Credentials": answer}),
        )
        ran = verify(member(people, "a", role="svc-a"))
    assert (ran.code, "which is not a group's role" in ran.err) == (1, True)


# Refused by the verifier, before AWS is asked


def other_pool(pool: FakePool) -> str:
    return FakePool("us-east-1_Other1", pool.client_id).token(["a"])


TOKENS: dict[str, tuple[Callable[[FakePool], str], str]] = {
    "expired": (
        lambda pool: pool.token(["a"], exp=1_700_000_000),
        "the token has expired; sign in",
    ),
    "of another pool": (other_pool, "no key of user pool us-east-1_"),
    "of another pool's issuer": (
        lambda pool: pool.token(["a"], iss="https://cognito-idp.us-east-1.amazonaws.com/x"),
        "the token is not valid: iss is not the pool's",
    ),
    "of another client": (
        lambda pool: pool.token(["a"], aud="elsewhere"),
        "an app client that COGNITO_CLIENT_ID does not name",
    ),
    "an access token": (
        lambda pool: pool.token(["a"], token_use="access"),
        "this is not an ID token, and the identity pool accepts no other",
    ),
    "cut off": (lambda pool: pool.token(["a"])[:-10], "the token is not valid: "),
    "no token": (lambda pool: "hello", "the token is not valid: "),
    "nothing": (lambda pool: " \n", "the input is empty; give the ID token by --token-file"),
    "not ASCII": (lambda pool: "héllo.wörld.x", "the token is not valid: "),
    "too large": (lambda pool: "x" * 70_000, "the input is too large for a token"),
}


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_that_the_app_would_refuse_is_never_exchanged(
    verify: Verify, people: FakePool, identity_pool: IdentityPool, name: str
) -> None:
    make, expected = TOKENS[name]
    ran = verify(make(people), "--json")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert expected in ran.err
    assert identity_pool.logins == ()


def test_without_the_pools_keys_nothing_is_said_of_a_token(
    verify: Verify, people: FakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cognises.tokens.http import FetchError

    def fail(url: str, **_: Any) -> Any:
        raise FetchError("no route")

    monkeypatch.setattr("cognises.tokens.http.fetch_json", fail)
    ran = verify(member(people, "a", role="svc-a"))
    assert (ran.code, "cannot be fetched now" in ran.err) == (1, True)


def test_the_apps_choice_of_access_tokens_does_not_matter_here(
    verify: Verify, people: FakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COGNITO_TOKEN_USE", "access")
    assert verify(member(people, "a", role="svc-a")).code == 0


# Refused by a safety rule


@pytest.mark.parametrize("opened", ["AllowClassicFlow", "AllowUnauthenticatedIdentities"])
def test_an_identity_pool_with_another_door_blocks_verify_before_the_exchange(
    verify: Verify,
    people: FakePool,
    identity_pool: IdentityPool,
    monkeypatch: pytest.MonkeyPatch,
    opened: str,
) -> None:
    described = CognitoIdentityResponse.describe_identity_pool
    monkeypatch.setattr(
        CognitoIdentityResponse,
        "describe_identity_pool",
        lambda self: json.dumps({**json.loads(described(self)), opened: True}),
    )
    for token in (member(people, "a", role="svc-a"), "no token"):
        ran = verify(token, "--json")
        assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1)
        assert ran.err.startswith("blocked: identity pool")
    assert identity_pool.logins == ()


# Refused by the identity pool


REFUSALS: dict[str, tuple[list[str], tuple[str, str] | None, str]] = {
    "in no group": ([], None, "the user is in no group that has one"),
    "ambiguous": (["a", "b"], None, "give the groups of groups.json distinct precedences"),
    "signed out": (
        ["a"],
        (NOT_ALLOWED, "Invalid login token. User has been logged out."),
        "signed out since",
    ),
    "expired there": (
        ["a"],
        (NOT_ALLOWED, "Invalid login token. Token expired: 1 >= 0"),
        "expired",
    ),
    "another client": (
        ["a"],
        (NOT_ALLOWED, "Token is not from a supported provider of this identity pool."),
        "`provision.py bootstrap --revert-drift` connects them",
    ),
    "something else": (
        ["a"],
        (NOT_ALLOWED, "No\x1b[2J, no."),
        "refuses the token: No\\x1b[2J, no.",
    ),
    "a closed trust": (
        ["a"],
        ("InvalidIdentityPoolConfigurationException", "Check assigned IAM roles for this pool."),
        "`provision.py plan` shows it",
    ),
    "a conflict": (
        ["a"],
        ("ResourceConflictException", "taken"),
        "ResourceConflictException: taken",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_the_identity_pool_refuses_is_one_line_with_its_remedy(
    verify: Verify, people: FakePool, identity_pool: IdentityPool, name: str
) -> None:
    groups, identity_pool.refusal, expected = REFUSALS[name]
    ran = verify(member(people, *groups))
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert expected in ran.err
    assert "\x1b" not in ran.err


def test_a_refusal_that_quotes_the_token_is_not_repeated(
    verify: Verify, people: FakePool, identity_pool: IdentityPool
) -> None:
    token = member(people, "a")
    for code in (NOT_ALLOWED, "InternalErrorException", "InvalidParameterException"):
        identity_pool.refusal = (code, f"cannot take {token}")
        ran = verify(token)
        assert (ran.code, "<token>" in ran.err) == (1, True)


def test_an_identity_pool_of_other_people_is_reported_before_the_exchange(
    verify: Verify,
    people: FakePool,
    account: Account,
    identity_pool: IdentityPool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elsewhere = Account(account.iam, account.cognito, "us-east-1_Other")
    monkeypatch.setenv("COGNITO_IDENTITY_POOL_ID", make_identity_pool(elsewhere))
    ran = verify(member(people, "a", role="svc-a"))
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "does not name user pool" in ran.err
    assert identity_pool.logins == ()


# Settings and arguments


def test_everything_that_is_not_configured_is_reported_at_once(
    verify: Verify, people: FakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("COGNITO_IDENTITY_POOL_ID", "COGNITO_CLIENT_ID"):
        monkeypatch.delenv(name)
    ran = verify(member(people, "a"))
    assert (ran.code, ran.err.count("\n")) == (1, 2)
    assert "error: COGNITO_IDENTITY_POOL_ID is not set" in ran.err
    assert "error: COGNITO_CLIENT_ID is not set" in ran.err


def test_an_identity_pool_that_is_gone_is_one_line(
    verify: Verify, people: FakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = "us-east-1:00000000-0000-0000-0000-000000000000"
    monkeypatch.setenv("COGNITO_IDENTITY_POOL_ID", gone)
    ran = verify(member(people, "a"))
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "COGNITO_IDENTITY_POOL_ID" in ran.err


@pytest.mark.parametrize("as_option", [True, False])
def test_a_token_among_the_arguments_is_bad_usage_and_not_repeated(
    run: Run, people: FakePool, as_option: bool
) -> None:
    token = member(people, "a")
    ran = run("verify", *(["--token-file", token] if as_option else [token]))
    assert (ran.code, ran.out) == (64, "")
    assert token[:40] not in ran.err


def test_a_file_that_is_not_there_is_one_line(run: Run, people: FakePool, tmp_path: Path) -> None:
    ran = run("verify", "--token-file", str(tmp_path / "nowhere"))
    assert (ran.code, ran.err.count("\n"), "No such file" in ran.err) == (1, 1, True)


def test_on_a_terminal_the_token_is_typed_unseen(
    run: Run, people: FakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = member(people, "a", role="svc-a")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda prompt="": token)
    ran = run("verify", "--json")
    assert (ran.code, ran.json["agrees"]) == (0, True)


# What it leaves behind, and whom it asks


def test_it_makes_no_user_and_changes_no_role(
    run: Run, verify: Verify, people: FakePool, account: Account
) -> None:
    assert run("apply", "--yes").code == 0
    before = account.state()
    verify(member(people, "a", role="svc-a"))
    assert account.state() == before
    assert account.cognito.list_users(UserPoolId=account.pool_id)["Users"] == []


def test_sts_is_asked_in_the_region_with_the_users_own_credentials(
    verify: Verify, people: FakePool, identity_pool: IdentityPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    make = verify_exchange.make_client

    def kept(*args: Any) -> Any:
        made.append(make(*args))
        return made[-1]

    monkeypatch.setattr(verify_exchange, "make_client", kept)
    monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", "legacy")
    assert verify(member(people, "a", role="svc-a")).code == 0
    (sts,) = made
    assert sts.meta.endpoint_url == "https://sts.us-east-1.amazonaws.com"
    signer = sts._request_signer._credentials
    assert (signer.access_key, signer.secret_key, signer.token) == identity_pool.handed_out


@pytest.mark.parametrize("code", ["InvalidClientTokenId", "SignatureDoesNotMatch"])
def test_credentials_that_sts_does_not_take_are_one_line_and_not_repeated(
    verify: Verify, people: FakePool, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    make = verify_exchange.make_client

    def refusing(session: Any, *args: Any) -> Any:
        quoted = session.get_credentials().token
        refusal = ClientError({"Error": {"Code": code, "Message": quoted}}, "GetCallerIdentity")
        client = make(session, *args)
        monkeypatch.setattr(client, "_make_api_call", raising(refusal))
        return client

    monkeypatch.setattr(verify_exchange, "make_client", refusing)
    ran = verify(member(people, "a", role="svc-a"))
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert code in ran.err


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


# On the emulator of `make dev`


@pytest.fixture
def emulator(
    run: Run, remote: Account, manifest: Manifest, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> str:
    """moto over HTTP in local mode, with guests let in; returns a member's own token."""
    manifest(group("a"))
    client = remote.cognito.create_user_pool_client(
        UserPoolId=remote.pool_id, ClientName="c", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"]
    )["UserPoolClient"]["ClientId"]
    provider = f"cognito-idp.us-east-1.amazonaws.com/{remote.pool_id}"
    identity = boto3.client("cognito-identity", region_name="us-east-1", endpoint_url=endpoint)
    made = identity.create_identity_pool(
        IdentityPoolName="x",
        AllowUnauthenticatedIdentities=True,
        CognitoIdentityProviders=[{"ProviderName": provider, "ClientId": client}],
    )
    monkeypatch.setenv("COGNITO_IDENTITY_POOL_ID", made["IdentityPoolId"])
    monkeypatch.setenv("COGNITO_CLIENT_ID", client)
    monkeypatch.setenv("COGNISES_LOCAL", "1")
    jwks = f"{endpoint}/{remote.pool_id}/.well-known/jwks.json"
    monkeypatch.setenv("COGNITO_JWKS_URL", jwks)
    assert run("apply", "--yes").code == 0
    who = {"UserPoolId": remote.pool_id, "Username": "ada"}
    remote.cognito.admin_create_user(**who)
    remote.cognito.admin_set_user_password(**who, Password="Tr0ub4dor&3x", Permanent=True)
    assert run("users", "add-to-group", "ada", "a").code == 0
    signed_in = remote.cognito.initiate_auth(
        ClientId=client,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "ada", "PASSWORD": "Tr0ub4dor&3x"},
    )
    return str(signed_in["AuthenticationResult"]["IdToken"])


def test_on_loopback_open_doors_and_credentials_of_nobody_are_warned_about(
    run: Run, emulator: str, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(emulator)
    ran = run("verify", "--token-file", str(file))
    assert ran.code == 0
    assert "gives credentials to guests" in ran.err
    assert "is not a role: nothing can be compared" in ran.err
    assert f"groups.json gives:    {ROLE}svc-a (group a)" in ran.out
    assert "agree" not in ran.out
    assert run("verify", "--token-file", str(file), "--json").json["agrees"] is None


@pytest.mark.parametrize("loopback", [True, False])
def test_an_emulator_that_gives_everybody_one_role_is_reported_for_one(loopback: bool) -> None:
    found = {
        "expected": {"group": "a", "role_arn": f"{ROLE}svc-a"},
        "preferred_role": None,
        "credentials_of": {"arn": "x", "role_arn": f"{ROLE}Everybody"},
    }
    problem = compare(found, "", loopback=loopback)
    assert ("an emulator may not choose roles by token" in problem) == loopback
    assert problem.endswith("plan and apply, then sign in again")


def test_outside_local_mode_an_emulators_token_is_refused(
    run: Run, emulator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text(emulator)
    jwks = requests.get(os.environ["COGNITO_JWKS_URL"], timeout=5).json()
    monkeypatch.delenv("COGNISES_LOCAL")
    monkeypatch.delenv("COGNITO_JWKS_URL")
    monkeypatch.setattr("cognises.tokens.http.fetch_json", lambda url, **_: jwks)
    ran = run("verify", "--token-file", str(file))
    assert (ran.code, ran.out) == (1, "")
