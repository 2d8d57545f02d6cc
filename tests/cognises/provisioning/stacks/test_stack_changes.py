"""Change sets as they are printed, and the ones that are refused."""

from __future__ import annotations

from typing import Any

import pytest
from fake_cloudformation import change

from infra.stacks import NOTHING_CHANGES, read_changes

POOL = "AWS::Cognito::UserPool"
CLIENT = "AWS::Cognito::UserPoolClient"


@pytest.mark.parametrize(
    "reason",
    [
        "The submitted information didn't contain changes. "
        "Submit different information to create a change set.",
        "The submitted information didn\u2019t contain changes.",
        "No updates are to be performed.",
        "No updates are to be performed",
        "no updates are to be performed on the stack",
        "There are no changes to deploy",
    ],
)
def test_no_changes_is_recognised_in_every_wording(reason: str) -> None:
    assert NOTHING_CHANGES.search(reason)


@pytest.mark.parametrize(
    "reason",
    [
        "",
        "Parameters: [X] must have values",
        "Template error: instance of Fn::GetAtt references undefined resource",
        "Requires capabilities : [CAPABILITY_IAM]",
        "The change set contains changes that are not allowed",
    ],
)
def test_no_other_failure_passes_for_no_changes(reason: str) -> None:
    assert not NOTHING_CHANGES.search(reason)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (change("Add", "A", CLIENT), f"+ add A ({CLIENT})"),
        (change("Import", "A", CLIENT), f"+ import A ({CLIENT})"),
        (change("Modify", "A", CLIENT), f"~ modify A ({CLIENT})"),
        (
            change("Modify", "A", CLIENT, "True"),
            f"! replace A ({CLIENT})  <- REPLACED: a new resource is created and the old one is "
            "deleted",
        ),
        (
            change("Modify", "A", CLIENT, "Conditional"),
            f"~ modify A ({CLIENT})  <- possibly replaced: AWS decides during the update",
        ),
        (change("Remove", "A", CLIENT), f"- remove A ({CLIENT})  <- DELETED"),
        (change("Dynamic", "A", CLIENT), f"? Dynamic A ({CLIENT})"),
        (
            change(
                "Modify",
                "A",
                CLIENT,
                Details=[
                    {"Target": {"Attribute": "Properties", "Name": "CallbackURLs"}},
                    {"Target": {"Attribute": "Properties", "Name": "CallbackURLs"}},
                    {"Target": {"Attribute": "Tags"}},
                    {},
                ],
            ),
            f"~ modify A ({CLIENT}): CallbackURLs, Tags",
        ),
        (
            change("Modify", "A", CLIENT, ResourceDriftStatus="MODIFIED"),
            f"~ modify A ({CLIENT})  <- reverts a manual change (MODIFIED)",
        ),
        (change("Modify", "A", CLIENT, ResourceDriftStatus="IN_SYNC"), f"~ modify A ({CLIENT})"),
        (change("Add", "A\x1b[31m", CLIENT), f"+ add A\\x1b[31m ({CLIENT})"),
    ],
)
def test_a_change_is_reported_with_what_it_does_to_the_resource(said: Any, told: str) -> None:
    assert read_changes([said], {POOL}) == ([told], [])


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (change("Remove", "UserPool", POOL), "would be removed"),
        (change("Modify", "UserPool", POOL, "True"), "would be replaced"),
        (change("Modify", "UserPool", POOL, "Conditional"), "would be possibly replaced"),
        (change("SyncWithActual", "UserPool", POOL), "would be changed by 'SyncWithActual'"),
    ],
)
def test_a_user_pool_is_never_lost(said: Any, why: str) -> None:
    _, (problem,) = read_changes([said], {POOL})
    assert problem.startswith(f"UserPool ({POOL}) {why}")


@pytest.mark.parametrize(
    "said",
    [
        change("Add", "UserPool", POOL),
        change("Modify", "UserPool", POOL),
        change("Import", "UserPool", POOL),
        change("Modify", "Client", CLIENT, "True"),
        change("Remove", "Client", CLIENT),
    ],
)
def test_what_loses_no_user_is_allowed(said: Any) -> None:
    assert read_changes([said], {POOL})[1] == []
