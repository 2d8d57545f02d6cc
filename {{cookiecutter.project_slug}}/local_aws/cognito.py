"""The embedded Cognito: a server, a pool, an app client, and one user for every group."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from local_aws.service import one_at_a_time, running

REGION = "us-east-1"


@dataclass(frozen=True)
class DemoUser:
    """Somebody who can sign in. The password is made for this run."""

    name: str
    group: str
    password: str


@contextmanager
def serving() -> Iterator[str]:
    """Run moto's server on a free loopback port; yields its address.

    moto's memory is not made for threads: it gets one request at a time.
    """
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with running(one_at_a_time(DomainDispatcherApplication(create_backend_app))) as address:
        yield address


class LocalCognito:
    """A user pool with one app client on the embedded server."""

    def __init__(self, endpoint: str) -> None:
        import boto3

        self.endpoint = endpoint
        self._client: Any = boto3.client("cognito-idp", region_name=REGION, endpoint_url=endpoint)
        pool = self._client.create_user_pool(PoolName="local", AutoVerifiedAttributes=["email"])
        self.pool_id: str = pool["UserPool"]["Id"]
        client = self._client.create_user_pool_client(
            UserPoolId=self.pool_id,
            ClientName="local",
            ReadAttributes=["email", "email_verified"],
            ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        )
        self.client_id: str = client["UserPoolClient"]["ClientId"]

    def add_users(self, groups: Iterable[str]) -> list[DemoUser]:
        """One user for every group, each with a password of its own."""
        return [self._add_user(group) for group in groups]

    def _add_user(self, group: str) -> DemoUser:
        user = DemoUser(f"{group}-user", group, f"{secrets.token_urlsafe(12)}aA1!")
        who = {"UserPoolId": self.pool_id, "Username": user.name}
        email = {"Name": "email", "Value": f"{user.name}@example.org"}
        self._client.admin_create_user(
            **who,
            UserAttributes=[email, {"Name": "email_verified", "Value": "true"}],
            MessageAction="SUPPRESS",
        )
        self._client.admin_set_user_password(**who, Password=user.password, Permanent=True)
        self._client.admin_add_user_to_group(**who, GroupName=group)
        return user

    def sign_in(self, user: DemoUser, token_use: str) -> str:
        """The user's token of that kind, by name and password."""
        answer = self._client.initiate_auth(
            ClientId=self.client_id,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": user.name, "PASSWORD": user.password},
        )
        kind = "IdToken" if token_use == "id" else "AccessToken"
        token: str = answer["AuthenticationResult"][kind]
        return token
