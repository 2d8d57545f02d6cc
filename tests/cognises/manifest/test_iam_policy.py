"""What AWS refuses is refused, what AWS accepts is accepted, what is risky is warned about."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from cognises.manifest.iam_policy import check_policy, policy_size
from cognises.manifest.iam_warnings import check_risks, escalating_actions
from cognises.manifest.rules import check_placeholders, fill

OBJECTS = "arn:aws:s3:::bucket/*"


def document(**elements: Any) -> dict[str, Any]:
    """A policy of one good statement, elements replaced; None takes one away."""
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": OBJECTS} | elements
    return {
        "Version": "2012-10-17",
        "Statement": [{k: v for k, v in statement.items() if v is not None}],
    }


def findings(policy: object) -> list[str]:
    return [str(each) for each in (*check_policy(policy), *check_risks(policy))]


def test_every_policy_that_aws_manages_is_accepted() -> None:
    managed = json.loads(aws_managed_policies_data)
    refused = {
        name: [str(each) for each in check_policy(policy["Document"])]
        for name, policy in managed.items()
    }
    assert len(managed) > 1500
    assert {name: found for name, found in refused.items() if found} == {}


# The fault of each, and the words by which its message names it.
FAULTY: dict[str, tuple[object, str]] = {
    "text": ('{"Version": "2012-10-17"}', "must be a JSON object"),
    "no version": ({"Statement": document()["Statement"]}, "Version: must be"),
    "wrong version": (document() | {"Version": "2012-10-18"}, "Version: must be"),
    "no statement": ({"Version": "2012-10-17"}, "Statement: missing"),
    "effect misspelt": (document(Effect="Alow"), "Effect: must be exactly"),
    "unknown element": (document(Ressource="*"), "Ressource: unknown element; use Resource"),
    "action and not action": (document(NotAction="iam:*"), "used together with NotAction"),
    "no action": (document(Action=None), "Action: missing"),
    "no resource": (document(Resource=None), "Resource: missing"),
    "resource that is no arn": (document(Resource="bucket/*"), "is not an ARN"),
    "sid with odd characters": (document(Sid="read-it"), "Sid: use the letters"),
    "principal": (document(Principal="*"), "Principal: remove it"),
    "operator": (document(Condition={"StringEqual": {"aws:a": "b"}}), "did you mean StringEquals"),
    "operator of null": (document(Condition={"NullIfExists": {"aws:a": "true"}}), "unknown cond"),
    "character": (document(Resource="arn:aws:s3:::b\u0142/*"), "IAM accepts"),
    "everything": (document(Action="*:*", Resource="*"), "allows every action on everything"),
    "pass role": (document(Action="iam:Pass*", Resource="*"), "allows iam:PassRole on every"),
    "all of iam": (document(Action="iam:*", Resource=["*"]), "allows iam:PassRole on every"),
    "pass any role": (
        document(Action="iam:PassRole", Resource="arn:aws:iam::123456789012:role/*"),
        "allows iam:PassRole on every",
    ),
    "all but a few": (
        document(Action=None, NotAction="s3:*", Resource="*"),
        "allows all but a few actions, iam among them",
    ),
    "account cut short": (
        document(Resource="arn:aws:sqs:us-east-1:123:q"),
        "'123' is not an account id",
    ),
    "action of two colons": (document(Action="s3:Get:Object"), "is not an action"),
    "every action on all but one": (
        document(Action="*", Resource=None, NotResource="arn:aws:s3:::b"),
        "allows every action on everything",
    ),
    "a region in odd letters": (
        document(Resource="arn:aws:sqs:US-EAST-1:123456789012:q"),
        "'US-EAST-1' is not a region",
    ),
    "an ARN that lacks a colon": (document(Resource="arn:aws:s3::bucket/*"), "needs another colon"),
    "a variable left open": (
        document(Resource="arn:aws:s3:::b/${aws:username/*"),
        "without a closing brace",
    ),
    "a variable of no service": (
        document(Resource="arn:aws:s3:::b/${UserPoolID}"),
        "is not a variable of IAM",
    ),
    "a misspelt prefix": (
        document(Condition={"ForAllValue:StringEquals": {"aws:TagKeys": "a"}}),
        "did you mean ForAllValues:StringEquals",
    ),
    "a condition without keys": (document(Condition={"StringEquals": {}}), "restricts nothing"),
    "a condition without values": (
        document(Condition={"StringEquals": {"aws:PrincipalTag/a": []}}),
        "an empty list of values never matches",
    ),
    "an ARN condition on a name": (
        document(Condition={"ArnLike": {"aws:SourceArn": "bucket"}}),
        "'bucket' is not an ARN",
    ),
    "wildcard service": (document(Resource="arn:aws:*:::x"), "must be written out"),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_faulty_policy_is_found_by_a_message_that_names_the_fault(name: str) -> None:
    policy, expected = FAULTY[name]
    assert any(expected in line for line in findings(policy)), findings(policy)


def test_a_repeated_sid_is_refused() -> None:
    twice = document(Sid="A")
    twice["Statement"] *= 2
    assert "used twice" in findings(twice)[0]


GOOD = [
    document(),
    document(Effect="Deny", Action="*", Resource="*"),
    document(Action="iam:PassRole", Resource="arn:aws:iam::123456789012:role/app-*"),
    document(Action=None, NotAction=["iam:*"], Effect="Deny", Resource="*"),
    document(Action="ec2:Describe*", Resource="*"),
    document(Action=None, NotAction=["iam:*", "organizations:*"], Resource="*"),
    document(Resource="arn:aws:s3:::bucket/${aws:username}/*"),
    document(Resource="arn:aws:s3:::bucket/${aws:PrincipalTag/team, 'none'}/${*}"),
    document(Resource="arn:aws:lambda:*"),
    document(Action="ec2:RunInstances", Resource="arn:aws:ec2:us-*::image/ami-*"),
    document(Condition={"ArnLike": {"aws:SourceArn": ["arn:aws:s3:::*", "*", "${aws:a}"]}}),
    document(Effect="Deny", Action="s3:*", Resource=None, NotResource=OBJECTS),
    document(Condition={"ForAnyValue:StringLike": {"aws:TagKeys": ["a*"]}}),
    document(Condition={"BoolIfExists": {"aws:MultiFactorAuthPresent": False}}),
    document(Condition={"DateLessThan": {"aws:CurrentTime": "2027-01-01T00:00:00Z"}}),
    document(Action="*", Resource="*", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}),
]


@pytest.mark.parametrize("index", range(len(GOOD)))
def test_a_good_policy_is_not_flagged(index: int) -> None:
    assert findings(GOOD[index]) == []


def test_the_size_leaves_white_space_out() -> None:
    assert policy_size({"a b": " c\n"}) == len('{"ab":"c\\n"}')
    assert policy_size({"a": "  "}) == policy_size({"a": ""})


ESCALATING = {
    "iam:PutRolePolicy": True,
    "iam:*": True,
    "*": True,
    "sts:AssumeRole": True,
    "cognito-idp:*": True,
    "cognito-idp:AdminAddUserToGroup": True,
    "cognito-identity:SetIdentityPoolRoles": True,
    "cognito-idp:Admin*": True,
    "cognito-idp:A?minAddUserToGroup": True,
    "cognito-idp:UpdateGroup": True,
    "cognito-idp:SetUserPoolMfaConfig": True,
    "cognito-identity:GetOpenIdTokenForDeveloperIdentity": True,
    "cognito-identity:Get*": True,
    "cognito-identity:GetId": False,
    "cognito-idp:ChangePassword": False,
    "iam:GenerateCredentialReport": False,
    "cognito-idp:AdminGetUser": False,
    "cognito-idp:ListUsers": False,
    "iam:GetRole": False,
    "iam:Get*": False,
    "sts:GetCallerIdentity": False,
    "s3:*": False,
}


@pytest.mark.parametrize("action", ESCALATING)
def test_ways_to_more_rights_are_recognised(action: str) -> None:
    found = escalating_actions({"Effect": "Allow", "Action": [action], "Resource": "*"})
    assert found == ([action] if ESCALATING[action] else [])
    assert escalating_actions({"Effect": "Deny", "Action": action, "Resource": "*"}) == []


def test_not_action_escalates_unless_it_leaves_out_what_matters() -> None:
    assert escalating_actions({"Effect": "Allow", "NotAction": "s3:*"}) == ["NotAction"]
    left_out = ["iam:*", "sts:*", "cognito-idp:*", "cognito-identity:*"]
    assert escalating_actions({"Effect": "Allow", "NotAction": left_out}) == []


VALUES = {
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "1",
    "AWS::Partition": "aws",
    "UserPoolId": 'x", "Action": "*',
}


def test_a_placeholder_value_cannot_add_an_element_to_the_policy() -> None:
    filled = fill({"Resource": "${UserPoolId}", "${UserPoolId}": 1}, VALUES)
    assert filled == {"Resource": 'x", "Action": "*', "${UserPoolId}": 1}


@pytest.mark.parametrize(
    "text", ["${aws:username}", "${cognito-identity.amazonaws.com:sub}", "$UserPoolId", "${*}"]
)
def test_variables_of_iam_pass_untouched(text: str) -> None:
    assert fill([text], VALUES) == [text]
    assert list(check_placeholders([text])) == []


def test_an_unknown_placeholder_is_named_with_the_known_ones() -> None:
    (problem,) = check_placeholders({"Resource": ["${AWS::StackName}"]})
    assert str(problem) == (
        "error: Resource[0]: ${AWS::StackName} is unknown; use ${AWS::Region}, "
        "${AWS::AccountId}, ${AWS::Partition}, ${UserPoolId}, ${IdentityService}, ${Stage}"
    )
