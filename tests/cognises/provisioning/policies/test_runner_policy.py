"""The runner's policy is enough for every command, and holds nothing that none of them needs.

moto enforces actions and denials. It knows neither the resource nor the tags of a request, so the
policy is enforced here with resources opened; what it says of resources and conditions is read in
`test_attacks.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from accounts import Account, Ran, group, make_identity_pool, policy, statement
from runners import MANAGED_POLICY_LIMIT, Runner, allowed_actions, without

from cognises.manifest.iam_policy import check_policy, policy_size
from cognises.manifest.iam_warnings import check_reference, check_risks
from cognises.provisioning.policies import runner_policy
from cognises.provisioning.target import Options, read_target

DATA = "arn:aws:iam::123456789012:policy/data"
BOUNDARY = "arn:aws:iam::123456789012:policy/edge"
# Asked only after an answer was lost; see settle.py.
WHEN_ANSWERS_ARE_LOST = {"iam:GetRole", "cognito-idp:GetGroup"}


@pytest.fixture
def printed(account: Account, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The policy for the account's project."""
    monkeypatch.setenv("COGNISES_PERMISSIONS_BOUNDARY", BOUNDARY)
    monkeypatch.setenv("COGNITO_IDENTITY_POOL_ID", make_identity_pool(account))
    return runner_policy(read_target(Options()), "123456789012", attach=[DATA])


def spoil(account: Account) -> None:
    """Drift of every kind, so that repairing it takes every call there is."""
    extra = json.dumps(policy(statement("sqs:*", "*")))
    arn = account.iam.create_policy(PolicyName="all", PolicyDocument=extra)["Policy"]["Arn"]
    account.iam.attach_role_policy(RoleName="svc-a", PolicyArn=arn)
    account.iam.put_role_policy(RoleName="svc-a", PolicyName="more", PolicyDocument=extra)
    account.iam.update_assume_role_policy(
        RoleName="svc-a",
        PolicyDocument=json.dumps(policy({"Effect": "Allow", "Action": "sts:AssumeRole"})),
    )
    account.iam.delete_role_permissions_boundary(RoleName="svc-a")
    account.iam.untag_role(RoleName="svc-a", TagKeys=["cognises:hash"])
    account.cognito.update_group(GroupName="a", UserPoolId=account.pool_id, Precedence=9)


A, B = group("a", managed_policies=[DATA]), group("b")
# A command: the groups that were applied before it, whether they drifted, and the manifest's.
COMMANDS: list[tuple[str, list[Any], bool, list[Any]]] = [
    ("apply --yes", [], False, [A, B]),
    ("apply --yes", [A, B], True, [A, B]),
    ("apply --yes --prune", [A, B], False, [group("a")]),
    ("destroy --confirm POOL", [A], False, [A]),
]


def test_the_policy_is_enough_for_every_command_and_no_action_can_be_left_out(
    account: Account,
    printed: dict[str, Any],
    run: Callable[..., Ran],
    manifest: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each command runs with all actions, then without each that no command before it calls.

    moto knows no conditions: the denials that stand and fall with a role's tags, or with the policy
    that is attached, would deny all. They are read in test_attacks and the table of rights.
    """
    monkeypatch.setattr("cognises.provisioning.aws.RateLimiter.wait", lambda self: None)
    conditions = {"Null", "ArnNotEquals"}
    kept = [each for each in printed["Statement"] if not conditions & {*each.get("Condition", ())}]
    document = {**printed, "Statement": kept}
    runner = Runner(account, monkeypatch)
    account.iam.create_policy(PolicyName="data", PolicyDocument=json.dumps(policy()))

    def attempt(
        command: str, before: list[Any], drifts: bool, after: list[Any], allowed: Any
    ) -> tuple[int, set[str]]:
        run("destroy", "--confirm", account.pool_id)
        with suppress(account.iam.exceptions.NoSuchEntityException):
            account.iam.delete_policy(PolicyArn="arn:aws:iam::123456789012:policy/all")
        manifest(*before)
        assert run("apply", "--yes").code == 0
        if drifts:
            spoil(account)
        manifest(*after)
        with runner.allowed(allowed) as called:
            return run(*command.replace("POOL", account.pool_id).split()).code, called

    unused, spared = allowed_actions(document), []
    for command in COMMANDS:
        code, called = attempt(*command, document)
        assert code == 0, command
        for action in sorted(called & unused - WHEN_ANSWERS_ARE_LOST):
            if attempt(*command, without(document, action))[0] != 1:
                spared.append(action)
        unused -= called
    assert unused - WHEN_ANSWERS_ARE_LOST == {"iam:PassRole"}
    assert spared == []


def test_the_policy_passes_the_projects_own_checks(printed: dict[str, Any]) -> None:
    found = [*check_policy(printed), *check_reference(printed), *check_risks(printed)]
    assert [str(problem) for problem in found] == []


def test_the_command_names_the_managed_policies_of_the_manifest(
    printed: dict[str, Any], run: Callable[..., Ran], manifest: Callable[..., Path]
) -> None:
    named = {"ArnEquals": {"iam:PolicyARN": [DATA]}}

    def attaching(account: str) -> list[Any]:
        shown = run("policy", "--account", account).json["Statement"]
        return [each for each in shown if "iam:AttachRolePolicy" in each["Action"]]

    (never,) = attaching("123456789012")
    assert (never["Effect"], "Condition" in never) == ("Deny", False)
    manifest(group("a", managed_policies=["arn:aws:iam::${AWS::AccountId}:policy/data"]))
    allow, never = (
        each
        for each in attaching("123456789012")
        if "ArnEquals" in each.get("Condition", {}) or "ArnNotEquals" in each.get("Condition", {})
    )
    assert (allow["Effect"], allow["Condition"].items() >= named.items()) == ("Allow", True)
    assert never["Condition"] == {"ArnNotEquals": named["ArnEquals"]}
    assert "arn:aws:iam::*:policy/data" in str(attaching("*"))
    manifest({"group_name": "a"})
    assert run("policy").code == 1


def test_the_policy_fits_a_managed_policy(printed: dict[str, Any]) -> None:
    assert policy_size(printed) <= MANAGED_POLICY_LIMIT
