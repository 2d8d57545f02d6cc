"""Somebody who may do what a policy allows, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from accounts import Account, policy
from botocore.client import BaseClient
from moto.core.authorization import enable_iam_authentication

MANAGED_POLICY_LIMIT = 6144


class Runner:
    """A user who may do what a policy allows and nothing else; moto checks every call."""

    def __init__(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        self.account, self.monkeypatch = account, monkeypatch
        account.iam.create_user(UserName="runner")
        self.key = account.iam.create_access_key(UserName="runner")["AccessKey"]

    @contextmanager
    def allowed(self, document: Any) -> Iterator[set[str]]:
        """Run with this policy; the set gets the actions that are called."""
        opened = [{**each, "Resource": "*"} for each in document["Statement"]]
        self.account.iam.put_user_policy(
            UserName="runner", PolicyName="p", PolicyDocument=json.dumps(policy(*opened))
        )
        called: set[str] = set()
        send = BaseClient._make_api_call

        def record(client: Any, operation: str, arguments: Any) -> Any:
            called.add(f"{client.meta.service_model.signing_name}:{operation}")
            return send(client, operation, arguments)

        with self.monkeypatch.context() as patch, enable_iam_authentication():
            patch.setattr(BaseClient, "_make_api_call", record)
            patch.setenv("AWS_ACCESS_KEY_ID", self.key["AccessKeyId"])
            patch.setenv("AWS_SECRET_ACCESS_KEY", self.key["SecretAccessKey"])
            yield called


def allowed_actions(document: Any) -> set[str]:
    granting = [each for each in document["Statement"] if each["Effect"] == "Allow"]
    return {action for each in granting for action in each["Action"]}


def without(document: dict[str, Any], action: str) -> dict[str, Any]:
    statements = [
        {**each, "Action": [name for name in each["Action"] if name != action]}
        for each in document["Statement"]
    ]
    return policy(*(each for each in statements if each["Action"]))
