"""The embedded Cognito for the tests of a module, and a browser that keeps cookies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
import requests
from dev_process import copy_project
from running_cognito import PUBLIC_URL, Client, Running

from local_aws.cognito import LocalCognito, serving
from local_aws.environment import isolate


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project's code and manifest, without anybody's settings."""
    copy_project(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, for the tests of a module that leave it as it was."""
    folder = tmp_path_factory.mktemp("project")
    copy_project(folder)
    return folder


@pytest.fixture(scope="module")
def cognito() -> Iterator[Running]:
    """A pool with one user, Ada of the editors, and the newcomer."""
    with patch.dict(os.environ):
        isolate()
        with serving() as address:
            made = LocalCognito(address, PUBLIC_URL)
            made._cognito.create_group(
                GroupName="editors",
                UserPoolId=made.pool_id,
                RoleArn="arn:aws:iam::123456789012:role/local-editors",
            )
            users = made.add_users(["editors"])
            yield Running(address, made, {user.group or "": user for user in users})


@pytest.fixture(scope="module")
def confidential(cognito: Running) -> Client:
    """An app client of that pool that has a secret."""
    made = cognito.cognito._cognito.create_user_pool_client(
        UserPoolId=cognito.cognito.pool_id,
        ClientName="confidential",
        GenerateSecret=True,
        CallbackURLs=[f"{PUBLIC_URL}/callback"],
        AllowedOAuthFlows=["code"],
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthScopes=["openid", "email", "profile"],
    )["UserPoolClient"]
    return Client(made["ClientId"], made["ClientSecret"])


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session
