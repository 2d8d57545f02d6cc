"""`policy --users`: enough for every users command, nothing to spare, one pool and no role."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from accounts import Account, Ran, group
from runners import MANAGED_POLICY_LIMIT, Runner, allowed_actions, without
from staff import give_authenticator

from cognises.manifest.iam_policy import check_policy, policy_size
from cognises.manifest.iam_warnings import check_reference

Run = Callable[..., Ran]
POOL = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/"
ACCOUNT = ("--account", "123456789012")


@pytest.fixture
def pool(account: Account, manifest: Callable[..., Path]) -> Account:
    manifest(group("a"))
    account.cognito.create_group(GroupName="a", UserPoolId=account.pool_id)
    return account


def test_users_are_added_to_the_runners_policy_for_this_pool_alone(run: Run, pool: Account) -> None:
    plain = run("policy", *ACCOUNT).json
    with_users = run("policy", "--users", *ACCOUNT).json
    (added,) = [each for each in with_users["Statement"] if each not in plain["Statement"]]
    assert (added["Sid"], added["Effect"], added["Resource"]) == (
        "Users",
        "Allow",
        POOL + pool.pool_id,
    )
    assert allowed_actions(plain) & set(added["Action"]) == set()
    assert len(with_users["Statement"]) == len(plain["Statement"]) + 1


def test_whoever_manages_people_alone_gets_one_pool_and_no_role(run: Run, pool: Account) -> None:
    ran = run("policy", "--users-only", *ACCOUNT)
    (only,) = ran.json["Statement"]
    assert (ran.err, only["Resource"]) == ("", POOL + pool.pool_id)
    assert all(action.startswith("cognito-idp:") for action in only["Action"])
    assert not [action for action in only["Action"] if "Group" in action and "Delete" in action]


def test_the_two_exclude_one_another(run: Run, pool: Account) -> None:
    assert run("policy", "--users", "--users-only").code == 64


@pytest.mark.parametrize("option", ["--users", "--users-only"])
def test_the_policy_is_one_that_aws_takes(run: Run, pool: Account, option: str) -> None:
    printed = run("policy", option, *ACCOUNT).json
    assert [str(each) for each in (*check_policy(printed), *check_reference(printed))] == []
    assert policy_size(printed) <= MANAGED_POLICY_LIMIT


COMMANDS = (
    "list --with-groups",
    "create bob --password-file made --group a",
    "list --group a --with-groups",
    "set-attributes bob name=Bob",
    "set-password bob --password-stdin",
    "reset-mfa bob",
    "remove-from-group bob a",
    "add-to-group bob a",
    "disable bob",
    "enable bob",
    "sign-out bob",
    "delete bob --yes",
)


def test_the_policy_is_enough_for_every_users_command_and_no_action_can_be_left_out(
    run: Run, pool: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each command runs with all actions, then without each that no command before it calls."""
    monkeypatch.chdir(tmp_path)
    document = run("policy", "--users-only", *ACCOUNT).json
    runner = Runner(pool, monkeypatch)

    def attempt(command: str, allowed: Any) -> tuple[int, set[str]]:
        if command.startswith("create"):
            Path("made").unlink(missing_ok=True)
            with suppress(pool.cognito.exceptions.UserNotFoundException):
                pool.cognito.admin_delete_user(UserPoolId=pool.pool_id, Username="bob")
        elif command.startswith("reset-mfa"):  # there is an authenticator to reset
            give_authenticator(pool, "bob")
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Tr0ub4dor&3x")))
        with runner.allowed(allowed) as called:
            return run("users", *command.split()).code, called

    needed: dict[str, list[str]] = {}
    unused = allowed_actions(document)
    for command in COMMANDS:
        code, called = attempt(command, document)
        assert code == 0, command
        needed[command] = sorted(called & unused)
        unused -= called
    spared = []
    for command in COMMANDS:
        for action in needed[command]:
            if attempt(command, without(document, action))[0] == 0:
                spared.append(action)
        assert attempt(command, document)[0] == 0, command
    assert (unused, spared) == (set(), [])
