"""An AWS in memory that judges each call of the service by the policies of the caller's group."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import boto3
from flask.testing import FlaskClient
from iam_documents import is_allowed

from cognises import current_user
from cognises.manifest.rules import fill
from cognises.settings.sources import PROJECT_FOLDER

REGION, ACCOUNT = "us-east-1", "123456789012"
BUCKET = f"test-{ACCOUNT}-{REGION}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/"
SHIPPED = json.loads((PROJECT_FOLDER / "groups.json").read_text("utf-8"))

Clients = Callable[..., FlaskClient]


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
            "UserPoolId": self.pool_id, "Stage": "test",
            "IdentityService": "cognito-identity.amazonaws.com",
        }  # fmt: skip
        policies = [
            g["group_policy"] for g in self.groups if g["group_name"] in current_user.groups
        ]
        found: Any = fill([each for policy in policies for each in policy["Statement"]], values)
        return list(found)

    def counted(self) -> Counter[str]:
        return Counter(self.calls)
