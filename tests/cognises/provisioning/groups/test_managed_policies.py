"""Managed policies: attached and detached like inline ones, marked as grants of unknown content."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from accounts import Account, Ran, group, statement
from moto.iam.aws_managed_policies import aws_managed_policies_data
from worlds import SCOPE, applied, plan, with_group, with_role, world

from cognises.errors import ManifestError
from cognises.manifest.iam_policy import statements_of, texts
from cognises.manifest.iam_warnings import is_administrative
from cognises.provisioning.groups.apply import calls_for
from cognises.provisioning.groups.model import CLOSED_AUDIENCE, Role
from cognises.provisioning.groups.plan import plan_json, plan_text

Run = Callable[..., Ran]
READ, ADMIN = (
    f"arn:aws:iam::aws:policy/{name}" for name in ("ReadOnlyAccess", "AdministratorAccess")
)
OWN = "arn:aws:iam::123456789012:policy/data"
ALONE = {"group_name": "a", "allowed_functions": [], "managed_policies": [READ]}
BOTH = group("a", managed_policies=[READ, "arn:aws:iam::${AWS::AccountId}:policy/data"])
GRANTS = f"attaches {READ}: a plan cannot show what that allows"


def role_after(found: Any) -> Role:
    role = found.changes[0].after
    assert isinstance(role, Role)
    return role


def methods(found: Any) -> list[str]:
    return [call.method for call in calls_for(found.changes[0], SCOPE.pool_id)]


@pytest.mark.parametrize(("entry", "inline"), [(ALONE, []), (BOTH, ["a_policy"])], ids=["0", "1"])
def test_a_role_gets_its_managed_policies_with_and_without_an_inline_one(
    entry: dict[str, Any], inline: list[str]
) -> None:
    found = plan(entry)
    assert list(role_after(found).policies) == inline
    assert role_after(found).attached[-1] == READ
    assert methods(found) == ["create_role", *["put_role_policy"] * len(inline)] + [
        "attach_role_policy"
    ] * len(entry["managed_policies"])
    assert plan(entry, on=applied(found)).changes == ()


def test_the_plan_marks_what_it_cannot_inspect() -> None:
    found = plan(ALONE)
    assert found.broadening == (f"a: {GRANTS}",)
    assert f"+ attached: {READ}" in plan_text(found)
    shown = plan_json(found)["resource_changes"][0]
    assert shown["change"]["after"]["attached"] == (READ,)
    assert shown["broadening"] == (GRANTS,)


@pytest.mark.parametrize(
    "arn", [ADMIN, ADMIN.lower(), OWN.replace("data", "team/IAMFullAccess")], ids=str
)
def test_a_policy_of_administrators_is_a_way_to_more_rights(arn: str) -> None:
    entry = {**ALONE, "managed_policies": [arn]}
    line = f"could raise its own rights by {arn}"
    assert plan(entry).changes[0].escalating == (line,)
    assert f"group a {line}" in plan(entry, on=world(entry)).warnings
    assert plan(entry, on=world(entry)).broadening == ()


# Any one of them, on every resource and without a condition, leads to every right.
WAYS = (
    *("iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:CreatePolicyVersion", "iam:PutUserPolicy"),
    *("iam:CreateAccessKey", "iam:UpdateAssumeRolePolicy", "iam:AddUserToGroup", "iam:PassRole"),
    *("sts:AssumeRole", "cognito-idp:AdminAddUserToGroup", "cognito-idp:UpdateGroup"),
    *("cognito-idp:AdminSetUserPassword", "cognito-identity:SetIdentityPoolRoles"),
)


def leads_to_more(document: Any) -> bool:
    """Whether a statement without a condition covers one of the ways on every resource."""
    grants = [
        action.lower()
        for _, each in statements_of(document)
        if each["Effect"] == "Allow" and "*" in texts(each.get("Resource"))
        for action in ([] if each.get("Condition") else texts(each.get("Action")))
    ]
    return any(fnmatchcase(way.lower(), pattern) for way in WAYS for pattern in grants)


def test_every_policy_of_aws_that_leads_to_more_rights_is_known_by_its_name() -> None:
    policies = json.loads(aws_managed_policies_data)
    leading = {name for name, each in policies.items() if leads_to_more(each["Document"])}
    assert {"AdministratorAccess", "IAMFullAccess", "AmazonCognitoPowerUser"} <= leading
    assert {name for name in leading if not is_administrative(f"x/{name}")} == set()
    harmless = ("ReadOnlyAccess", "AmazonS3FullAccess", "IAMReadOnlyAccess", "ViewOnlyAccess")
    assert not any(is_administrative(f"x/{name}") for name in harmless)


def test_what_the_manifest_removes_is_detached_and_is_no_drift() -> None:
    found = plan(ALONE, on=world(BOTH))
    assert role_after(found).attached == (READ,)
    assert found.changes[0].drift == ()
    assert methods(found) == ["detach_role_policy", "delete_role_policy", "tag_role"]


def test_narrowing_comes_before_widening() -> None:
    swapped = {**ALONE, "managed_policies": [OWN]}
    assert methods(plan(swapped, on=world(ALONE))) == [
        "detach_role_policy", "attach_role_policy", "tag_role",
    ]  # fmt: skip


DRIFTED = {
    "another attached": (ALONE, (OWN, READ), [f"policy {OWN} was attached"]),
    "its own detached": (ALONE, (), [f"policy {READ} was detached"]),
    "one for another": (
        ALONE,
        (OWN,),
        [f"policy {OWN} was attached", f"policy {READ} was detached"],
    ),
}


@pytest.mark.parametrize("name", DRIFTED)
def test_what_others_attach_and_detach_is_drift_and_repaired(name: str) -> None:
    entry, attached, lines = DRIFTED[name]
    edited = with_role(world(entry), "svc-a", attached=attached)
    found = plan(entry, on=edited)
    assert list(found.changes[0].drift) == lines
    assert applied(found, edited) == world(entry)


def test_an_inline_policy_that_is_added_to_managed_ones_is_no_drift() -> None:
    found = plan(BOTH, on=world(ALONE))
    assert [change.drift for change in found.changes] == [()]
    assert role_after(found).attached == (OWN, READ)


def test_an_edited_group_of_managed_policies_alone_is_recognised() -> None:
    edited = with_group(world(ALONE), "a", description="by hand")
    assert plan(ALONE, on=edited).changes[0].drift == ("the description was changed",)


def test_an_entry_that_loses_its_managed_policies_leaves_a_role_without_rights() -> None:
    bare = {key: value for key, value in ALONE.items() if key != "managed_policies"}
    found = plan(bare, on=world(ALONE))
    assert role_after(found).attached == ()
    assert CLOSED_AUDIENCE in json.dumps(role_after(found).trust)
    assert methods(found) == ["detach_role_policy", "update_assume_role_policy", "tag_role"]


@pytest.mark.parametrize(
    ("arn", "problem"),
    [
        ("arn:aws-us-gov:iam::aws:policy/X", "in partition aws-us-gov"),
        ("arn:aws:iam::210987654321:policy/X", "a policy of account 210987654321"),
    ],
)
def test_a_policy_of_another_partition_or_account_is_refused_before_anything_is_written(
    arn: str, problem: str
) -> None:
    with pytest.raises(ManifestError, match=problem) as refused:
        plan({**ALONE, "managed_policies": [arn]})
    assert refused.value.problems[0].startswith("error: [0].managed_policies: arn:aws")


def test_partitions_get_their_own_arns() -> None:
    china = replace(SCOPE, partition="aws-cn", region="cn-north-1", boundary=None,
                    identity_pool_id="cn-north-1:0d1c")  # fmt: skip
    entry = {**ALONE, "managed_policies": ["arn:${AWS::Partition}:iam::aws:policy/ReadOnlyAccess"]}
    found = plan(entry, scope=china)
    assert role_after(found).attached == ("arn:aws-cn:iam::aws:policy/ReadOnlyAccess",)


def test_a_managed_policy_is_refused_attached_repaired_and_pruned(
    run: Run, manifest: Callable[..., Path], account: Account
) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement()]})
    account.iam.create_policy(PolicyName="data", PolicyDocument=document)
    manifest({**ALONE, "managed_policies": [OWN]})
    refused = run("apply", "--yes", "--no-broadening")
    assert (refused.code, f"attaches {OWN}" in refused.err) == (3, True)
    assert run("apply", "--yes").code == 0
    assert account.role("svc-a")["attached"] == [OWN]
    assert run("plan", "--detailed-exitcode").code == 0
    account.iam.detach_role_policy(RoleName="svc-a", PolicyArn=OWN)
    assert f"drift: policy {OWN} was detached" in run("plan").out
    assert run("apply", "--yes").code == 0
    manifest()
    assert run("apply", "--yes", "--prune").code == 0
    assert account.state()["roles"] == {}
