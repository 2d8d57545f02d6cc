"""groups.json of this project on an AWS in memory: planned, applied, repaired.

A group of the test's own is added to those of groups.json, so that there always is one.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest

import provision
from cognises import create_update
from local_aws.cognito import LocalCognito
from local_aws.embedded import embedded, make_managed_policies

PROJECT = Path(provision.__file__).parent
OWN_GROUP = {
    "group_name": "provisioning-test",
    "allowed_functions": [],
    "group_policy": {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/*"}
        ],
    },
}
OWN_ROLE = "local-provisioning-test"


class Ran(NamedTuple):
    """A command's exit code, and all that it printed."""

    code: int
    output: str


def run(*arguments: str) -> Ran:
    """`python provision.py …`, in this process."""
    output = io.StringIO()
    with redirect_stdout(output), redirect_stderr(output):
        code = provision.main(list(arguments))
    return Ran(code, output.getvalue())


@pytest.fixture(scope="module")
def details(
    local_environment: None, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    """The project's groups and the test's own, in a file that the settings name."""
    groups = json.loads((PROJECT / "groups.json").read_text(encoding="utf-8"))
    path = tmp_path_factory.mktemp("manifest") / "groups.json"
    path.write_text(json.dumps([*groups, OWN_GROUP]), encoding="utf-8")
    os.environ["COGNISES_GROUPS_FILE"] = str(path)
    os.environ["COGNISES_ROLE_PREFIX"] = "local-"
    return [*groups, dict(OWN_GROUP)]


@pytest.fixture(scope="module")
def pool(details: list[dict[str, Any]]) -> Iterator[LocalCognito]:
    """A user pool without groups; the settings name it."""
    with embedded() as cognito:
        make_managed_policies()
        yield cognito


@pytest.fixture(scope="module")
def first_runs(pool: LocalCognito) -> list[Ran]:
    """What `plan`, `apply` and once more `plan` printed."""
    plan = ("plan", "--detailed-exitcode")
    return [run(*plan), run("apply", "--yes"), run(*plan)]


@pytest.fixture
def damaged(first_runs: list[Ran]) -> Any:
    """The IAM client; the policy of a role was deleted by hand."""
    iam = boto3.client("iam")
    (name,) = iam.list_role_policies(RoleName=OWN_ROLE)["PolicyNames"]
    iam.delete_role_policy(RoleName=OWN_ROLE, PolicyName=name)
    return iam


def test_groups_json_is_valid(details: list[dict[str, Any]]) -> None:
    code, output = run("validate")

    assert code == 0, output


def test_the_first_plan_names_every_group(
    first_runs: list[Ran], details: list[dict[str, Any]]
) -> None:
    code, output = first_runs[0]

    assert code == 2, output
    assert [each["group_name"] for each in details if each["group_name"] not in output] == []


def test_apply_makes_every_group(
    first_runs: list[Ran], details: list[dict[str, Any]], pool: LocalCognito
) -> None:
    code, output = first_runs[1]
    pages = boto3.client("cognito-idp").get_paginator("list_groups")
    made = {
        group["GroupName"]
        for page in pages.paginate(UserPoolId=pool.pool_id)
        for group in page["Groups"]
    }

    assert code == 0, output
    assert made == {each["group_name"] for each in details}


def test_a_second_plan_has_nothing_to_do(first_runs: list[Ran]) -> None:
    code, output = first_runs[2]

    assert code == 0, output
    assert "nothing to do" in output


def test_apply_repairs_what_was_changed_by_hand(damaged: Any) -> None:
    planned = run("plan", "--detailed-exitcode")
    applied = run("apply", "--yes")

    assert planned.code == 2
    assert OWN_ROLE in planned.output
    assert applied.code == 0, applied.output
    assert len(damaged.list_role_policies(RoleName=OWN_ROLE)["PolicyNames"]) == 1


def test_create_update_repairs_it_too_and_then_changes_nothing(
    damaged: Any, details: list[dict[str, Any]], pool: LocalCognito
) -> None:
    arguments = (details, damaged, boto3.client("cognito-idp"), pool.pool_id)
    options = {"identity_pool_id": pool.identity_pool_id, "role_prefix": "local-"}

    changed = create_update(*arguments, **options)
    again = create_update(*arguments, **options)

    assert len(changed) == 1
    assert again == ()
    assert {each["created"] for each in details} == {"true"}
    assert len(damaged.list_role_policies(RoleName=OWN_ROLE)["PolicyNames"]) == 1
