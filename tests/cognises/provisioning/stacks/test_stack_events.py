"""Events as they are printed: causes without their consequences, each with what fixes it."""

from __future__ import annotations

import pytest
from fake_cloudformation import event

from infra.stack_state import Event, failure_causes, retained


def of(*said: dict[str, str]) -> list[Event]:
    return [Event.of(each) for each in said]


@pytest.mark.parametrize(
    ("status", "printed"),
    [
        ("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS A"),
        ("CREATE_FAILED", "CREATE_FAILED A: why"),
        ("DELETE_SKIPPED", "DELETE_SKIPPED A"),
        ("SOMETHING_NEW", "SOMETHING_NEW A"),
    ],
)
def test_progress_is_printed_as_aws_names_it(status: str, printed: str) -> None:
    (found,) = of(event(status, "A", "T", "why"))
    assert str(found) == printed


def test_a_reason_moves_no_cursor() -> None:
    (found,) = of(event("CREATE_FAILED", "A", "T", "\x1b[2Jgone"))
    assert "\x1b" not in str(found)
    assert "\x1b" not in failure_causes([found])[0]


def test_consequences_are_left_out_of_the_failure_causes() -> None:
    events = of(
        event("CREATE_FAILED", "Domain", "AWS::Cognito::UserPoolDomain", "it is odd"),
        event("CREATE_FAILED", "Client", "T", "Resource creation cancelled"),
        event("CREATE_FAILED", "s", "AWS::CloudFormation::Stack", "The following failed"),
        event("CREATE_FAILED", "Domain", "AWS::Cognito::UserPoolDomain", "it is odd"),
        event("CREATE_FAILED", "Silent", "T"),
    )
    assert failure_causes(events) == [
        "CREATE_FAILED Domain (AWS::Cognito::UserPoolDomain): it is odd",
    ]


def test_who_failed_is_reported_even_where_no_reason_is() -> None:
    events = of(event("CREATE_FAILED", "Domain", "T"), event("CREATE_COMPLETE", "Client", "T"))
    assert failure_causes(events) == ["CREATE_FAILED Domain (T): AWS gives no reason"]


def test_where_only_consequences_are_known_they_are_reported() -> None:
    events = of(event("UPDATE_FAILED", "Client", "T", "Resource update cancelled"))
    assert failure_causes(events) == ["UPDATE_FAILED Client (T): Resource update cancelled"]


@pytest.mark.parametrize(
    ("kind", "reason", "advice"),
    [
        (
            "AWS::Cognito::UserPoolDomain",
            "Resource of type 'AWS::Cognito::UserPoolDomain' with identifier 'x' already exists.",
            "--domain-prefix",
        ),
        (
            "AWS::Cognito::UserPoolDomain",
            "Domain already associated with another user pool.",
            "--domain-prefix",
        ),
        ("T", "User: arn:… is not authorized to perform: iam:CreatePolicy", "provision.py policy"),
        ("T", "AccessDeniedException", "provision.py policy"),
        ("T", "Limit exceeded for resource", "Service Quotas"),
        ("T", "The user pool cannot be deleted: deletion protection is activated", "protected"),
        (
            "AWS::IAM::ManagedPolicy",
            "Cannot delete a policy attached to entities. DeleteConflict",
            "destroy",
        ),
        ("T", "x already exists in stack y", "rename or delete"),
        (
            "AWS::IAM::OIDCProvider",
            "Provider with url https://token.actions.githubusercontent.com already exists.",
            "--parameter GitHubProviderArn=",
        ),
        ("T", "Rate exceeded", "wait a minute"),
    ],
)
def test_a_known_reason_comes_with_what_helps(kind: str, reason: str, advice: str) -> None:
    (told,) = failure_causes(of(event("CREATE_FAILED", "A", kind, reason)))
    assert reason in told
    assert advice in told.replace(reason, "")


def test_no_advice_deletes_the_provider_that_other_repositories_use() -> None:
    event_ = event(
        "CREATE_FAILED", "GitHub", "AWS::IAM::OIDCProvider", "EntityAlreadyExists: already exists"
    )
    assert "delete" not in failure_causes(of(event_))[0]


def test_what_was_kept_is_found() -> None:
    events = of(
        event("DELETE_COMPLETE", "A", "T", made="a"), event("DELETE_SKIPPED", "B", "T", made="b")
    )
    (line,) = retained(events)
    assert line.startswith("warning: B b (T) is retained")
