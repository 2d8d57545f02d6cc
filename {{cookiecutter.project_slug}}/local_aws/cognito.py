"""The embedded Cognito: a server, what infra/cognito.yaml describes, and a user for every group."""

import json
import logging
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

from cognises.provisioning.names import DEFAULT_ROLE_PREFIX, stage_name
from cognises.settings.sources import PROJECT_FOLDER, read_values
from cognises.user_pool import partition_of
from local_aws.issuer import ACCOUNT
from local_aws.managed_login import is_managed_login, managed_login
from local_aws.roles import Roles
from local_aws.service import by_path, for_programs, loopback_only, one_at_a_time, running
from local_aws.template import Template

TEMPLATE = PROJECT_FOLDER / "infra" / "cognito.yaml"
NEWCOMER = "newcomer@example.org"


@dataclass(frozen=True)
class DemoUser:
    """A user who can sign in; `group` may be None. The password is made for this run."""

    name: str
    group: str | None
    password: str


@contextmanager
def serving(token_use: str = "id", origins: Iterable[str] = ()) -> Iterator[str]:
    """Run moto's server, and managed login beside it, on a free loopback port; yields its address.

    `token_use` is what programs get; single-page apps of `origins` may sign in. moto's memory,
    which a process has once, is emptied; it is not made for threads: one request at a time.
    """
    from moto.moto_api._internal.models import moto_api_backend
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    moto_api_backend.reset()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = for_programs(Roles(DomainDispatcherApplication(create_backend_app)))
    app = by_path(is_managed_login, managed_login(token_use, origins), moto)
    with running(loopback_only(one_at_a_time(app))) as address:
        yield address


class LocalCognito:
    """What the template describes, on the embedded server.

    The sign-in domain is `serving` itself, and the roles of the identity pool are left out: moto
    has neither. One thing is added: a password flow, for users without a browser.
    """

    def __init__(self, endpoint: str, public_url: str) -> None:
        import boto3

        region = os.environ["AWS_REGION"]

        def client(service: str) -> Any:
            return boto3.client(service, region_name=region, endpoint_url=endpoint)

        self._cognito = client("cognito-idp")
        self._names: set[str] = set()
        template = Template(
            TEMPLATE,
            {"ProjectSlug": _stage(), "PublicUrl": public_url, "DeletionProtection": "INACTIVE"},
            {
                "AWS::Region": region,
                "AWS::AccountId": ACCOUNT,
                "AWS::Partition": partition_of(region)[0],
                "AWS::URLSuffix": "amazonaws.com",
            },
        )
        self.pool_id = template.made["UserPool"] = self._make_pool(template.properties("UserPool"))
        self.client_id = template.made["UserPoolClient"] = self._make_client(
            template.properties("UserPoolClient")
        )
        self.identity_pool_id = _make_identity_pool(
            client("cognito-identity"), template.properties("IdentityPool")
        )
        self.bucket = _make_bucket(client("s3"), template.properties("FilesBucket"), region)
        self.boundary = _make_boundary(client("iam"), template.properties("PermissionsBoundary"))

    def _make_pool(self, properties: dict[str, Any]) -> str:
        mfas = properties.pop("EnabledMfas")
        mfa = properties.pop("MfaConfiguration")
        pool = self._cognito.create_user_pool(
            PoolName=properties.pop("UserPoolName"), **properties
        )["UserPool"]
        self._cognito.set_user_pool_mfa_config(
            UserPoolId=pool["Id"],
            SoftwareTokenMfaConfiguration={"Enabled": "SOFTWARE_TOKEN_MFA" in mfas},
            MfaConfiguration=mfa,
        )
        return str(pool["Id"])

    def _make_client(self, properties: dict[str, Any]) -> str:
        properties["ExplicitAuthFlows"] += ["ALLOW_USER_PASSWORD_AUTH"]
        made = self._cognito.create_user_pool_client(**properties)
        return str(made["UserPoolClient"]["ClientId"])

    def add_users(self, groups: Iterable[str], *, newcomer: bool = True) -> list[DemoUser]:
        """One user for every group and one in none, each with a password of its own."""
        users = [self._add_user(self._new_name(group), group) for group in groups]
        return [*users, self._add_user(NEWCOMER, None)] if newcomer else users

    def _new_name(self, group: str) -> str:
        """An e-mail address that contains the group's name and that no other user has."""
        plain = re.sub(r"[^a-z0-9]+", "-", group.lower()).strip("-")[:40] or "group"
        numbered = (f"{plain}-{number}" for number in count(2))
        names = (f"{name}@example.org" for name in chain([plain], numbered))
        return next(name for name in names if name not in self._names | {NEWCOMER})

    def _add_user(self, name: str, group: str | None) -> DemoUser:
        self._names.add(name)
        user = DemoUser(name, group, f"{secrets.token_urlsafe(12)}aA1!")
        who = {"UserPoolId": self.pool_id, "Username": user.name}
        self._cognito.admin_create_user(
            **who,
            UserAttributes=[
                {"Name": "email", "Value": name},
                {"Name": "email_verified", "Value": "true"},
            ],
            MessageAction="SUPPRESS",
        )
        self._cognito.admin_set_user_password(**who, Password=user.password, Permanent=True)
        if group is not None:
            self._cognito.admin_add_user_to_group(**who, GroupName=group)
        return user

    def sign_in(self, user: DemoUser, token_use: str) -> str:
        """The user's token of that kind, by name and password."""
        answer = self._cognito.initiate_auth(
            ClientId=self.client_id,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": user.name, "PASSWORD": user.password},
        )
        kind = "IdToken" if token_use == "id" else "AccessToken"
        token: str = answer["AuthenticationResult"][kind]
        return token


def _stage() -> str:
    """The stage's name, as policies write it in `${Stage}`."""
    values = read_values(PROJECT_FOLDER, names=["COGNISES_ROLE_PREFIX"])
    return stage_name(values.get("COGNISES_ROLE_PREFIX", DEFAULT_ROLE_PREFIX)) or "local"


def _make_identity_pool(client: Any, properties: dict[str, Any]) -> str:
    tags = {tag["Key"]: tag["Value"] for tag in properties.pop("IdentityPoolTags")}
    return str(client.create_identity_pool(**properties, IdentityPoolTags=tags)["IdentityPoolId"])


def _make_bucket(client: Any, properties: dict[str, Any], region: str) -> str:
    """The bucket of the users' files, with one file for all of them."""
    place = {"CreateBucketConfiguration": {"LocationConstraint": region}}
    bucket: str = properties["BucketName"]
    client.create_bucket(Bucket=bucket, **({} if region == "us-east-1" else place))
    text = b"Everybody whose group may view the data can read this file.\n"
    client.put_object(Bucket=bucket, Key="shared/welcome.txt", Body=text)
    return bucket


def _make_boundary(client: Any, properties: dict[str, Any]) -> str:
    made = client.create_policy(
        PolicyName="local-boundary", PolicyDocument=json.dumps(properties["PolicyDocument"])
    )
    return str(made["Policy"]["Arn"])
