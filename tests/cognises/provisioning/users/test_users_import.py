"""`users import`: one result per line, lines independent, and safe to repeat."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from accounts import Account, Ran
from staff import failing, people

Run = Callable[..., Ran]
HEAD = "name,email,phone,email_verified,groups\n"


@pytest.fixture
def table(tmp_path: Path) -> Callable[[str | bytes], str]:
    def write(text: str | bytes) -> str:
        path = tmp_path / "people.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


Table = Callable[[Any], str]


def test_people_and_their_groups_are_imported_and_a_second_time_nothing_is_to_do(
    run: Run, staff: Account, table: Table
) -> None:
    file = table(
        HEAD + "bob,bob@example.org,,true,admins editors\n"
        "ada,ada@example.org,,,admins\n"
        "eve,eve@example.org,,,\n"
    )
    first = run("users", "import", file)
    assert (first.code, first.err.count("\n")) == (0, 1)
    assert [line.partition(";")[0] for line in first.out.splitlines()] == [
        "line 2: created user bob (bob@example.org), in groups admins, editors",
        "line 3: user ada (ada@example.org) exists already, in group admins",
        "line 4: created user eve (eve@example.org)",
    ]
    after = people(staff)
    assert after["bob"]["groups"] == {"admins", "editors"}
    assert after["ada"]["groups"] == {"admins", "editors"}
    again = run("users", "import", file, "--json")
    assert (again.code, again.err) == (0, "")
    assert [each["changed"] for each in again.json["results"]] == [False] * 3
    assert people(staff) == after


def test_columns_may_be_left_out_and_stand_in_any_order(
    run: Run, staff: Account, table: Table
) -> None:
    file = table("\ufeffgroups,email,name\r\nadmins,b@example.org,bob\r\n")
    assert run("users", "import", file).code == 0
    assert people(staff)["bob"]["groups"] == {"admins"}


BAD_LINES: dict[str, tuple[str, str]] = {
    "no group": ("bob,b@x.org,,,nowhere", "no group nowhere in user pool"),
    "no name": (",b@x.org,,,", "the user name is empty"),
    "no address": ("bob,bob,,,", "--email 'bob' is not an e-mail address"),
    "no contact": ("bob,,,,admins", "an invitation needs an e-mail or a phone number"),
    "no number": ("bob,,5550100,,", "is not a phone number, such as +15550100"),
    "neither true nor false": ("bob,b@x.org,,maybe,", "email_verified 'maybe': write true or"),
    "too few fields": ("bob,b@x.org", "more or fewer fields than the first line"),
    "too many fields": ("bob,b@x.org,,,,admins", "more or fewer fields than the first line"),
    "another address": ("ada,other@example.org,,,", "exists with another e-mail"),
    "a line break in a name": ('"b\nerror: ob",b@x.org,,,', "has a space or a control character"),
    "a cursor in a name": ("b\x1b[2Job,b@x.org,,,", "has a space or a control character"),
    "a direction in a name": ("b\u202eob,b@x.org,,,", "has a space or a control character"),
    "NUL": ("b\0ob,b@x.org,,,", "control character"),
    "a group with a cursor": ("bob,b@x.org,,,a\x1b[2J", "has a space or a control character"),
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_is_one_result_and_the_next_line_is_done(
    run: Run, staff: Account, table: Table, name: str
) -> None:
    bad, expected = BAD_LINES[name]
    before = people(staff)
    ran = run("users", "import", table(f"{HEAD}{bad}\neve,eve@example.org,,,\n"))
    first, second = ran.out.splitlines()
    assert (ran.code, expected in first) == (1, True), ran
    assert first.startswith(("line 2: error: ", "line 3: error: "))
    assert second.endswith("invitation with a temporary password")
    assert "created user eve" in second
    assert not set(ran.out) & {"\x1b", "\u202e", "\0"}
    after = people(staff)
    assert set(after) == {"ada", "eve"}
    assert after["ada"] == before["ada"]


BAD_FILES: dict[str, tuple[Any, str]] = {
    "empty": ("", "the first line must name the columns: name,email"),
    "no name column": ("email\nb@x.org\n", "the first line must name the columns"),
    "an unknown column": ("name,password\nbob,x\n", "column 'password' is unknown"),
    "a column twice": ("name,name\nbob,x\n", "a column is named twice"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_is_no_such_table_is_refused_whole(
    run: Run, staff: Account, table: Table, name: str
) -> None:
    text, expected = BAD_FILES[name]
    ran = run("users", "import", table(text))
    assert (ran.code, ran.out, expected in ran.err) == (1, "", True)
    assert set(people(staff)) == {"ada"}


BROKEN: dict[str, Any] = {
    "not UTF-8": HEAD.encode() + b"bob,b@x.org,,,\n\xff,x,,,\n",
    "an endless quote": f'{HEAD}bob,b@x.org,,,\n"eve,e@x.org,,,\n',
    "a field of a megabyte": f"{HEAD}bob,b@x.org,,,\n{'x' * 1_000_000},,,,\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_cannot_be_read_to_the_end_is_refused_before_anybody_is_created(
    run: Run, staff: Account, table: Table, name: str
) -> None:
    ran = run("users", "import", table(BROKEN[name]))
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "people.csv is not readable as CSV in UTF-8" in ran.err
    assert len(ran.err) < 300
    assert set(people(staff)) == {"ada"}


def test_what_aws_refuses_for_one_line_is_that_lines_result(
    run: Run, staff: Account, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, "AdminCreateUser", "CodeDeliveryFailureException", after=False)
    ran = run("users", "import", table(f"{HEAD}bob,b@x.org,,,\nada,,,,admins\n"))
    lines = ran.out.splitlines()
    assert (ran.code, len(lines)) == (1, 2)
    assert "the message could not be sent" in lines[0]
    assert "an invitation needs" in lines[1]
