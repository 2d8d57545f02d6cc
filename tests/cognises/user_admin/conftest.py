"""The service with its pages for administrators, and an AWS that judges their calls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import boto3
import pytest
from flask import Flask
from flask.testing import FlaskClient
from judged_aws import ACCOUNT, BUCKET, REGION, ROLE, SHIPPED, Aws, Clients
from moto import mock_aws
from moto.cognitoidp.models import cognitoidp_backends

from app import create_app
from cognises.aws import sessions
from cognises.testing import FakePool, isolated


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
