"""`users list`: everybody page by page, as a table and as JSON, at the cost of few calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from accounts import Account, Ran
from staff import ADA

from cognises.provisioning.users.directory import Directory
from cognises.provisioning.users.person import user_of
from cognises.provisioning.users.text import users_table

Run = Callable[..., Ran]
Manifest = Callable[..., Path]


def test_everybody_is_listed_as_a_table_and_as_json(run: Run, staff: Account) -> None:
    ran = run("users", "list")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "NAME  E-MAIL                        STATUS",
        "ada   ada@example.org (unverified)  FORCE_CHANGE_PASSWORD",
        "1 user",
    ]
    found = run("users", "list", "--json").json
    assert (found["count"], found["group"], found["user_pool_id"]) == (1, None, staff.pool_id)
    (ada,) = found["users"]
    assert ada.pop("created").startswith("20")
    assert ada == {
        "username": "ada",
        "email": ADA,
        "email_verified": False,
        "status": "FORCE_CHANGE_PASSWORD",
        "enabled": True,
    }


def test_the_members_of_one_group_are_listed(run: Run, staff: Account) -> None:
    assert run("users", "list", "--group", "editors").out.count("ada") == 2
    assert run("users", "list", "--group", "admins").out == "0 users\n"
    found = run("users", "list", "--group", "editors", "--with-groups", "--json").json
    assert [(each["username"], each["groups"]) for each in found["users"]] == [("ada", ["editors"])]


@pytest.fixture
def crowd(staff: Account) -> list[str]:
    """More than five hundred people; every tenth is an editor."""
    names = [f"user-{number:03}" for number in range(530)]
    for number, name in enumerate(names):
        who = {"UserPoolId": staff.pool_id, "Username": name}
        staff.cognito.admin_create_user(**who)
        if number % 10 == 0:
            staff.cognito.admin_add_user_to_group(**who, GroupName="editors")
    return names


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every request that goes to the pool, by operation."""
    seen: list[str] = []
    opened = Directory.open

    def tapped(target: Any) -> Directory:
        found = opened(target)
        found.cognito.meta.events.register(
            "before-send.cognito-identity-provider.*",
            lambda event_name, **_: seen.append(event_name.rpartition(".")[2]),
        )
        return found

    monkeypatch.setattr(Directory, "open", tapped)
    monkeypatch.setattr("cognises.provisioning.users.directory.RateLimiter.wait", lambda self: None)
    return seen


def test_a_pool_of_five_hundred_is_paged_and_groups_cost_no_call_a_user(
    run: Run, staff: Account, crowd: list[str], asked: list[str]
) -> None:
    found = run("users", "list", "--json").json
    assert [each["username"] for each in found["users"]] == ["ada", *crowd]
    assert asked == ["ListUsers"] * 9
    asked.clear()
    editors = run("users", "list", "--group", "editors", "--json").json
    assert [each["username"] for each in editors["users"]] == ["ada", *crowd[::10]]
    assert asked == ["ListUsersInGroup"]
    asked.clear()
    with_groups = run("users", "list", "--with-groups", "--json").json["users"]
    assert len(with_groups) == 531
    assert [u["username"] for u in with_groups if u["groups"] == ["editors"]] == [
        "ada",
        *crowd[::10],
    ]
    assert len(asked) == 9 + 1 + 3
    assert "AdminListGroupsForUser" not in asked


def test_a_long_list_shows_on_a_terminal_how_far_it_is(
    run: Run, staff: Account, crowd: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cognises.provisioning.commands.users.PROGRESS_EVERY", 200)
    assert run("users", "list").err == ""
    monkeypatch.setattr(
        "cognises.provisioning.commands.users.sys.stderr.isatty", lambda: True, raising=False
    )
    ran = run("users", "list", "--json")
    assert ran.err.splitlines() == ["200 users …", "400 users …"]
    assert ran.json["count"] == 531


def test_few_people_in_a_pool_of_many_groups_are_asked_one_by_one(
    run: Run, staff: Account, asked: list[str]
) -> None:
    for number in range(20):
        staff.cognito.create_group(GroupName=f"g{number}", UserPoolId=staff.pool_id)
    found = run("users", "list", "--with-groups", "--json").json["users"]
    assert [each["groups"] for each in found] == [["editors"]]
    assert asked == ["ListUsers", "ListGroups", "AdminListGroupsForUser"]


def test_a_name_cannot_move_the_cursor_or_turn_the_line_around() -> None:
    odd = user_of(
        {
            "Username": "a\x1b[2J\u202eb",
            "UserStatus": "CONFIRMED\n",
            "Attributes": [{"Name": "email", "Value": "x\x07@y"}],
        }
    )
    text = users_table([odd])
    assert not set(text) & {"\x1b", "\u202e", "\x07"}
    assert len(text.splitlines()) == 3
