"""Passwords: judged by the pool's own rules, made by them, and never shown by accident."""

from __future__ import annotations

import io
import stat
import string
from pathlib import Path
from typing import Any

import click
import pytest

from cognises.provisioning.users.passwords import LONGEST, PasswordPolicy
from cognises.provisioning.users.person import UserProblem
from cognises.provisioning.users.secrets import PasswordChoice, Secret

STRICT = PasswordPolicy()
LAX = PasswordPolicy.parse(
    {
        "MinimumLength": 6,
        "RequireUppercase": False,
        "RequireLowercase": False,
        "RequireNumbers": False,
        "RequireSymbols": False,
    }
)

JUDGED: dict[str, tuple[PasswordPolicy, str, list[str]]] = {
    "good": (STRICT, "Tr0ub4dor&3x", []),
    "short": (STRICT, "Tr0&a", ["less than 8"]),
    "no upper case": (STRICT, "tr0ub4dor&3x", ["upper-case"]),
    "no lower case": (STRICT, "TR0UB4DOR&3X", ["lower-case"]),
    "no digit": (STRICT, "Troubador&&x", ["digit"]),
    "no symbol": (STRICT, "Tr0ub4dor33x", ["symbol"]),
    "a sharp s is no lower-case letter of Cognito's": (STRICT, "TR0UB4DOR&ß", ["lower-case"]),
    "everything": (STRICT, "", ["less than", "upper", "lower", "digit", "symbol"]),
    "a space behind": (STRICT, "Tr0ub4dor&3x ", ["begins or ends"]),
    "a space inside": (STRICT, "Tr0ub4dor &3x", []),
    "a line break": (STRICT, "Tr0ub4\ndor&3x", ["control character"]),
    "too long": (STRICT, "aA1&" * 65, ["more than 256"]),
    "as long as can be": (STRICT, "aA1&" * (LONGEST // 4), []),
    "a lax pool": (LAX, "secret", []),
    "a lax pool still counts": (LAX, "secre", ["less than 6"]),
}


@pytest.mark.parametrize("name", JUDGED)
def test_the_pools_own_rules_judge_a_password_and_quote_nothing_of_it(name: str) -> None:
    policy, password, expected = JUDGED[name]
    found = policy.problems(password)
    assert len(found) == len(expected)
    assert all(part in line for part, line in zip(expected, found, strict=True))
    assert not password or all(password not in line for line in found)


@pytest.mark.parametrize("policy", [STRICT, LAX, PasswordPolicy(minimum=64), PasswordPolicy(99)])
def test_a_made_password_passes_the_rules_and_is_never_the_same(policy: PasswordPolicy) -> None:
    made = {policy.generate() for _ in range(200)}
    assert len(made) == 200
    assert all(policy.problems(each) == [] for each in made)
    assert all(STRICT.problems(each) == [] for each in made)
    assert all(len(each) == max(20, policy.minimum) for each in made)
    assert not set("".join(made)) & set("IO0l1o\"'`$\\&<>;| ")
    assert set("".join(made)) & set(string.digits)


def test_a_pool_without_a_policy_gets_cognitos_defaults() -> None:
    assert PasswordPolicy.parse(None) == PasswordPolicy(8, True, True, True, True)


class Stdin:
    """Standard input that holds bytes, on a terminal or not."""

    def __init__(self, data: bytes, terminal: bool = False) -> None:
        self.buffer, self._terminal = io.BytesIO(data), terminal

    def isatty(self) -> bool:
        return self._terminal


READ: dict[str, tuple[bytes, str]] = {
    "a line": (b"Tr0ub4dor&3x\n", "Tr0ub4dor&3x"),
    "no line end": (b"Tr0ub4dor&3x", "Tr0ub4dor&3x"),
    "Windows": (b"Tr0ub4dor&3x\r\n", "Tr0ub4dor&3x"),
    "UTF-8": ("Tr0ub4dör&3x\n".encode(), "Tr0ub4dör&3x"),
}


@pytest.mark.parametrize("name", READ)
def test_standard_input_is_one_line_whatever_ends_it(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    data, expected = READ[name]
    monkeypatch.setattr("sys.stdin", Stdin(data))
    assert PasswordChoice(stdin=True).obtain(STRICT, "ada").text == expected


REFUSED: dict[str, tuple[Stdin, str]] = {
    "nothing": (Stdin(b""), "in one line"),
    "an empty line": (Stdin(b"\n"), "in one line"),
    "two lines": (Stdin(b"Tr0ub4dor&3x\nmore\n"), "in one line"),
    "not UTF-8": (Stdin(b"Tr0ub4dor&3x\xff\n"), "not UTF-8"),
    "a terminal": (Stdin(b"Tr0ub4dor&3x\n", terminal=True), "--password-prompt"),
    "against the rules": (Stdin(b"hunter2hunter2\n"), "upper-case"),
    "far too long": (Stdin(b"aA1&" * 100_000), "more than 256"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_standard_input_that_holds_no_good_password_is_refused_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    stdin, expected = REFUSED[name]
    monkeypatch.setattr("sys.stdin", stdin)
    with pytest.raises((click.ClickException, UserProblem)) as refused:
        PasswordChoice(stdin=True).obtain(STRICT, "ada")
    said = getattr(refused.value, "message", "") + str(refused.value)
    assert expected in said
    assert "hunter2" not in said
    assert "Tr0ub4dor" not in said


CONTRADICTIONS = [
    PasswordChoice(prompt=True, stdin=True),
    PasswordChoice(stdin=True, generate=True),
    PasswordChoice(prompt=True, file=Path("new")),
]


@pytest.mark.parametrize("choice", CONTRADICTIONS)
def test_a_password_comes_from_one_place(choice: PasswordChoice) -> None:
    with pytest.raises(click.UsageError, match="exclude one another"):
        choice.raise_unless_sound()


def test_a_made_password_is_never_written_where_output_is_captured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    choice = PasswordChoice(generate=True)
    with pytest.raises(click.UsageError, match="--password-file FILE"):
        choice.raise_unless_sound()
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    choice.raise_unless_sound()


def test_a_made_password_is_shown_once_on_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    secret = PasswordChoice(generate=True).obtain(STRICT, "ada")
    secret.reveal("ada")
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"password of ada, shown once: {secret.text}\n")


def test_a_typed_password_is_shown_never(capsys: pytest.CaptureFixture[str]) -> None:
    Secret("Tr0ub4dor&3x").reveal("ada")
    assert capsys.readouterr() == ("", "")
    assert "Tr0ub4dor" not in repr(Secret("Tr0ub4dor&3x"))


def test_the_file_is_new_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "ada.txt"
    secret = PasswordChoice(file=file).obtain(STRICT, "ada")
    assert file.read_text() == f"{secret.text}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def spare(path: Path) -> Any:
    path.write_text("mine\n")


def link(path: Path) -> Any:
    (path.parent / "elsewhere").write_text("mine\n")
    path.symlink_to(path.parent / "elsewhere")


def dangling(path: Path) -> Any:
    path.symlink_to(path.parent / "nowhere")


@pytest.mark.parametrize("there", [spare, link, dangling])
def test_what_is_there_is_neither_overwritten_nor_followed(tmp_path: Path, there: Any) -> None:
    file = tmp_path / "ada.txt"
    there(file)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(click.ClickException, match="takes the name of a new file"):
        PasswordChoice(file=file).obtain(STRICT, "ada")
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert there is dangling or file.read_text() == "mine\n"


def test_a_file_is_taken_back_where_the_pool_did_not_take_the_password(tmp_path: Path) -> None:
    file = tmp_path / "ada.txt"
    secret = PasswordChoice(file=file).obtain(STRICT, "ada")
    with pytest.raises(KeyboardInterrupt), secret.kept_only_if_done():
        raise KeyboardInterrupt
    assert not file.exists()
