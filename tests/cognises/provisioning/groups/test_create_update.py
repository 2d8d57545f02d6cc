"""The original's one call, run as its README runs it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from accounts import Account, group, make_identity_pool, policy, statement

from cognises.errors import ManifestError, ProvisionBlocked, SettingsError
from cognises.provisioning.groups.apply import create_update

STATEMENT = {
    "Sid": "Stmt1524591948858",
    "Action": "cognito-idp:*",
    "Effect": "Allow",
    "Resource": "arn:aws:cognito-idp:us-east-1:userid:userpool/pool_id",
}


@pytest.fixture
def data() -> list[dict[str, Any]]:
    """The example of the original's README."""
    return [
        {
            "group_name": name,
            "group_policy": {"Version": "2012-10-17", "Statement": [copy.deepcopy(STATEMENT)]},
            "created": "false",
            "allowed_functions": functions,
        }
        for name, functions in (
            ("Group1", ["protected", "admin_panel", "update_data"]),
            ("String", ["public", "view_data"]),
        )
    ]


def changed(data: list[dict[str, Any]]) -> dict[str, Any]:
    """The first group, its policy changed."""
    data[0]["group_policy"] = policy(statement())
    return data[0]["group_policy"]  # type: ignore[no-any-return]


def test_it_makes_roles_policies_and_groups(account: Account, data: list[dict[str, Any]]) -> None:
    create_update(data, account.iam, account.cognito, account.pool_id)
    role = account.role("role_Group1")
    assert role["policies"] == {"Group1_policy": data[0]["group_policy"]}
    assert account.groups()["Group1"]["RoleArn"] == "arn:aws:iam::123456789012:role/role_Group1"
    assert set(account.groups()) == {"Group1", "String"}
    assert [each["created"] for each in data] == ["true", "true"]


def test_twice_changes_nothing(account: Account, data: list[dict[str, Any]]) -> None:
    assert len(create_update(data, account.iam, account.cognito, account.pool_id)) == 4
    before = account.state()
    assert create_update(data, account.iam, account.cognito, account.pool_id) == ()
    assert account.state() == before


@pytest.mark.parametrize("created", ["true", "false"])
def test_it_reads_what_exists_whatever_created_states(
    account: Account, data: list[dict[str, Any]], created: str
) -> None:
    for each in data:
        each["created"] = created
    create_update(data, account.iam, account.cognito, account.pool_id)
    assert set(account.groups()) == {"Group1", "String"}


@pytest.mark.parametrize("with_pool", [True, False])
def test_a_changed_policy_is_updated_with_and_without_the_pool(
    account: Account, data: list[dict[str, Any]], with_pool: bool
) -> None:
    create_update(data, account.iam, account.cognito, account.pool_id)
    expected = changed(data)
    pool = [account.pool_id] if with_pool else []
    (change,) = create_update(data, account.iam, account.cognito, *pool)
    assert (change.action, change.group) == ("update", "Group1")
    assert account.role("role_Group1")["policies"] == {"Group1_policy": expected}
    assert create_update(data, account.iam, account.cognito, *pool) == ()
    assert create_update(data, account.iam, account.cognito, account.pool_id) == ()


def test_without_the_pool_only_the_policy_is_touched(
    account: Account, data: list[dict[str, Any]]
) -> None:
    identity_pool = make_identity_pool(account)
    create_update(
        data, account.iam, account.cognito, account.pool_id, identity_pool_id=identity_pool
    )
    managed = account.iam.create_policy(PolicyName="x", PolicyDocument=json.dumps(policy()))
    arn = managed["Policy"]["Arn"]
    account.iam.attach_role_policy(RoleName="role_Group1", PolicyArn=arn)
    before = account.state()
    changed(data)
    create_update(data, account.iam, account.cognito)
    after = account.state()
    for state in (before, after):
        del state["roles"]["role_Group1"]["policies"]
        del state["roles"]["role_Group1"]["tags"]["cognises:hash"]
    assert after == before


def test_without_the_pool_placeholders_are_filled_from_the_roles_own_tags(
    account: Account,
) -> None:
    data = [group("a")]
    create_update(data, account.iam, account.cognito, account.pool_id)
    data[0]["group_policy"] = policy(
        statement("x:Y", "arn:${AWS::Partition}:x:${AWS::Region}:${AWS::AccountId}:${UserPoolId}")
    )
    create_update(data, account.iam, account.cognito)
    (found,) = account.role("role_a")["policies"]["a_policy"]["Statement"]
    assert found["Resource"] == f"arn:aws:x:us-east-1:123456789012:{account.pool_id}"


def test_without_the_pool_a_missing_role_is_an_error(
    account: Account, data: list[dict[str, Any]]
) -> None:
    with pytest.raises(ProvisionBlocked, match="role role_Group1 is missing; give the user pool"):
        create_update(data, account.iam, account.cognito)
    assert data[0]["created"] == "false"


def test_a_role_of_the_original_is_refused_by_a_message_that_names_adopt(
    account: Account, data: list[dict[str, Any]]
) -> None:
    account.make_foreign_role("role_Group1")
    before = account.state()
    with pytest.raises(ProvisionBlocked, match=r"create_update: adopt=\['role_Group1'\]"):
        create_update(data, account.iam, account.cognito, account.pool_id)
    with pytest.raises(ProvisionBlocked, match=r"adopt=\['role_Group1'\]"):
        create_update(data[:1], account.iam, account.cognito)
    assert account.state() == before


def test_a_role_of_the_original_is_taken_over_when_named(
    account: Account, data: list[dict[str, Any]]
) -> None:
    account.make_foreign_role("role_Group1")
    create_update(data, account.iam, account.cognito, account.pool_id, adopt=["role_Group1"])
    assert account.role("role_Group1")["tags"]["cognises:pool"] == account.pool_id
    assert create_update(data, account.iam, account.cognito, account.pool_id) == ()


def test_one_role_to_take_over_may_be_named_without_a_list(
    account: Account, data: list[dict[str, Any]]
) -> None:
    account.make_foreign_role("role_Group1")
    create_update(data, account.iam, account.cognito, account.pool_id, adopt="role_Group1")
    assert account.role("role_Group1")["tags"]["cognises:pool"] == account.pool_id


@pytest.mark.parametrize("bad", [{"identity_pool_id": "x"}, {"role_prefix": "a/b"}])
def test_an_id_or_a_prefix_of_another_form_is_refused_before_aws_is_called(
    data: list[dict[str, Any]], bad: dict[str, str]
) -> None:
    with pytest.raises(SettingsError, match="is not of the form"):
        create_update(data, None, None, "us-east-1_Pool", **bad)


def test_drift_is_repaired_and_nothing_is_ever_pruned(
    account: Account, data: list[dict[str, Any]]
) -> None:
    create_update(data, account.iam, account.cognito, account.pool_id)
    before = account.state()
    account.iam.put_role_policy(
        RoleName="role_Group1", PolicyName="more", PolicyDocument=json.dumps(policy())
    )
    create_update(data[:1], account.iam, account.cognito, account.pool_id)
    assert account.state() == before


def test_no_file_is_written(
    account: Account,
    data: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The original rewrote group_detail.json in the current folder in the middle of its loop."""
    monkeypatch.chdir(tmp_path)
    create_update(data, account.iam, account.cognito, account.pool_id)
    assert list(tmp_path.iterdir()) == []


def test_the_callers_own_credentials_are_used_for_everything_but_the_identity_pool(
    account: Account, data: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    iam, cognito = boto3.client("iam", **keys), boto3.client("cognito-idp", **keys)
    assert len(create_update(data, iam, cognito, account.pool_id)) == 4


def test_a_bad_manifest_or_pool_id_is_refused_before_anything_is_written(
    account: Account, data: list[dict[str, Any]]
) -> None:
    with pytest.raises(SettingsError):
        create_update(data, account.iam, account.cognito, "people")
    data[1]["group_name"] = "a b"
    with pytest.raises(ManifestError):
        create_update(data, account.iam, account.cognito, account.pool_id)
    assert account.groups() == {}


def test_an_error_of_aws_reaches_the_caller(account: Account, data: list[dict[str, Any]]) -> None:
    with pytest.raises(account.cognito.exceptions.ResourceNotFoundException):
        create_update(data, account.iam, account.cognito, "us-east-1_Nowhere")
