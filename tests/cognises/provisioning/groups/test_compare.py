"""Policies that mean the same are equal in every spelling; those that do not, are not."""

from __future__ import annotations

import json
import random
from typing import Any
from urllib.parse import quote

import pytest
from accounts import policy, statement

from cognises.provisioning.groups.compare import canonical, equivalent

BASE = policy(
    statement(
        ["s3:GetObject", "s3:PutObject"],
        ["arn:aws:s3:::a/*", "arn:aws:s3:::b/*"],
        Condition={"StringEquals": {"aws:RequestedRegion": ["a", "b"]}},
    ),
    statement("sqs:*", "*"),
)


def one(**elements: Any) -> dict[str, Any]:
    return policy(statement() | elements)


def condition(value: Any, key: str = "aws:x") -> dict[str, Any]:
    return one(Condition={"StringEquals": {key: value}})


SAME: dict[str, tuple[Any, Any]] = {
    "text": (BASE, json.dumps(BASE)),
    "percent-encoded text": (BASE, quote(json.dumps(BASE))),
    "indented text": (BASE, json.dumps(BASE, indent=4)),
    "statements in another order": (BASE, policy(*reversed(BASE["Statement"]))),
    "a statement twice": (BASE, policy(*BASE["Statement"], BASE["Statement"][1])),
    "one statement and a list of one": (one(), {**one(), "Statement": statement()}),
    "a scalar action and a list": (one(Action="s3:GetObject"), one(Action=["s3:GetObject"])),
    "actions in another order": (one(Action=["a:B", "c:D"]), one(Action=["c:D", "a:B"])),
    "an action twice": (one(Action=["a:B", "a:B"]), one(Action="a:B")),
    "actions in another case": (one(Action="S3:getobject"), one(Action="s3:GetObject")),
    "excluded actions in another case": (
        policy({"Effect": "Deny", "NotAction": "S3:Get*", "Resource": "*"}),
        policy({"Effect": "Deny", "NotAction": ["s3:get*"], "Resource": ["*"]}),
    ),
    "resources in another order": (one(Resource=["a", "b"]), one(Resource=["b", "a"])),
    "an empty Sid and none": (one(Sid=""), one()),
    "true and its text": (condition(True), condition("true")),
    "a number and its text": (condition(10), condition("10")),
    "condition values in another order": (condition(["a", "b"]), condition(["b", "a"])),
    "a scalar value and a list": (condition("a"), condition(["a"])),
    "condition keys in another case": (condition("a", "aws:X"), condition("a", "AWS:x")),
    "principals in another order": (
        one(Principal={"AWS": ["a", "b"]}),
        one(Principal={"AWS": ["b", "a"]}),
    ),
}

DIFFERENT: dict[str, tuple[Any, Any]] = {
    "resources in another case": (one(Resource="arn:A"), one(Resource="arn:a")),
    "effect": (one(Effect="Allow"), one(Effect="Deny")),
    "effect in another case": (one(Effect="Allow"), one(Effect="allow")),
    "version": (one(), {**one(), "Version": "2008-10-17"}),
    "no version": (one(), {"Statement": one()["Statement"]}),
    "a Sid": (one(Sid="A"), one(Sid="B")),
    "a value's case": (condition("a"), condition("A")),
    "an operator": (
        one(Condition={"StringEquals": {"a:b": "c"}}),
        one(Condition={"StringLike": {"a:b": "c"}}),
    ),
    "an unknown key": (one(), one(Surprise=1)),
    "an unknown key at the top": (one(), {**one(), "Surprise": 1}),
    "a condition key in two spellings": (
        one(Condition={"StringEquals": {"a:b": "c"}}),
        one(Condition={"StringEquals": {"a:b": "c", "A:B": "d"}}),
    ),
    "action and excluded action": (one(Action="a:B"), one(NotAction="a:B")),
    "one resource more": (one(Resource="a"), one(Resource=["a", "b"])),
    "nothing": (one(), {}),
    "text that is no policy": (one(), "not a policy"),
}


@pytest.mark.parametrize("name", SAME)
def test_another_spelling_is_equivalent(name: str) -> None:
    left, right = SAME[name]
    assert equivalent(left, right)
    assert equivalent(right, left)


@pytest.mark.parametrize("name", DIFFERENT)
def test_another_meaning_is_not_equivalent(name: str) -> None:
    left, right = DIFFERENT[name]
    assert not equivalent(left, right)


def shuffled(value: Any, chance: random.Random) -> Any:
    """The same policy with every list and every object in another order."""
    if isinstance(value, list):
        return chance.sample([shuffled(each, chance) for each in value], len(value))
    if isinstance(value, dict):
        keys = chance.sample(list(value), len(value))
        return {key: shuffled(value[key], chance) for key in keys}
    return value


@pytest.mark.parametrize("seed", range(50))
def test_order_never_matters(seed: int) -> None:
    assert canonical(shuffled(BASE, random.Random(seed))) == canonical(BASE)
