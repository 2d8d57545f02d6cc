"""`users list`: everybody page by page, as a table and as JSON, at the cost of few calls."""

from __future__ import annotations

import io
import re
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from accounts import Account, Ran
from answering import answering
from staff import ADA

from cognises.provisioning.users import commands as cli
from cognises.provisioning.users.commands import _row
from cognises.provisioning.users.directory import Directory
from cognises.users import User

Run = Callable[..., Ran]
Manifest = Callable[..., Path]


def test_everybody_is_listed_as_a_table_and_as_json(run: Run, staff: Account) -> None:
    ran = run("users", "list")
    assert (ran.code, ran.err) == (0, "")
    assert [line.split() for line in ran.out.splitlines()] == [
        ["NAME", "E-MAIL", "OR", "PHONE", "STATUS"],
        ["ada", "ada@example.org", "(unverified)", "FORCE_CHANGE_PASSWORD"],
        ["1", "user"],
    ]
    found = run("users", "list", "--json").json
    assert (found["count"], found["group"], found["user_pool_id"]) == (1, None, staff.pool_id)
    (ada,) = found["users"]
    assert ada.pop("created").startswith("20")
    assert ada == {
        "username": "ada",
        "email": ADA,
        "email_verified": False,
        "phone_number": None,
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
    """More than three pages of people; every tenth is an editor."""
    names = [f"user-{number:03}" for number in range(190)]
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


def test_a_pool_of_four_pages_is_read_page_by_page_and_groups_cost_no_call_a_user(
    run: Run, staff: Account, crowd: list[str], asked: list[str]
) -> None:
    found = run("users", "list", "--json").json
    assert [each["username"] for each in found["users"]] == ["ada", *crowd]
    assert asked == ["ListUsers"] * 4
    asked.clear()
    editors = run("users", "list", "--group", "editors", "--json").json
    assert [each["username"] for each in editors["users"]] == ["ada", *crowd[::10]]
    assert asked == ["ListUsersInGroup"]
    asked.clear()
    with_groups = run("users", "list", "--with-groups", "--json").json["users"]
    assert len(with_groups) == 191
    assert [u["username"] for u in with_groups if u["groups"] == ["editors"]] == [
        "ada",
        *crowd[::10],
    ]
    assert len(asked) == 1 + 3 + 4
    assert "AdminListGroupsForUser" not in asked


class Endless:
    """A pool whose pages are made when they are requested; `requested` counts them."""

    def __init__(self, users: int) -> None:
        self.users, self.requested = users, 0

    def describe_user_pool(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return {"UserPool": {"Id": asked["UserPoolId"]}}

    def list_users(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self.requested += 1
        start = int(asked.get("PaginationToken", 0))
        end = min(start + asked["Limit"], self.users)
        more = {"PaginationToken": str(end)} if end < self.users else {}
        return {"Users": [{"Username": f"u{each}"} for each in range(start, end)], **more}


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_ten_thousand_users_are_printed_page_by_page_in_flat_memory(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch, as_json: list[str]
) -> None:
    pool = Endless(10_000)
    client = answering("cognito-idp", pool, "us-east-1")
    monkeypatch.setattr("cognises.provisioning.aws.make_client", lambda *_: client)
    monkeypatch.setattr("cognises.provisioning.users.directory.limit", lambda *_: None)
    written = Counted(pool)
    monkeypatch.setattr("sys.stdout", written)
    argv = ["list", *as_json]
    tracemalloc.start()
    code = cli.users.main(argv, standalone_mode=False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (code, pool.requested) == (0, 167)
    assert written.pages_at_first == 1  # the second page is not requested yet
    assert written.users == 10_000
    assert peak < 500_000


class Counted(io.StringIO):
    """Standard output that keeps numbers, not text."""

    def __init__(self, pool: Endless) -> None:
        super().__init__()
        self.pool, self.users, self.pages_at_first = pool, 0, 0

    def write(self, text: str) -> int:
        if re.search(r"\bu0\b", text):
            self.pages_at_first = self.pool.requested
        self.users += len(re.findall(r"\bu[0-9]+\b", text))
        return len(text)


def test_few_people_in_a_pool_of_many_groups_are_asked_one_by_one(
    run: Run, staff: Account, asked: list[str]
) -> None:
    for number in range(20):
        staff.cognito.create_group(GroupName=f"g{number}", UserPoolId=staff.pool_id)
    found = run("users", "list", "--with-groups", "--json").json["users"]
    assert [each["groups"] for each in found] == [["editors"]]
    assert asked == ["ListGroups", "ListUsers", "AdminListGroupsForUser"]


def test_a_name_cannot_move_the_cursor_or_turn_the_line_around() -> None:
    odd = User.of(
        {
            "Username": "a\x1b[2J\u202eb",
            "UserStatus": "CONFIRMED\n",
            "Attributes": [{"Name": "email", "Value": "x\x07@y"}],
        }
    )
    assert not set(_row(odd)) & {"\x1b", "\u202e", "\x07", "\n"}
