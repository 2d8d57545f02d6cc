"""The calls to CloudFormation: what is waited for, what is let pass, and what is not."""

from __future__ import annotations

from typing import Any

import pytest
from answering import Refused
from botocore.exceptions import ClientError, ParamValidationError
from fake_cloudformation import FakeCloudFormation

from cognises.provisioning.stacks.client import (
    CHANGE_SET_LOOKS,
    ChangeSet,
    ChangeSetFailed,
    Stack,
    StackClient,
    Wanted,
)

WANTED = Wanted(
    "s", "Resources: {}", {"A": "1"}, {"cognises:owner": "cognises"}, ("CAPABILITY_IAM",)
)
DENIED = Refused("AccessDenied", "User is not authorized to perform: cloudformation:…")


@pytest.fixture
def fake() -> FakeCloudFormation:
    return FakeCloudFormation()


@pytest.fixture
def client(fake: FakeCloudFormation) -> StackClient:
    return StackClient(fake.client(), sleep=lambda seconds: fake.calls.append("pause"))


def refuse(fake: FakeCloudFormation, operation: str, refused: Refused) -> None:
    def answer(asked: Any) -> Any:
        raise refused

    setattr(fake, operation, answer)


def test_a_stack_that_is_not_there_is_absent(client: StackClient, fake: FakeCloudFormation) -> None:
    assert client.describe("s") == Stack("s", "ABSENT")
    assert not client.describe("s").exists
    fake.describe_stacks = lambda asked: {"Stacks": []}
    assert client.describe("s") == Stack("s", "ABSENT")


@pytest.mark.parametrize(
    "refused", [DENIED, Refused("ValidationError", "the name is not valid"), Refused("Throttled")]
)
def test_no_other_refusal_passes_for_absence(
    client: StackClient, fake: FakeCloudFormation, refused: Refused
) -> None:
    refuse(fake, "describe_stacks", refused)
    with pytest.raises(ClientError):
        client.describe("s")
    refuse(fake, "describe_stack_events", refused)
    with pytest.raises(ClientError):
        client.newest_event("s")


def test_a_stack_without_outputs_tags_or_parameters_is_read_all_the_same(
    client: StackClient, fake: FakeCloudFormation
) -> None:
    fake.describe_stacks = lambda asked: {
        "Stacks": [{"StackName": "s", "StackStatus": "CREATE_COMPLETE"}]
    }
    assert client.describe("s") == Stack("s", "CREATE_COMPLETE")


def test_events_of_a_stack_that_is_gone_are_none(client: StackClient) -> None:
    assert client.newest_event("s") == ""
    assert client.events_since("s", "") == []


def test_a_template_that_cannot_be_had_is_none(
    client: StackClient, fake: FakeCloudFormation
) -> None:
    refuse(fake, "get_template", DENIED)
    assert client.template("s") is None


def test_a_fault_that_is_no_answer_of_aws_is_not_swallowed(
    client: StackClient, fake: FakeCloudFormation
) -> None:
    def broken(asked: Any) -> Any:
        raise OSError("no network")

    fake.get_template = fake.create_change_set = broken
    with pytest.raises(OSError, match="no network"):
        client.template("s")
    with pytest.raises(OSError, match="no network"):
        client.prepare(WANTED, "CREATE")


def test_what_the_model_of_aws_does_not_know_is_never_sent(client: StackClient) -> None:
    with pytest.raises(ParamValidationError):
        client.prepare(Wanted("s", "T", {"A": 1}, {}), "CREATE")  # type: ignore[dict-item]


def test_a_change_set_is_waited_for(client: StackClient, fake: FakeCloudFormation) -> None:
    described = fake.describe_change_set
    states = ["CREATE_PENDING", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"]

    def later(asked: Any) -> dict[str, Any]:
        return {**described(asked), "Status": states.pop(0)}

    fake.describe_change_set = later
    assert len(client.prepare(WANTED, "CREATE").changes) == 1
    assert (states, fake.calls.count("pause")) == ([], 2)


def test_a_change_set_that_never_comes_is_given_up_and_cleared_away(
    client: StackClient, fake: FakeCloudFormation
) -> None:
    described = fake.describe_change_set
    fake.describe_change_set = lambda asked: {**described(asked), "Status": "CREATE_PENDING"}
    with pytest.raises(ChangeSetFailed, match="stays in state CREATE_PENDING"):
        client.prepare(WANTED, "CREATE")
    assert (fake.calls.count("pause"), fake.change_sets) == (CHANGE_SET_LOOKS, {})


def test_a_refusal_of_the_change_set_itself_is_aws_own(
    client: StackClient, fake: FakeCloudFormation
) -> None:
    refuse(fake, "create_change_set", Refused("InsufficientCapabilitiesException", "Requires …"))
    with pytest.raises(ClientError, match="InsufficientCapabilities"):
        client.prepare(WANTED, "CREATE")


def test_a_change_set_that_is_gone_already_needs_no_deleting(
    client: StackClient, fake: FakeCloudFormation
) -> None:
    change_set = ChangeSet("arn:aws:cloudformation:eu-west-1:1:changeSet/x/1", (), empty=True)
    refuse(fake, "delete_change_set", Refused("ChangeSetNotFound"))
    client.discard(change_set, "s")
    refuse(fake, "delete_change_set", DENIED)
    with pytest.raises(ClientError):
        client.discard(change_set, "s")


def test_what_is_asked_for_is_sent_whole(client: StackClient, fake: FakeCloudFormation) -> None:
    change_set = client.prepare(WANTED, "CREATE")
    asked = fake.change_sets[change_set.id]["asked"]
    assert asked["Capabilities"] == ["CAPABILITY_IAM"]
    assert asked["Parameters"] == [{"ParameterKey": "A", "ParameterValue": "1"}]
    assert asked["Tags"] == [{"Key": "cognises:owner", "Value": "cognises"}]
    assert asked["ChangeSetName"].startswith("cognises-")
