"""A plan marks broadening: new grants, removed denials, wider wildcards, ways to more rights."""

from __future__ import annotations

from typing import Any

import pytest
from accounts import group, policy, statement
from worlds import plan, world

from cognises.provisioning.groups.compare import broadenings, describe, difference, escalations
from cognises.provisioning.groups.plan import plan_text

OBJECTS = "arn:aws:s3:::b/*"
REGION = {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}


def deny(action: Any, resource: Any = "*", **more: Any) -> Any:
    return {**statement(action, resource, **more), "Effect": "Deny"}


WIDER: dict[str, tuple[list[Any], list[Any], list[str]]] = {
    "a first grant": ([], [statement()], [f"allows s3:GetObject on {OBJECTS}"]),
    "a new statement": (
        [statement()],
        [statement(), statement("sqs:SendMessage", "*")],
        ["allows sqs:SendMessage on *"],
    ),
    "a new action": (
        [statement("s3:GetObject")],
        [statement(["s3:GetObject", "s3:PutObject"])],
        [f"allows s3:PutObject on {OBJECTS}"],
    ),
    "a wider action": (
        [statement("s3:GetObject")],
        [statement("s3:Get*")],
        [f"allows s3:Get* on {OBJECTS}"],
    ),
    "a wider resource": (
        [statement(resource="arn:aws:s3:::b/x/*")],
        [statement(resource=OBJECTS)],
        [f"allows s3:GetObject on {OBJECTS}"],
    ),
    "a condition gone": (
        [statement(Condition=REGION)],
        [statement()],
        [f"allows s3:GetObject on {OBJECTS}"],
    ),
    "another condition": (
        [statement(Condition=REGION)],
        [statement(Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}})],
        [f"allows s3:GetObject on {OBJECTS}"],
    ),
    "a denial gone": (
        [statement(), deny("s3:Delete*")],
        [statement()],
        ["no longer denies s3:Delete* on *"],
    ),
    "a narrower denial": (
        [deny("s3:*")],
        [deny("s3:Put*")],
        ["no longer denies s3:* on *"],
    ),
    "a denial with a condition": (
        [deny("s3:*")],
        [deny("s3:*", Condition=REGION)],
        ["no longer denies s3:* on *"],
    ),
    "all but": (
        [statement("*", "*")],
        [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}],
        ["allows all but, iam:* on *"],
    ),
    "a question mark for a star": (
        [statement("s3:Get?")],
        [statement("s3:Get*")],
        [f"allows s3:Get* on {OBJECTS}"],
    ),
    "a denial that becomes a grant": (
        [deny("s3:*", OBJECTS)],
        [statement("s3:*")],
        [f"allows s3:* on {OBJECTS}", f"no longer denies s3:* on {OBJECTS}"],
    ),
}


@pytest.mark.parametrize("name", WIDER)
def test_wider_rights_are_marked(name: str) -> None:
    before, after, expected = WIDER[name]
    assert list(broadenings([policy(*before)] if before else [], [policy(*after)])) == expected


NOT_WIDER: dict[str, tuple[list[Any], list[Any]]] = {
    "the same": ([statement()], [statement()]),
    "another spelling": ([statement("S3:getobject")], [statement(["s3:GetObject"])]),
    "a statement gone": ([statement(), statement("sqs:*")], [statement()]),
    "an action gone": ([statement(["s3:GetObject", "s3:PutObject"])], [statement()]),
    "a narrower action": ([statement("s3:*")], [statement("s3:GetObject")]),
    "a narrower resource": ([statement(resource="*")], [statement()]),
    "a condition more": ([statement()], [statement(Condition=REGION)]),
    "a denial more": ([statement()], [statement(), deny("s3:Delete*")]),
    "a wider denial": ([deny("s3:Put*")], [deny("s3:*")]),
    "a statement split": (
        [statement(["s3:GetObject", "s3:PutObject"])],
        [statement("s3:GetObject"), statement("s3:PutObject")],
    ),
    "statements merged": (
        [statement("s3:GetObject"), statement("s3:PutObject")],
        [statement(["s3:GetObject", "s3:PutObject"])],
    ),
    "nothing left": ([statement()], []),
}


@pytest.mark.parametrize("name", NOT_WIDER)
def test_equal_or_narrower_rights_are_not_marked(name: str) -> None:
    before, after = NOT_WIDER[name]
    assert broadenings([policy(*before)], [policy(*after)] if after else []) == ()


def test_the_difference_is_shown_statement_by_statement() -> None:
    kept, old, new = statement(), statement("s3:PutObject"), statement("s3:DeleteObject")
    removed, added = difference(policy(kept, old), policy(new, kept))
    assert [describe(each) for each in removed] == [f"Allow s3:PutObject on {OBJECTS}"]
    assert [describe(each) for each in added] == [f"Allow s3:DeleteObject on {OBJECTS}"]


def test_a_plan_shows_a_sid_and_why_a_group_gets_its_precedence() -> None:
    before = world(group("a", policy(statement(Sid="Old"))))
    text = plan_text(plan(group("a", policy(statement(Sid="New"))), group("b"), on=before))
    assert f"      - a_policy: Allow s3:GetObject on {OBJECTS} (Sid Old)\n" in text
    assert f"      + a_policy: Allow s3:GetObject on {OBJECTS} (Sid New)\n" in text
    assert "      ~ precedence (by default the place in groups.json): None -> 1\n" in text


def test_only_new_ways_to_more_rights_are_marked() -> None:
    old, new = statement("iam:PassRole", "*"), statement("cognito-idp:*", "*")
    assert escalations([policy(old)], [policy(old, new)]) == (
        "could raise its own rights by cognito-idp:* on *",
    )
    assert escalations([policy(old)], [policy(old)]) == ()


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ([], "0 changes grant new permissions"),
        (["s3:GetObject"], "1 change grants new permissions"),
        (["s3:GetObject", "s3:PutObject"], "2 changes grant new permissions"),
    ],
    ids=str,
)
def test_the_summary_states_how_much_is_granted(actions: list[str], expected: str) -> None:
    wanted = group("a", policy(statement(actions))) if actions else None
    assert plan(*filter(None, [wanted])).summary.endswith(expected)
