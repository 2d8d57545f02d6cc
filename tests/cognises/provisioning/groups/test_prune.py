"""Deletes only what is provably ours, linked as we linked it, empty, and not too much of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from accounts import group
from worlds import ADMINS, EDITORS, SCOPE, applied, plan, with_group, with_role, without, world

from cognises.provisioning.groups.model import Observed
from cognises.provisioning.groups.planner import Pruning

BOTH = world(ADMINS, EDITORS)
TWELVE = [group(f"g{index}") for index in range(12)]


def deleted(found: Any) -> list[str]:
    return [change.group for change in found.changes if change.action == "delete"]


def test_nothing_is_deleted_without_prune() -> None:
    assert plan(ADMINS, on=BOTH).changes == ()


def test_prune_deletes_the_group_and_then_its_role() -> None:
    found = plan(ADMINS, on=BOTH, pruning=Pruning())
    assert [(type(c).__name__, c.action) for c in found.changes] == [
        ("GroupChange", "delete"),
        ("RoleChange", "delete"),
    ]
    assert applied(found, BOTH) == world(ADMINS)


def test_an_interrupted_prune_is_finished_by_the_next() -> None:
    account = without(BOTH, pool_group="editors")
    assert deleted(plan(ADMINS, on=account, pruning=Pruning())) == ["editors"]


def tagged(**tags: str) -> Observed:
    role = BOTH.roles["svc-editors"]
    named = {f"cognises:{name}": value for name, value in tags.items()}
    return with_role(BOTH, "svc-editors", tags={**role.tags, **named})


NOT_OURS: dict[str, Observed] = {
    "without an owner": with_role(BOTH, "svc-editors", tags={}),
    "owned by others": tagged(owner="terraform"),
    "of another pool": tagged(pool="us-east-1_Other"),
    "tagged for another group": tagged(group="admins2"),
    "tagged for no group": tagged(group=""),
    "of another prefix": with_role(BOTH, "svc-editors", name="app-editors"),
}


@pytest.mark.parametrize("name", NOT_OURS)
def test_what_is_not_ours_is_not_deleted(name: str) -> None:
    assert deleted(plan(ADMINS, on=NOT_OURS[name], pruning=Pruning())) == []


def test_a_group_linked_to_another_role_is_kept_with_its_role() -> None:
    account = with_group(BOTH, "editors", role_arn="arn:aws:iam::123456789012:role/other")
    found = plan(ADMINS, on=account, pruning=Pruning())
    assert deleted(found) == []
    assert [(each.role, each.note) for each in found.leftovers] == [
        (
            "svc-editors",
            "kept: group editors is linked to arn:aws:iam::123456789012:role/other, not to this "
            "role; delete one of the two by hand",
        )
    ]


def test_a_group_of_others_without_a_role_of_ours_is_kept() -> None:
    account = without(BOTH, role="svc-editors")
    assert deleted(plan(ADMINS, on=account, pruning=Pruning())) == []


def test_a_group_that_cognito_made_is_kept() -> None:
    name = f"{SCOPE.pool_id}_Google"
    role = BOTH.roles["svc-editors"]
    theirs = replace(role, name=f"svc-{name}", tags={**role.tags, "cognises:group": name})
    account = Observed(roles={theirs.name.lower(): theirs})
    found = plan(on=account, pruning=Pruning())
    assert deleted(found) == []
    assert [each.note for each in found.leftovers] == [
        f"kept: Cognito itself makes groups like {name}"
    ]


def test_a_group_with_members_is_deleted_only_by_force() -> None:
    account = replace(BOTH, with_members=frozenset({"editors"}))
    found = plan(ADMINS, on=account, pruning=Pruning())
    assert found.blocks == ("group editors has members; empty it, or use --force",)
    assert deleted(plan(ADMINS, on=account, pruning=Pruning(force=True))) == ["editors"] * 2


LIMITS = [
    # groups there, groups kept, --max-destroy, blocked
    (9, 0, None, False),
    (10, 7, None, False),
    (10, 6, None, True),
    (12, 0, None, True),
    (12, 0, 12, False),
    (12, 0, 11, True),
    (3, 0, 0, True),
    (3, 3, 0, False),
]


@pytest.mark.parametrize(("there", "kept", "limit", "blocked"), LIMITS)
def test_too_many_deletions_are_blocked(
    there: int, kept: int, limit: int | None, blocked: bool
) -> None:
    account = world(*TWELVE[:there])
    found = plan(*TWELVE[:kept], on=account, pruning=Pruning(max_destroy=limit))
    assert bool(found.blocks) is blocked
