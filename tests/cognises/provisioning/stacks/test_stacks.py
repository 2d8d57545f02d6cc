"""A stack is deployed from every state, and its changes are shown before they are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import boto3
import click
import pytest
from answering import Refused
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from fake_cloudformation import OUTPUTS, FakeCloudFormation, Looks, change, event

from cognises.errors import ProvisionBlocked
from infra import stack_state
from infra.stack_state import (
    REPAIRS,
    TO_CREATE,
    TO_UPDATE,
    Operation,
    Stack,
    StackFailed,
    read_stack,
    stack_tags,
)
from infra.stacks import StackInput, delete_stack, deploy_stack

NAME = "svc-cognito"
TAGS = stack_tags("svc")
POOL = "AWS::Cognito::UserPool"
SPEC = StackInput(
    name=NAME,
    template="Resources: {}",
    parameters={"ProjectSlug": "svc", "PublicUrl": ""},
    tags=TAGS,
    protected=frozenset({POOL}),
)
AS_IT_IS: dict[str, Any] = {
    "tags": TAGS,
    "template": SPEC.template,
    "Parameters": dict(SPEC.parameters),
    "Outputs": dict(OUTPUTS),
}


class Result(NamedTuple):
    """Whether a change set was executed, and the outputs that came back."""

    changed: bool
    outputs: Mapping[str, str]


Up = Callable[..., Result]


@pytest.fixture
def fake() -> FakeCloudFormation:
    return FakeCloudFormation()


@pytest.fixture
def client(fake: FakeCloudFormation, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("time.sleep", lambda seconds: fake.calls.append("pause"))
    return fake.client()


class Asked(list[str]):
    """What was asked; the answer is yes unless `no` is set."""

    no = False

    def __call__(self, question: str) -> None:
        self.append(question)
        if self.no:
            raise click.ClickException("nothing was changed")


@pytest.fixture
def asked() -> Asked:
    return Asked()


def deployed(fake: FakeCloudFormation, *arguments: Any, **options: Any) -> Result:
    before = fake.calls.count("execute_change_set")
    outputs = deploy_stack(*arguments, **options)
    return Result(fake.calls.count("execute_change_set") > before, outputs)


@pytest.fixture
def up(client: Any, fake: FakeCloudFormation, asked: Asked) -> Up:
    def run(spec: StackInput = SPEC, **options: Any) -> Result:
        return deployed(fake, client, spec, asked, **options)

    return run


def test_a_new_stack_is_shown_asked_for_made_and_its_outputs_returned(
    up: Up, fake: FakeCloudFormation, asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.plays["CREATE"] = [
        ("CREATE_IN_PROGRESS", (event("CREATE_IN_PROGRESS", "Client", "T"),)),
        ("CREATE_IN_PROGRESS", (event("CREATE_COMPLETE", "Client", "T"),)),
        ("CREATE_COMPLETE", ()),
    ]
    assert up() == Result(changed=True, outputs=OUTPUTS)
    assert asked == [f"Create stack {NAME}?"]
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        f"stack {NAME} will be created:",
        "  + add Client (AWS::Cognito::UserPoolClient)",
        "  CREATE_IN_PROGRESS Client",
        f"  CREATE_IN_PROGRESS {NAME}",
        "  CREATE_COMPLETE Client",
        f"  CREATE_COMPLETE {NAME}",
    ]
    assert fake.stacks[NAME]["Tags"] == TAGS
    assert fake.stacks[NAME]["Parameters"] == SPEC.parameters


def test_a_second_run_changes_nothing_asks_nothing_and_says_so(
    up: Up, fake: FakeCloudFormation, asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    up()
    asked.clear()
    capsys.readouterr()
    assert up() == Result(changed=False, outputs=OUTPUTS)
    assert (asked, fake.calls.count("execute_change_set")) == ([], 1)
    assert capsys.readouterr().err == f"stack {NAME}: nothing to change\n"
    assert fake.change_sets == {}


@pytest.mark.parametrize("status", sorted(TO_UPDATE))
def test_a_stack_at_rest_is_updated(
    up: Up, fake: FakeCloudFormation, asked: Asked, status: str
) -> None:
    fake.put(NAME, status, **{**AS_IT_IS, "template": "Resources: {Old: {}}"})
    assert up() == Result(changed=True, outputs=OUTPUTS)
    assert asked == [f"Update stack {NAME}?"]


@pytest.mark.parametrize("status", ["DELETE_COMPLETE", "REVIEW_IN_PROGRESS"])
def test_what_is_left_of_a_stack_that_is_none_is_made_anew(
    up: Up, fake: FakeCloudFormation, status: str
) -> None:
    fake.put(NAME, status)
    assert up().changed


@pytest.mark.parametrize(
    ("status", "ends"),
    [
        ("CREATE_IN_PROGRESS", "CREATE_COMPLETE"),
        ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"),
        ("IMPORT_IN_PROGRESS", "IMPORT_COMPLETE"),
        ("IMPORT_ROLLBACK_IN_PROGRESS", "IMPORT_ROLLBACK_COMPLETE"),
    ],
)
def test_what_goes_on_is_waited_for_and_then_looked_at(
    up: Up, fake: FakeCloudFormation, capsys: pytest.CaptureFixture[str], status: str, ends: str
) -> None:
    fake.put(NAME, status, looks=[(status, ()), (status, ()), (ends, ())], **AS_IT_IS)
    assert up() == Result(changed=False, outputs=OUTPUTS)
    assert "waiting until that ends" in capsys.readouterr().err
    assert "pause" in fake.calls


@pytest.mark.parametrize(
    ("status", "ends"),
    [("ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"), ("ROLLBACK_COMPLETE", None)],
)
def test_the_shell_of_a_failed_creation_is_deleted_when_asked_and_everything_made(
    up: Up, fake: FakeCloudFormation, asked: Asked, status: str, ends: str | None
) -> None:
    fake.put(NAME, status, tags=TAGS, looks=[(ends, ())] if ends else [])
    assert up() == Result(changed=True, outputs=OUTPUTS)
    assert asked == [f"Delete the failed stack {NAME}?", f"Create stack {NAME}?"]
    assert fake.deleted == [NAME]


def test_a_stack_that_is_being_deleted_is_made_anew_afterwards(
    up: Up, fake: FakeCloudFormation
) -> None:
    looks: Looks = [("DELETE_IN_PROGRESS", ())] * 2
    fake.put(NAME, "DELETE_IN_PROGRESS", tags=TAGS, looks=[*looks, ("DELETE_COMPLETE", ())])
    assert up().changed


@pytest.mark.parametrize(
    "status",
    [*REPAIRS, "A_STATE_OF_TOMORROW"],
)
def test_a_stuck_stack_is_left_alone_and_the_repair_named(
    up: Up, fake: FakeCloudFormation, status: str
) -> None:
    fake.put(NAME, status, **AS_IT_IS)
    with pytest.raises(ProvisionBlocked, match=f"{NAME} is in state {status}"):
        up()
    assert set(fake.calls) == {"describe_stacks"}


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({}, "was not created by this project"),
        ({"cognises:owner": "somebody"}, "was not created by this project"),
        ({"cognises:project": "svc"}, "was not created by this project"),
        ({"cognises:owner": "cognises", "cognises:project": "other"}, "belongs to other"),
        ({"cognises:owner": "cognises"}, "belongs to None"),
    ],
)
@pytest.mark.parametrize(
    "status", ["CREATE_COMPLETE", "ROLLBACK_COMPLETE", "UPDATE_IN_PROGRESS", "DELETE_FAILED"]
)
def test_somebody_elses_stack_is_not_even_waited_for(
    up: Up, fake: FakeCloudFormation, tags: dict[str, str], why: str, status: str
) -> None:
    fake.put(NAME, status, **{**AS_IT_IS, "tags": tags})
    with pytest.raises(ProvisionBlocked, match=why):
        up()
    assert fake.calls == ["describe_stacks"]


def test_a_no_leaves_nothing_behind(up: Up, fake: FakeCloudFormation, asked: Asked) -> None:
    asked.no = True
    with pytest.raises(click.ClickException, match="nothing was changed"):
        up()
    assert (fake.stacks, fake.change_sets) == ({}, {})


def test_ctrl_c_at_the_question_leaves_nothing_behind(
    client: Any, fake: FakeCloudFormation
) -> None:
    def interrupt(question: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deploy_stack(client, SPEC, interrupt)
    assert (fake.stacks, fake.change_sets) == ({}, {})


def test_a_no_to_an_update_leaves_the_stack_and_no_change_set(
    up: Up, fake: FakeCloudFormation, asked: Asked
) -> None:
    fake.put(NAME, "CREATE_COMPLETE", **{**AS_IT_IS, "template": "older"})
    asked.no = True
    with pytest.raises(click.ClickException):
        up()
    assert (list(fake.stacks), fake.change_sets, fake.deleted) == ([NAME], {}, [])


@pytest.mark.parametrize("status", [None, "CREATE_COMPLETE", "ROLLBACK_COMPLETE"])
def test_a_dry_run_asks_nothing_and_leaves_nothing_behind(
    up: Up, fake: FakeCloudFormation, asked: Asked, status: str | None
) -> None:
    if status:
        fake.put(NAME, status, **{**AS_IT_IS, "template": "older"})
    assert up(dry_run=True).changed is False
    assert (asked, fake.change_sets) == ([], {})
    assert "execute_change_set" not in fake.calls
    assert list(fake.stacks) == ([NAME] if status else [])


@pytest.mark.parametrize(
    "lost", [change("Remove", "UserPool", POOL), change("Modify", "UserPool", POOL, "True")]
)
def test_the_user_pool_is_never_replaced_nor_removed_even_unasked(
    up: Up, fake: FakeCloudFormation, asked: Asked, lost: Any
) -> None:
    fake.put(NAME, "CREATE_COMPLETE", **AS_IT_IS)
    fake.changes = [lost]
    with pytest.raises(ProvisionBlocked, match="its data lost"):
        up()
    assert (asked, fake.change_sets) == ([], {})


def refuse_to_delete(fake: FakeCloudFormation, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(asked_for: Any) -> Any:
        raise Refused("AccessDenied", "may not")

    for operation in ("delete_change_set", "delete_stack"):
        monkeypatch.setattr(fake, operation, refuse)


def test_a_guards_refusal_is_not_hidden_by_a_change_set_that_stays(
    up: Up,
    fake: FakeCloudFormation,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake.put(NAME, "CREATE_COMPLETE", **AS_IT_IS)
    fake.changes = [change("Remove", "UserPool", POOL)]
    refuse_to_delete(fake, monkeypatch)
    with pytest.raises(ProvisionBlocked, match="its data lost"):
        up()
    assert "its change set, or the empty stack that it began, stays (AccessDenied)" in (
        capsys.readouterr().err
    )


def test_a_reason_of_aws_is_not_hidden_by_a_change_set_that_stays(
    up: Up, fake: FakeCloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.change_set_reason = "Requires capabilities : [CAPABILITY_NAMED_IAM]"
    refuse_to_delete(fake, monkeypatch)
    with pytest.raises(StackFailed, match="CAPABILITY_NAMED_IAM"):
        up()


def test_no_changes_said_at_once_is_no_changes_too(
    up: Up, fake: FakeCloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.put(NAME, "UPDATE_COMPLETE", **AS_IT_IS)

    def refuse(asked_for: Any) -> Any:
        raise Refused("ValidationError", "No updates are to be performed.")

    monkeypatch.setattr(fake, "create_change_set", refuse)
    assert up() == Result(changed=False, outputs=OUTPUTS)


@pytest.mark.parametrize(
    ("template", "parameters", "hidden", "changed"),
    [
        (SPEC.template, SPEC.parameters, False, False),
        (SPEC.template + "\n", SPEC.parameters, False, False),
        (SPEC.template, {}, True, False),
        ("older", SPEC.parameters, False, True),
        (SPEC.template, {"PublicUrl": "https://a.example"}, False, True),
    ],
)
def test_a_change_set_that_lists_nothing_is_nothing_only_if_all_is_the_same(
    up: Up,
    fake: FakeCloudFormation,
    template: str,
    parameters: dict[str, str],
    hidden: bool,
    changed: bool,
) -> None:
    more = {"template": template, "Parameters": dict(parameters)}
    fake.put(NAME, "CREATE_COMPLETE", **{**AS_IT_IS, **more})
    fake.changes, fake.hides_parameters = [], hidden
    assert up().changed is changed


@pytest.mark.parametrize(
    ("endpoint", "template", "parameters", "changed"),
    [
        ("http://127.0.0.1:4566", SPEC.template, SPEC.parameters, False),
        ("http://127.0.0.1:4566", "older", SPEC.parameters, True),
        ("http://127.0.0.1:4566", SPEC.template, {}, True),
        ("", SPEC.template, SPEC.parameters, True),
    ],
)
def test_an_emulator_that_lists_what_stays_as_it_is_is_not_believed(
    fake: FakeCloudFormation,
    monkeypatch: pytest.MonkeyPatch,
    asked: Asked,
    endpoint: str,
    template: str,
    parameters: dict[str, str],
    changed: bool,
) -> None:
    more = {"template": template, "Parameters": dict(parameters)}
    fake.put(NAME, "CREATE_COMPLETE", **{**AS_IT_IS, **more})
    fake.changes = [change("Modify", "UserPool", POOL)]
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert deployed(fake, fake.client(endpoint), SPEC, asked).changed is changed


def test_a_change_set_that_cannot_be_worked_out_is_reported_and_cleared_away(
    up: Up, fake: FakeCloudFormation
) -> None:
    fake.change_set_reason = "Requires capabilities : [CAPABILITY_NAMED_IAM]"
    with pytest.raises(StackFailed, match="CAPABILITY_NAMED_IAM"):
        up()
    assert (fake.stacks, fake.change_sets) == ({}, {})


def test_a_failed_creation_names_each_resource_its_reason_what_was_kept_and_what_to_do(
    up: Up, fake: FakeCloudFormation
) -> None:
    fake.plays["CREATE"] = [
        ("CREATE_IN_PROGRESS", (event("CREATE_COMPLETE", "UserPool", POOL, made="eu_1"),)),
        (
            "ROLLBACK_IN_PROGRESS",
            (
                event("CREATE_FAILED", "Domain", "AWS::Cognito::UserPoolDomain", "already exists"),
                event("CREATE_FAILED", "Client", "T", "Resource creation cancelled"),
                event("DELETE_SKIPPED", "UserPool", POOL, made="eu_1"),
            ),
        ),
        ("ROLLBACK_COMPLETE", ()),
    ]
    with pytest.raises(StackFailed) as failed:
        up()
    cause, left, next_time = failed.value.problems
    assert cause.startswith("CREATE_FAILED Domain (AWS::Cognito::UserPoolDomain)")
    assert "--domain-prefix" in cause
    assert left.startswith(f"warning: UserPool eu_1 ({POOL}) is retained")
    assert "run the same command again" in next_time


@pytest.mark.parametrize(
    ("ends", "advice"),
    [
        ("UPDATE_ROLLBACK_COMPLETE", "nothing has changed"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
        ("UPDATE_FAILED", "rollback-stack"),
    ],
)
def test_a_failed_update_says_how_things_stand(
    up: Up, fake: FakeCloudFormation, ends: str, advice: str
) -> None:
    fake.put(NAME, "CREATE_COMPLETE", **{**AS_IT_IS, "template": "older"})
    fake.plays["UPDATE"] = [
        ("UPDATE_IN_PROGRESS", (event("UPDATE_FAILED", "Client", "T", "bad value"),)),
        (ends, ()),
    ]
    with pytest.raises(StackFailed) as failed:
        up()
    assert failed.value.problems[0] == "UPDATE_FAILED Client (T): bad value"
    assert advice in failed.value.problems[-1]


def test_a_failure_without_a_reason_says_where_to_look(up: Up, fake: FakeCloudFormation) -> None:
    fake.plays["CREATE"] = [("CREATE_IN_PROGRESS", ()), ("ROLLBACK_COMPLETE", ())]
    with pytest.raises(StackFailed, match="look at the events"):
        up()


def test_a_state_that_lags_behind_is_not_taken_for_the_end(
    up: Up, fake: FakeCloudFormation
) -> None:
    fake.put(NAME, "CREATE_COMPLETE", **{**AS_IT_IS, "template": "older", "Outputs": {}})
    late: Looks = [("CREATE_COMPLETE", ())] * 3
    fake.plays["UPDATE"] = [*late, ("UPDATE_IN_PROGRESS", ()), ("UPDATE_COMPLETE", ())]
    assert up().outputs == OUTPUTS


def test_patience_ends_and_says_that_aws_goes_on(
    up: Up, fake: FakeCloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack_state, "MAX_POLLS", 3)
    fake.plays["CREATE"] = [("CREATE_IN_PROGRESS", ())] * 9
    with pytest.raises(StackFailed, match="run the same command again to wait"):
        up()


def test_long_lists_are_read_to_the_end(
    up: Up, fake: FakeCloudFormation, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.page = 7
    fake.changes = [change("Add", f"R{number}", "T") for number in range(40)]
    fake.plays["CREATE"] = [
        (
            "CREATE_IN_PROGRESS",
            tuple(event("CREATE_COMPLETE", f"R{number}", "T") for number in range(40)),
        ),
        ("CREATE_COMPLETE", ()),
    ]
    up()
    said = capsys.readouterr().err
    for number in range(40):
        assert said.count(f"+ add R{number} ") == 1
        assert said.count(f"CREATE_COMPLETE R{number}\n") == 1


def test_what_is_no_resource_is_left_out(
    up: Up, fake: FakeCloudFormation, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.changes = [{"Type": "Hook", "HookInvocationCount": 1}, change("Add", "Client", "T")]
    up(dry_run=True)
    assert capsys.readouterr().err.splitlines()[1:] == ["  + add Client (T)"]


def test_deleting_waits_and_prints_what_is_retained(
    client: Any, fake: FakeCloudFormation, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.put(NAME, "CREATE_COMPLETE", **AS_IT_IS)
    fake.plays["DELETE"] = [
        ("DELETE_IN_PROGRESS", (event("DELETE_SKIPPED", "UserPool", POOL, made="eu_1"),)),
        ("DELETE_COMPLETE", ()),
    ]
    delete_stack(client, read_stack(client, NAME))
    assert "  DELETE_SKIPPED UserPool" in capsys.readouterr().err.splitlines()


def test_a_deletion_that_fails_names_what_stands_in_its_way(
    client: Any, fake: FakeCloudFormation
) -> None:
    fake.put(NAME, "CREATE_COMPLETE", **AS_IT_IS)
    reason = "Cannot delete a policy attached to entities."
    fake.plays["DELETE"] = [
        (
            "DELETE_IN_PROGRESS",
            (event("DELETE_FAILED", "PermissionsBoundary", "AWS::IAM::ManagedPolicy", reason),),
        ),
        ("DELETE_FAILED", ()),
    ]
    with pytest.raises(StackFailed, match="for every stage first"):
        delete_stack(client, read_stack(client, NAME))


def test_an_emulator_on_this_machine_is_polled_more_often(fake: FakeCloudFormation) -> None:
    aws, local = (
        stack_state.delay(fake.client(endpoint)) for endpoint in ("", "http://127.0.0.1:4566")
    )
    assert local < aws


# What AWS knows, and what a state means

AWS_KNOWS = (
    boto3.session.Session("testing", "testing", region_name="eu-west-1")
    .client("cloudformation")
    .meta.service_model.shape_for("StackStatus")
    .enum
)


@pytest.mark.parametrize("status", AWS_KNOWS)
def test_every_state_of_aws_has_exactly_one_meaning(status: str) -> None:
    meanings = (
        status in TO_CREATE,
        status in TO_UPDATE,
        status in REPAIRS,
        status == "ROLLBACK_COMPLETE",
        Stack(NAME, status).in_progress,
    )
    assert meanings.count(True) == 1
    if status.endswith("_FAILED"):
        assert status in REPAIRS


@pytest.mark.parametrize(
    ("status", "command"),
    [
        ("CREATE_FAILED", "aws cloudformation delete-stack"),
        ("ROLLBACK_FAILED", "aws cloudformation delete-stack"),
        ("DELETE_FAILED", "aws cloudformation delete-stack"),
        ("UPDATE_FAILED", "aws cloudformation rollback-stack"),
        ("UPDATE_ROLLBACK_FAILED", "aws cloudformation continue-update-rollback"),
    ],
)
def test_a_stuck_stack_comes_with_the_command_that_repairs_it(
    up: Up, fake: FakeCloudFormation, status: str, command: str
) -> None:
    fake.put(NAME, status, **AS_IT_IS)
    with pytest.raises(ProvisionBlocked) as blocked:
        up()
    assert f"{command} --stack-name {NAME} --region eu-west-1" in str(blocked.value.problems)


# Changes by hand

DRIFT = change("Modify", "Roles", "AWS::Cognito::IdentityPoolRoleAttachment",
               ResourceDriftStatus="MODIFIED")  # fmt: skip


def test_a_change_by_hand_is_seen_only_where_drift_is_to_be_reverted(
    up: Up, fake: FakeCloudFormation, asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    """CloudFormation compares with its last template; an ordinary change set finds nothing."""
    fake.put(NAME, "CREATE_COMPLETE", **AS_IT_IS)
    fake.drift = [DRIFT]
    assert not up().changed
    assert not up(replace(SPEC, revert_drift=True), dry_run=True).changed
    assert "reverts a manual change (MODIFIED)" in capsys.readouterr().err
    assert (asked, fake.drift) == ([], [DRIFT])
    assert up(replace(SPEC, revert_drift=True)).changed
    assert (asked, fake.drift) == ([f"Update stack {NAME}?"], [])
    assert not up(replace(SPEC, revert_drift=True)).changed


def test_reverting_drift_never_replaces_the_pool(up: Up, fake: FakeCloudFormation) -> None:
    fake.put(NAME, "CREATE_COMPLETE", **AS_IT_IS)
    fake.drift = [change("Modify", "UserPool", POOL, "True", ResourceDriftStatus="DELETED")]
    with pytest.raises(ProvisionBlocked, match="its data lost"):
        up(replace(SPEC, revert_drift=True))
    assert fake.change_sets == {}


def test_a_new_stack_has_no_drift_to_revert(up: Up, fake: FakeCloudFormation) -> None:
    """AWS takes the deployment mode for updates only."""
    fake.drift = [DRIFT]
    up(replace(SPEC, revert_drift=True))
    assert fake.drift == [DRIFT]


# What botocore's model, AWS and the network refuse


def refuse(fake: FakeCloudFormation, operation: str, error: Exception) -> None:
    def answer(asked: Any) -> Any:
        raise error

    setattr(fake, operation, answer)


DENIED = Refused("AccessDenied", "User is not authorized to perform: cloudformation:…")


@pytest.mark.parametrize(
    "refused", [DENIED, Refused("ValidationError", "the name is not valid"), Refused("Throttled")]
)
def test_no_other_refusal_passes_for_absence(
    client: Any, fake: FakeCloudFormation, refused: Refused
) -> None:
    refuse(fake, "describe_stacks", refused)
    with pytest.raises(ClientError):
        read_stack(client, NAME)
    refuse(fake, "describe_stack_events", refused)
    with pytest.raises(ClientError):
        Operation(client, Stack(NAME))


def test_a_stack_without_outputs_tags_or_parameters_is_read_all_the_same(
    client: Any, fake: FakeCloudFormation
) -> None:
    assert not read_stack(client, NAME).exists
    fake.describe_stacks = lambda asked: {
        "Stacks": [{"StackName": NAME, "StackStatus": "CREATE_COMPLETE"}]
    }
    assert read_stack(client, NAME) == Stack(NAME, "CREATE_COMPLETE")


@pytest.mark.parametrize(
    "error", [ReadTimeoutError(endpoint_url="https://x"), ConnectionClosedError(endpoint_url="x")]
)
@pytest.mark.parametrize(
    "operation",
    [
        *("describe_stacks", "create_change_set", "describe_change_set", "execute_change_set"),
        *("describe_stack_events", "get_template", "delete_change_set"),
    ],
)
def test_a_lost_connection_is_botocores_own_error_at_every_call(
    up: Up, fake: FakeCloudFormation, operation: str, error: Exception
) -> None:
    """These have a `response` that is None."""
    fake.put(NAME, "CREATE_COMPLETE", **{**AS_IT_IS, "template": "older"})
    fake.changes = [] if operation in ("get_template", "delete_change_set") else None
    refuse(fake, operation, error)
    if operation == "delete_change_set":
        assert not up(dry_run=True).changed  # said, and the change set stays
    else:
        with pytest.raises(type(error)):
            up()


def test_a_change_set_is_waited_for(up: Up, fake: FakeCloudFormation) -> None:
    described = fake.describe_change_set
    states = ["CREATE_PENDING", "CREATE_IN_PROGRESS"]

    def later(asked: Any) -> dict[str, Any]:
        found: dict[str, Any] = described(asked)
        return {**found, "Status": states.pop(0)} if states else found

    fake.describe_change_set = later
    assert up().changed
    assert states == []


def test_a_change_set_that_never_completes_is_reported_and_deleted(
    up: Up, fake: FakeCloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack_state, "MAX_POLLS", 3)
    described = fake.describe_change_set
    fake.describe_change_set = lambda asked: {**described(asked), "Status": "CREATE_PENDING"}
    with pytest.raises(StackFailed, match="stays in state CREATE_PENDING"):
        up()
    assert (fake.change_sets, fake.stacks) == ({}, {})


def test_a_refusal_of_the_change_set_itself_is_aws_own(up: Up, fake: FakeCloudFormation) -> None:
    refuse(fake, "create_change_set", Refused("InsufficientCapabilitiesException", "Requires …"))
    with pytest.raises(ClientError, match="InsufficientCapabilities"):
        up()


def test_what_is_asked_for_is_sent_whole(up: Up, fake: FakeCloudFormation) -> None:
    sent: dict[str, Any] = {}
    create = fake.create_change_set

    def kept(asked: Any) -> Any:
        sent.update(asked)
        return create(asked)

    fake.create_change_set = kept
    up()
    assert sent["Capabilities"] == ["CAPABILITY_IAM"]
    assert {"ParameterKey": "ProjectSlug", "ParameterValue": "svc"} in sent["Parameters"]
    assert {"Key": "cognises:owner", "Value": "cognises"} in sent["Tags"]
    assert sent["ChangeSetName"].startswith("cognises-")
    assert "DeploymentMode" not in sent


# Texts of AWS print no line of ours

HOSTILE = "bad\nwarning: all is well\x1b[2J\u202e\u2028error: go on"


def test_no_text_of_aws_begins_a_line_of_its_own(
    up: Up, fake: FakeCloudFormation, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.changes = [change(HOSTILE, HOSTILE, HOSTILE)]
    fake.plays["CREATE"] = [
        ("CREATE_IN_PROGRESS", (event("CREATE_FAILED", HOSTILE, HOSTILE, HOSTILE),)),
        ("ROLLBACK_IN_PROGRESS", (event("DELETE_SKIPPED", HOSTILE, HOSTILE, made=HOSTILE),)),
        ("ROLLBACK_COMPLETE", ()),
    ]
    with pytest.raises(StackFailed) as failed:
        up()
    fake.stacks.clear()
    fake.change_set_reason = HOSTILE
    with pytest.raises(StackFailed) as not_made:
        up()
    fake.put(NAME, "CREATE_COMPLETE", tags={**TAGS, "cognises:project": HOSTILE})
    with pytest.raises(ProvisionBlocked) as blocked:
        up()
    lines = capsys.readouterr().err.splitlines()
    lines += [*failed.value.problems, *not_made.value.problems, *blocked.value.problems]
    assert sum("all is well" in line for line in lines) >= 5
    assert not [line for line in lines if line.startswith(("warning: all", "error:"))]
    assert not set("".join(lines)) & {"\n", "\x1b", "\u202e", "\u2028"}
