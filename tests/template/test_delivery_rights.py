"""What infra/delivery.yaml lends: to the service's roles, to pull requests, to deployments."""

import json
import subprocess
import sys
from functools import cache
from itertools import chain

import pytest
import yaml
from baking import ROOT, TEMPLATE_FOLDER, of_deployment
from iam_documents import Functions, is_allowed, listed, meets, resolved

DEPLOYED = ("container", "lambda")
PROJECT = ROOT / TEMPLATE_FOLDER
HERE = "eu-west-1:123456789012"
VALUES = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "123456789012",
    "Stage": "svc",
    "CognitoUserPoolId": "eu-west-1_AbCdEfGhI",
    "GitHubRepository": "org/name",
    "GitHubEnvironment": "production",
    "GitHubProviderArn": "provider",
    "GitHub": "provider",
    "ServiceBoundary": "arn:aws:iam::123456789012:policy/boundary",
    "PlanPolicy": "PlanPolicy",
    "Images.Arn": f"arn:aws:ecr:{HERE}:repository/images",
    "Packages": "packages",
    "Packages.Arn": "arn:aws:s3:::packages",
    "KmsKeyArn": f"arn:aws:kms:{HERE}:key/01234567-89ab-cdef-0123-456789abcdef",
}
GITHUB = "token.actions.githubusercontent.com"
LIMIT_OF_A_MANAGED_POLICY = 6144
LIMIT_OF_A_ROLES_POLICIES = 10240


@cache
def template(deployment, name="delivery"):
    return yaml.load(of_deployment(f"infra/{name}.yaml", deployment).read_text(), Functions)


def properties(deployment, resource):
    return resolved(template(deployment)["Resources"][resource]["Properties"], VALUES)


def statements(deployment, resource):
    """Those of a managed policy, or of a role with all that is attached to it."""
    found = properties(deployment, resource)
    if "PolicyDocument" in found:
        return found["PolicyDocument"]["Statement"]
    attached = [statements(deployment, each) for each in found.get("ManagedPolicyArns", ())]
    inline = [each["PolicyDocument"]["Statement"] for each in found.get("Policies", ())]
    return list(chain(*attached, *inline))


def may(deployment, resource, action, on="*", **context):
    return is_allowed(statements(deployment, resource), action, on, context)


CHECK = """
import json, sys
from cognises.manifest.iam_policy import check_policy
from cognises.manifest.iam_warnings import check_reference
for document in json.load(sys.stdin):
    for problem in (*check_policy(document), *check_reference(document)):
        print(problem)
"""


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_iam_takes_every_document_and_they_fit(deployment):
    names = ("ServiceBoundary", "PlanPolicy", "DeployRole")
    documents = {
        name: {"Version": "2012-10-17", "Statement": statements(deployment, name)} for name in names
    }
    done = subprocess.run(
        [sys.executable, "-B", "-c", CHECK],
        cwd=PROJECT,
        input=json.dumps(list(documents.values())),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    size = {name: len(json.dumps(each, separators=(",", ":"))) for name, each in documents.items()}
    assert size["ServiceBoundary"] < LIMIT_OF_A_MANAGED_POLICY
    assert size["PlanPolicy"] < LIMIT_OF_A_MANAGED_POLICY
    assert size["DeployRole"] - size["PlanPolicy"] < LIMIT_OF_A_ROLES_POLICIES


# The boundary of the service's roles

POWER = (
    *("iam:CreateRole", "iam:PassRole", "iam:PutRolePolicy", "iam:DeleteRolePermissionsBoundary"),
    *("iam:CreateAccessKey", "iam:GetRole", "sts:AssumeRole", "sts:AssumeRoot"),
    *("sts:GetFederationToken", "organizations:LeaveOrganization", "account:CloseAccount"),
    *("sso:CreateAccountAssignment", "identitystore:CreateUser", "ram:CreateResourceShare"),
    *("rolesanywhere:CreateProfile", "cloudformation:UpdateStack", "cloudtrail:StopLogging"),
    *("config:StopConfigurationRecorder", "lambda:UpdateFunctionCode", "lambda:CreateFunction"),
    *("lambda:AddPermission", "ssm:SendCommand", "ssm:StartSession", "ec2:RunInstances"),
    *("ecs:RunTask", "ecs:ExecuteCommand", "codebuild:StartBuild", "glue:CreateDevEndpoint"),
    *("s3:PutBucketPolicy", "s3:PutObjectAcl", "s3:DeleteBucket", "kms:CreateGrant"),
    *("kms:PutKeyPolicy", "secretsmanager:GetSecretValue", "ssm:GetParameter", "ecr:PutImage"),
    *("sns:AddPermission", "sqs:AddPermission", "dynamodb:DeleteTable", "logs:DeleteLogGroup"),
    *("cognito-idp:AdminAddUserToGroup", "cognito-idp:AdminSetUserPassword"),
    *("cognito-idp:ListUsers", "cognito-identity:SetIdentityPoolRoles"),
)


@pytest.mark.parametrize("deployment", DEPLOYED)
@pytest.mark.parametrize("action", POWER)
def test_a_policy_of_the_service_cannot_grant_power_over_the_account(deployment, action):
    """The pipeline writes those policies, and trusts whom it likes: the boundary has to hold."""
    assert not may(deployment, "ServiceBoundary", action)


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_the_boundary_names_what_it_allows_and_denies_administration_besides(deployment):
    found = statements(deployment, "ServiceBoundary")
    for each in found:
        assert "NotAction" not in each
        assert "*" not in listed(each["Action"])
    denied = found[-1]
    assert (denied["Effect"], denied["Resource"]) == ("Deny", "*")
    for service in ("iam", "identitystore", "organizations", "ram", "rolesanywhere", "sso"):
        assert f"{service}:*" in denied["Action"]


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_the_service_may_use_what_a_group_may_use_and_no_more_data(deployment):
    groups = yaml.load((PROJECT / "infra" / "cognito.yaml").read_text(), Functions)
    groups = groups["Resources"]["PermissionsBoundary"]["Properties"]["PolicyDocument"]
    about_the_pool = ("ReadUsersOfThePool", "ManageUsersOfThePool", "UsersByAdministratorsAlone",
                      "NeverTheAccount")  # fmt: skip
    theirs = [each for each in groups["Statement"] if each["Sid"] not in about_the_pool]
    own = statements(deployment, "ServiceBoundary")
    assert own[: len(theirs)] == resolved(theirs, {**VALUES, "ProjectSlug": "svc"})
    assert len(theirs) >= 5


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_the_boundary_lets_the_service_start_and_log(deployment):
    """Every grant of the roles in infra/service.yaml gets through."""
    log = f"arn:aws:logs:{HERE}:log-group:svc-service-Logs-1"
    values = {**VALUES, "Logs.Arn": f"{log}:*", "ImageRepository": "images"}
    granted = 0
    for resource in template(deployment, "service")["Resources"].values():
        if resource["Type"] != "AWS::IAM::Role":
            continue
        for policy in resource["Properties"].get("Policies", ()):
            for each in resolved(policy["PolicyDocument"], values)["Statement"]:
                for action in listed(each["Action"]):
                    assert may(deployment, "ServiceBoundary", action, each["Resource"]), action
                    granted += 1
    assert granted >= 2
    assert not may(
        deployment, "ServiceBoundary", "logs:PutLogEvents", f"{log}x".replace("svc", "b")
    )


# Who is lent what

MAIN = {
    f"{GITHUB}:aud": "sts.amazonaws.com",
    f"{GITHUB}:ref": "refs/heads/main",
    f"{GITHUB}:sub": "repo:org/name:environment:production",
}


def lends(deployment, role, claims):
    (statement,) = properties(deployment, role)["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert set(statement["Condition"]) == {"StringEquals"}
    return meets(statement["Condition"], claims)


@pytest.mark.parametrize("deployment", DEPLOYED)
@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ("ref", "refs/heads/feature"),
        ("ref", "refs/tags/main"),
        ("ref", "refs/pull/1/merge"),
        ("ref", None),
        ("sub", "repo:org/name:environment:other"),
        ("sub", "repo:org/name:ref:refs/heads/main"),
        ("sub", "repo:org/name:pull_request"),
        ("sub", "repo:org/other:environment:production"),
        ("aud", "https://github.com/org"),
    ],
)
def test_the_deploying_role_wants_the_environment_on_the_main_branch(deployment, claim, text):
    """GitHub makes an environment, without rules, for any branch that names one."""
    assert lends(deployment, "DeployRole", MAIN)
    assert not lends(deployment, "DeployRole", {**MAIN, f"{GITHUB}:{claim}": text})


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_the_deploying_role_cannot_hand_the_services_roles_to_others(deployment):
    role = "arn:aws:iam::123456789012:role/svc-service-Role-1"
    bound = {"iam:PermissionsBoundary": VALUES["ServiceBoundary"]}
    assert may(deployment, "DeployRole", "iam:CreateRole", role, **bound)
    assert not may(deployment, "DeployRole", "iam:CreateRole", role)
    assert not may(deployment, "DeployRole", "iam:PutRolePolicy", role)
    for action in ("UpdateAssumeRolePolicy", "AttachRolePolicy", "DeleteRolePermissionsBoundary",
                   "CreatePolicyVersion"):  # fmt: skip
        assert not may(deployment, "DeployRole", f"iam:{action}", role, **bound)


# Change sets carry tags: making one wants cloudformation:TagResource on the stack and on itself.

TAGGED = (
    f"arn:aws:cloudformation:{HERE}:stack/svc-service/1",
    f"arn:aws:cloudformation:{HERE}:changeSet/cognises-0123/1",
)


@pytest.mark.parametrize("deployment", DEPLOYED)
@pytest.mark.parametrize("role", ["PlanRole", "DeployRole"])
def test_both_roles_make_change_sets_with_tags(deployment, role):
    for resource in TAGGED:
        assert may(deployment, role, "cloudformation:TagResource", resource)
    other = f"arn:aws:cloudformation:{HERE}:stack/other/1"
    assert not may(deployment, role, "cloudformation:TagResource", other)
    assert not may(deployment, role, "cloudformation:CreateChangeSet", other)


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_the_role_for_pull_requests_executes_and_deletes_no_stack(deployment):
    for action in ("ExecuteChangeSet", "DeleteStack", "UpdateStack", "CreateStack"):
        assert not may(deployment, "PlanRole", f"cloudformation:{action}", TAGGED[0])
    assert may(deployment, "DeployRole", "cloudformation:ExecuteChangeSet", TAGGED[0])
    assert properties(deployment, "PlanRole")["ManagedPolicyArns"] == ["PlanPolicy"]
    assert "Policies" not in properties(deployment, "PlanRole")


# Security groups and load balancers have no names to know them by

OURS = {"aws:ResourceTag/aws:cloudformation:stack-name": "svc-service"}
CHANGES = (
    *("ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress", "ec2:CreateTags"),
    *("ec2:DeleteSecurityGroup", "ec2:RevokeSecurityGroupEgress"),
    *("ec2:RevokeSecurityGroupIngress", "elasticloadbalancing:AddTags"),
    *("elasticloadbalancing:CreateListener", "elasticloadbalancing:DeleteListener"),
    *("elasticloadbalancing:DeleteLoadBalancer", "elasticloadbalancing:DeleteTargetGroup"),
    *("elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyTargetGroup"),
    *("elasticloadbalancing:SetSecurityGroups", "elasticloadbalancing:SetSubnets"),
)


@pytest.mark.parametrize("action", CHANGES)
def test_a_deployment_reaches_no_security_group_or_load_balancer_of_others(action):
    assert may("container", "DeployRole", action, **OURS)
    assert not may("container", "DeployRole", action)
    theirs = dict.fromkeys(OURS, "other-service")
    assert not may("container", "DeployRole", action, **theirs)


def test_what_a_deployment_makes_is_tagged_as_it_is_made_and_not_later():
    made = {"ec2:CreateAction": "CreateSecurityGroup"}
    assert may("container", "DeployRole", "ec2:CreateTags", **made)
    assert not may(
        "container", "DeployRole", "ec2:CreateTags", **{"ec2:CreateAction": "RunInstances"}
    )
    made = {"elasticloadbalancing:CreateAction": "CreateTargetGroup"}
    assert may("container", "DeployRole", "elasticloadbalancing:AddTags", **made)


def test_a_deployment_scales_services_of_ecs_alone():
    ecs = {"application-autoscaling:service-namespace": "ecs"}
    assert may("container", "DeployRole", "application-autoscaling:RegisterScalableTarget", **ecs)
    other = dict.fromkeys(ecs, "dynamodb")
    assert not may(
        "container", "DeployRole", "application-autoscaling:RegisterScalableTarget", **other
    )


# Names


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_the_longest_stage_leaves_room_for_the_names_of_roles(deployment):
    """CloudFormation cuts the stack's name where a role's is too long: it must never have to."""
    pattern = template(deployment)["Parameters"]["Stage"]["AllowedPattern"]
    assert pattern == "[a-z][a-z0-9-]{0,31}"
    for name, resource in template(deployment, "service")["Resources"].items():
        if resource["Type"] == "AWS::IAM::Role":
            assert len("s" * 32 + "-service" + f"-{name}-" + "RANDOM1234567") <= 64
