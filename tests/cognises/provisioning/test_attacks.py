"""Rules 24 to 31 of the security page: each test is named after the attack it closes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from accounts import Account, Ran, group, make_identity_pool, policy, statement
from worlds import ADMINS, SCOPE, plan, with_role, world

from cognises.errors import SettingsError
from cognises.provisioning.aws import on_loopback
from cognises.provisioning.groups.apply import calls_for
from cognises.provisioning.groups.model import IdentityPool, Observed, PoolGroup, Role, Scope
from cognises.provisioning.groups.plan import plan_text
from cognises.provisioning.groups.read import observe_identity_pool
from cognises.provisioning.policies import runner_policy
from cognises.provisioning.target import Options, read_target

Run = Callable[..., Ran]
Manifest = Callable[..., Path]
BOUNDARY = "arn:aws:iam::123456789012:policy/edge"


# 24: classic flow


OPEN_POOLS = {
    "the classic flow": IdentityPool("us-east-1:0d1c", classic_flow=True, guests=False),
    "guests": IdentityPool("us-east-1:0d1c", classic_flow=False, guests=True),
}


@pytest.mark.parametrize("name", OPEN_POOLS)
def test_a_member_cannot_assume_another_groups_role_through(name: str) -> None:
    found = plan(ADMINS, on=Observed(identity_pool=OPEN_POOLS[name]))
    assert len(found.blocks) == 1
    assert "turn it off" in found.blocks[0]


@pytest.mark.parametrize("name", OPEN_POOLS)
def test_on_loopback_an_open_identity_pool_only_warns(name: str) -> None:
    found = plan(ADMINS, on=Observed(identity_pool=OPEN_POOLS[name], loopback=True))
    assert found.blocks == ()
    assert "turn it off" in found.warnings[0]


def test_a_guest_pool_blocks_plan_and_apply_with_exit_3(
    run: Run, manifest: Manifest, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest(group("a"))
    monkeypatch.setenv("COGNITO_IDENTITY_POOL_ID", make_identity_pool(account, guests=True))
    assert run("plan").code == 3
    assert run("plan", "--json").json["blocks"]
    ran = run("apply", "--yes")
    assert (ran.code, "gives credentials to guests" in ran.err) == (3, True)
    assert account.state()["roles"] == {}


def test_the_classic_flow_is_read_from_the_live_identity_pool() -> None:
    class Live:
        def describe_identity_pool(self, **_: Any) -> dict[str, Any]:
            return {"AllowClassicFlow": True, "AllowUnauthenticatedIdentities": False}

    assert observe_identity_pool(Live(), "us-east-1:0d1c").classic_flow


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:5000", True),
        ("http://localhost:5000", True),
        ("http://[::1]:5000", True),
        ("http://127.0.0.1.example.org", False),
        ("http://localhost.example.org", False),
        ("http://127.0.0.1@example.org", False),
        ("https://cognito-idp.us-east-1.amazonaws.com", False),
    ],
)
def test_a_host_that_looks_like_loopback_is_not_taken_for_it(url: str, expected: bool) -> None:
    class Client:
        class meta:  # noqa: N801
            endpoint_url = url

    assert on_loopback(Client()) is expected


# 25: the manifest is power over the account


def test_a_manifest_cannot_escape_the_permissions_boundary(
    run: Run, manifest: Manifest, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest(group("a", policy(statement("*", "*"))))
    monkeypatch.setenv("COGNISES_PERMISSIONS_BOUNDARY", BOUNDARY)
    assert run("apply", "--yes").code == 0
    assert account.role("svc-a")["boundary"] == BOUNDARY
    account.iam.delete_role_permissions_boundary(RoleName="svc-a")
    assert run("plan", "--detailed-exitcode").code == 2
    assert run("apply", "--yes").code == 0
    assert account.role("svc-a")["boundary"] == BOUNDARY


def test_the_boundary_is_there_before_the_role_can_do_anything() -> None:
    methods = [call.method for call in calls_for(plan(ADMINS).changes[0], SCOPE.pool_id)]
    assert methods == ["create_role", "put_role_policy"]
    first = calls_for(plan(ADMINS).changes[0], SCOPE.pool_id)[0]
    assert first.arguments["PermissionsBoundary"] == SCOPE.boundary
    late = with_role(world(ADMINS), "svc-admins", boundary=None, policies={})
    methods = [call.method for call in calls_for(plan(ADMINS, on=late).changes[0], "p")]
    assert methods == ["put_role_permissions_boundary", "put_role_policy"]


def test_roles_without_a_boundary_are_warned_about() -> None:
    found = plan(ADMINS, scope=replace(SCOPE, boundary=None))
    assert any("COGNISES_PERMISSIONS_BOUNDARY" in line for line in found.warnings)


def statements(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    monkeypatch.setenv("COGNITO_USER_POOL_ID", "us-east-1_Pool")
    monkeypatch.setenv("COGNISES_PERMISSIONS_BOUNDARY", BOUNDARY)
    found = runner_policy(read_target(Options()), "123456789012")["Statement"]
    return list(found)


def test_the_runner_cannot_lift_the_boundary_or_the_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    denied = {
        action: each
        for each in statements(monkeypatch)
        if each["Effect"] == "Deny"
        for action in each["Action"]
    }
    assert {"iam:DeleteRolePermissionsBoundary", "iam:AttachRolePolicy"} <= denied.keys()
    assert "iam:UntagRole" in denied
    assert denied["iam:CreatePolicyVersion"]["Resource"] == BOUNDARY


@pytest.mark.parametrize(
    "tags",
    [
        {"cognises:owner": "cognises", "cognises:project": "svc-"},
        {"cognises:owner": "cognises", "cognises:pool": "us-east-1_Other"},
    ],
    ids=["of the service's own stacks", "of a stage whose prefix begins with this one"],
)
@pytest.mark.parametrize(
    "action", ["TagRole", "UpdateAssumeRolePolicy", "PutRolePolicy", "DeleteRole"]
)
def test_the_runner_writes_no_role_of_the_prefix_that_is_somebody_elses(
    action: str, tags: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert denials(statements(monkeypatch), f"iam:{action}", tags)
    own = {"cognises:owner": "cognises", "cognises:pool": "us-east-1_Pool"}
    assert not denials(statements(monkeypatch), f"iam:{action}", own)
    assert not denials(statements(monkeypatch), f"iam:{action}", {})


def denials(found: list[dict[str, Any]], action: str, tags: dict[str, str]) -> list[str]:
    """The statements that deny an action on a role of these tags; Null and StringNotEquals only."""

    def holds(kind: str, key: str, value: str) -> bool:
        present = tags.get(key.partition("/")[2])
        if kind == "Null":
            return (present is None) == (value == "true")
        assert kind == "StringNotEquals"
        return present != value

    return [
        each["Sid"]
        for each in found
        if each["Effect"] == "Deny"
        and action in each["Action"]
        and all(
            holds(kind, key, value)
            for kind, pairs in each.get("Condition", {}).items()
            for key, value in pairs.items()
        )
    ]


def test_the_runner_writes_only_bounded_owned_roles_of_the_prefix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    roles = "arn:aws:iam::123456789012:role/svc-*"
    allowed = [each for each in statements(monkeypatch) if each["Effect"] == "Allow"]
    writing = [each for each in allowed if each["Resource"] == roles]
    for each in writing:
        equals = each.get("Condition", {}).get("StringEquals", {})
        kinds = {key.split("/")[0] for key in equals}
        actions = set(each["Action"])
        if actions & {"iam:CreateRole", "iam:PutRolePolicy"}:
            assert equals["iam:PermissionsBoundary"] == BOUNDARY
        if not actions <= {"iam:GetRole", "iam:PassRole"}:
            assert kinds & {"aws:RequestTag", "aws:ResourceTag"}
    star = [each["Action"] for each in allowed if each["Resource"] == "*"]
    assert star == [["iam:GetAccountAuthorizationDetails"]]


# 26: never a trust without a condition


def role_in(scope: Scope) -> Role:
    """The role of a group whose members reach what is theirs, planned in a scope."""
    own = statement(resource="arn:aws:s3:::b/${${IdentityService}:sub}/*")
    role = plan(group("a", policy(own)), scope=scope).changes[0].after
    assert isinstance(role, Role)
    return role


@pytest.mark.parametrize("identity_pool_id", [None, "", "us-east-1:0d1c"])
def test_no_other_identity_pool_can_assume_a_role(identity_pool_id: str | None) -> None:
    (found,) = role_in(replace(SCOPE, identity_pool_id=identity_pool_id)).trust["Statement"]
    audience = found["Condition"]["StringEquals"]["cognito-identity.amazonaws.com:aud"]
    assert audience == (identity_pool_id or "no-identity-pool-configured")
    assert found["Condition"]["ForAnyValue:StringLike"] == {
        "cognito-identity.amazonaws.com:amr": "authenticated"
    }


IDENTITY_SERVICES = {
    "eu-west-1": "cognito-identity.amazonaws.com",
    "us-gov-west-1": "cognito-identity-us-gov.amazonaws.com",
    "us-gov-east-1": "cognito-identity.us-gov-east-1.amazonaws.com",
    "cn-north-1": "cognito-identity.cn-north-1.amazonaws.com.cn",
}


@pytest.mark.parametrize("region", IDENTITY_SERVICES)
@pytest.mark.parametrize("identity_pool", [True, False])
def test_a_region_has_the_identity_service_that_exists_there(
    region: str, identity_pool: bool
) -> None:
    """Of the identity pool where there is one, else of the user pool."""
    place = {"identity_pool_id": f"{region}:0d1c"} if identity_pool else {"region": region}
    scope = replace(SCOPE, **({"identity_pool_id": None} | place))
    role, service = role_in(scope), IDENTITY_SERVICES[region]
    (found,) = role.trust["Statement"]
    (granted,) = role.policies["a_policy"]["Statement"]
    assert granted["Resource"] == f"arn:aws:s3:::b/${{{service}:sub}}/*"
    assert found["Principal"] == {"Federated": service}
    assert list(found["Condition"]["StringEquals"]) == [f"{service}:aud"]
    assert list(found["Condition"]["ForAnyValue:StringLike"]) == [f"{service}:amr"]


@pytest.mark.parametrize("region", ["cn-northwest-1", "eusc-de-east-1", "us-iso-east-1"])
def test_no_trust_is_written_in_a_region_whose_identity_service_is_not_known(region: str) -> None:
    scope = replace(SCOPE, region=region, identity_pool_id=None, boundary=None)
    with pytest.raises(SettingsError, match=f"identity service in {region} is not known"):
        plan(ADMINS, scope=scope)
    bare = {"group_name": "a", "allowed_functions": []}
    assert [type(each).__name__ for each in plan(bare, scope=scope).changes] == ["GroupChange"]


def test_roles_are_not_trusted_to_the_user_pools_id() -> None:
    """The original's trust, which nothing can ever meet."""
    assert SCOPE.pool_id not in json.dumps(role_in(SCOPE).trust)


def test_a_closed_trust_is_reported() -> None:
    found = plan(ADMINS, scope=replace(SCOPE, identity_pool_id=None))
    assert any("closed trust" in line for line in found.warnings)


# 27: narrowing before widening; adopting and pruning


def test_no_moment_of_an_update_grants_more_than_before_or_after() -> None:
    live = world(ADMINS).roles["svc-admins"]
    spoiled = with_role(
        world(ADMINS),
        "svc-admins",
        trust=policy(),
        policies={**live.policies, "more": policy(statement("sqs:*"))},
        attached=("arn:aws:iam::aws:policy/All",),
    )
    wider = group("admins", policy(statement("s3:*")))
    changes = plan(wider, on=spoiled).changes
    methods = [call.method for change in changes for call in calls_for(change, "p")]
    assert methods == [
        "detach_role_policy",
        "delete_role_policy",
        "put_role_policy",
        "update_assume_role_policy",
        "tag_role",
        "update_group",
    ]


def test_a_policy_is_replaced_in_one_call_and_never_absent() -> None:
    found = plan(group("admins", policy(statement("s3:*"))), on=world(ADMINS))
    methods = [call.method for call in calls_for(found.changes[0], "p")]
    assert methods == ["put_role_policy", "tag_role"]


def test_deleting_takes_the_group_before_the_policies_before_the_role(
    run: Run, manifest: Manifest, account: Account
) -> None:
    manifest(group("a"))
    run("apply", "--yes")
    manifest()
    out = run("plan", "--prune").out
    assert out.index("delete pool group a") < out.index("delete role svc-a")


@pytest.mark.parametrize("argv", [["--yes"], []])
def test_a_role_is_never_taken_over_unattended(
    run: Run, manifest: Manifest, account: Account, argv: list[str]
) -> None:
    manifest(group("a"))
    account.make_foreign_role("svc-a")
    before = account.state()
    ran = run("apply", "--adopt", "svc-a", *argv)
    assert (ran.code, "run it on a terminal" in ran.err) == (3, True)
    assert account.state() == before


def test_taking_over_shows_before_and_after_and_asks(
    run: Run, manifest: Manifest, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest(group("a"))
    account.make_foreign_role("svc-a")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt="": "y")
    ran = run("apply", "--adopt", "svc-a")
    assert ran.code == 0
    assert "> adopt role svc-a" in ran.out
    assert "- trust: Allow sts:AssumeRole to {'Service': 'ec2.amazonaws.com'}" in ran.out
    assert "+ a_policy: Allow s3:GetObject" in ran.out
    assert run("plan", "--detailed-exitcode").code == 0


def test_a_role_made_by_hand_blocks_and_nothing_is_written(
    run: Run, manifest: Manifest, account: Account
) -> None:
    manifest(group("a"), group("b"))
    account.make_foreign_role("svc-b")
    before = account.state()
    for command in (["plan"], ["apply", "--yes"]):
        ran = run(*command)
        assert ran.code == 3
        assert "role svc-b exists and was not made by this project" in ran.out
    assert account.state() == before


def test_two_stages_with_the_same_groups_do_not_touch_each_other(
    run: Run, manifest: Manifest, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest(group("a"), group("b"))
    assert run("apply", "--yes").code == 0
    first = account.state()["roles"]
    second = account.cognito.create_user_pool(PoolName="prod")["UserPool"]["Id"]
    monkeypatch.setenv("COGNITO_USER_POOL_ID", second)
    ran = run("apply", "--yes")
    assert (ran.code, "COGNISES_ROLE_PREFIX each" in ran.err) == (3, True)
    assert account.state()["roles"] == first
    monkeypatch.setenv("COGNISES_ROLE_PREFIX", "prod-")
    assert run("apply", "--yes").code == 0
    manifest()
    assert run("apply", "--yes", "--prune").code == 0
    assert account.state()["roles"] == first
    assert account.groups(second) == {}


def test_an_emptied_manifest_does_not_delete_everything(
    run: Run, manifest: Manifest, account: Account
) -> None:
    manifest(*(group(f"g{index}") for index in range(10)))
    assert run("apply", "--yes").code == 0
    manifest()
    ran = run("apply", "--yes", "--prune")
    assert (ran.code, "--max-destroy 10" in ran.err) == (3, True)
    assert len(account.groups()) == 10


# 28: broadening


def test_a_pipeline_cannot_widen_rights(run: Run, manifest: Manifest, account: Account) -> None:
    manifest(group("a", policy(statement(["s3:GetObject", "s3:PutObject"]))))
    assert run("apply", "--yes", "--no-broadening").code == 3
    assert account.state()["roles"] == {}
    assert run("apply", "--yes").code == 0
    before = account.state()
    manifest(group("a", policy(statement("s3:*"))))
    ran = run("apply", "--yes", "--no-broadening")
    assert (ran.code, "--no-broadening: a: allows s3:*" in ran.err) == (3, True)
    assert account.state() == before
    manifest(group("a", policy(statement("s3:GetObject"))))
    assert run("apply", "--yes", "--no-broadening").code == 0


def test_self_escalating_grants_are_marked_everywhere(
    run: Run, manifest: Manifest, account: Account
) -> None:
    manifest(group("a", policy(statement("cognito-idp:*", "*"))))
    planned = run("plan")
    assert "! escalates: could raise its own rights by cognito-idp:* on *" in planned.out
    limit = "bootstrap's boundary allows it to its AdminGroup alone"
    assert f"rights by cognito-idp:* on *; {limit}" in planned.out + planned.err
    found = run("plan", "--json").json
    assert found["resource_changes"][0]["escalating"]
    assert run("apply", "--yes").err.splitlines()[-1].endswith("grant new permissions")


def test_opening_a_trust_counts_as_broadening() -> None:
    closed = world(ADMINS, scope=replace(SCOPE, identity_pool_id=None))
    found = plan(ADMINS, on=closed)
    assert any("trust allows" in line for line in found.broadening)


def test_a_policy_that_denied_something_is_not_detached_silently() -> None:
    account = with_role(world(ADMINS), "svc-admins", attached=("arn:aws:iam::aws:policy/Deny",))
    assert any("detaches" in line for line in plan(ADMINS, on=account).broadening)


# 29: the plan that was looked at is the plan that is done


def test_a_plan_is_not_applied_to_another_account_state(
    run: Run, manifest: Manifest, account: Account
) -> None:
    manifest(group("a"))
    digest = run("plan", "--json").json["digest"]
    account.cognito.create_group(GroupName="a", UserPoolId=account.pool_id)
    before = account.state()
    assert run("apply", "--yes", "--expect", digest).code == 3
    assert account.state() == before


def test_text_from_aws_cannot_rewrite_the_terminal() -> None:
    evil = "x\x1b[2J\u202egpj.exe\nplan: nothing to do"
    account = with_role(
        world(ADMINS), "svc-admins", policies={evil: policy(statement("sqs:*", evil))}
    )
    text = plan_text(plan(ADMINS, on=account))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\nplan: nothing to do" not in text
    assert "\\x1b[2J\\u202e" in text


def test_no_change_is_hidden_from_the_plan() -> None:
    old = {**policy(), "Version": "2008-10-17"}
    account = with_role(world(ADMINS), "svc-admins", policies={"admins_policy": old})
    text = plan_text(plan(ADMINS, on=account))
    assert "~ admins_policy: Version 2008-10-17 -> 2012-10-17" in text


# 30: placeholders; see also test_iam_policy.py


def test_an_unknown_placeholder_never_reaches_aws(
    run: Run, manifest: Manifest, account: Account
) -> None:
    manifest(group("a", policy(statement(resource="arn:aws:s3:::${AWS::StackName}"))))
    ran = run("apply", "--yes")
    assert (ran.code, "${AWS::StackName} is unknown" in ran.err) == (1, True)
    assert account.state()["roles"] == {}


# 31: destroy


def test_destroy_leaves_the_pool_and_what_is_not_named(
    run: Run, manifest: Manifest, account: Account
) -> None:
    manifest(group("a"))
    run("apply", "--yes")
    assert run("destroy", "--confirm", account.pool_id).code == 0
    assert account.pools() == [account.pool_id]
    assert account.state()["roles"] == {}


# 42: no answer of AWS prints a line of ours


def test_names_and_tags_from_aws_print_no_line_of_ours() -> None:
    evil = "x\x1b[2J\u202e\nplan: nothing to do\nblocked: y"
    ours = world(ADMINS)
    foreign = replace(
        ours.roles["svc-admins"], tags={"cognises:owner": "cognises", "cognises:pool": evil}
    )
    stray = replace(ours.roles["svc-admins"], name=f"svc-{evil}", tags={})
    account = replace(
        ours,
        roles={"svc-admins": foreign, "svc-stray": stray},
        groups={evil: PoolGroup(evil, None), "z": PoolGroup("z", SCOPE.role_arn("z"), evil)},
    )
    lines = plan_text(plan(ADMINS, on=account)).splitlines()
    assert [each for each in lines if each.startswith("plan: ")] == ["plan: nothing to do"]
    assert len([each for each in lines if each.startswith("blocked: ")]) == 1
    assert not any(character in "".join(lines) for character in "\x1b\u202e")
