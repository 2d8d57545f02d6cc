"""Passwords: generated for every policy, read from one place, and never shown by accident."""

from __future__ import annotations

import io
import stat
import string
from pathlib import Path
from typing import Any

import click
import pytest

from cognises.provisioning.users.directory import UserProblem
from cognises.provisioning.users.passwords import PasswordChoice, generate_password

MINIMUM = 8


@pytest.mark.parametrize("minimum", [6, 8, 64, 99])
def test_a_generated_password_passes_every_policy_and_is_never_the_same(minimum: int) -> None:
    made = {generate_password(minimum) for _ in range(200)}
    assert len(made) == 200
    for each in made:
        assert len(each) == max(20, minimum)
        for kind in (string.ascii_uppercase, string.ascii_lowercase, string.digits, "@#%=+-_:"):
            assert set(kind) & set(each)
    assert not set("".join(made)) & set("IO0l1o\"'`$\\&<>;| ")


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
    with PasswordChoice(stdin=True).obtain(MINIMUM, "ada") as password:
        assert password == expected


REFUSED: dict[str, tuple[Stdin, str]] = {
    "nothing": (Stdin(b""), "in one line"),
    "an empty line": (Stdin(b"\n"), "in one line"),
    "two lines": (Stdin(b"Tr0ub4dor&3x\nmore\n"), "in one line"),
    "not UTF-8": (Stdin(b"Tr0ub4dor&3x\xff\n"), "not UTF-8"),
    "a terminal": (Stdin(b"Tr0ub4dor&3x\n", terminal=True), "--password-prompt"),
    "far too long": (Stdin(b"aA1&" * 100_000), "more than 256"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_standard_input_that_holds_no_good_password_is_refused_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    stdin, expected = REFUSED[name]
    monkeypatch.setattr("sys.stdin", stdin)
    with (
        pytest.raises((click.ClickException, UserProblem)) as refused,
        PasswordChoice(stdin=True).obtain(MINIMUM, "ada"),
    ):
        raise AssertionError("the password is accepted")
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
        choice.check()


def test_a_made_password_is_never_written_where_output_is_captured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    choice = PasswordChoice(generate=True)
    with pytest.raises(click.UsageError, match="--password-file FILE"):
        choice.check()
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    choice.check()


def test_a_made_password_is_shown_once_on_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with PasswordChoice(generate=True).obtain(MINIMUM, "ada") as password:
        assert capsys.readouterr() == ("", "")
    assert capsys.readouterr() == ("", f"password of ada, shown once: {password}\n")


def test_a_made_password_that_the_pool_did_not_take_is_not_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(KeyError), PasswordChoice(generate=True).obtain(MINIMUM, "ada"):
        raise KeyError
    assert capsys.readouterr() == ("", "")


def test_a_typed_password_is_shown_never(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", Stdin(b"", terminal=True))
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda prompt="": "Tr0ub4dor&3x")
    choice = PasswordChoice(prompt=True)
    with choice.obtain(MINIMUM, "ada") as password:
        assert password == "Tr0ub4dor&3x"
    out, err = capsys.readouterr()
    assert "Tr0ub4dor" not in out + err + repr(choice) + choice.note + str(choice.details)


def test_the_file_is_new_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "ada.txt"
    with PasswordChoice(file=file).obtain(MINIMUM, "ada") as password:
        pass
    assert file.read_text() == f"{password}\n"
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
    with (
        pytest.raises(click.ClickException, match="takes the name of a new file"),
        PasswordChoice(file=file).obtain(MINIMUM, "ada"),
    ):
        raise AssertionError("the file is written")
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert there is dangling or file.read_text() == "mine\n"


def test_a_file_is_taken_back_where_the_pool_did_not_take_the_password(tmp_path: Path) -> None:
    file = tmp_path / "ada.txt"
    choice = PasswordChoice(file=file)
    with pytest.raises(KeyboardInterrupt), choice.obtain(MINIMUM, "ada"):
        raise KeyboardInterrupt(f"{file.stat().st_size} bytes")
    assert not file.exists()
