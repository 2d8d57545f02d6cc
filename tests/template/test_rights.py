"""Rights in combination: the policies as docs/deploying.md tells people to combine them.

A table says what each of the combinations must and must not be able to do, for both deployments;
the policies are evaluated together, as IAM does.
"""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from iam_documents import is_allowed, listed
from test_delivery_rights import (
    DEPLOYED,
    HERE,
    LIMIT_OF_A_ROLES_POLICIES,
    PROJECT,
    VALUES,
    properties,
    statements,
)

ACCOUNT = "123456789012"
POOL_ID = VALUES["CognitoUserPoolId"]
POOL = f"arn:aws:cognito-idp:{HERE}:userpool/{POOL_ID}"
OTHER_POOL = f"arn:aws:cognito-idp:{HERE}:userpool/eu-west-1_Other"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/svc-cognito-PermissionsBoundary-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/"
API = "arn:aws:apigateway:eu-west-1::"
SETTINGS = {
    "AWS_REGION": "eu-west-1",
    "COGNITO_USER_POOL_ID": POOL_ID,
    "COGNITO_IDENTITY_POOL_ID": "eu-west-1:01234567-89ab-cdef-0123-456789abcdef",
    "COGNISES_PERMISSIONS_BOUNDARY": BOUNDARY,
    "COGNISES_ROLE_PREFIX": "svc-",
}


READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
ATTACHING = (
    {
        "group_name": "editors",
        "allowed_functions": [],
        "managed_policies": [READ_ONLY, "arn:aws:iam::${AWS::AccountId}:policy/data"],
    },
)


@cache
def printed_for_managed_policies():
    """The same for a groups.json that names two managed policies."""
    with TemporaryDirectory() as folder:
        (file := Path(folder, "groups.json")).write_text(json.dumps(ATTACHING), encoding="utf-8")
        return printed("--groups-file", str(file))


@cache
def printed(*options):
    """What `provision.py policy` prints."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-B", "provision.py", "policy", "--account", ACCOUNT, *options],
        cwd=PROJECT,
        env={**inherited, **SETTINGS, "AWS_EC2_METADATA_DISABLED": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["Statement"]


@cache
def combination(name, deployment):
    """The statements that one caller has."""
    return {
        "pull request": lambda: statements(deployment, "PlanRole"),
        "deployment": lambda: statements(deployment, "DeployRole"),
        "pipeline": lambda: [*statements(deployment, "DeployRole"), *printed()],
        "pipeline that manages people": lambda: [
            *statements(deployment, "DeployRole"),
            *printed("--users"),
        ],
        "runner": lambda: printed(),
        "runner that attaches": printed_for_managed_policies,
        "pipeline that attaches": lambda: [
            *statements(deployment, "DeployRole"),
            *printed_for_managed_policies(),
        ],
        "people": lambda: printed("--users-only"),
        "bootstrap": lambda: printed("--bootstrap"),
        "bootstrap and runner": lambda: [*printed("--bootstrap"), *printed()],
    }[name]()


EVERYBODY = (
    *("pull request", "deployment", "pipeline", "pipeline that manages people"),
    *("runner", "people", "bootstrap", "bootstrap and runner"),
    *("runner that attaches", "pipeline that attaches"),
)
ATTACHERS = ("runner that attaches", "pipeline that attaches")
PIPELINES = ("deployment", "pipeline", "pipeline that manages people", "pipeline that attaches")
RUNNERS = (
    *("pipeline", "pipeline that manages people", "runner", "bootstrap and runner"),
    *ATTACHERS,
)


def tags(where, **found):
    return {f"aws:{where}Tag/cognises:{name}": text for name, text in found.items()}


OURS = tags("Resource", owner="cognises", pool=POOL_ID)
OURS_BOUND = {**OURS, "iam:PermissionsBoundary": BOUNDARY}
THEIRS = tags("Resource", owner="cognises", pool="eu-west-1_Other")
OF_A_STACK = {"aws:ResourceTag/aws:cloudformation:stack-name": "other"}
OF_OUR_STACK = {"aws:ResourceTag/aws:cloudformation:stack-name": "svc-service"}
REQUESTED = tags("Request", owner="cognises", pool=POOL_ID)
SERVICE_BOUND = {"iam:PermissionsBoundary": VALUES["ServiceBoundary"]}


def attached(arn, **more):
    return {**OURS_BOUND, "iam:PolicyARN": arn, **more}


def passed(service):
    return {"iam:PassedToService": service}


# who, action, resource, context

FORBIDDEN = [
    # A role reaches a compute service only if it is the service's own, and of this deployment.
    *(
        (EVERYBODY, "iam:PassRole", ROLE + name, passed(f"{service}.amazonaws.com"))
        for name in ("svc-editors", "svc-cognito-x", "other", "admin", "svc-serviceable")
        for service in (
            *("lambda", "ecs-tasks", "ec2", "glue", "codebuild", "states", "cloudformation"),
            *("sagemaker", "datapipeline", "scheduler", "ecs"),
        )
    ),
    *(
        (EVERYBODY, "iam:PassRole", f"{ROLE}svc-service-Role-1", passed(f"{each}.amazonaws.com"))
        for each in ("ec2", "glue", "codebuild", "states", "cloudformation")
    ),
    # A role of others does not become ours, nor its trust ours to write.
    *(
        (EVERYBODY, f"iam:{action}", ROLE + "svc-theirs", context)
        for action in (
            *("PutRolePolicy", "DeleteRolePolicy", "DetachRolePolicy", "UpdateAssumeRolePolicy"),
            *("DeleteRole", "PutRolePermissionsBoundary"),
        )
        for context in (
            {},
            {"iam:PermissionsBoundary": BOUNDARY},
            {**THEIRS, "iam:PermissionsBoundary": BOUNDARY},
            {**OURS_BOUND, **OF_A_STACK},
            {**OURS_BOUND, **tags("Resource", project="svc-")},
        )
    ),
    *(
        (EVERYBODY, f"iam:{action}", ROLE + "svc-tagged", context)
        for action in ("UpdateAssumeRolePolicy", "PutRolePolicy", "DeleteRolePolicy")
        for context in (OURS, {**OURS, "iam:PermissionsBoundary": "arn:aws:iam::1:policy/x"})
    ),
    *(
        (EVERYBODY, "iam:TagRole", ROLE + "svc-theirs", {**REQUESTED, **context})
        for context in (THEIRS, OF_A_STACK, tags("Resource", project="other-"))
    ),
    (EVERYBODY, "iam:TagRole", ROLE + "other", REQUESTED),
    (EVERYBODY, "iam:CreateRole", ROLE + "svc-new", REQUESTED),  # without the boundary
    (EVERYBODY, "iam:CreateRole", ROLE + "other", {**REQUESTED, **OURS_BOUND}),
    # A group's role is not the service's, whatever its name.
    *(
        (PIPELINES, f"iam:{action}", ROLE + "svc-service-x", {**THEIRS, **SERVICE_BOUND})
        for action in ("PutRolePolicy", "PutRolePermissionsBoundary", "DeleteRole", "TagRole")
    ),
    *(
        (EVERYBODY, f"iam:{action}", "*", OURS_BOUND)
        for action in (
            *("AttachRolePolicy", "DeleteRolePermissionsBoundary", "CreateUser"),
            *("CreateAccessKey", "PutUserPolicy", "CreateOpenIDConnectProvider", "UpdateRole"),
        )
    ),
    # Of all managed policies only those that groups.json names, and only to our bounded roles.
    *(
        (EVERYBODY, "iam:AttachRolePolicy", ROLE + role, context)
        for role, context in (
            ("svc-editors", attached("arn:aws:iam::aws:policy/AdministratorAccess")),
            ("svc-editors", attached(f"arn:aws:iam::{ACCOUNT}:policy/data2")),
            ("svc-editors", attached("arn:aws:iam::210987654321:policy/data")),
            ("svc-editors", {**OURS, "iam:PolicyARN": READ_ONLY}),  # without the boundary
            ("svc-theirs", {**attached(READ_ONLY), **THEIRS}),
            ("svc-theirs", attached(READ_ONLY, **OF_A_STACK)),
            ("svc-service-x", attached(READ_ONLY, **tags("Resource", project="svc-"))),
            ("other", attached(READ_ONLY)),
        )
    ),
    *(
        (RUNNERS, f"iam:{action}", BOUNDARY, {})
        for action in ("CreatePolicyVersion", "SetDefaultPolicyVersion", "DeletePolicy")
    ),
    (EVERYBODY, "iam:UntagRole", ROLE + "svc-editors", {**OURS, "aws:TagKeys": ["cognises:pool"]}),
    (EVERYBODY, "sts:AssumeRole", ROLE + "svc-editors", {}),
    # APIs and domains of others.
    *(
        (EVERYBODY, f"apigateway:{verb}", API + path, context)
        for verb in ("PATCH", "PUT", "POST", "DELETE")
        for path in (
            *("/apis/abc", "/apis/abc/routes/1", "/apis/abc/integrations/1", "/apis/abc/stages/x"),
            *("/domainnames/shop.example.org", "/domainnames/shop.example.org/apimappings/1"),
            *("/restapis/abc", "/vpclinks/1", "/account"),
        )
        for context in ({}, OF_A_STACK, tags("Resource", owner="cognises", project="svc-"))
    ),
    (EVERYBODY, "apigateway:PUT", API + "/apis", REQUESTED),  # imports over one that is there
    # Functions, images, packages, stacks of others.
    *(
        (EVERYBODY, f"lambda:{action}", f"arn:aws:lambda:{HERE}:function:admin", {})
        for action in ("UpdateFunctionCode", "UpdateFunctionConfiguration", "AddPermission")
    ),
    (EVERYBODY, "lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:svc-service-F", {}),
    (EVERYBODY, "ecs:RunTask", "*", {}),
    (EVERYBODY, "ecs:ExecuteCommand", "*", {}),
    (
        EVERYBODY,
        "ecs:RegisterTaskDefinition",
        f"arn:aws:ecs:{HERE}:task-definition/other:*",
        {},
    ),
    (EVERYBODY, "ecs:UpdateService", f"arn:aws:ecs:{HERE}:service/other/other", {}),
    (EVERYBODY, "ecr:PutImage", f"arn:aws:ecr:{HERE}:repository/other", {}),
    (EVERYBODY, "s3:PutObject", "arn:aws:s3:::other/function/x.zip", {}),
    (EVERYBODY, "s3:GetObject", "arn:aws:s3:::data/x", {}),
    # A key is given to the stacks by a person; no pipeline changes or removes a web ACL.
    *(
        (EVERYBODY, f"kms:{action}", f"arn:aws:kms:{HERE}:key/other", {})
        for action in ("Decrypt", "Encrypt", "GenerateDataKey", "CreateGrant", "PutKeyPolicy")
    ),
    *(
        (EVERYBODY, f"kms:{action}", VALUES["KmsKeyArn"], {})
        for action in ("CreateGrant", "PutKeyPolicy", "ScheduleKeyDeletion", "DisableKey")
    ),
    (("pull request",), "kms:Decrypt", VALUES["KmsKeyArn"], {}),
    *(
        (EVERYBODY, f"wafv2:{action}", "*", OF_OUR_STACK)
        for action in ("UpdateWebACL", "DeleteWebACL", "AssociateWebACL", "DisassociateWebACL")
    ),
    *(
        (EVERYBODY, f"cloudformation:{action}", f"arn:aws:cloudformation:{HERE}:stack/other/1", {})
        for action in ("ExecuteChangeSet", "DeleteStack", "CreateChangeSet")
    ),
    (
        PIPELINES,
        "cloudformation:ExecuteChangeSet",
        f"arn:aws:cloudformation:{HERE}:stack/svc-delivery/1",
        {},
    ),
    (
        PIPELINES,
        "cloudformation:ExecuteChangeSet",
        f"arn:aws:cloudformation:{HERE}:stack/svc-cognito/1",
        {},
    ),
    # People.
    *(
        (("pull request",), f"cognito-idp:{action}", POOL, {})
        for action in (
            *("ListUsers", "ListUsersInGroup", "AdminGetUser", "AdminListGroupsForUser"),
            *("AdminAddUserToGroup", "CreateGroup", "UpdateGroup", "DeleteGroup"),
        )
    ),
    (("pull request",), "logs:GetLogEvents", f"arn:aws:logs:{HERE}:log-group:svc-service-L", {}),
    *(
        (("deployment", "pipeline", "runner", "bootstrap"), f"cognito-idp:{action}", POOL, OURS)
        for action in ("ListUsers", "AdminGetUser", "AdminAddUserToGroup", "AdminSetUserPassword")
    ),
    *(
        (EVERYBODY, f"cognito-idp:{action}", OTHER_POOL, {})
        for action in (
            *("ListUsers", "AdminGetUser", "AdminAddUserToGroup", "CreateGroup", "DeleteGroup"),
            *("UpdateUserPool", "DeleteUserPool", "CreateUserPoolClient"),
        )
    ),
    (EVERYBODY, "cognito-idp:DeleteUserPool", POOL, OURS),
    *(
        (("people",), action, "*", OURS_BOUND)
        for action in ("iam:CreateRole", "iam:PassRole", "iam:PutRolePolicy", "iam:GetRole")
    ),
]

REQUIRED = [
    # plan and apply
    *(
        (("pull request", "deployment", *RUNNERS), action, resource, {})
        for action, resource in (
            ("cognito-idp:DescribeUserPool", POOL),
            ("cognito-idp:ListGroups", POOL),
            ("iam:GetAccountAuthorizationDetails", "*"),
            ("iam:GetRole", ROLE + "svc-editors"),
        )
    ),
    (RUNNERS, "cognito-idp:ListUsersInGroup", POOL, {}),  # pruning
    (
        RUNNERS,
        "iam:CreateRole",
        ROLE + "svc-editors",
        {**REQUESTED, "iam:PermissionsBoundary": BOUNDARY},
    ),
    (RUNNERS, "iam:TagRole", ROLE + "svc-editors", REQUESTED),
    *(
        (RUNNERS, f"iam:{action}", ROLE + "svc-editors", OURS_BOUND)
        for action in (
            *("PutRolePolicy", "DeleteRolePolicy", "DetachRolePolicy", "UpdateAssumeRolePolicy"),
            *("PutRolePermissionsBoundary", "TagRole", "DeleteRole"),
        )
    ),
    *((RUNNERS, f"cognito-idp:{each}Group", POOL, {}) for each in ("Create", "Update", "Delete")),
    *(
        (RUNNERS, "iam:PassRole", ROLE + "svc-editors", context)
        for context in ({}, passed("cognito-idp.amazonaws.com"))
    ),
    *(
        (ATTACHERS, "iam:AttachRolePolicy", ROLE + "svc-editors", attached(arn))
        for arn in (READ_ONLY, f"arn:aws:iam::{ACCOUNT}:policy/data")
    ),
    # people
    *(
        (("people", "pipeline that manages people"), f"cognito-idp:{action}", POOL, {})
        for action in (
            *("ListUsers", "AdminGetUser", "AdminCreateUser", "AdminAddUserToGroup"),
            *("AdminUpdateUserAttributes", "AdminSetUserMFAPreference"),
        )
    ),
    # deploy
    *(
        (
            ("pull request", *PIPELINES),
            f"cloudformation:{action}",
            f"arn:aws:cloudformation:{HERE}:stack/svc-service/1",
            {},
        )
        for action in ("CreateChangeSet", "DescribeChangeSet", "DeleteChangeSet", "DescribeStacks")
    ),
    (
        PIPELINES,
        "cloudformation:ExecuteChangeSet",
        f"arn:aws:cloudformation:{HERE}:stack/svc-service/1",
        {},
    ),
    (PIPELINES, "iam:CreateRole", f"{ROLE}svc-service-Role-1", SERVICE_BOUND),
    (PIPELINES, "iam:PutRolePolicy", f"{ROLE}svc-service-Role-1", SERVICE_BOUND),
]

BY_DEPLOYMENT = {
    "container": [
        (
            PIPELINES,
            "iam:PassRole",
            f"{ROLE}svc-service-TaskRole-1",
            passed("ecs-tasks.amazonaws.com"),
        ),
        (
            PIPELINES,
            "ecs:RegisterTaskDefinition",
            f"arn:aws:ecs:{HERE}:task-definition/svc-service:*",
            {},
        ),
        (
            PIPELINES,
            "ecs:UpdateService",
            f"arn:aws:ecs:{HERE}:service/svc-service-Cluster-1/svc-service-Service-1",
            {},
        ),
        (PIPELINES, "ecr:PutImage", VALUES["Images.Arn"], {}),
    ],
    "lambda": [
        (PIPELINES, "iam:PassRole", f"{ROLE}svc-service-Role-1", passed("lambda.amazonaws.com")),
        (
            PIPELINES,
            "lambda:UpdateFunctionCode",
            f"arn:aws:lambda:{HERE}:function:svc-service-Function-1",
            {},
        ),
        (PIPELINES, "s3:PutObject", f"{VALUES['Packages.Arn']}/function/1.zip", {}),
        *(
            (PIPELINES, f"kms:{action}", VALUES["KmsKeyArn"], {})
            for action in ("Decrypt", "Encrypt", "GenerateDataKey")
        ),
        (
            PIPELINES,
            "kms:CreateGrant",
            VALUES["KmsKeyArn"],
            {
                "kms:GrantIsForAWSResource": "true",
                "kms:ViaService": "lambda.eu-west-1.amazonaws.com",
            },
        ),
        (PIPELINES, "apigateway:POST", API + "/apis", REQUESTED),
        (PIPELINES, "apigateway:POST", API + "/domainnames", REQUESTED),
        (PIPELINES, "apigateway:GET", API + "/apis/abc/routes", {}),
        *(
            (PIPELINES, f"apigateway:{verb}", API + path, OF_OUR_STACK)
            for verb in ("PATCH", "POST", "DELETE")
            for path in (
                "/apis/abc",
                "/apis/abc/routes",
                "/apis/abc/integrations/1",
                "/apis/abc/stages/$default",
                "/domainnames/svc.example.org",
                "/domainnames/svc.example.org/apimappings",
            )
        ),
    ],
}


def wrong(rows, deployment, expected):
    return [
        (who, action, resource, context)
        for whose, action, resource, context in rows
        for who in whose
        if is_allowed(combination(who, deployment), action, resource, context) is not expected
    ]


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_nothing_forbidden_is_allowed_in_any_documented_combination(deployment):
    assert wrong(FORBIDDEN, deployment, False) == []


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_nothing_required_is_refused_in_any_documented_combination(deployment):
    rows = [*REQUIRED, *BY_DEPLOYMENT[deployment]]
    assert wrong(rows, deployment, True) == []


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_the_deploying_role_has_room_for_the_policy_that_it_is_given(deployment):
    """docs/deploy.md adds the printed policy as an inline policy; IAM adds their sizes up."""
    own = properties(deployment, "DeployRole")["Policies"]
    documents = [each["PolicyDocument"] for each in own]
    documents.append({"Version": "2012-10-17", "Statement": printed("--users")})
    size = sum(len(json.dumps(each, separators=(",", ":"))) for each in documents)
    assert size < LIMIT_OF_A_ROLES_POLICIES


# Actions that IAM ties to no resource or tag: all that may be written beyond what is ours.
UNTIED = {
    "container": {
        *("application-autoscaling:DeleteScalingPolicy", "ec2:CreateSecurityGroup"),
        *("application-autoscaling:DeregisterScalableTarget", "ecs:DeregisterTaskDefinition"),
        *("application-autoscaling:PutScalingPolicy", "elasticloadbalancing:CreateLoadBalancer"),
        *("application-autoscaling:RegisterScalableTarget", "ecr:GetAuthorizationToken"),
        "elasticloadbalancing:CreateTargetGroup",
    },
    "lambda": {
        *("logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:UpdateLogDelivery"),
        "logs:PutResourcePolicy",
    },
}
READS = ("Describe", "Get", "List", "GET")


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_every_other_write_is_tied_to_our_resources_or_tags(deployment):
    found = set()
    for each in combination("pipeline that manages people", deployment):
        tied = {
            key
            for keys in each.get("Condition", {}).values()
            for key in keys
            if "Tag/" in key or key.endswith(":CreateAction")
        }
        if each["Effect"] == "Allow" and "*" in listed(each["Resource"]) and not tied:
            found |= {
                action
                for action in listed(each["Action"])
                if not action.partition(":")[2].startswith(READS)
            }
    assert found == UNTIED[deployment] - {"ecr:GetAuthorizationToken"}
