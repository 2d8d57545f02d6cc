"""Every state of a stack has its place in the table."""

from __future__ import annotations

import boto3
import pytest

from cognises.provisioning.stacks.states import (
    ABSENT,
    DONE,
    STATES,
    Step,
    is_settled,
    next_step,
    repair,
)

AWS_KNOWS = (
    boto3.session.Session("testing", "testing", region_name="eu-west-1")
    .client("cloudformation")
    .meta.service_model.shape_for("StackStatus")
    .enum
)


def test_the_table_knows_every_state_that_aws_knows_and_no_other() -> None:
    assert set(STATES) == {*AWS_KNOWS, ABSENT}


@pytest.mark.parametrize("status", AWS_KNOWS)
def test_what_goes_on_is_waited_for_except_a_review_that_never_goes_on(status: str) -> None:
    goes_on = status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"
    assert is_settled(status) is not goes_on


@pytest.mark.parametrize("status", AWS_KNOWS)
def test_nothing_is_built_upon_a_failure(status: str) -> None:
    if status.endswith("_FAILED"):
        assert next_step(status) is Step.STUCK
    if status in DONE - {"DELETE_COMPLETE"}:
        assert next_step(status) is Step.UPDATE


@pytest.mark.parametrize(
    ("status", "command"),
    [
        ("CREATE_FAILED", "aws cloudformation delete-stack --stack-name s --region r"),
        ("ROLLBACK_FAILED", "aws cloudformation delete-stack --stack-name s --region r"),
        ("DELETE_FAILED", "aws cloudformation delete-stack --stack-name s --region r"),
        ("UPDATE_FAILED", "aws cloudformation rollback-stack --stack-name s --region r"),
        (
            "UPDATE_ROLLBACK_FAILED",
            "aws cloudformation continue-update-rollback --stack-name s --region r",
        ),
        ("IMPORT_ROLLBACK_FAILED", "console"),
        ("SOMETHING_NEW", "console"),
    ],
)
def test_a_stuck_stack_comes_with_what_helps(status: str, command: str) -> None:
    assert next_step(status) is Step.STUCK
    told = repair(status, "s", "r")
    assert status in told
    assert command in told
