"""Groups without a policy have no role; leftovers; what other partitions and regions refuse."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from accounts import Account, Ran, group, policy, statement
from worlds import ADMINS, EDITORS, SCOPE, applied, plan, with_group, with_role, without, world

from cognises.provisioning.groups.apply import calls_for
from cognises.provisioning.groups.model import CLOSED_AUDIENCE, NOTHING, Observed, PoolGroup, Role
from cognises.provisioning.groups.plan import GroupChange
from cognises.provisioning.groups.planner import Pruning
from cognises.provisioning.groups.read import _groups

Run = Callable[..., Ran]
BARE = {"group_name": "admins", "allowed_functions": [], "description": "Admins"}
READERS = {"group_name": "readers", "allowed_functions": [], "scopes": ["orders/read"]}


def notes(found: Any) -> list[tuple[str, str | None]]:
    return [(each.group, each.role) for each in found.leftovers]


def test_an_entry_without_a_policy_is_a_group_and_no_role() -> None:
    (change,) = plan(READERS).changes
    assert change.after == PoolGroup("readers", None, "", 0)
    assert plan(READERS, on=applied(plan(READERS))).changes == ()


def test_the_group_is_created_without_a_role_in_aws(
    run: Run, manifest: Callable[..., Path], account: Account
) -> None:
    manifest(READERS, group("a"))
    assert run("apply", "--yes").code == 0
    assert account.groups()["readers"] == {
        "GroupName": "readers",
        "Description": "",
        "Precedence": 0,
    }
    assert set(account.state()["roles"]) == {"svc-a"}
    assert run("plan", "--detailed-exitcode").code == 0


def test_scopes_are_nothing_to_aws() -> None:
    assert plan({**READERS, "scopes": ["orders/write"]}, on=applied(plan(READERS))).changes == ()


def test_projects_that_share_a_pool_record_side_by_side() -> None:
    """Each under its own role prefix, in the description, which stays what both state."""
    theirs, both = replace(SCOPE, role_prefix="other-"), {**BARE, "allowed_functions": ["data"]}
    account = applied(plan(both))
    account = applied(
        plan({**both, "allowed_functions": ["other"]}, on=account, scope=theirs), account
    )
    assert plan(both, on=account).changes == ()
    (call,) = calls_for(GroupChange("admins", "create", None, account.groups["admins"]), "pool")
    stored = call.arguments["Description"]
    assert re.fullmatch(r"Admins( \[cognises:access (svc|other)-=[0-9a-f]{64}\]){2}", stored)
    listed = {"Groups": [{"GroupName": "admins", "Description": stored, "Precedence": 0}]}
    pages = SimpleNamespace(paginate=lambda **asked: [listed])
    cognito = SimpleNamespace(get_paginator=lambda name: pages)
    assert _groups(cognito, "pool") == account.groups
    (change,) = plan(on=account, scope=theirs).changes
    assert change.after.access["svc-"] == account.groups["admins"].access["svc-"]
    assert change.after.access["other-"] == NOTHING


def test_an_entry_that_loses_its_policy_leaves_a_role_without_rights() -> None:
    found = plan(BARE, on=world(ADMINS))
    (change,) = found.changes
    assert isinstance(change.after, Role)
    assert (change.after.policies, change.after.attached) == ({}, ())
    (trust,) = change.after.trust["Statement"]
    assert list(trust["Condition"]["StringEquals"].values()) == [CLOSED_AUDIENCE]
    assert change.broadening == ()
    assert notes(found) == [("admins", "svc-admins")]
    assert "Cognito cannot unlink a role" in found.leftovers[0].note
    after = applied(found, world(ADMINS))
    again = plan(BARE, on=after, pruning=Pruning())
    assert (again.changes, notes(again)) == ((), [("admins", "svc-admins")])


def test_rights_added_to_a_role_without_an_entry_are_removed() -> None:
    retired = applied(plan(BARE, on=world(ADMINS)), world(ADMINS))
    edited = with_role(retired, "svc-admins", policies={"x": policy()}, attached=("arn:x",))
    assert applied(plan(BARE, on=edited), edited) == retired


def test_a_policy_that_comes_back_is_no_drift() -> None:
    retired = applied(plan(BARE, on=world(ADMINS)), world(ADMINS))
    found = plan(ADMINS, on=retired)
    assert [change.drift for change in found.changes] == [()]
    assert applied(found, retired) == world(ADMINS)


def test_a_role_that_its_group_does_not_name_is_pruned_without_the_group() -> None:
    account = with_group(world(ADMINS), "admins", role_arn=None)
    assert notes(plan(BARE, on=account)) == [("admins", "svc-admins")]
    assert plan(BARE, on=account).changes == ()
    found = plan(BARE, on=account, pruning=Pruning())
    assert [(type(each).__name__, each.action) for each in found.changes] == [
        ("RoleChange", "delete")
    ]


def test_a_role_of_others_on_a_group_without_a_policy_is_a_warning() -> None:
    theirs = PoolGroup("admins", "arn:aws:iam::123456789012:role/theirs", "Admins", 0)
    found = plan(BARE, on=Observed(groups={"admins": theirs}))
    assert found.changes == ()
    assert any("carries arn:aws:iam::123456789012:role/theirs" in line for line in found.warnings)


def test_what_the_manifest_no_longer_names_is_listed_without_prune(
    run: Run, manifest: Callable[..., Path], account: Account
) -> None:
    manifest(group("a"), group("viewers"), READERS)
    run("apply", "--yes")
    manifest(group("a"))
    ran = run("plan", "--detailed-exitcode")
    assert ran.code == 0
    assert (
        "group viewers, role svc-viewers: kept; `provision.py apply --prune` deletes it" in ran.out
    )
    assert "group readers: kept: it carries no role" in ran.out
    found = run("plan", "--json").json["leftovers"]
    assert [(each["group"], each["role"]) for each in found] == [
        ("viewers", "svc-viewers"),
        ("readers", None),
    ]
    assert run("apply", "--prune", "--yes").code == 0
    assert set(account.groups()) == {"a", "readers"}


def test_a_deletion_that_a_block_prevents_is_listed() -> None:
    account = replace(world(ADMINS, EDITORS), with_members=frozenset({"editors"}))
    found = plan(ADMINS, on=account, pruning=Pruning())
    assert found.blocks
    assert [(each.role, each.note.partition(";")[0]) for each in found.leftovers] == [
        ("svc-editors", "kept: it has members")
    ]


def test_a_group_whose_role_is_gone_is_listed() -> None:
    account = without(world(ADMINS, EDITORS), role="svc-editors")
    (leftover,) = plan(ADMINS, on=account, pruning=Pruning()).leftovers
    assert (leftover.group, leftover.role) == ("editors", None)
    assert "svc-editors is gone" in leftover.note


def test_leftovers_do_not_change_the_digest() -> None:
    with_leftover = replace(world(ADMINS), groups=world(ADMINS, EDITORS).groups)
    assert plan(ADMINS, on=with_leftover).leftovers
    assert plan(ADMINS, on=with_leftover).digest == plan(ADMINS, on=world(ADMINS)).digest


def test_untagged_roles_under_the_prefix_are_named() -> None:
    foreign = Role("SVC-stray\n", "arn:aws:iam::123456789012:role/SVC-stray", policy())
    account = replace(world(ADMINS), roles={**world(ADMINS).roles, "svc-stray": foreign})
    (line,) = [each for each in plan(ADMINS, on=account).warnings if "without ownership" in each]
    assert line.startswith("role SVC-stray")
    unprefixed = replace(SCOPE, role_prefix="")
    assert not any(
        "without ownership" in line for line in plan(on=account, scope=unprefixed).warnings
    )


@pytest.mark.parametrize("name", ["Admins", "ADMINS"])
def test_groups_that_differ_by_case_only_do_not_share_what_is_theirs(name: str) -> None:
    """Cognito distinguishes them, IAM does not: only one of them has a role."""
    other = {"group_name": name, "allowed_functions": []}
    account = world(ADMINS)
    found = plan(ADMINS, other, on=account)
    assert [(type(each).__name__, each.group) for each in found.changes] == [("GroupChange", name)]
    assert found.blocks == ()
    assert applied(found, account).roles == account.roles
    assert plan(other, on=account).changes[0].after == PoolGroup(name, None, "", 0)
    assert notes(plan(other, on=account)) == [("admins", "svc-admins")]


STRICT = {
    "a resource of another partition": (
        group("a", policy(statement(resource="arn:aws:s3:::x"))),
        r"\[0\].group_policy.Statement\[0\].Resource: .* is in partition aws, and user pool",
    ),
    "one of them": (
        group("a", policy(statement(resource=["arn:aws-us-gov:s3:::x", "arn:aws-cn:s3:::x"]))),
        r"Statement\[0\].Resource\[1\]: .* is in partition aws-cn",
    ),
    "what is left out": (
        group("a", policy({"Effect": "Deny", "Action": "s3:*", "NotResource": "arn:aws:s3:::x"})),
        r"Statement\[0\].NotResource",
    ),
}


@pytest.mark.parametrize("name", STRICT)
def test_a_policy_for_another_partition_is_found_by_plan(name: str) -> None:
    scope = replace(SCOPE, partition="aws-us-gov", region="us-gov-west-1", boundary=None)
    raw, expected = STRICT[name]
    with pytest.raises(Exception, match=expected):
        plan(raw, scope=replace(scope, identity_pool_id=None))


BOUNDARIES = {
    "arn:aws:iam::999999999999:policy/edge": "is a policy of account 999999999999",
    "arn:aws-cn:iam::123456789012:policy/edge": "is in partition aws-cn",
}


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_boundary_from_elsewhere_blocks(boundary: str) -> None:
    (block,) = plan(ADMINS, scope=replace(SCOPE, boundary=boundary)).blocks
    assert BOUNDARIES[boundary] in block
    aws_own = replace(SCOPE, boundary="arn:aws:iam::aws:policy/PowerUserAccess")
    assert plan(ADMINS, scope=aws_own).blocks == ()


@pytest.mark.parametrize(("name", "blocked"), [("a" * 16, False), ("a" * 17, True)])
def test_a_role_too_long_for_us_gov_east_1_blocks(name: str, blocked: bool) -> None:
    place = {"partition": "aws-us-gov", "region": "us-gov-east-1", "boundary": None}
    scope = replace(SCOPE, identity_pool_id=None, **place)
    found = plan(group(name, policy(statement(resource="*"))), scope=scope)
    assert bool(found.blocks) is blocked
    assert all("together may have 24" in each for each in found.blocks)


def test_a_near_miss_of_a_placeholder_is_a_warning_of_plan() -> None:
    found = plan(group("a", policy(statement(resource="arn:aws:s3:::${AWS:AccountId}"))))
    assert any("did you mean ${AWS::AccountId}?" in line for line in found.warnings)


def test_the_identity_services_name_stands_in_variables() -> None:
    own = "arn:aws:s3:::b/${${IdentityService}:sub}/*"
    after = plan(group("a", policy(statement(resource=own)))).changes[0].after
    assert isinstance(after, Role)
    (found,) = after.policies["a_policy"]["Statement"]
    assert found["Resource"] == "arn:aws:s3:::b/${cognito-identity.amazonaws.com:sub}/*"


def test_roles_get_the_path_of_the_setting_and_keep_the_one_they_have(
    run: Run,
    manifest: Callable[..., Path],
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manifest(group("old"))
    assert run("apply", "--yes").code == 0
    manifest(group("old"), group("a"))
    monkeypatch.setenv("COGNISES_ROLE_PATH", "/people/")
    assert run("apply", "--yes").code == 0
    arns = {name: each["RoleArn"] for name, each in account.groups().items()}
    assert arns == {
        "old": "arn:aws:iam::123456789012:role/svc-old",
        "a": "arn:aws:iam::123456789012:role/people/svc-a",
    }
    ran = run("plan", "--detailed-exitcode")
    assert (ran.code, "IAM cannot move a role: it keeps its path" in ran.out) == (0, True)
    (roles,) = {
        each["Resource"]
        for each in run("policy", "--account", "123456789012").json["Statement"]
        if each["Sid"] == "MakeRoles"
    }
    assert roles == "arn:aws:iam::123456789012:role/people/svc-*"


def test_destroy_names_the_groups_that_stay(
    run: Run, manifest: Callable[..., Path], account: Account
) -> None:
    manifest(group("a"), READERS)
    run("apply", "--yes")
    ran = run("destroy", "--confirm", account.pool_id)
    assert ran.code == 0
    assert "group readers: kept: it carries no role" in ran.out
    assert set(account.state()["groups"][account.pool_id]) == {"readers"}
