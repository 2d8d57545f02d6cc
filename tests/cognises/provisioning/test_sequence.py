"""From an empty account to an empty account, each step by the caller that the docs name for it.

Every request is judged by the policies that `provision.py policy` prints: an action that one of
them lacks fails a step, and an attack that one of them allows fails the test.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from accounts import Account, Ran, group, policy, policy_of_a_service, statement
from botocore.exceptions import ClientError
from enforcing import ACCOUNT, IAM, Asked, Iam
from fake_cloudformation import REGION, FakeCloudFormation
from iam_documents import is_allowed, meets
from moto import mock_aws
from staff import ADA, PASSWORD, pipe

from cognises.provisioning import aws
from infra.bootstrap import TEMPLATE
from local_aws.template import Template

STACK, URL = "svc-cognito", "https://svc.example.org"
DATA = f"{IAM}:policy/data"
EDITORS = group("editors", policy(statement(), statement("iam:*", "*")), managed_policies=[DATA])
# What CloudFormation calls as the caller beyond what moto makes below. Source: the permissions of
# the handlers in the schemas of the resource types.
HANDLERS = {
    "create": {
        "UserPool": ("DescribeUserPool", "GetUserPoolMfaConfig", "ListTagsForResource"),
        "UserPoolClient": ("DescribeUserPoolClient", "ListUserPoolClientSecrets"),
        "ManagedLoginStyle": ("CreateManagedLoginBranding", "DescribeManagedLoginBranding"),
    },
    "delete": {
        "ManagedLoginStyle": ("DeleteManagedLoginBranding", "DescribeManagedLoginBranding"),
        "UserPoolClient": ("DescribeUserPoolClient",),
    },
}


class CloudFormation(FakeCloudFormation):
    """Makes and deletes the template's resources, as CloudFormation does: with the caller's rights.

    A pool is retained when its stack is deleted, as the template says.
    """

    def __init__(self, iam: Iam, client: Callable[[str], Any]) -> None:
        super().__init__()
        self.iam, self.of = iam, client
        self.made: dict[str, str] = {}

    def execute_change_set(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        given = self.change_sets[asked["ChangeSetName"]]["parameters"]
        self.outputs = self._make(given)
        return super().execute_change_set(asked)

    def delete_stack(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._unmake()
        return super().delete_stack(asked)

    def _make(self, given: dict[str, str]) -> dict[str, str]:
        pseudo = {
            "AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
        }  # fmt: skip
        template = Template(TEMPLATE, given, pseudo)
        cognito, made = self.of("cognito-idp"), template.made
        if given["ExistingUserPoolId"]:
            pool_id = given["ExistingUserPoolId"]
        else:
            properties = template.properties("UserPool")
            mfa = {"MfaConfiguration": properties.pop("MfaConfiguration")}
            del properties["EnabledMfas"]
            named = {"PoolName": properties.pop("UserPoolName"), **properties}
            pool_id = made["UserPool"] = cognito.create_user_pool(**named)["UserPool"]["Id"]
            mfa["SoftwareTokenMfaConfiguration"] = {"Enabled": True}
            cognito.set_user_pool_mfa_config(UserPoolId=pool_id, **mfa)
        client = cognito.create_user_pool_client(**template.properties("UserPoolClient"))
        made["UserPoolClient"] = client["UserPoolClient"]["ClientId"]
        if given["DomainPrefix"]:
            domain = template.properties("UserPoolDomain")
            del domain["ManagedLoginVersion"]
            cognito.create_user_pool_domain(**domain)
        properties = template.properties("IdentityPool")
        pairs = {each["Key"]: each["Value"] for each in properties.pop("IdentityPoolTags")}
        identity = self.of("cognito-identity")
        found = identity.create_identity_pool(**properties, IdentityPoolTags=pairs)
        document = template.properties("PermissionsBoundary")["PolicyDocument"]
        boundary = self.of("iam").create_policy(
            PolicyName=f"{STACK}-PermissionsBoundary-X", PolicyDocument=json.dumps(document)
        )
        self.made = {
            "UserPoolId": pool_id,
            "UserPoolClientId": made["UserPoolClient"],
            "IdentityPoolId": found["IdentityPoolId"],
            "PermissionsBoundaryArn": boundary["Policy"]["Arn"],
            "ManagedLoginUrl": f"https://{given['DomainPrefix']}.auth.{REGION}.amazoncognito.com",
        }
        self._require("create")
        return self.made

    def _unmake(self) -> None:
        self._require("delete")
        cognito, pool_id = self.of("cognito-idp"), self.made["UserPoolId"]
        domain = self.made["ManagedLoginUrl"].partition(".")[0].removeprefix("https://")
        if domain:
            cognito.delete_user_pool_domain(Domain=domain, UserPoolId=pool_id)
        cognito.delete_user_pool_client(UserPoolId=pool_id, ClientId=self.made["UserPoolClientId"])
        self.of("cognito-identity").delete_identity_pool(IdentityPoolId=self.made["IdentityPoolId"])
        iam, boundary = self.of("iam"), self.made["PermissionsBoundaryArn"]
        iam.list_policy_versions(PolicyArn=boundary)
        iam.list_entities_for_policy(PolicyArn=boundary)
        iam.delete_policy(PolicyArn=boundary)

    def _require(self, verb: str) -> None:
        """The calls of handlers that moto does not know."""
        pool = {"UserPoolId": self.made["UserPoolId"]}
        names = [name for each in HANDLERS[verb].values() for name in each]
        asked = [each for name in names for each in self.iam.questions("cognito-idp", name, pool)]
        roles = {"IdentityPoolId": self.made["IdentityPoolId"]}
        for name in ("GetIdentityPoolRoles", "DescribeIdentityPool"):
            asked += self.iam.questions("cognito-identity", name, roles)
        asked.append(Asked("cognito-identity:SetIdentityPoolRoles", "*", {}))
        refused = [each for each in asked if not self.iam.allows(each)]
        assert refused == []


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Iam]:
    """An empty account; every client of a command is judged, CloudFormation's own too."""
    make_client = aws.make_client
    with mock_aws():
        clients = [
            boto3.client(each, REGION) for each in ("iam", "cognito-idp", "cognito-identity")
        ]
        found = Iam(REGION, *clients)

        def judged_client(session: Any, service: str, *rest: Any) -> Any:
            if service == "cloudformation":
                return found.under(cloud.client())
            return found.under(make_client(session, service, *rest))

        def of(service: str) -> Any:
            return judged_client(boto3.session.Session(), service, REGION, None)

        cloud = CloudFormation(found, of)
        monkeypatch.setattr("cognises.provisioning.aws.make_client", judged_client)
        monkeypatch.setattr("cognises.provisioning.aws.RateLimiter.wait", lambda self: None)
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        monkeypatch.setenv("AWS_REGION", REGION)
        yield found


class World:
    """The account and its callers. `step` runs one command as one of them."""

    def __init__(self, run: Callable[..., Ran], judged: Iam, folder: Path) -> None:
        self.run, self.iam, self.folder = run, judged, folder
        self.client = judged.under(boto3.client("iam", REGION))

    def printed(self, *options: str) -> Any:
        ran = self.run("policy", "--account", ACCOUNT, *options)
        assert ran.code == 0, ran.err
        return ran.json

    def step(self, who: Any, *argv: str) -> Ran:
        self.iam.asked.clear()
        with self.iam.caller(*who):
            ran = self.run(*argv)
        refused = [asked for asked, allowed in self.iam.asked if not allowed]
        assert (ran.code, refused) == (0, []), ran.err
        return ran

    @property
    def settings(self) -> dict[str, str]:
        lines = (self.folder / ".env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)  # type: ignore[misc]

    @property
    def account(self) -> Account:
        return Account(self.iam.iam, self.iam.cognito, self.settings["COGNITO_USER_POOL_ID"])


@pytest.fixture
def world(run: Callable[..., Ran], judged: Iam, tmp_path: Path) -> World:
    document = json.dumps(policy())
    judged.iam.create_policy(PolicyName="data", PolicyDocument=document)
    return World(run, judged, tmp_path)


def sign_in(world: World) -> dict[str, Any]:
    """The claims of an ID token, by a client of the test that takes passwords."""
    cognito, pool_id = world.iam.cognito, world.account.pool_id
    client = cognito.create_user_pool_client(
        UserPoolId=pool_id, ClientName="t", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"]
    )
    answer = cognito.initiate_auth(
        ClientId=client["UserPoolClient"]["ClientId"],
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": ADA, "PASSWORD": PASSWORD},
    )
    payload = answer["AuthenticationResult"]["IdToken"].split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "==="))
    return claims


def drift(account: Account) -> None:
    """Every kind of change by hand."""
    admin = json.dumps(policy(statement("*", "*")))
    account.iam.put_role_policy(RoleName="svc-editors", PolicyName="x", PolicyDocument=admin)
    account.iam.detach_role_policy(RoleName="svc-editors", PolicyArn=DATA)
    arn = account.iam.create_policy(PolicyName="all", PolicyDocument=admin)["Policy"]["Arn"]
    account.iam.attach_role_policy(RoleName="svc-editors", PolicyArn=arn)
    account.iam.update_assume_role_policy(
        RoleName="svc-editors", PolicyDocument=json.dumps(policy_of_a_service())
    )
    account.iam.delete_role_permissions_boundary(RoleName="svc-editors")
    account.cognito.update_group(GroupName="editors", UserPoolId=account.pool_id, Precedence=9)


def attacks(world: World) -> Iterator[tuple[str, dict[str, Any]]]:
    """Calls by which the runner would get more than its policy lends, on real resources."""
    iam, boundary = world.iam.iam, world.settings["COGNISES_PERMISSIONS_BOUNDARY"]
    editors, admin = {"RoleName": "svc-editors"}, json.dumps(policy(statement("*", "*")))
    trust = json.dumps(policy_of_a_service())
    owner = [{"Key": "cognises:owner", "Value": "cognises"}]
    ours = [*owner, {"Key": "cognises:pool", "Value": world.account.pool_id}]
    iam.create_role(RoleName="svc-theirs", AssumeRolePolicyDocument=trust)
    iam.create_role(RoleName="svc-bare", AssumeRolePolicyDocument=trust, Tags=ours)
    iam.create_role(
        RoleName="svc-service-x", AssumeRolePolicyDocument=trust, PermissionsBoundary=boundary,
        Tags=[*owner, {"Key": "cognises:project", "Value": "svc-"}],
    )  # fmt: skip
    yield "delete_role_permissions_boundary", editors
    yield "put_role_permissions_boundary", {**editors, "PermissionsBoundary": DATA}
    yield "create_policy_version", {"PolicyArn": boundary, "PolicyDocument": admin}
    yield "delete_policy", {"PolicyArn": boundary}
    yield "attach_role_policy", {**editors, "PolicyArn": f"{IAM}:policy/all"}
    yield "attach_role_policy", {"RoleName": "svc-bare", "PolicyArn": DATA}
    yield "attach_role_policy", {"RoleName": "svc-service-x", "PolicyArn": DATA}
    yield "untag_role", {**editors, "TagKeys": ["cognises:pool"]}
    new = {"RoleName": "svc-new", "AssumeRolePolicyDocument": trust}
    yield "create_role", {**new, "Tags": ours}
    yield "create_role", {**new, "PermissionsBoundary": boundary}
    yield "create_role", {**new, "Tags": ours, "PermissionsBoundary": DATA}
    yield "create_role", {**new, "RoleName": "new", "Tags": ours, "PermissionsBoundary": boundary}
    for role in ("svc-theirs", "svc-bare", "svc-service-x"):
        on = {"RoleName": role}
        yield "put_role_policy", {**on, "PolicyName": "x", "PolicyDocument": admin}
        yield "update_assume_role_policy", {**on, "PolicyDocument": trust}
    yield "tag_role", {"RoleName": "svc-service-x", "Tags": ours}
    yield "delete_role", {"RoleName": "svc-theirs"}
    yield "create_user", {"UserName": "x"}


def refused(world: World, who: Any, name: str, arguments: dict[str, Any]) -> bool:
    with world.iam.caller(*who):
        try:
            getattr(world.client, name)(**arguments)
        except ClientError as error:
            return error.response["Error"]["Code"] == "AccessDenied"
    return False


def judge_the_member(world: World, role: dict[str, Any]) -> None:
    """Who gets the role, and what both its policies and the boundary allow."""
    (trust,) = role["trust"]["Statement"]
    service = "cognito-identity.amazonaws.com"
    member = {
        f"{service}:aud": world.settings["COGNITO_IDENTITY_POOL_ID"],
        f"{service}:amr": ["authenticated", "x"],
    }
    others = ({f"{service}:aud": f"{REGION}:other"}, {f"{service}:amr": ["unauthenticated"]})
    assert trust["Principal"] == {"Federated": service}
    assert meets(trust["Condition"], member)
    assert not any(meets(trust["Condition"], {**member, **other}) for other in others)
    version = {"PolicyArn": role["boundary"], "VersionId": "v1"}
    boundary = world.iam.iam.get_policy_version(**version)["PolicyVersion"]["Document"]
    documents = (role["policies"]["editors_policy"], boundary)
    for action, resource, expected in (
        ("s3:GetObject", "arn:aws:s3:::b/x", (True, True)),
        ("s3:DeleteBucket", "arn:aws:s3:::b", (False, False)),
        ("iam:AttachRolePolicy", role_arn(world), (True, False)),
        ("iam:CreateUser", "*", (True, False)),
    ):
        found = tuple(is_allowed(each["Statement"], action, resource, {}) for each in documents)
        assert found == expected, action


def role_arn(world: World) -> str:
    return str(world.iam.iam.get_role(RoleName="svc-editors")["Role"]["Arn"])


def test_the_whole_life_of_a_service_with_the_rights_that_are_printed_and_no_others(
    world: World, manifest: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = [world.printed("--bootstrap")]
    world.step(operator, "bootstrap", "--yes", "--public-url", URL)
    assert "nothing to change" in world.step(operator, "bootstrap").err
    operator = [world.printed("--bootstrap")]  # which names the pool now
    assert "nothing to change" in world.step(operator, "bootstrap").err

    manifest(EDITORS)
    runner, people = [world.printed()], [world.printed("--users-only")]
    assert "2 to create" in world.step(runner, "plan").out
    world.step(runner, "apply", "--yes")
    assert "nothing to do" in world.step(runner, "plan", "--detailed-exitcode").out
    good = world.account.role("svc-editors")

    world.step(people, "users", "create", ADA, "--group", "editors")
    pipe(monkeypatch, PASSWORD)
    world.step(people, "users", "set-password", ADA, "--password-stdin", "--permanent")
    assert sign_in(world)["cognito:groups"] == ["editors"]
    judge_the_member(world, good)

    drift(world.account)
    assert "drift: " in world.step(runner, "plan").out
    world.step(runner, "apply", "--yes")
    assert world.account.role("svc-editors") == good

    tried = list(attacks(world))
    before = world.account.state()
    assert [each for each in tried if not refused(world, runner, *each)] == []
    assert [each for each in tried if not refused(world, people, *each)] == []
    own = ("create_policy_version", "delete_policy")  # bootstrap's own boundary
    others = [each for each in tried if each[0] not in own]
    assert [each for each in others if not refused(world, operator, *each)] == []
    assert world.account.state() == before
    for role in ("svc-theirs", "svc-bare", "svc-service-x"):
        world.iam.iam.delete_role(RoleName=role)

    pool_id = world.account.pool_id
    world.step(runner, "destroy", "--confirm", pool_id, "--force")
    assert world.account.state() == {"roles": {}, "groups": {pool_id: {}}}
    world.step(operator, "destroy", "--confirm", pool_id, "--stack", STACK)
    assert pool_id in world.account.pools()
    world.step(operator, "bootstrap", "--yes")
    assert world.account.pool_id == pool_id


def follow(world: World, argv: tuple[str, ...], *policies: Any) -> list[Any]:
    """Run a command, attach the policy that its refusal advises, run it again; until it succeeds.

    Returns the policies. Each advice must be a new one.
    """
    with world.iam.caller(*policies):
        ran = world.run(*argv)
    if ran.code == 0:
        return list(policies)
    (advice,) = re.findall(r"`provision.py (policy[^`]*)`", ran.err)
    printed = world.printed(*advice.split()[1:])
    assert printed not in policies, ran.err
    return follow(world, argv, *policies, printed)


def test_what_is_denied_is_allowed_by_the_policy_that_is_advised(
    world: World, manifest: Callable[..., Path]
) -> None:
    manifest(EDITORS)
    (bootstrap,) = re.findall("`provision.py (bootstrap)`", world.run("plan").err)
    follow(world, (bootstrap, "--yes", "--public-url", URL))
    follow(world, ("plan",))
    follow(world, ("users", "list"))
    before = follow(world, ("apply", "--yes"))
    world.iam.iam.create_policy(PolicyName="more", PolicyDocument=json.dumps(policy()))
    manifest({**EDITORS, "managed_policies": [DATA, f"{IAM}:policy/more"]})
    with world.iam.caller(*before):
        refused = world.run("apply", "--yes")
    assert "print it again with `provision.py policy`" in refused.err
    world.step([world.printed()], "apply", "--yes")
    assert len(world.account.role("svc-editors")["attached"]) == 2
