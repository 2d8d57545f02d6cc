"""`users delete`, `enable`, `disable`, groups, `sign-out`: done once, and twice is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from accounts import Account, Ran
from botocore.exceptions import ClientError
from staff import ADA, PASSWORD, Terminal, failing, people

Run = Callable[..., Ran]
Manifest = Callable[..., Path]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(monkeypatch)


TWICE: dict[str, tuple[list[str], dict[str, Any], str]] = {
    "disable": (["disable", "ada"], {"enabled": False}, "disabled already; nothing to do"),
    "enable": (["enable", "ada"], {"enabled": True}, "enabled already; nothing to do"),
    "add": (
        ["add-to-group", "ada", "admins"],
        {"groups": {"admins", "editors"}},
        "in group admins already; nothing to do",
    ),
    "remove": (
        ["remove-from-group", "ada", "editors"],
        {"groups": set()},
        "not in group editors; nothing to do",
    ),
}


@pytest.mark.parametrize("name", TWICE)
def test_a_command_that_ran_twice_did_it_once_and_says_so(
    run: Run, staff: Account, name: str
) -> None:
    argv, expected, said = TWICE[name]
    if name == "enable":
        run("users", "disable", "ada")
    before = people(staff)["ada"]
    first = run("users", *argv, "--json").json
    assert (first["action"], first["changed"]) == (argv[0], True)
    assert people(staff)["ada"] == before | expected
    again = run("users", *argv)
    assert (again.code, again.err) == (0, "")
    assert said in again.out
    assert run("users", *argv, "--json").json["changed"] is False
    assert people(staff)["ada"] == before | expected


def test_signing_out_ends_the_renewal_of_tokens_and_says_what_it_does_not_end(
    run: Run, staff: Account
) -> None:
    client = staff.cognito.create_user_pool_client(
        UserPoolId=staff.pool_id,
        ClientName="c",
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    )["UserPoolClient"]["ClientId"]
    staff.cognito.admin_set_user_password(
        UserPoolId=staff.pool_id, Username="ada", Password=PASSWORD, Permanent=True
    )
    renew = staff.cognito.initiate_auth(
        ClientId=client,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "ada", "PASSWORD": PASSWORD},
    )["AuthenticationResult"]["RefreshToken"]
    ran = run("users", "sign-out", "ada")
    assert (ran.code, "stay good until they expire" in ran.out) == (0, True)
    assert run("users", "sign-out", "ada").code == 0
    with pytest.raises(ClientError, match="NotAuthorized"):
        staff.cognito.initiate_auth(
            ClientId=client,
            AuthFlow="REFRESH_TOKEN_AUTH",
            AuthParameters={"REFRESH_TOKEN": renew},
        )


def test_a_group_that_the_manifest_does_not_know_is_warned_about(
    run: Run, staff: Account, manifest: Manifest
) -> None:
    ran = run("users", "add-to-group", "ada", "by-hand")
    assert ran.code == 0
    assert ran.err.startswith("warning: group by-hand is not in groups.json: no route is open")
    assert run("users", "add-to-group", "ada", "by-hand", "--json").json["warnings"]
    manifest({"group_name": 1})
    ran = run("users", "add-to-group", "ada", "admins")
    assert (ran.code, "groups.json cannot be used; see `provision.py validate`" in ran.err) == (
        0,
        True,
    )


def test_deleting_needs_yes_off_a_terminal(run: Run, staff: Account) -> None:
    ran = run("users", "delete", "ada")
    assert (ran.code, ran.err) == (
        1,
        "error: there is no terminal to ask on; run users delete ada --yes\n",
    )
    assert run("users", "delete", "ada", "--json").code == 64
    assert "ada" in people(staff)
    assert run("users", "delete", "ada", "--yes").code == 0
    assert people(staff) == {}


@pytest.mark.parametrize(("answer", "code", "left"), [("n", 1, {"ada"}), ("y", 0, set())])
def test_deleting_on_a_terminal_asks(
    run: Run, staff: Account, terminal: Terminal, answer: str, code: int, left: set[str]
) -> None:
    terminal.types(answer)
    ran = run("users", "delete", "ada")
    assert (ran.code, set(people(staff))) == (code, left)
    assert terminal.asked == [f"Delete user ada ({ADA}) of {staff.pool_id}? [y/N]: "]


def test_a_lost_answer_to_delete_is_a_deletion(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, "AdminDeleteUser", "UserNotFoundException", after=True)
    assert run("users", "delete", "ada", "--yes", "--json").json["changed"] is True
    assert people(staff) == {}
