"""`users create`: invited or given a password, and nothing is made before all names are right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from accounts import Account, Ran
from staff import PASSWORD, Terminal, failing, people, pipe

from cognises.provisioning.users.directory import Directory
from cognises.users import User

Run = Callable[..., Ran]
Manifest = Callable[..., Path]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(monkeypatch)


def test_a_user_with_an_email_is_invited_and_no_password_passes_us(
    run: Run, staff: Account
) -> None:
    argv = ["users", "create", "bob", "--email", "bob@example.org", "--group", "admins"]
    ran = run(*argv)
    assert (ran.code, ran.err.count("\n")) == (0, 1)
    assert "created user bob (bob@example.org), in group admins; Cognito sends" in ran.out
    assert people(staff)["bob"] | {"password": None} == {
        "email": "bob@example.org",
        "enabled": True,
        "status": "FORCE_CHANGE_PASSWORD",
        "password": None,
        "groups": {"admins"},
    }


def test_the_invitation_goes_by_email_and_a_given_password_by_no_message(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []
    opened = Directory.open

    def tapped(target: Any) -> Directory:
        found = opened(target)
        found.cognito.meta.events.register(
            "provide-client-params.cognito-identity-provider.AdminCreateUser",
            lambda params, **_: sent.append(dict(params)),
        )
        return found

    monkeypatch.setattr(Directory, "open", tapped)
    run("users", "create", "bob", "--email", "bob@example.org", "--email-verified")
    pipe(monkeypatch, PASSWORD)
    run("users", "create", "eve", "--password-stdin")
    invited, given = sent
    assert invited["DesiredDeliveryMediums"] == ["EMAIL"]
    assert {"Name": "email_verified", "Value": "true"} in invited["UserAttributes"]
    assert "MessageAction" not in invited
    assert "TemporaryPassword" not in invited
    assert (given["MessageAction"], given["TemporaryPassword"]) == ("SUPPRESS", PASSWORD)
    assert given["UserAttributes"] == []


def test_creating_twice_is_done_and_says_so(run: Run, staff: Account) -> None:
    argv = ["users", "create", "bob", "--email", "bob@example.org", "--group", "admins"]
    run(*argv)
    before = people(staff)
    ran = run(*argv)
    assert (ran.code, ran.out) == (0, "user bob (bob@example.org) exists already; nothing to do\n")
    assert people(staff) == before
    again = run(*argv, "--group", "editors", "--json").json
    assert (again["changed"], again["user"]["groups"]) == (True, ["admins", "editors"])
    assert people(staff)["bob"]["groups"] == {"admins", "editors"}


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--email", "other@example.org"], "exists with another e-mail"),
        (["--password-stdin"], "`provision.py users set-password`"),
    ],
)
def test_somebody_of_the_name_is_not_changed_behind_their_back(
    run: Run,
    staff: Account,
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    expected: str,
) -> None:
    before = people(staff)
    pipe(monkeypatch, PASSWORD)
    ran = run("users", "create", "ada", "--group", "admins", *argv)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert expected in ran.err
    assert people(staff) == before


def test_a_user_without_an_email_is_asked_a_password_for(
    run: Run, staff: Account, terminal: Terminal
) -> None:
    assert run("users", "create", "bob").code == 1
    assert "bob" not in people(staff)
    terminal.types(PASSWORD, PASSWORD)
    ran = run("users", "create", "bob")
    assert ran.code == 0
    assert people(staff)["bob"]["password"] == PASSWORD
    assert PASSWORD not in ran.out + ran.err


def test_a_permanent_password_lets_the_user_in_at_once(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe(monkeypatch, PASSWORD + "\n")
    found = run("users", "create", "bob", "--password-stdin", "--permanent", "--json").json
    assert (found["password"], found["user"]["status"]) == ("permanent", "CONFIRMED")
    assert people(staff)["bob"]["status"] == "CONFIRMED"


NOT_MADE: dict[str, tuple[list[str], str]] = {
    "no such group": (["bob", "--email", "b@x.org", "--group", "admns"], "did you mean admins?"),
    "a group not applied": (["bob", "--email", "b@x.org", "--group", "planned"], "py apply`"),
    "an empty name": ([""], "the user name is empty"),
    "a space": (["b ob", "--email", "b@x.org"], "user name 'b ob' has a space"),
    "a control character": (["b\tob", "--email", "b@x.org"], "'b\\tob' has a space or a control"),
    "too long": (["b" * 129, "--email", "b@x.org"], "has 129 characters"),
    "an odd group": (["bob", "--email", "b@x.org", "--group", "a b"], "group 'a b' has a space"),
    "no address": (["bob", "--email", "bob"], "--email 'bob' is not an e-mail address"),
    "two addresses": (["bob", "--email", "a@b,c@d"], "--email 'a@b,c@d' is not an e-mail address"),
    "verified what": (["bob", "--email-verified"], "needs --email"),
    "permanent what": (["bob", "--email", "b@x.org", "--permanent"], "needs a password"),
}


@pytest.mark.parametrize("name", NOT_MADE)
def test_what_is_wrong_is_one_line_before_anybody_is_made(
    run: Run, staff: Account, name: str
) -> None:
    argv, expected = NOT_MADE[name]
    before = people(staff)
    ran = run("users", "create", *argv)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert ran.err.startswith("error: ")
    assert expected in ran.err
    assert people(staff) == before


def test_every_wrong_group_is_reported_at_once(run: Run, staff: Account) -> None:
    ran = run("users", "create", "bob", "--email", "b@x.org", "--group", "x", "--group", "y")
    assert (ran.code, ran.err.count("no group ")) == (1, 2)
    assert "there are: admins, by-hand, editors" in ran.err


def test_a_lost_answer_to_create_is_distinguished_from_another_callers_user(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, "AdminCreateUser", "UsernameExistsException", after=True)
    pipe(monkeypatch, PASSWORD)
    ran = run("users", "create", "bob", "--password-stdin", "--group", "admins")
    assert (ran.code, "created user bob, in group admins" in ran.out) == (0, True)
    assert people(staff)["bob"]["groups"] == {"admins"}
    assert people(staff)["bob"]["password"] == PASSWORD


def test_a_lost_answer_to_an_invitation_is_one_too(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, "AdminCreateUser", "UsernameExistsException", after=True)
    ran = run("users", "create", "bob", "--email", "bob@example.org")
    assert (ran.code, "Cognito sends bob@example.org an invitation" in ran.out) == (0, True)
    assert set(people(staff)) == {"ada", "bob"}


def test_a_user_that_somebody_else_made_meanwhile_is_left_alone(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = people(staff)["ada"]
    monkeypatch.setattr(
        "cognises.provisioning.users.create.Directory.find",
        answers(None, User.of({"Username": "ada", "UserStatus": "CONFIRMED"})),
    )
    ran = run("users", "create", "ada", "--email", "other@example.org", "--group", "admins")
    assert (ran.code, "was created by another caller" in ran.err) == (1, True)
    assert people(staff)["ada"] == before


def answers(*values: Any) -> Callable[..., Any]:
    given = iter(values)
    return lambda *_: next(given)


def test_a_half_made_user_is_reported_with_what_is_left(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, "AdminAddUserToGroup", "AccessDeniedException", after=False)
    ran = run("users", "create", "bob", "--email", "b@x.org", "--group", "admins")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 2)
    assert (
        "user bob was created, but not everything else: access denied; attach the policy" in ran.err
    )
    assert ran.err.endswith("left to do: users add-to-group bob admins\n")
    assert "\x1b" not in ran.err
