"""Words of the provisioning tests: manifests in short, an account to look at, a command's end."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

REGION = "us-east-1"
PREFIX = "svc-"


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


@dataclass
class Ran:
    """What a command line came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def make_identity_pool(account: Account, *, guests: bool = False) -> str:
    import boto3

    client = boto3.client("cognito-identity", region_name="us-east-1")
    made = client.create_identity_pool(
        IdentityPoolName="x",
        AllowUnauthenticatedIdentities=guests,
        CognitoIdentityProviders=[
            {"ProviderName": f"cognito-idp.us-east-1.amazonaws.com/{account.pool_id}"}
        ],
    )
    return str(made["IdentityPoolId"])
