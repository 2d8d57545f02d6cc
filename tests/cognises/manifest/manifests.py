"""A corpus of manifests, good and bad, for the checker and for the schema alike."""

from __future__ import annotations

import copy
from typing import Any

GOOD_STATEMENT: dict[str, Any] = {
    "Effect": "Allow",
    "Action": ["s3:GetObject", "s3:PutObject"],
    "Resource": "arn:${AWS::Partition}:s3:::bucket/${cognito-identity.amazonaws.com:sub}/*",
}
GOOD_GROUP: dict[str, Any] = {
    "group_name": "editors",
    "group_policy": {"Version": "2012-10-17", "Statement": [GOOD_STATEMENT]},
    "allowed_functions": ["view_data", "reports.monthly", "reports.*"],
}
MANAGED = [f"arn:aws:iam::aws:policy/P{number}" for number in range(11)]


def changed(**keys: Any) -> list[Any]:
    """One good group with some of its keys replaced; None takes a key away."""
    group = copy.deepcopy(GOOD_GROUP) | keys
    return [{key: value for key, value in group.items() if value is not None}]


def with_statement(**elements: Any) -> list[Any]:
    """One good group whose one statement has elements replaced; None takes one away."""
    statement = {k: v for k, v in (GOOD_STATEMENT | elements).items() if v is not None}
    return changed(group_policy={"Version": "2012-10-17", "Statement": [statement]})


def with_policy(document: Any) -> list[Any]:
    return changed(group_policy=document)


GOOD: dict[str, Any] = {
    "no groups": [],
    "the usual": changed(),
    "no functions": changed(allowed_functions=[]),
    "no policy": changed(group_policy=None),
    "the longest name without a role": changed(group_policy=None, group_name="a" * 128),
    "a name without a role, in another script": changed(
        group_policy=None, group_name="rédacteurs/部"
    ),
    "names without a role that differ by case": [
        *changed(group_policy=None),
        *changed(group_name="Editors"),
    ],
    "scopes": changed(scopes=["orders/read", "https://api.example.org/v1/read", "a:b/c+d"]),
    "no scopes": changed(scopes=[]),
    "managed policies": changed(
        managed_policies=[
            "arn:${AWS::Partition}:iam::aws:policy/ReadOnlyAccess",
            "arn:aws-us-gov:iam::aws:policy/service-role/AWSLambdaRole",
            "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/team/${AWS::Region}-data",
        ]
    ),
    "managed policies alone": changed(
        group_policy=None, managed_policies=["arn:aws:iam::123456789012:policy/x"]
    ),
    "no managed policies and no role": changed(
        group_policy=None, managed_policies=[], group_name="rédacteurs"
    ),
    "as many managed policies as IAM attaches": changed(managed_policies=MANAGED[:10]),
    "every view": changed(allowed_functions=["*"]),
    "all optional keys": changed(created="true", description="People", precedence=0),
    "created as a boolean": changed(created=False),
    "every character a name may have": changed(group_name="a_+=,.@-Z9"),
    "the longest name": changed(group_name="a" * 31),
    "the longest description": changed(description="a" * 1600),
    "one statement outside a list": with_policy(
        {"Version": "2012-10-17", "Statement": GOOD_STATEMENT}
    ),
    "an id": with_policy({"Version": "2012-10-17", "Id": "x", "Statement": [GOOD_STATEMENT]}),
    "everything": with_statement(Action="*", Resource="*"),
    "an action in odd case": with_statement(Action="S3:getobject"),
    "NotAction": with_statement(Action=None, NotAction="iam:*"),
    "NotResource": with_statement(Resource=None, NotResource="arn:aws:s3:::secret/*"),
    "a denial": with_statement(Effect="Deny"),
    "an empty Sid": with_statement(Sid=""),
    "a condition": with_statement(Condition={"StringEquals": {"aws:RequestedRegion": "us-east-1"}}),
    "a condition on sets": with_statement(
        Condition={"ForAllValues:StringLikeIfExists": {"aws:TagKeys": ["a", "b"]}}
    ),
    "a number and a boolean": with_statement(
        Condition={"NumericLessThan": {"s3:max-keys": 10}, "Bool": {"aws:SecureTransport": True}}
    ),
    "dates": with_statement(
        Condition={
            "DateGreaterThan": {"aws:CurrentTime": ["2027-01-31T00:00:00Z", "1700000000", "2027"]}
        }
    ),
    "networks": with_statement(
        Condition={"NotIpAddress": {"aws:SourceIp": ["203.0.113.0/24", "2001:db8::/32"]}}
    ),
    "Null": with_statement(Condition={"Null": {"aws:TokenIssueTime": "true"}}),
    "a variable in a network": with_statement(
        Condition={"IpAddress": {"aws:SourceIp": "${aws:PrincipalTag/network}"}}
    ),
    "placeholders": with_statement(
        Resource="arn:${AWS::Partition}:cognito-idp:${AWS::Region}:${AWS::AccountId}:userpool/${UserPoolId}"
    ),
    "a star for the rest of an ARN": with_statement(Resource="arn:aws:lambda:*"),
    "government": with_statement(Resource="arn:aws-us-gov:s3:::bucket/*"),
}

# What the schema can see too.
BAD: dict[str, Any] = {
    "no list": {"group_name": "a"},
    "null": None,
    "a text": "groups",
    "a group that is a text": ["admins"],
    "an unknown key": changed(functions=[]),
    "no name": changed(group_name=None),
    "no functions": changed(allowed_functions=None),
    "an empty name": changed(group_name=""),
    "a name that is a number": changed(group_name=7),
    "a name with a space": changed(group_name="the editors"),
    "a name with a slash": changed(group_name="a/b"),
    "a name outside ASCII": changed(group_name="rédacteurs"),
    "a name that leaves no room": changed(group_name="a" * 32),
    "a policy that is null": [GOOD_GROUP | {"group_policy": None}],
    "a name without a role that is too long": changed(group_policy=None, group_name="a" * 129),
    "a name without a role that has a space": changed(group_policy=None, group_name="the editors"),
    "scopes as a text": changed(scopes="orders/read"),
    "scopes as an object": changed(scopes={"orders/read": True}),
    "scopes that are null": [GOOD_GROUP | {"scopes": None}],
    "a scope that is a number": changed(scopes=[7]),
    "a scope that is a list": changed(scopes=[["orders/read"]]),
    "an empty scope": changed(scopes=[""]),
    "a scope of a user": changed(scopes=["openid"]),
    "Cognito's own scope": changed(scopes=["aws.cognito.signin.user.admin"]),
    "a scope without a resource server": changed(scopes=["/read"]),
    "a scope without a name": changed(scopes=["orders/"]),
    "two scopes in one text": changed(scopes=["orders/read orders/write"]),
    "a scope with a quote": changed(scopes=['orders/"read"']),
    "a scope outside ASCII": changed(scopes=["orders/réad"]),
    "a scope that is too long": changed(scopes=["orders/" + "a" * 257]),
    "a scope twice": changed(scopes=["orders/read", "orders/read"]),
    "managed policies as a text": changed(managed_policies=MANAGED[0]),
    "managed policies that are null": [GOOD_GROUP | {"managed_policies": None}],
    "a managed policy that is a number": changed(managed_policies=[7]),
    "a managed policy that is a document": changed(managed_policies=[GOOD_GROUP["group_policy"]]),
    "a managed policy by its name": changed(managed_policies=["ReadOnlyAccess"]),
    "a managed policy of another kind": changed(managed_policies=["arn:aws:iam::aws:role/x"]),
    "a managed policy of a short account": changed(
        managed_policies=["arn:aws:iam::12345678901:policy/x"]
    ),
    "a managed policy of no account": changed(managed_policies=["arn:aws:iam:::policy/x"]),
    "a managed policy of no partition": changed(managed_policies=["arn:azure:iam::aws:policy/x"]),
    "a managed policy with a region": changed(
        managed_policies=["arn:aws:iam:us-east-1:aws:policy/x"]
    ),
    "a managed policy with a star": changed(managed_policies=["arn:aws:iam::aws:policy/*"]),
    "a managed policy with an unknown placeholder": changed(
        managed_policies=["arn:aws:iam::${AWS::Account}:policy/x"]
    ),
    "a managed policy with a variable": changed(
        managed_policies=["arn:aws:iam::aws:policy/${aws:username}"]
    ),
    "a managed policy twice": changed(managed_policies=[MANAGED[0], MANAGED[0]]),
    "more managed policies than IAM attaches": changed(managed_policies=MANAGED),
    "a name that leaves no room for the role of managed policies": changed(
        group_policy=None, managed_policies=MANAGED[:1], group_name="a" * 32
    ),
    "functions as a text": changed(allowed_functions="view_data"),
    "a function that is a number": changed(allowed_functions=[7]),
    "an empty function": changed(allowed_functions=[""]),
    "a star at the end of a word": changed(allowed_functions=["view*"]),
    "a star at the front": changed(allowed_functions=["*.monthly"]),
    "two stars": changed(allowed_functions=["**"]),
    "a star in the middle": changed(allowed_functions=["a.*.b"]),
    "a function with a space": changed(allowed_functions=["view data"]),
    "a long description": changed(description="a" * 1601),
    "a description that is a list": changed(description=[]),
    "a negative precedence": changed(precedence=-1),
    "a precedence that is a text": changed(precedence="1"),
    "a precedence that is true": changed(precedence=True),
    "a precedence that is too large": changed(precedence=2**31),
    "created as a word": changed(created="yes"),
    "a policy as text": with_policy('{"Version": "2012-10-17"}'),
    "a policy as a list": with_policy([]),
    "an unknown element": with_policy(
        {"Version": "2012-10-17", "Statement": [GOOD_STATEMENT], "Statements": []}
    ),
    "no Version": with_policy({"Statement": [GOOD_STATEMENT]}),
    "an old Version": with_policy({"Version": "2008-10-17", "Statement": [GOOD_STATEMENT]}),
    "a Version of today": with_policy({"Version": "2026-11-22", "Statement": [GOOD_STATEMENT]}),
    "no Statement": with_policy({"Version": "2012-10-17"}),
    "an empty Statement": with_policy({"Version": "2012-10-17", "Statement": []}),
    "a Statement that is a text": with_policy({"Version": "2012-10-17", "Statement": ["Allow"]}),
    "an Id that is a number": with_policy(
        {"Version": "2012-10-17", "Id": 1, "Statement": [GOOD_STATEMENT]}
    ),
    "no Effect": with_statement(Effect=None),
    "Effect in small letters": with_statement(Effect="allow"),
    "Effect misspelt": with_statement(Effect="Permit"),
    "an unknown element of a statement": with_statement(Actions="s3:*"),
    "no Action": with_statement(Action=None),
    "no Resource": with_statement(Resource=None),
    "Action with NotAction": with_statement(NotAction="iam:*"),
    "Resource with NotResource": with_statement(NotResource="*"),
    "an empty list of actions": with_statement(Action=[]),
    "an empty list of resources": with_statement(Resource=[]),
    "an action that is a number": with_statement(Action=[1]),
    "an action without a service": with_statement(Action="GetObject"),
    "an action with two colons": with_statement(Action="s3:Get:Object"),
    "an action with a space": with_statement(Action="s3: GetObject"),
    "a service with a star": with_statement(Action="s*:GetObject"),
    "a resource that is a name": with_statement(Resource="bucket"),
    "a resource that is null": with_statement(Resource=[None]),
    "a service with a star in an ARN": with_statement(Resource="arn:aws:s*:::bucket"),
    "a principal": with_statement(Principal="*"),
    "a Sid with a space": with_statement(Sid="read files"),
    "a Sid that is a number": with_statement(Sid=1),
    "a condition that is a list": with_statement(Condition=[]),
    "an unknown operator": with_statement(Condition={"StringMatches": {"aws:SourceIp": "x"}}),
    "an operator of no quantity": with_statement(Condition={"ForSome:Bool": {"aws:x": "true"}}),
    "NullIfExists": with_statement(Condition={"NullIfExists": {"aws:TokenIssueTime": "true"}}),
    "an operator with a text": with_statement(Condition={"StringEquals": "x"}),
    "a condition key without a service": with_statement(Condition={"StringEquals": {"ip": "x"}}),
    "a condition value that is an object": with_statement(
        Condition={"StringEquals": {"aws:SourceIp": {}}}
    ),
    "a condition value that is null": with_statement(
        Condition={"StringEquals": {"aws:SourceIp": None}}
    ),
}

# What only the checker sees.
BAD_BEYOND_THE_SCHEMA: dict[str, Any] = {
    "a description that holds a record": changed(description="[cognises:access a=b]"),
    "a managed policy twice in two spellings": changed(
        managed_policies=[MANAGED[0], MANAGED[0].replace("arn:aws:", "arn:${AWS::Partition}:")]
    ),
    "names with managed policies that differ by case": [
        *changed(group_policy=None, managed_policies=MANAGED[:1]),
        *changed(group_name="Editors"),
    ],
    "names that differ by case": [*changed(), *changed(group_name="Editors")],
    "a name twice": [*changed(), *changed()],
    "a name twice without a role": [*changed(group_policy=None), *changed()],
    "a name with a control character": changed(group_policy=None, group_name="edit\x7fors"),
    "a name with a direction mark": changed(group_policy=None, group_name="edit\u202eors"),
    "a scope with a line end": changed(scopes=["orders/read\n"]),
    "a Sid twice": with_policy(
        {
            "Version": "2012-10-17",
            "Statement": [GOOD_STATEMENT | {"Sid": "A"}, GOOD_STATEMENT | {"Sid": "A"}],
        }
    ),
    "too large": with_policy(
        {
            "Version": "2012-10-17",
            "Statement": [GOOD_STATEMENT | {"Action": [f"s3:Get{i}" for i in range(1000)]}],
        }
    ),
    "an unknown placeholder": with_statement(Resource="arn:aws:s3:::${AWS::StackName}/*"),
    "a placeholder in a key": with_statement(
        Condition={"StringEquals": {"aws:PrincipalTag/${AWS::Region}": "x"}}
    ),
    "a character IAM refuses": with_statement(Resource="arn:aws:s3:::buckęt/*"),
    "a control character": with_statement(Resource="arn:aws:s3:::bucket\x07/*"),
    "an unknown partition": with_statement(Resource="arn:azure:s3:::bucket/*"),
    "a variable left open": with_statement(Resource="arn:aws:s3:::bucket/${aws:username/*"),
    "an ARN that lacks a colon": with_statement(Resource="arn:aws:s3::bucket/*"),
    "a precedence with a fraction of nothing": changed(precedence=1.0),
    "an ARN cut short": with_statement(Resource="arn:aws:s3:bucket"),
    "a bucket with a region": with_statement(Resource="arn:aws:s3:us-east-1::bucket/*"),
    "an IAM ARN with a region": with_statement(
        Resource="arn:aws:iam:us-east-1:123456789012:role/x"
    ),
    "an IAM ARN of no kind": with_statement(Resource="arn:aws:iam::123456789012:roles/x"),
    "a boolean that is a word": with_statement(Condition={"Bool": {"aws:SecureTransport": "yes"}}),
    "a number that is a word": with_statement(Condition={"NumericEquals": {"s3:max-keys": "ten"}}),
    "a date of another kind": with_statement(
        Condition={"DateLessThan": {"aws:CurrentTime": "31.1.2027"}}
    ),
    "a network that is none": with_statement(
        Condition={"IpAddress": {"aws:SourceIp": "203.0.113.0/33"}}
    ),
    "base64 that is none": with_statement(Condition={"BinaryEquals": {"kms:key": "%"}}),
}
