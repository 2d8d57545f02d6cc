"""`destroy --stack`: the stack goes when it is named, after the roles, and the pool never."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from accounts import Account, Ran, group
from fake_cloudformation import FakeCloudFormation, event

from cognises.provisioning.aws import make_client
from infra.stack_state import stack_tags

Run = Callable[..., Ran]
Manifest = Callable[..., Path]
STACK = "svc-cognito"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeCloudFormation:
    made = FakeCloudFormation()

    def client(session: Any, service: str, *rest: Any) -> Any:
        return (
            made.client() if service == "cloudformation" else make_client(session, service, *rest)
        )

    monkeypatch.setattr("cognises.provisioning.aws.make_client", client)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return made


@pytest.fixture
def up(fake: FakeCloudFormation) -> dict[str, Any]:
    return fake.put(STACK, "CREATE_COMPLETE", tags=stack_tags("svc-"))


def roles(account: Account) -> set[str]:
    return set(account.state()["roles"])


def test_without_its_name_the_stack_stays(
    run: Run, manifest: Manifest, account: Account, fake: FakeCloudFormation, up: Any
) -> None:
    manifest(group("a"))
    run("apply", "--yes")
    assert run("destroy", "--confirm", account.pool_id).code == 0
    assert (roles(account), fake.deleted, fake.calls) == (set(), [], [])


def test_with_its_name_it_is_deleted_after_the_roles_and_the_pool_is_retained(
    run: Run, manifest: Manifest, account: Account, fake: FakeCloudFormation, up: Any
) -> None:
    manifest(group("a"))
    run("apply", "--yes")
    seen: list[set[str]] = []
    delete = fake.delete_stack
    fake.delete_stack = lambda asked: (seen.append(roles(account)), delete(asked))[1]
    ran = run("destroy", "--confirm", account.pool_id, "--stack", STACK)
    assert (ran.code, seen, fake.deleted) == (0, [set()], [STACK])
    assert f"user pool {account.pool_id} and its users stay" in ran.err
    assert "--deletion-protection INACTIVE" in ran.err
    assert f"aws cognito-idp delete-user-pool --user-pool-id {account.pool_id}" in ran.err
    assert account.pool_id in account.pools()


@pytest.mark.parametrize("env_file", ["", "production.env"])
def test_what_remains_is_to_be_removed_from_the_env_file_in_use(
    run: Run, account: Account, fake: FakeCloudFormation, up: Any, tmp_path: Path, env_file: str
) -> None:
    used = tmp_path / env_file
    if env_file:
        used.write_text(f"COGNITO_USER_POOL_ID={account.pool_id}\n")
    options = ["--env-file", str(used)] if env_file else []
    ran = run("destroy", *options, "--confirm", account.pool_id, "--stack", STACK)
    name = str(used) if env_file else ".env"
    assert f"COGNISES_PERMISSIONS_BOUNDARY from {name}\n" in ran.err
    assert f"with COGNITO_USER_POOL_ID left in {name}, bootstrap" in ran.err


def test_it_goes_where_there_is_no_role_left_too(
    run: Run, account: Account, fake: FakeCloudFormation, up: Any
) -> None:
    assert run("destroy", "--confirm", account.pool_id, "--stack", STACK).code == 0
    assert fake.deleted == [STACK]


def test_upon_a_given_pool_nothing_is_said_of_deleting_that(
    run: Run, account: Account, fake: FakeCloudFormation, up: Any
) -> None:
    up["Parameters"] = {"ExistingUserPoolId": account.pool_id}
    ran = run("destroy", "--confirm", account.pool_id, "--stack", STACK)
    assert "which was there before the stack, is unchanged" in ran.err
    assert "delete-user-pool" not in ran.err


@pytest.mark.parametrize("name", ["other-cognito", "svc-service", "SVC-cognito"])
def test_another_name_is_blocked_before_anything_goes(
    run: Run,
    manifest: Manifest,
    account: Account,
    fake: FakeCloudFormation,
    up: Any,
    name: str,
) -> None:
    manifest(group("a"))
    run("apply", "--yes")
    ran = run("destroy", "--confirm", account.pool_id, "--stack", name)
    assert (ran.code, roles(account), fake.deleted) == (3, {"svc-a"}, [])
    assert f"this stage's stack is {STACK}" in ran.err


def test_somebody_elses_stack_of_that_name_is_blocked(
    run: Run, account: Account, fake: FakeCloudFormation
) -> None:
    fake.put(STACK, "CREATE_COMPLETE", tags={"team": "billing"})
    ran = run("destroy", "--confirm", account.pool_id, "--stack", STACK)
    assert (ran.code, fake.deleted) == (3, [])


def test_a_stack_that_is_not_there_is_said(
    run: Run, account: Account, fake: FakeCloudFormation
) -> None:
    ran = run("destroy", "--confirm", account.pool_id, "--stack", STACK)
    assert (ran.code, fake.deleted) == (0, [])
    assert f"stack {STACK} does not exist" in ran.err


def test_a_wrong_pool_id_deletes_nothing(
    run: Run, account: Account, fake: FakeCloudFormation, up: Any
) -> None:
    assert run("destroy", "--confirm", "us-east-1_Other", "--stack", STACK).code == 3
    assert fake.deleted == []


def test_a_deletion_that_fails_is_reported_with_its_reason(
    run: Run, account: Account, fake: FakeCloudFormation, up: Any
) -> None:
    reason = "Cannot delete a policy attached to entities."
    fake.plays["DELETE"] = [
        ("DELETE_IN_PROGRESS", (event("DELETE_FAILED", "PermissionsBoundary", "T", reason),)),
        ("DELETE_FAILED", ()),
    ]
    ran = run("destroy", "--confirm", account.pool_id, "--stack", STACK)
    assert ran.code == 1
    assert f"error: DELETE_FAILED PermissionsBoundary (T): {reason}" in ran.err
