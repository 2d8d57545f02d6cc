"""`users set-password`, and that no password gets into any output."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from accounts import Account, Ran
from staff import PASSWORD, Terminal, failing, people, pipe

Run = Callable[..., Ran]
Manifest = Callable[..., Path]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(monkeypatch)


def test_a_password_is_typed_twice_and_hidden(run: Run, staff: Account, terminal: Terminal) -> None:
    terminal.types(PASSWORD + "1", PASSWORD + "2", PASSWORD + "3", PASSWORD + "3")
    ran = run("users", "set-password", "ada")
    assert ran.code == 0
    assert people(staff)["ada"]["password"] == PASSWORD + "3"
    assert PASSWORD not in ran.out + ran.err
    assert "to be changed at the next sign-in" in ran.out


def test_a_password_is_read_from_standard_input(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe(monkeypatch, PASSWORD + "9\n")
    ran = run("users", "set-password", "ada", "--password-stdin", "--permanent", "--json")
    found = ran.json
    assert (found["password"], found["changed"]) == ("permanent", True)
    ada = people(staff)["ada"]
    assert (ada["password"], ada["status"]) == (PASSWORD + "9", "CONFIRMED")
    assert PASSWORD not in ran.out + ran.err


@pytest.mark.parametrize("json_too", [[], ["--json"]])
def test_a_made_password_goes_to_a_file_and_not_to_the_output(
    run: Run, staff: Account, tmp_path: Path, json_too: list[str]
) -> None:
    file = tmp_path / "ada.txt"
    ran = run("users", "set-password", "ada", "--password-file", str(file), *json_too)
    made = file.read_text().strip()
    assert ran.code == 0
    assert people(staff)["ada"]["password"] == made
    assert len(made) == 20
    assert made not in ran.out + ran.err
    assert not json_too or ran.json["password_file"] == str(file)


def test_a_made_password_is_shown_once_on_a_terminal_and_never_in_the_json(
    run: Run, staff: Account, terminal: Terminal
) -> None:
    terminal.sees()
    ran = run("users", "set-password", "ada", "--password-generate", "--json")
    made = people(staff)["ada"]["password"]
    assert ran.code == 0
    assert ran.err.splitlines()[1:] == [f"password of ada, shown once: {made}"]
    assert made not in ran.out
    assert ran.json["password"] == "temporary"


def test_off_a_terminal_a_made_password_needs_a_file(run: Run, staff: Account) -> None:
    before = people(staff)
    ran = run("users", "set-password", "ada", "--password-generate")
    assert (ran.code, "--password-file FILE" in ran.err) == (64, True)
    assert people(staff) == before


def test_a_password_that_the_pool_refuses_is_neither_kept_nor_quoted(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    failing(monkeypatch, "AdminSetUserPassword", "InvalidPasswordException", after=False)
    file = tmp_path / "ada.txt"
    ran = run("users", "set-password", "ada", "--password-file", str(file))
    assert (ran.code, "the pool's password policy does not allow this password" in ran.err) == (
        1,
        True,
    )
    assert not file.exists()
    pipe(monkeypatch, "hunter2\n")
    ran = run("users", "set-password", "ada", "--password-stdin")
    assert (ran.code, "the pool's password policy does not allow this password" in ran.err) == (
        1,
        True,
    )
    assert "hunter2" not in ran.err


SECRETS_AS_ARGUMENTS = [
    ["set-password", "ada", PASSWORD],
    ["set-password", "ada", f"--password={PASSWORD}"],
    ["set-password", "ada", "--password", PASSWORD],
    ["create", "bob", PASSWORD],
    ["add-to-group", "ada", "editors", PASSWORD],
]


@pytest.mark.parametrize("argv", SECRETS_AS_ARGUMENTS)
def test_a_password_among_the_arguments_is_bad_usage_and_not_repeated(
    run: Run, staff: Account, argv: list[str]
) -> None:
    before = people(staff)
    ran = run("users", *argv)
    assert (ran.code, ran.out) == (64, "")
    assert PASSWORD not in ran.err
    assert people(staff) == before


def test_a_user_of_an_identity_provider_gets_no_password(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.cognitoidp.models import cognitoidp_backends

    kept = cognitoidp_backends["123456789012"]["us-east-1"].user_pools[staff.pool_id].users
    kept["ada"].status = "EXTERNAL_PROVIDER"
    pipe(monkeypatch, PASSWORD + "9")
    ran = run("users", "set-password", "ada", "--password-stdin")
    assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1)
    assert ran.err.startswith("blocked: user ada signs in through an identity provider")
    assert people(staff)["ada"]["password"] == PASSWORD


def test_no_password_is_in_any_output_of_any_command(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Everything once, as text and as JSON; then the outputs are searched."""
    said = ""
    secrets = {PASSWORD}
    for extra in ([], ["--json"]):
        for index, argv in enumerate(
            [
                ["create", "bob", "--password-stdin", "--permanent"],
                ["create", "eve", "--password-file", str(tmp_path / f"1{len(extra)}")],
                ["list", "--with-groups"],
                ["set-password", "bob", "--password-stdin"],
                ["set-password", "bob", "--password-file", str(tmp_path / f"2{len(extra)}")],
                ["add-to-group", "bob", "editors"],
                ["disable", "bob"],
                ["enable", "bob"],
                ["sign-out", "bob"],
                ["remove-from-group", "bob", "editors"],
                ["delete", "bob", "--yes"],
                ["delete", "eve", "--yes"],
            ]
        ):
            pipe(monkeypatch, PASSWORD)
            ran = run("users", *argv, *extra)
            assert ran.code == 0, (index, ran)
            assert not extra or json.loads(ran.out)
            said += ran.out + ran.err
    secrets |= {file.read_text().strip() for file in tmp_path.glob("[12]*")}
    assert len(secrets) == 5
    assert not [secret for secret in secrets if secret in said]
