"""AWS in memory, a project's settings in the environment, and the command line as a function."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.loaders
import pytest
import requests
from joserfc import jwk
from moto import mock_aws
from moto.server import ThreadedMotoServer

from cognises.provisioning import main

REGION = "us-east-1"
PREFIX = "svc-"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The full crash matrix takes minutes: it runs when it is asked for by its marker."""
    if "crash_matrix" in config.option.markexpr:
        return
    asked = [item for item in items if item.get_closest_marker("crash_matrix")]
    if asked:
        config.hook.pytest_deselected(items=asked)
        items[:] = [item for item in items if item not in asked]


def statement(action: Any = "s3:GetObject", resource: Any = "arn:aws:s3:::b/*", **more: Any) -> Any:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def policy(*statements: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements or [statement()])}


def group(name: str, document: Any = None, **more: Any) -> dict[str, Any]:
    return {
        "group_name": name,
        "group_policy": document or policy(),
        "allowed_functions": [],
        **more,
    }


@dataclass
class Account:
    """One account with one user pool, and ways to look at it."""

    iam: Any
    cognito: Any
    pool_id: str
    settings: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, iam: Any, cognito: Any) -> Account:
        pool = cognito.create_user_pool(PoolName="people")["UserPool"]["Id"]
        return cls(iam, cognito, pool)

    def state(self) -> dict[str, Any]:
        """Everything in the account that provisioning could touch, without times and ids."""
        details = self.iam.get_account_authorization_details(Filter=["Role"])["RoleDetailList"]
        return {
            "roles": {each["RoleName"]: _role_state(each) for each in details},
            "groups": {pool: self.groups(pool) for pool in self.pools()},
        }

    def groups(self, pool_id: str | None = None) -> dict[str, Any]:
        pages = self.cognito.get_paginator("list_groups").paginate(
            UserPoolId=pool_id or self.pool_id
        )
        ignored = ("LastModifiedDate", "CreationDate", "UserPoolId")
        found = [each for page in pages for each in page["Groups"]]
        return {
            each["GroupName"]: {k: v for k, v in each.items() if k not in ignored} for each in found
        }

    def pools(self) -> list[str]:
        return [each["Id"] for each in self.cognito.list_user_pools(MaxResults=10)["UserPools"]]

    def role(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.state()["roles"][name]
        return found

    def make_foreign_role(self, name: str, **tags: str) -> None:
        self.iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps(policy_of_a_service()),
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )


def policy_of_a_service() -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ec2.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }


def _role_state(detail: dict[str, Any]) -> dict[str, Any]:
    return {
        "trust": detail["AssumeRolePolicyDocument"],
        "policies": {
            each["PolicyName"]: each["PolicyDocument"] for each in detail["RolePolicyList"]
        },
        "attached": [each["PolicyArn"] for each in detail["AttachedManagedPolicies"]],
        "boundary": detail.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        "tags": {each["Key"]: each["Value"] for each in detail["Tags"]},
    }


@pytest.fixture(scope="session", autouse=True)
def read_once() -> Iterator[None]:
    """What takes most of a test's time is read once: service descriptions, and moto's one key."""
    loader = botocore.loaders.create_loader(None)
    import_key = lru_cache(maxsize=None)(lambda text: jwk.RSAKey.import_key(json.loads(text)))
    moto_jwk = SimpleNamespace(
        RSAKey=SimpleNamespace(import_key=lambda value: import_key(json.dumps(value)))
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", lambda path=None: loader)
        patch.setattr("moto.cognitoidp.models.jwk", moto_jwk)
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
        "AWS_CONFIG_FILE": str(tmp_path / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no-credentials"),
        "MOTO_DISABLE_GLOBAL_CORS": "true",
        "COGNISES_ROLE_PREFIX": PREFIX,
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("cognises.provisioning.target.PROJECT_FOLDER", tmp_path)
    monkeypatch.setattr("cognises.settings.PROJECT_FOLDER", tmp_path)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """An account in process; the project is set up for its pool."""
    with mock_aws():
        session = boto3.session.Session(region_name=REGION)
        made = Account.make(session.client("iam"), session.client("cognito-idp"))
        monkeypatch.setenv("COGNITO_USER_POOL_ID", made.pool_id)
        yield made


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """The address of an AWS that is reached over HTTP, where requests can go wrong."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


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


@dataclass
class Ran:
    """What a command line came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs provision.py in this process."""

    def provision(*argv: str) -> Ran:
        capsys.readouterr()
        code = main(argv)
        return Ran(code, *capsys.readouterr())

    return provision
