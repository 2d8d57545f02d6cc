"""Somebody who may do what a policy allows, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from accounts import Account, policy
from moto.core.authorization import enable_iam_authentication

MANAGED_POLICY_LIMIT = 6144


@contextmanager
def as_runner(account: Account, document: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A user who has this policy and nothing else; moto checks every call."""
    opened = [{**each, "Resource": "*"} for each in document["Statement"]]
    with monkeypatch.context() as patch:
        account.iam.create_user(UserName="runner")
        account.iam.put_user_policy(
            UserName="runner", PolicyName="p", PolicyDocument=json.dumps(policy(*opened))
        )
        key = account.iam.create_access_key(UserName="runner")["AccessKey"]
        patch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        patch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        with enable_iam_authentication():
            yield
    account.iam.delete_access_key(UserName="runner", AccessKeyId=key["AccessKeyId"])
    account.iam.delete_user_policy(UserName="runner", PolicyName="p")
    account.iam.delete_user(UserName="runner")


def without(document: dict[str, Any], action: str) -> dict[str, Any]:
    statements = [
        {**each, "Action": [name for name in each["Action"] if name != action]}
        for each in document["Statement"]
    ]
    return policy(*(each for each in statements if each["Action"]))
