"""One boto3 session a command: who signs in how often, and where the calls go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from accounts import Account, Ran, group
from botocore.credentials import AssumeRoleProvider
from botocore.exceptions import MissingDependencyException
from botocore.httpsession import URLLib3Session
from faults import operation

from cognises.errors import SettingsError
from cognises.provisioning.aws import ENDPOINT_VARIABLES, Aws, make_session, on_loopback
from cognises.provisioning.cli import NO_TERMINAL
from cognises.provisioning.target import Options, read_target

Run = Callable[..., Ran]
CONFIG = """
[profile staff]
region = us-east-1

[profile mfa]
role_arn = arn:aws:iam::123456789012:role/deployer
source_profile = staff
mfa_serial = arn:aws:iam::123456789012:mfa/ada
"""
KEYS = "[staff]\naws_access_key_id = AKIASTAFF\naws_secret_access_key = x\n"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each operation was sent, whichever client sent it."""
    counted: Counter[str] = Counter()
    send = URLLib3Session.send

    def counting(self: URLLib3Session, request: Any) -> Any:
        counted[operation(request)] += 1
        return send(self, request)

    monkeypatch.setattr(URLLib3Session, "send", counting)
    monkeypatch.setattr("cognises.provisioning.aws.make_session", make_session)
    return counted


@pytest.fixture
def profiles(remote: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Profiles in a config file, no exported keys, an account over HTTP."""
    (tmp_path / "config").write_text(CONFIG)
    (tmp_path / "credentials").write_text(KEYS)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    return remote


def ask_for_codes_by(ask: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore asks for MFA codes by that function, not on the terminal."""
    made = AssumeRoleProvider.__init__
    monkeypatch.setattr(
        AssumeRoleProvider, "__init__", lambda *args, **given: made(*args, **given, prompter=ask)
    )


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every time somebody is asked for an MFA code."""
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return "123456"

    ask_for_codes_by(ask, monkeypatch)
    return asked


def make_identity_pool(account: Account, endpoint: str) -> str:
    client = boto3.client(
        "cognito-identity", "us-east-1", endpoint_url=endpoint,
        aws_access_key_id="x", aws_secret_access_key="x",
    )  # fmt: skip
    made = client.create_identity_pool(
        IdentityPoolName="x",
        AllowUnauthenticatedIdentities=False,
        CognitoIdentityProviders=[
            {"ProviderName": f"cognito-idp.us-east-1.amazonaws.com/{account.pool_id}"}
        ],
    )
    return str(made["IdentityPoolId"])


COMMANDS = {
    "plan": ["plan"],
    "apply": ["apply", "--yes"],
    "destroy": ["destroy", "--confirm", "POOL"],
    "import": ["import", "--output", "OUTPUT"],
    "users": ["users", "list", "--with-groups"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_an_mfa_code_and_an_assume_role_are_needed_once_a_command(
    run: Run,
    manifest: Callable[..., Path],
    profiles: Account,
    endpoint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sent: Counter[str],
    codes: list[str],
    name: str,
) -> None:
    manifest(group("a"))
    monkeypatch.setenv("COGNITO_IDENTITY_POOL_ID", make_identity_pool(profiles, endpoint))
    sent.clear()
    values = {"POOL": profiles.pool_id, "OUTPUT": str(tmp_path / "new.json")}
    ran = run(*(values.get(each, each) for each in COMMANDS[name]), "--profile", "mfa")
    assert ran.code == 0, ran.err
    assert (sent["AssumeRole"], len(codes)) == (1, 1)
    assert sum(sent.values()) > 1


def test_a_profile_in_the_env_file_is_used(
    run: Run,
    manifest: Callable[..., Path],
    profiles: Account,
    tmp_path: Path,
    sent: Counter[str],
    codes: list[str],
) -> None:
    manifest(group("a"))
    (tmp_path / ".env").write_text("AWS_PROFILE=mfa\n")
    assert run("apply", "--yes").code == 0
    assert sent["AssumeRole"] == 1
    (tmp_path / ".env").write_text("AWS_PROFILE=nobody\n")
    assert "there is no such AWS profile" in run("plan").err


def test_exported_keys_win_over_a_profile_in_the_env_file_and_it_is_said(
    run: Run,
    manifest: Callable[..., Path],
    profiles: Account,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sent: Counter[str],
) -> None:
    manifest(group("a"))
    (tmp_path / ".env").write_text("AWS_PROFILE=mfa\n")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXPORTED")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    ran = run("plan")
    assert (ran.code, sent["AssumeRole"]) == (0, 0)
    assert ran.err.startswith("note: AWS_ACCESS_KEY_ID is exported and is used instead of AWS_PROF")


def test_who_signs_in_by_aws_login_is_given_the_command_that_is_missing(
    run: Run, manifest: Callable[..., Path], account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest(group("a"))

    def missing(*_: Any) -> Any:
        raise MissingDependencyException(msg="Using the login credential provider requires CRT")

    monkeypatch.setattr("cognises.provisioning.aws.make_client", missing)
    said = run("plan").err
    assert "`uv pip install 'botocore[crt]'`, or without uv `python -m pip install" in said


LOCAL, OTHER = "http://127.0.0.1:1", "https://iam.example.org"
GENERAL, IAM = "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_IAM"
IGNORE = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
SERVICES = (
    f"[default]\nservices = s\nendpoint_url = {LOCAL}\n[services s]\niam =\n  endpoint_url = "
)
ENDPOINTS = {
    # the environment, .env, the config file; where IAM and where Cognito are called
    "nothing": ({}, {}, "", None, None),
    "the general variable": ({GENERAL: LOCAL}, {}, "", LOCAL, LOCAL),
    "a service's own before it": ({GENERAL: LOCAL, IAM: OTHER}, {}, "", OTHER, LOCAL),
    "a service's own alone": ({IAM: OTHER}, {}, "", OTHER, None),
    "the file's": ({}, {IAM: OTHER, GENERAL: LOCAL}, "", OTHER, LOCAL),
    "the environment before the file": ({GENERAL: LOCAL}, {IAM: OTHER}, "", LOCAL, LOCAL),
    "the config file's": ({}, {}, SERVICES + OTHER, OTHER, LOCAL),
    "a variable before the config file": ({GENERAL: OTHER}, {}, SERVICES + LOCAL, OTHER, OTHER),
    "none where they are ignored": ({IGNORE: "true", IAM: OTHER}, {}, SERVICES + OTHER, None, None),
    "ignored by the file": ({}, {IGNORE: "true", IAM: OTHER}, SERVICES + OTHER, None, None),
    "not quite ignored": ({IGNORE: "1", IAM: OTHER}, {}, "", OTHER, None),
}


@pytest.mark.parametrize("name", ENDPOINTS)
def test_endpoints_follow_botocores_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    environment, file, config, iam, cognito = ENDPOINTS[name]
    (tmp_path / "config").write_text(config)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setattr("cognises.provisioning.aws.make_session", make_session)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    aws = Aws("eu-west-1", env_file=file)
    expected = {
        "iam": iam or "https://iam.amazonaws.com",
        "cognito-idp": cognito or "https://cognito-idp.eu-west-1.amazonaws.com",
    }
    assert {each: aws.client(each).meta.endpoint_url for each in expected} == expected


def test_the_names_of_the_variables_are_botocores() -> None:
    session = boto3.session.Session("x", "x", region_name="us-east-1")
    for service, variable in ENDPOINT_VARIABLES.items():
        service_id = session.client(service).meta.service_model.service_id
        assert variable == f"AWS_ENDPOINT_URL_{service_id.replace(' ', '_').upper()}"


def test_a_run_is_local_only_if_every_client_is_on_loopback(
    run: Run,
    manifest: Callable[..., Path],
    remote: Account,
    endpoint: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With open guests: a warning on an emulator, a block as soon as one client leaves it."""
    identity = boto3.client("cognito-identity", "us-east-1", endpoint_url=endpoint)
    pool = identity.create_identity_pool(IdentityPoolName="x", AllowUnauthenticatedIdentities=True)
    monkeypatch.setenv("COGNITO_IDENTITY_POOL_ID", pool["IdentityPoolId"])
    manifest(group("a"))
    ran = run("plan")
    assert (ran.code, "warning: identity pool" in ran.out) == (0, True)
    elsewhere = endpoint.replace("127.0.0.1", "localhost.example.org")
    assert on_loopback(identity)
    assert Aws("us-east-1").is_local()
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", elsewhere)
    aws = Aws("us-east-1")
    assert not aws.is_local()
    assert not on_loopback(aws.client("iam"), aws.client("sts"))


@pytest.mark.parametrize("variable", [GENERAL, *ENDPOINT_VARIABLES.values()])
def test_every_endpoint_is_an_address(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv("COGNITO_USER_POOL_ID", "us-east-1_Pool")
    monkeypatch.setenv(variable, "garbage")
    with pytest.raises(SettingsError, match=f"{variable}: is not of the form"):
        read_target(Options())


CHANGING = [["apply", "--yes"], ["destroy", "--confirm", "POOL"]]


@pytest.mark.parametrize("argv", CHANGING, ids=" ".join)
def test_what_changes_something_prints_account_region_and_caller_first(
    run: Run, manifest: Callable[..., Path], account: Account, argv: list[str]
) -> None:
    manifest(group("a"))
    ran = run(*(account.pool_id if each == "POOL" else each for each in argv))
    first = ran.err.splitlines()[0]
    assert first == (
        "account 123456789012, region us-east-1, caller arn:aws:sts::123456789012:user/moto"
    )


@pytest.mark.parametrize(
    ("lines", "missing"),
    [
        ("credential_process = {missing} --json", "/nowhere/program"),
        (
            "role_arn = arn:aws:iam::123456789012:role/r\nweb_identity_token_file = {missing}",
            "/nowhere/token",
        ),
    ],
)
def test_a_file_that_a_profile_names_and_that_is_missing_is_reported_with_the_profiles_setting(
    run: Run, manifest: Callable[..., Path], profiles: Account, tmp_path: Path, lines: str,
    missing: str,
) -> None:  # fmt: skip
    manifest(group("a"))
    with (tmp_path / "config").open("a") as file:
        file.write(f"\n[profile broken]\n{lines.format(missing=missing)}\n")
    ran = run("plan", "--profile", "broken")
    assert ran.code == 1
    assert f"error: {missing}: No such file or directory; correct credential_process" in ran.err


@pytest.mark.parametrize(
    "variables",
    [
        {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/r",
         "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere/token"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/",
         "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/nowhere/token"},
    ],
)  # fmt: skip
def test_a_missing_file_that_a_variable_names_is_reported_with_the_variables_name(
    run: Run, manifest: Callable[..., Path], profiles: Account, monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
) -> None:  # fmt: skip
    manifest(group("a"))
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    ran = run("plan")
    assert ran.code == 1
    assert "error: /nowhere/token: No such file" in ran.err
    assert ran.err.strip().endswith("or AWS_…_TOKEN_FILE")


def test_an_mfa_code_that_cannot_be_asked_for_is_reported(
    run: Run, manifest: Callable[..., Path], profiles: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(prompt: str) -> str:
        raise EOFError  # as getpass does at the end of standard input

    ask_for_codes_by(ask, monkeypatch)
    manifest(group("a"))
    ran = run("plan", "--profile", "mfa")
    assert (ran.code, ran.err.strip()) == (1, f"error: {NO_TERMINAL}")
