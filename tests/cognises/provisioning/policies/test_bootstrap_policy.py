"""The policy for whoever bootstraps: IAM takes it, and it holds no more than the stack needs."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from cognises.manifest.iam_policy import check_policy, policy_size
from cognises.manifest.iam_warnings import check_reference
from cognises.provisioning import main
from cognises.provisioning.target import Options
from infra.bootstrap_policy import policy_for

ACCOUNT = "123456789012"
GIVEN = "eu-west-1_Given123"
TAG = "aws:ResourceTag/cognises:owner"
MANAGED_POLICY_LIMIT = 6144


@pytest.fixture(params=["", GIVEN])
def pool_id(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def printed(pool_id: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("COGNITO_USER_POOL_ID", pool_id)
    return policy_for(Options(), ACCOUNT)


def by_action(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for each in document["Statement"]:
        for action in each["Action"]:
            found.setdefault(action, []).append(each)
    return found


def test_iam_takes_it(printed: dict[str, Any]) -> None:
    assert [*check_policy(printed), *check_reference(printed)] == []
    assert policy_size(printed) < MANAGED_POLICY_LIMIT


def test_every_action_is_a_call_that_aws_knows(printed: dict[str, Any]) -> None:
    session = boto3.session.Session("t", "t", region_name="eu-west-1")
    known = {
        f"{service}:{name}"
        for service in ("cloudformation", "iam", "cognito-idp", "cognito-identity")
        for name in session.client(service).meta.service_model.operation_names
    }
    # Asked of whoever sets tags on a stack; not a call of its own.
    unknown = {each for each in by_action(printed) if each not in known}
    # Actions of S3 have names of their own; the reference of test_iam_takes_it knows them.
    others = {each for each in unknown if not each.startswith("s3:")}
    assert others == {"cloudformation:TagResource"}


def test_change_sets_are_made_with_the_tags_of_the_stack(printed: dict[str, Any]) -> None:
    """CreateChangeSet with tags asks for TagResource on the stack and on the change set."""
    found = by_action(printed)["cloudformation:TagResource"]
    here = f"arn:aws:cloudformation:eu-west-1:{ACCOUNT}"
    assert sorted(each["Resource"] for each in found) == [
        f"{here}:changeSet/cognises-*",
        found[0]["Resource"],
    ]
    assert found[0]["Resource"].startswith(f"{here}:stack/")


def test_nothing_in_it_deletes_users_or_makes_roles(printed: dict[str, Any]) -> None:
    actions = set(by_action(printed))
    assert "cognito-idp:DeleteUserPool" not in actions
    assert not [each for each in actions if "Role" in each and each.startswith("iam:")]
    assert "iam:PassRole" not in actions
    assert not [each for each in actions if "*" in each]
    assert not [each for each in actions if each.startswith("cognito-idp:Admin")]


def test_pools_are_changed_only_by_our_tag_or_by_their_given_id(
    printed: dict[str, Any], pool_id: str
) -> None:
    found = by_action(printed)
    if pool_id:
        # The id may be of a pool of our own, after the first run: the tag tells.
        (change,) = found["cognito-idp:UpdateUserPool"]
        assert change["Condition"]["StringEquals"] == {TAG: "cognises"}
        assert "cognito-idp:CreateUserPool" not in found
        assert "cognito-idp:TagResource" not in found
        (clients,) = found["cognito-idp:CreateUserPoolClient"]
        assert clients["Resource"].endswith(f"userpool/{GIVEN}")
        return
    for action in ("UpdateUserPool", "SetUserPoolMfaConfig", "CreateUserPoolClient"):
        (statement,) = found[f"cognito-idp:{action}"]
        assert statement["Condition"]["StringEquals"] == {TAG: "cognises"}


def test_only_the_stages_own_stack_and_boundary_are_in_reach(printed: dict[str, Any]) -> None:
    found = by_action(printed)
    (stack,) = found["cloudformation:ExecuteChangeSet"]
    assert stack["Resource"] == (f"arn:aws:cloudformation:eu-west-1:{ACCOUNT}:stack/svc-cognito/*")
    (boundary,) = found["iam:CreatePolicyVersion"]
    assert boundary["Resource"] == (
        f"arn:aws:iam::{ACCOUNT}:policy/svc-cognito-PermissionsBoundary-*"
    )


def test_the_command_prints_it_without_reaching_aws(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert main(["policy", "--bootstrap", "--account", ACCOUNT]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == policy_for(Options(), ACCOUNT)


def test_only_the_stages_own_bucket_is_in_reach_and_no_file_in_it(printed: dict[str, Any]) -> None:
    found = {a: each for a, each in by_action(printed).items() if a.startswith("s3:")}
    resources = {statement["Resource"] for each in found.values() for statement in each}
    assert resources == {f"arn:aws:s3:::svc-{ACCOUNT}-eu-west-1"}
    assert not [each for each in found if "Object" in each and "Configuration" not in each]
