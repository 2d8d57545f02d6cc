"""AWS in memory, a project's settings in the environment, and the command line as a function."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from threading import RLock
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import requests
from accounts import PREFIX, REGION, Account, Ran, group
from joserfc import jwk
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from staff import ADA, PASSWORD

from cognises.provisioning import main
from cognises.provisioning.aws import make_session
from local_aws.cognito import serving


@pytest.fixture(scope="session", autouse=True)
def read_once() -> Iterator[None]:
    """What takes most of a test's time is done once.

    Sessions (one for each environment they are made in), moto's one key. And moto, whose memory is
    not made for threads, gets one call at a time.
    """
    answer, lock = BotocoreStubber.__call__, RLock()

    def one_at_a_time(*call: Any, **options: Any) -> Any:
        with lock:
            return answer(*call, **options)

    import_key = lru_cache(maxsize=None)(lambda text: jwk.RSAKey.import_key(json.loads(text)))
    moto_jwk = SimpleNamespace(
        RSAKey=SimpleNamespace(import_key=lambda value: import_key(json.dumps(value)))
    )
    sessions: dict[object, Any] = {}

    def session_of(profile: str | None) -> Any:
        aws = (profile, *sorted(item for item in os.environ.items() if item[0].startswith("AWS_")))
        if aws not in sessions:
            sessions[aws] = make_session(profile)
        return sessions[aws]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cognises.provisioning.aws.make_session", session_of)
        patch.setattr("moto.cognitoidp.models.jwk", moto_jwk)
        patch.setattr(BotocoreStubber, "__call__", one_at_a_time)
        yield


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A project of its own: no setting or credential of this machine is seen."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "COGNITO_", "COGNISES_", "FLASK_")):
            monkeypatch.delenv(name)
    values = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "MOTO_DISABLE_GLOBAL_CORS": "true",
        "COGNISES_ROLE_PREFIX": PREFIX,
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("cognises.provisioning.target.PROJECT_FOLDER", tmp_path)
    monkeypatch.setattr("cognises.settings.sources.PROJECT_FOLDER", tmp_path)


@lru_cache(maxsize=1)
def clients_in_memory() -> tuple[Any, Any]:
    session = boto3.session.Session("testing", "testing", region_name=REGION)
    return session.client("iam"), session.client("cognito-idp")


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """An account in process; the project is set up for its pool."""
    with mock_aws():
        made = Account.make(*clients_in_memory())
        monkeypatch.setenv("COGNITO_USER_POOL_ID", made.pool_id)
        yield made


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """The address of an AWS that is reached over HTTP, where requests can go wrong."""
    with serving() as address:
        yield address


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore's own retries wait between tries; here they need not."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)


@pytest.fixture
def remote(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An account over HTTP; the project is set up for its pool."""
    requests.post(f"{endpoint}/moto-api/reset", timeout=5)
    session = boto3.session.Session(region_name=REGION)
    made = Account.make(
        session.client("iam", endpoint_url=endpoint),
        session.client("cognito-idp", endpoint_url=endpoint),
    )
    monkeypatch.setenv("COGNITO_USER_POOL_ID", made.pool_id)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    return made


@pytest.fixture
def manifest(tmp_path: Path) -> Callable[..., Path]:
    """Writes groups.json."""

    def write(*groups: dict[str, Any]) -> Path:
        path = tmp_path / "groups.json"
        path.write_text(json.dumps(list(groups)), encoding="utf-8")
        return path

    return write


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs provision.py in this process."""

    def provision(*argv: str) -> Ran:
        capsys.readouterr()
        code = main(argv)
        return Ran(code, *capsys.readouterr())

    return provision


@pytest.fixture
def staff(account: Account, manifest: Callable[..., Path]) -> Account:
    """A pool of three groups, one of which groups.json does not name; ada is an editor."""
    manifest(group("admins"), group("editors"), group("planned"))
    for name in ("admins", "editors", "by-hand"):
        account.cognito.create_group(GroupName=name, UserPoolId=account.pool_id)
    account.cognito.admin_create_user(
        UserPoolId=account.pool_id,
        Username="ada",
        UserAttributes=[{"Name": "email", "Value": ADA}],
        TemporaryPassword=PASSWORD,
    )
    account.cognito.admin_add_user_to_group(
        UserPoolId=account.pool_id, Username="ada", GroupName="editors"
    )
    return account


@pytest.fixture
def staff_by_email(
    account: Account, manifest: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> Account:
    """A pool where people sign in by e-mail; Cognito's own name for ada is a UUID."""
    manifest(group("editors"))
    made = account.cognito.create_user_pool(PoolName="mail", UsernameAttributes=["email"])
    pool_id = made["UserPool"]["Id"]
    monkeypatch.setenv("COGNITO_USER_POOL_ID", pool_id)
    account.cognito.create_group(GroupName="editors", UserPoolId=pool_id)
    account.cognito.admin_create_user(UserPoolId=pool_id, Username=ADA)
    return Account(account.iam, account.cognito, pool_id)
