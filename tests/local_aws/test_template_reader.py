"""infra/cognito.yaml is read as CloudFormation would read it, and what it says is what is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_aws.cognito import TEMPLATE
from local_aws.template import Template

PSEUDO = {"AWS::Region": "eu-west-1", "AWS::Partition": "aws", "AWS::AccountId": "1"}

SMALL = """
Parameters:
  Name: {Type: String, Default: fallback}
  Flag: {Type: String, Default: ""}
Conditions:
  HasFlag: {"Fn::Not": [{"Fn::Equals": [{Ref: Flag}, ""]}]}
Resources:
  Thing:
    Properties:
      Value: VALUE
"""


def resolve(tmp_path: Path, value: str, **parameters: str) -> object:
    path = tmp_path / "template.yaml"
    path.write_text(SMALL.replace("VALUE", value))
    template = Template(path, parameters, PSEUDO)
    template.made["Pool"] = "pool-1"
    return template.properties("Thing").get("Value", "left out")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{Ref: Name}", "given"),
        ("{Ref: 'AWS::Region'}", "eu-west-1"),
        ("{Ref: Pool}", "pool-1"),
        ("{Ref: 'AWS::NoValue'}", "left out"),
        ("[a, {Ref: 'AWS::NoValue'}]", ["a"]),
        ("{'Fn::Sub': '${Name}/${Pool}/${!Name}'}", "given/pool-1/${!Name}"),
        ("{'Fn::Sub': ['${X}-${Name}', {X: {Ref: Pool}}]}", "pool-1-given"),
        ("{'Fn::If': [HasFlag, yes-flag, no-flag]}", "no-flag"),
        ("{'Fn::If': [HasFlag, 1, {Ref: 'AWS::NoValue'}]}", "left out"),
        ("{Deep: {Ref: Name}}", {"Deep": "given"}),
    ],
)
def test_functions_are_answered(tmp_path, value, expected):
    assert resolve(tmp_path, value, Name="given") == expected


@pytest.mark.parametrize("value", ["{'Fn::GetAtt': [Pool, Arn]}", "{Ref: Nothing}"])
def test_what_is_not_understood_is_an_error_and_no_guess(tmp_path, value):
    with pytest.raises(ValueError, match=r"understood|no parameter"):
        resolve(tmp_path, value)


def test_a_parameter_that_the_template_does_not_have_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="Nmae"):
        resolve(tmp_path, "x", Nmae="typing error")


def test_the_embedded_pool_is_what_the_template_describes(cognito):
    template = Template(
        TEMPLATE,
        {"ProjectSlug": "role", "PublicUrl": "http://127.0.0.1:5000"},
        {**PSEUDO, "AWS::URLSuffix": "amazonaws.com"},
    )
    template.made |= {"UserPool": cognito.cognito.pool_id}
    template.made |= {"UserPoolClient": cognito.cognito.client_id}
    said_of_pool = template.properties("UserPool")
    said_of_client = template.properties("UserPoolClient")
    api = cognito.cognito._cognito
    pool = api.describe_user_pool(UserPoolId=cognito.cognito.pool_id)["UserPool"]
    client = api.describe_user_pool_client(
        UserPoolId=cognito.cognito.pool_id, ClientId=cognito.cognito.client_id
    )["UserPoolClient"]

    for name in ("UsernameAttributes", "AutoVerifiedAttributes", "AdminCreateUserConfig"):
        assert pool[name] == said_of_pool[name]
    wanted = said_of_pool["Policies"]["PasswordPolicy"]
    assert pool["Policies"]["PasswordPolicy"].items() >= wanted.items()
    assert pool["MfaConfiguration"] == said_of_pool["MfaConfiguration"]
    for name in set(said_of_client) - {"ExplicitAuthFlows", "GenerateSecret"}:
        assert client[name] == said_of_client[name]
    added = set(client["ExplicitAuthFlows"]) - set(said_of_client["ExplicitAuthFlows"])
    assert added == {"ALLOW_USER_PASSWORD_AUTH"}
