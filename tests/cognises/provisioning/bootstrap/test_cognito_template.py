"""infra/cognito.yaml: nothing in it is looser than the rules, and the roles' ceiling holds."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from cognises.manifest import load_groups
from cognises.manifest.iam_policy import check_policy
from cognises.manifest.iam_warnings import ESCALATING_SERVICES, escalating_actions
from cognises.settings.sources import PROJECT_FOLDER
from infra import bootstrap as command_bootstrap
from infra.bootstrap import MOST_OF_A_BUCKET, WRITTEN
from local_aws import cognito
from local_aws.template import Template

PROJECT = PROJECT_FOLDER
PATH = PROJECT / "infra" / "cognito.yaml"
DOCUMENT: dict[str, Any] = yaml.safe_load(PATH.read_text(encoding="utf-8"))
PSEUDO = {
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "UserPool": "eu-west-1_Made12345",
    "UserPoolClient": "client1",
    "IdentityPool": "eu-west-1:0d1c",
}
URL = "https://svc.example.org"
GIVEN = "eu-west-1_Given123"
MANAGED_POLICY_LIMIT = 6144


def template(**parameters: str) -> Template:
    return Template(PATH, {"ProjectSlug": "svc", **parameters}, PSEUDO)


def boundary() -> dict[str, Any]:
    found: dict[str, Any] = template().properties("PermissionsBoundary")["PolicyDocument"]
    return found


UNLESS_ADMINS = {"StringNotEquals": {"aws:PrincipalTag/cognises:group": "admins"}}


def covers(pattern: str, action: str) -> bool:
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, action, re.IGNORECASE) is not None


def is_allowed(action: str, resource: str, group: str = "editors") -> bool:
    """Whether a group's boundary lets it through: allowed by a statement, denied by none."""
    effects = {
        each["Effect"]
        for each in boundary()["Statement"]
        if any(covers(pattern, action) for pattern in each["Action"])
        and any(covers(pattern, resource) for pattern in _listed(each["Resource"]))
        and each.get("Condition") in (None, UNLESS_ADMINS if group != "admins" else None)
    }
    return effects == {"Allow"}


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_the_ids_that_others_read_are_there() -> None:
    assert set(DOCUMENT["Resources"]) >= {
        *("UserPool", "UserPoolClient", "UserPoolDomain"),
        *("IdentityPool", "IdentityPoolRoles", "PermissionsBoundary"),
    }


def test_bootstrap_and_the_aws_in_memory_read_this_same_file() -> None:
    assert command_bootstrap.TEMPLATE == cognito.TEMPLATE == PATH


def test_any_yaml_reader_can_read_it() -> None:
    assert not re.search(r"(?<![\w\"'])!(?:Ref|Sub|If|GetAtt|Equals|Not)\b", PATH.read_text())


def test_users_outlive_the_stack_and_every_update() -> None:
    pool = DOCUMENT["Resources"]["UserPool"]
    assert (pool["DeletionPolicy"], pool["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert template().properties("UserPool")["DeletionProtection"] == "ACTIVE"


def test_only_administrators_make_users_and_addresses_are_verified_before_they_change() -> None:
    pool = template().properties("UserPool")
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    assert pool["UserAttributeUpdateSettings"] == {
        "AttributesRequireVerificationBeforeUpdate": ["email"]
    }
    assert pool["AutoVerifiedAttributes"] == ["email"]
    assert pool["AccountRecoverySetting"]["RecoveryMechanisms"] == [
        {"Name": "verified_email", "Priority": 1}
    ]
    assert (pool["MfaConfiguration"], pool["EnabledMfas"]) == ("OPTIONAL", ["SOFTWARE_TOKEN_MFA"])
    assert pool["Policies"]["PasswordPolicy"]["MinimumLength"] >= 12


def test_the_client_has_no_password_flow_no_secret_and_no_say_over_its_own_user() -> None:
    client = template(PublicUrl=URL).properties("UserPoolClient")
    assert client["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"]
    assert client["AllowedOAuthFlows"] == ["code"]
    assert client["AllowedOAuthScopes"] == ["openid", "email", "profile"]
    assert client["GenerateSecret"] is False
    assert client["EnableTokenRevocation"] is True
    assert client["PreventUserExistenceErrors"] == "ENABLED"


def test_tokens_live_five_minutes_and_sessions_a_day() -> None:
    client = template().properties("UserPoolClient")
    units = client["TokenValidityUnits"]
    assert units == {"IdToken": "minutes", "AccessToken": "minutes", "RefreshToken": "hours"}
    assert client["IdTokenValidity"] == client["AccessTokenValidity"] == 5
    assert client["RefreshTokenValidity"] == 24


def test_id_tokens_carry_one_custom_attribute_if_asked_and_users_do_not_write_it() -> None:
    known = ["email", "email_verified", "name"]
    assert template().properties("UserPoolClient")["ReadAttributes"] == known
    client = template(CustomAttribute="custom:tenant").properties("UserPoolClient")
    assert client["ReadAttributes"] == [*known, "custom:tenant"]
    assert "WriteAttributes" not in client  # Cognito's default: the standard attributes alone


def test_the_pool_names_no_schema_which_would_make_every_later_update_fail() -> None:
    pool = template().properties("UserPool")
    assert "Schema" not in pool
    assert pool["UsernameAttributes"] == ["email"]  # requires the attribute without a schema


SES = "arn:aws:ses:eu-west-1:123456789012:identity/example.org"


@pytest.mark.parametrize(
    ("given", "configuration"),
    [
        ({}, None),
        (
            {"SesIdentityArn": SES},
            {"EmailSendingAccount": "DEVELOPER", "SourceArn": SES},
        ),
        (
            {"SesIdentityArn": SES, "EmailFrom": "no-reply@example.org"},
            {
                "EmailSendingAccount": "DEVELOPER",
                "SourceArn": SES,
                "From": "no-reply@example.org",
            },
        ),
    ],
)
def test_mail_is_sent_by_cognito_or_by_the_ses_identity(
    given: dict[str, str], configuration: Any
) -> None:
    assert template(**given).properties("UserPool").get("EmailConfiguration") == configuration


def test_the_tier_is_left_to_cognito_unless_it_is_given() -> None:
    assert "UserPoolTier" not in template().properties("UserPool")
    assert template(UserPoolTier="LITE").properties("UserPool")["UserPoolTier"] == "LITE"


def test_a_custom_domain_stands_beside_the_prefix_domain() -> None:
    certificate = "arn:aws:acm:us-east-1:123456789012:certificate/1"
    made = template(CustomDomain="auth.example.org", CustomDomainCertificateArn=certificate)
    domain = made.properties("UserPoolCustomDomain")
    assert domain["Domain"] == "auth.example.org"
    assert domain["CustomDomainConfig"] == {"CertificateArn": certificate}
    assert DOCUMENT["Resources"]["UserPoolCustomDomain"]["Condition"] == "HasCustomDomain"
    assert DOCUMENT["Resources"]["UserPoolDomain"]["Condition"] == "MakesDomain"


def test_sign_in_comes_back_to_the_service_and_nowhere_else() -> None:
    for url in (URL, f"{URL}/below/a-path"):
        client = template(PublicUrl=url).properties("UserPoolClient")
        assert client["CallbackURLs"] == [f"{url}/callback"]
        assert client["LogoutURLs"] == [f"{url}/"]
    assert not re.search("localhost|127", PATH.read_text())


def test_without_an_address_the_client_can_sign_nobody_in() -> None:
    client = template().properties("UserPoolClient")
    assert client["AllowedOAuthFlowsUserPoolClient"] is False
    assert not {"AllowedOAuthFlows", "CallbackURLs", "LogoutURLs"} & set(client)


@pytest.mark.parametrize("given", ["", GIVEN])
def test_the_identity_pool_has_no_guests_no_classic_flow_and_no_default_role(given: str) -> None:
    made = template(ExistingUserPoolId=given)
    pool, pool_id = made.properties("IdentityPool"), given or PSEUDO["UserPool"]
    assert pool["AllowUnauthenticatedIdentities"] is False
    assert pool["AllowClassicFlow"] is False
    provider = f"cognito-idp.eu-west-1.amazonaws.com/{pool_id}"
    assert pool["CognitoIdentityProviders"] == [
        {"ClientId": "client1", "ProviderName": provider, "ServerSideTokenCheck": True}
    ]
    roles = made.properties("IdentityPoolRoles")
    assert roles["Roles"] == {}
    assert list(roles["RoleMappings"].values()) == [
        {
            "IdentityProvider": f"{provider}:client1",
            "Type": "Token",
            "AmbiguousRoleResolution": "Deny",
        }
    ]


def test_a_given_pool_is_named_and_not_made() -> None:
    assert DOCUMENT["Resources"]["UserPool"]["Condition"] == "MakesPool"
    assert DOCUMENT["Conditions"]["MakesPool"] == {
        "Fn::Equals": [{"Ref": "ExistingUserPoolId"}, ""]
    }
    client = template(ExistingUserPoolId=GIVEN).properties("UserPoolClient")
    assert client["UserPoolId"] == GIVEN
    # A Ref to a resource whose condition does not hold makes CloudFormation refuse the template.
    text = json.dumps(DOCUMENT["Resources"])
    guarded = '[{"Ref": "UserPool"}, {"Ref": "ExistingUserPoolId"}]'.replace("[", '["MakesPool", ')
    assert text.count('{"Ref": "UserPool"}') == text.count(guarded) > 0


def test_everything_that_takes_tags_says_whose_it_is() -> None:
    made = template()
    assert made.properties("UserPool")["UserPoolTags"] == {
        "cognises:owner": "cognises",
        "cognises:project": "svc",
    }
    assert {"Key": "cognises:owner", "Value": "cognises"} in made.properties("IdentityPool")[
        "IdentityPoolTags"
    ]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("ProjectSlug", ["svc", "a", "a-1"], ["", "1a", "A", "a b"]),
        ("ExistingUserPoolId", ["", GIVEN], ["x", "eu-west-1_", "eu-west-1_a b"]),
        (
            "PublicUrl",
            ["", URL, f"{URL}/path/p-2", "http://127.0.0.1:5000", "https://[::1]:5000/path"],
            [
                "x",
                "https://",
                f"{URL}/",
                f"{URL}//a",
                f"{URL}/a/",
                f"{URL}/a b",
                f"{URL}/a%2f",
                f"{URL}?q",
                f"{URL}/a?q",
                "javascript:alert(1)",
                "https://a b",
            ],
        ),
        ("DomainPrefix", ["", "a", "a-1"], ["-a", "a-", "A", "a.b", "a" * 64]),
        (
            "CustomDomain",
            ["", "auth.example.org"],
            ["auth", "https://auth.example.org", "auth.example.org/", "Auth.example.org", "a..org"],
        ),
        (
            "CustomDomainCertificateArn",
            ["", "arn:aws:acm:us-east-1:123456789012:certificate/0a-1"],
            ["x", "arn:aws:acm:eu-west-1:123456789012:certificate/0a-1"],
        ),
        (
            "SesIdentityArn",
            ["", SES, "arn:aws:ses:eu-west-1:123456789012:identity/me@example.org"],
            ["example.org", f"{SES}/x", f"{SES} x"],
        ),
        (
            "EmailFrom",
            ["", "no-reply@example.org", "My Service <no-reply@example.org>"],
            ["nobody", "a@b\nBcc: c@d", "a@b, c@d", "<x> y@z"],
        ),
    ],
)
def test_a_parameter_takes_what_it_means_and_nothing_else(
    name: str, good: list[str], bad: list[str]
) -> None:
    pattern = re.compile(DOCUMENT["Parameters"][name]["AllowedPattern"])
    assert [each for each in good if not pattern.fullmatch(each)] == []
    assert [each for each in bad if pattern.fullmatch(each)] == []


def test_the_outputs_are_the_settings_that_bootstrap_writes() -> None:
    assert set(DOCUMENT["Outputs"]) == {
        *WRITTEN.values(),
        "ManagedLoginUrl",
        "CustomDomainTarget",
    }


def test_the_bucket_is_private_encrypted_versioned_kept_and_refuses_clear_text() -> None:
    made, cognito = DOCUMENT["Resources"]["FilesBucket"], template(ProjectSlug="svc")
    bucket = cognito.properties("FilesBucket")
    assert (made["DeletionPolicy"], made["UpdateReplacePolicy"]) == (
        "RetainExceptOnCreate", "Retain",
    )  # fmt: skip
    assert bucket["BucketName"] == f"svc-{PSEUDO['AWS::AccountId']}-{PSEUDO['AWS::Region']}"
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert "AES256" in json.dumps(bucket["BucketEncryption"])
    cognito.made["FilesBucket"] = "files"
    (denial,) = cognito.properties("FilesBucketPolicy")["PolicyDocument"]["Statement"]
    assert (denial["Effect"], denial["Principal"], denial["Action"]) == ("Deny", "*", "s3:*")
    assert denial["Resource"] == ["arn:aws:s3:::files", "arn:aws:s3:::files/*"]
    assert denial["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_bucket_of_every_stage_has_a_name_that_s3_takes() -> None:
    longest = f"{'s' * MOST_OF_A_BUCKET}-123456789012-ap-southeast-1"
    assert len(longest) == 63


def test_the_boundary_is_a_policy_that_iam_takes() -> None:
    document = boundary()
    assert list(check_policy(document)) == []
    assert len(json.dumps(document, separators=(",", ":"))) < MANAGED_POLICY_LIMIT


def default_grants() -> list[tuple[str, str, str]]:
    """Every action of the default groups.json, with a resource it is granted on and the group."""
    text = (PROJECT / "groups.json").read_text(encoding="utf-8")
    for name, value in {**PSEUDO, "UserPoolId": PSEUDO["UserPool"]}.items():
        text = text.replace("${" + name + "}", value)
    found = []
    for each in json.loads(text):
        for statement in each["group_policy"]["Statement"]:
            resources = _listed(statement["Resource"])
            for action in _listed(statement["Action"]):
                found += [(action, resource, each["group_name"]) for resource in resources]
    return found


def test_the_default_groups_have_grants_to_test() -> None:
    assert len(load_groups(PROJECT / "groups.json")) == 3
    assert len(default_grants()) >= 5


@pytest.mark.parametrize(("action", "resource", "group"), default_grants())
def test_the_boundary_allows_what_the_default_groups_are_granted(
    action: str, resource: str, group: str
) -> None:
    assert is_allowed(action, resource, group)


POOL_ARN = f"arn:aws:cognito-idp:eu-west-1:123456789012:userpool/{PSEUDO['UserPool']}"
OTHER_POOL = "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_Other"


@pytest.mark.parametrize(
    "action",
    [
        *(
            "iam:PassRole",
            "iam:CreateRole",
            "iam:PutRolePolicy",
            "iam:DeleteRolePermissionsBoundary",
        ),
        *("iam:CreateAccessKey", "iam:GetRole", "sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"),
        *("sts:AssumeRoot", "sts:GetFederationToken", "organizations:LeaveOrganization"),
        *("account:CloseAccount", "cloudformation:UpdateStack", "cloudtrail:StopLogging"),
        *("cognito-idp:AdminAddUserToGroup", "cognito-idp:AdminSetUserPassword"),
        *("cognito-idp:AdminUpdateUserAttributes", "cognito-idp:UpdateGroup"),
        *(
            "cognito-idp:CreateGroup",
            "cognito-idp:AdminInitiateAuth",
            "cognito-idp:AdminDisableUser",
        ),
        *("cognito-idp:CreateUserPoolClient", "cognito-idp:DescribeUserPoolClient"),
        *("cognito-idp:DeleteUserPool", "cognito-identity:SetIdentityPoolRoles"),
        *("cognito-identity:GetOpenIdTokenForDeveloperIdentity", "lambda:UpdateFunctionCode"),
        *("lambda:CreateFunction", "ecs:ExecuteCommand", "ssm:SendCommand", "ssm:StartSession"),
        *("ec2:RunInstances", "codebuild:StartBuild", "glue:CreateDevEndpoint"),
        *("s3:PutBucketPolicy", "s3:PutObjectAcl", "s3:DeleteBucket", "kms:CreateGrant"),
        *("kms:PutKeyPolicy", "secretsmanager:GetSecretValue", "sns:AddPermission"),
        *("sqs:AddPermission", "dynamodb:DeleteTable", "rolesanywhere:CreateProfile"),
        *("sso:CreateAccountAssignment", "ram:CreateResourceShare"),
    ],
)
def test_a_manifest_cannot_grant_power_over_the_account(action: str) -> None:
    """Rule 25: whatever groups.json says, the boundary does not let it through."""
    assert not is_allowed(action, POOL_ARN if action.startswith("cognito-idp") else "*")


HERE = "eu-west-1:123456789012"
ELSEWHERE = {
    "another's function": (
        "lambda:InvokeFunction",
        f"arn:aws:lambda:{HERE}:function:admin",
    ),
    "a state machine": (
        "states:StartExecution",
        f"arn:aws:states:{HERE}:stateMachine:x",
    ),
    "the default bus": (
        "events:PutEvents",
        f"arn:aws:events:{HERE}:event-bus/default",
    ),
    "a telephone": ("sns:Publish", "*"),
    "a package of the service": (
        "s3:PutObject",
        "arn:aws:s3:::svc-delivery-packages-1/x.zip",
    ),
    "a stage's other package": ("s3:PutObject", "arn:aws:s3:::svc-prod-delivery-bucket-1/x.zip"),
    "cdk's assets": ("s3:PutObject", "arn:aws:s3:::cdk-hnb659fds-assets-123456789012-eu-west-1/x"),
    "a pipeline's artefacts": ("s3:DeleteObject", "arn:aws:s3:::codepipeline-eu-west-1-1/x"),
}


@pytest.mark.parametrize(("action", "resource"), ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_what_runs_with_somebody_elses_rights_is_out_of_reach(action: str, resource: str) -> None:
    assert not is_allowed(action, resource)


def test_a_stages_own_functions_and_topics_are_in_reach() -> None:
    own = "arn:aws:lambda:eu-west-1:123456789012:function:svc-report"
    assert is_allowed("lambda:InvokeFunction", own)
    assert is_allowed("sns:Publish", "arn:aws:sns:eu-west-1:123456789012:news")


def test_other_pools_users_are_out_of_reach() -> None:
    assert is_allowed("cognito-idp:ListUsers", POOL_ARN)
    assert not is_allowed("cognito-idp:ListUsers", OTHER_POOL)


MANAGING = [
    "cognito-idp:AdminAddUserToGroup",
    "cognito-idp:AdminCreateUser",
    "cognito-idp:AdminDisableUser",
    "cognito-idp:AdminEnableUser",
    "cognito-idp:AdminRemoveUserFromGroup",
    "cognito-idp:AdminSetUserMFAPreference",
    "cognito-idp:AdminUserGlobalSignOut",
]


@pytest.mark.parametrize("action", MANAGING)
def test_one_groups_role_alone_may_manage_the_users_of_the_pool(action: str) -> None:
    assert is_allowed(action, POOL_ARN, "admins")
    assert not is_allowed(action, OTHER_POOL, "admins")
    assert not is_allowed(action, POOL_ARN, "viewers")
    assert boundary()["Statement"][-2]["Condition"] == UNLESS_ADMINS


def test_the_group_whose_role_manages_users_is_a_parameter() -> None:
    found = template(AdminGroup="staff").properties("PermissionsBoundary")["PolicyDocument"]
    condition = found["Statement"][-2]["Condition"]
    assert condition == {"StringNotEquals": {"aws:PrincipalTag/cognises:group": "staff"}}


def test_the_boundary_allows_nothing_else_by_which_a_group_could_give_itself_more() -> None:
    allowed = [each for each in boundary()["Statement"] if each["Effect"] == "Allow"]
    found = [action for each in allowed for action in escalating_actions(each)]
    assert found == MANAGING
    for each in allowed:
        assert "NotAction" not in each
        assert [action for action in each["Action"] if action.startswith(("*", "iam", "sts"))] == []


@pytest.mark.parametrize("service", ESCALATING_SERVICES)
def test_the_last_word_keeps_administration_out_whatever_is_added_above(service: str) -> None:
    others, deny = boundary()["Statement"][-2:]
    for each in (others, deny):
        assert (each["Effect"], each["Resource"]) == ("Deny", "*")
    writes = {
        "iam": ["iam:CreateRole", "iam:PassRole"],
        "sts": ["sts:AssumeRole", "sts:AssumeRoot", "sts:GetFederationToken"],
        "cognito-identity": ["cognito-identity:SetIdentityPoolRoles"],
        "cognito-idp": _cognito_writes(),
    }[service]
    for action in writes:
        patterns = deny["Action"] + (others["Action"] if action in MANAGING else [])
        assert any(covers(pattern, action) for pattern in patterns), action


def _cognito_writes() -> list[str]:
    """Every administrative call of the service that botocore knows and that is no reading."""
    import boto3

    client = boto3.session.Session("t", "t", region_name="eu-west-1").client("cognito-idp")
    operations = client.meta.service_model.operation_names
    return [
        f"cognito-idp:{name}"
        for name in operations
        if escalating_actions({"Effect": "Allow", "Action": f"cognito-idp:{name}"})
        # What any user may ask for with her own token or password, not with AWS credentials.
        and client.meta.service_model.operation_model(name).auth_type != "none"
    ]
