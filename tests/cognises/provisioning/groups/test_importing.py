"""`import`: a manifest from a pool that is there, after which plan has nothing but adoption."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from accounts import PREFIX, Account, Ran, group, policy, policy_of_a_service, statement

Run = Callable[..., Ran]
READERS = "arn:aws:iam::123456789012:policy/readers"
ROLES = "arn:aws:iam::123456789012:role/"


def add(on: Account, name: str, *policies: Any, role: str = "", **fields: Any) -> None:
    """A group made by hand, with a role made by hand if there are policies."""
    if policies:
        role = role or f"{PREFIX}{name}"
        on.iam.create_role(
            RoleName=role, AssumeRolePolicyDocument=json.dumps(policy_of_a_service())
        )
        for index, document in enumerate(policies):
            policy_name = f"{name}_policy" if len(policies) == 1 else f"p{index}"
            on.iam.put_role_policy(
                RoleName=role, PolicyName=policy_name, PolicyDocument=json.dumps(document)
            )
        fields["RoleArn"] = ROLES + role
    on.cognito.create_group(GroupName=name, UserPoolId=on.pool_id, **fields)


@pytest.fixture
def pool(account: Account) -> Account:
    own = f"arn:aws:cognito-idp:us-east-1:123456789012:userpool/{account.pool_id}"
    add(account, "viewers", policy(statement(Sid="Read")), Precedence=7)
    add(account, "admins", policy(statement("cognito-idp:ListUsers", own)), Description="A\u202e")
    add(account, "editors", policy(statement()), policy(statement("sqs:*", "*")), Precedence=3)
    add(account, "guests")
    add(account, "auditors", policy(statement()))
    account.iam.delete_role_policy(RoleName="svc-auditors", PolicyName="auditors_policy")
    account.iam.create_policy(PolicyName="readers", PolicyDocument=json.dumps(policy()))
    account.iam.attach_role_policy(RoleName="svc-auditors", PolicyArn=READERS)
    account.cognito.create_group(GroupName=f"{account.pool_id}_Google", UserPoolId=account.pool_id)
    return account


def test_after_an_import_plan_reports_nothing_but_adoption(
    run: Run, pool: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pool.state()
    assert run("import").code == 0
    assert pool.state() == before
    assert run("validate").code == 0
    found = run("plan", "--json")
    assert found.code == 3
    assert all("take it over: apply --adopt" in block for block in found.json["blocks"])
    assert len(found.json["blocks"]) == 4
    assert found.json["resource_changes"] == []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt="": "y")
    adopt = [f"--adopt={PREFIX}{name}" for name in ("admins", "auditors", "editors", "viewers")]
    ran = run("apply", *adopt)
    assert (ran.code, ran.out.count("> adopt role"), "pool group" in ran.out) == (0, 4, False)
    assert pool.role("svc-auditors")["attached"] == [READERS]
    assert run("plan", "--detailed-exitcode").code == 0


def test_the_file_has_every_group_in_order_with_placeholders(
    run: Run, pool: Account, tmp_path: Path
) -> None:
    ran = run("import")
    entries = json.loads((tmp_path / "groups.json").read_text())
    assert [(each["group_name"], each["precedence"]) for each in entries] == [
        ("editors", 3),
        ("viewers", 7),
        ("admins", None),
        ("auditors", None),
        ("guests", None),
    ]
    assert "group_policy" not in entries[3] | entries[4]
    assert entries[3]["managed_policies"] == [READERS.replace("123456789012", "${AWS::AccountId}")]
    assert entries[2]["group_policy"]["Statement"][0]["Resource"] == (
        "arn:aws:cognito-idp:us-east-1:${AWS::AccountId}:userpool/${UserPoolId}"
    )
    assert all(each["allowed_functions"] == [] for each in entries)
    assert "the inline policies p0, p1 become one, editors_policy" in ran.err


def test_a_file_is_never_overwritten(run: Run, pool: Account, tmp_path: Path) -> None:
    (tmp_path / "groups.json").write_text("[]")
    ran = run("import")
    assert (ran.code, "name a new file with --output" in ran.err) == (1, True)
    assert (tmp_path / "groups.json").read_text() == "[]"
    assert run("import", "--output", str(tmp_path / "other.json")).code == 0


def test_what_a_manifest_cannot_say_is_noted(run: Run, account: Account, tmp_path: Path) -> None:
    add(account, "admins", policy(), role="People-admins")
    add(account, "lost", RoleArn=ROLES + "gone")
    arn = account.iam.create_policy(PolicyName="extra", PolicyDocument=json.dumps(policy()))
    account.iam.attach_role_policy(RoleName="People-admins", PolicyArn=arn["Policy"]["Arn"])
    ran = run("import")
    assert "with COGNISES_ROLE_PREFIX=People- it can be taken over" in ran.err
    (admins, _) = json.loads((tmp_path / "groups.json").read_text())
    assert admins["managed_policies"] == ["arn:aws:iam::${AWS::AccountId}:policy/extra"]
    assert "extra" not in ran.err
    assert f"its role {ROLES}gone does not exist" in ran.err


def test_a_precedence_of_null_leaves_the_group_as_it_is(
    run: Run, account: Account, manifest: Callable[..., Path]
) -> None:
    manifest({"group_name": "a", "allowed_functions": [], "precedence": None})
    assert run("apply", "--yes").code == 0
    account.cognito.update_group(GroupName="a", UserPoolId=account.pool_id, Precedence=9)
    assert run("plan", "--detailed-exitcode").code == 0


def test_a_role_of_this_project_is_not_to_be_taken_over(
    run: Run, account: Account, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    file = manifest(group("viewers", policy()))
    assert run("apply", "--yes").code == 0
    ran = run("import", "--output", str(tmp_path / "pool.json"))
    assert (ran.code, ran.err) == (0, "")
    (tmp_path / "pool.json").replace(file)
    assert run("plan").code == 0


def test_a_description_is_cut_to_what_the_manifest_takes(
    run: Run, account: Account, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    add(account, "guests", Description="d" * 1601)
    ran = run("import")
    (entry,) = json.loads((tmp_path / "groups.json").read_text())
    assert entry["description"] == "d" * 1600
    note = "its description is cut off: groups.json takes 1600 characters"
    assert f"note: group guests: {note}" in ran.err
    assert run("plan").code == 0
