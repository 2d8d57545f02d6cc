"""The pages for administrators on an AWS in memory that judges each call by the caller's group."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from flask import Flask
from flask.testing import FlaskClient
from iam_documents import is_allowed
from moto import mock_aws
from moto.cognitoidp.models import cognitoidp_backends

from app import create_app
from cognises import current_user
from cognises.aws import sessions
from cognises.manifest.rules import fill
from cognises.settings.sources import PROJECT_FOLDER
from cognises.testing import FakePool, isolated

REGION, ACCOUNT = "us-east-1", "123456789012"
BUCKET = f"data-{ACCOUNT}-{REGION}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/"
SHIPPED = json.loads((PROJECT_FOLDER / "groups.json").read_text("utf-8"))


class Aws:
    """What the tests ask AWS, and every call that the service makes: by name, and refused ones."""

    def __init__(self, pool_id: str, groups: list[dict[str, Any]]) -> None:
        self.pool_id, self.groups = pool_id, groups
        self.cognito, self.s3 = boto3.client("cognito-idp"), boto3.client("s3")
        self.users: Any = None  # the pool in moto's memory
        self.calls: list[str] = []
        self.errors: dict[str, str] = {}  # a call, and the code that it is answered with

    def add(self, email: str, *groups: str, **attributes: str) -> str:
        """A user who has signed in; returns Cognito's name."""
        given = {"email": email, **attributes}
        pairs = [{"Name": name, "Value": value} for name, value in given.items()]
        made = self.cognito.admin_create_user(
            UserPoolId=self.pool_id, Username=email, UserAttributes=pairs, MessageAction="SUPPRESS"
        )
        who = {"UserPoolId": self.pool_id, "Username": made["User"]["Username"]}
        self.cognito.admin_set_user_password(**who, Password="Pass-word-1234", Permanent=True)
        for group in groups:
            self.cognito.admin_add_user_to_group(**who, GroupName=group)
        return str(who["Username"])

    def get(self, name: str) -> Any:
        return self.cognito.admin_get_user(UserPoolId=self.pool_id, Username=name)

    def groups_of(self, name: str) -> set[str]:
        who = {"UserPoolId": self.pool_id, "Username": name}
        return {g["GroupName"] for g in self.cognito.admin_list_groups_for_user(**who)["Groups"]}

    def record(self) -> list[dict[str, str]]:
        """The entries of the record, the newest first."""
        keys = [o["Key"] for o in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
        found = (self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys)
        return list(map(json.loads, found))

    def watch(self, events: Any) -> None:
        """Judge the calls of a user's session by the policies of the user's groups."""
        known: dict[str, Any] = {}

        def remember(params: Mapping[str, Any], **_: Any) -> None:
            known.update(params=dict(params))

        def judge(model: Any, **_: Any) -> Any:
            self.calls.append(model.name)
            service = model.service_model.service_name
            action = {"ListObjectsV2": "ListBucket"}.get(model.name, model.name)
            prefix = "s3" if service == "s3" else "cognito-idp"
            resource, context = self.resource(service, known["params"])
            code = self.errors.get(model.name, "")
            if not is_allowed(self.statements(), f"{prefix}:{action}", resource, context):
                code = "AccessDeniedException"
            if not code:
                return None
            error = {"Error": {"Code": code, "Message": f"no\r\nto {resource}"}}
            return SimpleNamespace(status_code=400), {**error, "ResponseMetadata": {}}

        events.register_first("before-parameter-build", remember)
        events.register_first("before-call", judge)

    def resource(self, service: str, params: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
        if service == "s3":
            arn = f"arn:aws:s3:::{params['Bucket']}"
            key, prefix = params.get("Key"), params.get("Prefix", "")
            return (f"{arn}/{key}", {}) if key else (arn, {"s3:prefix": prefix})
        return f"arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/{params['UserPoolId']}", {}

    def statements(self) -> list[Any]:
        values = {
            "AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::Partition": "aws",
            "UserPoolId": self.pool_id, "IdentityService": "cognito-identity.amazonaws.com",
        }  # fmt: skip
        policies = [
            g["group_policy"] for g in self.groups if g["group_name"] in current_user.groups
        ]
        found: Any = fill([each for policy in policies for each in policy["Statement"]], values)
        return list(found)

    def counted(self) -> Counter[str]:
        return Counter(self.calls)


@pytest.fixture(scope="module")
def groups() -> list[dict[str, Any]]:
    """Those of groups.json, and one that opens the pages and may only read in AWS."""
    statements = SHIPPED[0]["group_policy"]["Statement"]
    reading = [a for a in statements[0]["Action"] if a.split(":")[1] in (
        "ListUsers", "AdminGetUser", "AdminListGroupsForUser")]  # fmt: skip
    policy = {"Version": "2012-10-17", "Statement": [{**statements[0], "Action": reading},
                                                     *statements[1:]]}  # fmt: skip
    helpers = {"group_name": "helpers", "allowed_functions": ["admin_panel"],
               "group_policy": policy}  # fmt: skip
    return [*SHIPPED, helpers]


@pytest.fixture(scope="module")
def fake_pool() -> FakePool:
    return FakePool(f"{REGION}_" + "0" * 9)


@pytest.fixture(scope="module")
def world(
    fake_pool: FakePool, groups: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Aws, Flask]]:
    """The AWS, and the service that is generated, with `helpers` beside its groups."""
    file = tmp_path_factory.mktemp("service") / "groups.json"
    file.write_text(json.dumps(groups))
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, REGION)
        fake = Aws(fake_pool.id, groups)
        fake.s3.create_bucket(Bucket=BUCKET)
        made = fake.cognito.create_user_pool(PoolName="test", UsernameAttributes=["email"])
        pools = cognitoidp_backends[ACCOUNT][REGION].user_pools
        pools[fake_pool.id] = fake.users = pools.pop(made["UserPool"]["Id"])
        pools[fake_pool.id].id = fake_pool.id  # the one that the tokens name
        for group in groups:
            fake.cognito.create_group(UserPoolId=fake_pool.id, GroupName=group["group_name"])
        identity = boto3.client("cognito-identity").create_identity_pool(
            IdentityPoolName="test", AllowUnauthenticatedIdentities=False
        )
        watch = sessions._watch

        def watched(events: Any, realm: str) -> None:
            watch(events, realm)
            fake.watch(events)

        patch.setattr(sessions, "_watch", watched)
        app = create_app(
            isolated(
                COGNISES_GROUPS_FILE=str(file),
                COGNITO_IDENTITY_POOL_ID=identity["IdentityPoolId"],
                COGNISES_FILES_BUCKET=BUCKET,
            )
        )
        fake_pool.attach(app)
        yield fake, app


@pytest.fixture
def aws(world: tuple[Aws, Flask]) -> Aws:
    """An AWS without users and without a record, which refuses nothing but by policies."""
    fake, _ = world
    fake.users.users.clear()
    fake.calls.clear()
    fake.errors.clear()
    for found in fake.s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        fake.s3.delete_object(Bucket=BUCKET, Key=found["Key"])
    return fake


@pytest.fixture
def app(world: tuple[Aws, Flask]) -> Flask:
    return world[1]


Clients = Callable[..., FlaskClient]


@pytest.fixture(scope="module")
def as_user(world: tuple[Aws, Flask], fake_pool: FakePool) -> Clients:
    """`as_user("admins", sub=…)`: a client signed in as a member of a group, by an ID token."""

    @cache
    def client_of(group: str, **claims: Any) -> FlaskClient:
        client = world[1].test_client()
        claims = {"cognito:preferred_role": f"{ROLE}{group}", **claims}
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {fake_pool.token([group], **claims)}"
        return client

    return client_of
