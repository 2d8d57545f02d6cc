"""What is put into .env, and that every other byte of it stays; nothing is ever half written."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from cognises.errors import SettingsError
from infra.bootstrap_settings import read_env, update_env, with_values, write_env

ID = {"COGNITO_USER_POOL_ID": "eu-west-1_Ab"}
LINE = "COGNITO_USER_POOL_ID=eu-west-1_Ab"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"{LINE}\n"),
        ("# a comment\n\n", f"# a comment\n\n{LINE}\n"),
        ("A=1", f"A=1\n{LINE}\n"),
        ("A=1\n", f"A=1\n{LINE}\n"),
        ("A=1\r\n# b\r\n", f"A=1\r\n# b\r\n{LINE}\r\n"),
        ("A=1\r\nB=2", f"A=1\r\nB=2\r\n{LINE}\r\n"),
        ("\ufeffA=1\n", f"\ufeffA=1\n{LINE}\n"),
        ("COGNITO_USER_POOL_ID=\nA=1\n", f"{LINE}\nA=1\n"),
        ("COGNITO_USER_POOL_ID\nA=1\n", f"{LINE}\nA=1\n"),
        ("A=1\nCOGNITO_USER_POOL_ID=old\nB=2\n", f"A=1\n{LINE}\nB=2\n"),
        ("COGNITO_USER_POOL_ID = old\n", "COGNITO_USER_POOL_ID = eu-west-1_Ab\n"),
        ("COGNITO_USER_POOL_ID='old'\n", f"{LINE}\n"),
        ('COGNITO_USER_POOL_ID="o\\"ld"\n', f"{LINE}\n"),
        ('COGNITO_USER_POOL_ID="two\nlines"\nA=1\n', f"{LINE}\nA=1\n"),
        ("  export COGNITO_USER_POOL_ID=old\n", f"  export {LINE}\n"),
        ("COGNITO_USER_POOL_ID=old # why\n", f"{LINE} # why\n"),
        ("COGNITO_USER_POOL_ID='old'  # why\r\n", f"{LINE}  # why\r\n"),
        ("COGNITO_USER_POOL_ID=old", LINE),
        ("\n\n# x\n\nCOGNITO_USER_POOL_ID=old\n\n", f"\n\n# x\n\n{LINE}\n\n"),
        # The last one counts, so the last one is changed.
        ("COGNITO_USER_POOL_ID=a\nCOGNITO_USER_POOL_ID=b\n", f"COGNITO_USER_POOL_ID=a\n{LINE}\n"),
        # Not these: a comment, another name, a value that looks like it.
        (f"# {LINE}\n", f"# {LINE}\n{LINE}\n"),
        ("MY_COGNITO_USER_POOL_ID=x\n", f"MY_COGNITO_USER_POOL_ID=x\n{LINE}\n"),
        ('A="\nCOGNITO_USER_POOL_ID=x\n"\n', f'A="\nCOGNITO_USER_POOL_ID=x\n"\n{LINE}\n'),
        # Lines nobody understands stay too.
        ("not a setting at all\nA=1\n", f"not a setting at all\nA=1\n{LINE}\n"),
        ("A='open\nB=2\n", f"A='open\nB=2\n{LINE}\n"),
    ],
)
def test_one_setting_is_put_in_and_all_else_stays(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / ".env"
    path.write_bytes(before.encode())
    assert update_env(path, ID) is True
    assert path.read_bytes().decode() == after
    assert dotenv_values(path, encoding="utf-8-sig", interpolate=False).get(
        "COGNITO_USER_POOL_ID"
    ) == ("eu-west-1_Ab")


@pytest.mark.parametrize(
    "text",
    [
        f"{LINE}\n",
        LINE,
        f"{LINE}\r\n",
        "export COGNITO_USER_POOL_ID='eu-west-1_Ab'  # mine\n",
        'COGNITO_USER_POOL_ID = "eu-west-1_Ab"\n',
        f"COGNITO_USER_POOL_ID=old\n{LINE}\n",
    ],
)
def test_what_says_so_already_is_not_touched_at_all(tmp_path: Path, text: str) -> None:
    path = tmp_path / ".env"
    path.write_bytes(text.encode())
    path.chmod(0o640)
    before = path.stat()
    assert update_env(path, ID) is False
    assert path.read_bytes() == text.encode()
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert after.st_mode == before.st_mode


def test_a_new_file_is_for_its_owner_alone_and_says_who_wrote_it(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    old = os.umask(0)
    try:
        update_env(path, {**ID, "COGNISES_PUBLIC_URL": "https://a.example"})
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first, *rest = path.read_text().splitlines()
    assert first.startswith("# Written by `provision.py bootstrap`")
    assert rest == [LINE, "COGNISES_PUBLIC_URL=https://a.example"]


def test_a_file_that_all_could_read_is_for_its_owner_alone_once_it_is_written(
    tmp_path: Path,
) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    path.chmod(0o644)
    update_env(path, ID)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_time_nothing_changes(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    update_env(path, ID)
    first = path.read_bytes()
    assert update_env(path, ID) is False
    assert path.read_bytes() == first


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    target = tmp_path / "theirs"
    target.write_text("A=1\n")
    (tmp_path / ".env").symlink_to(target)
    with pytest.raises(SettingsError, match="is a link"):
        update_env(tmp_path / ".env", ID)
    assert target.read_text() == "A=1\n"


def test_a_link_that_leads_nowhere_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / ".env").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SettingsError, match="is a link"):
        update_env(tmp_path / ".env", ID)
    assert not (tmp_path / "nowhere").exists()


def test_a_link_put_there_in_between_is_replaced_and_not_followed(tmp_path: Path) -> None:
    path, theirs = tmp_path / ".env", tmp_path / "theirs"
    theirs.write_text("A=1\n")
    path.write_text("")
    text = with_values(read_env(path), ID)
    path.unlink()
    path.symlink_to(theirs)
    write_env(path, text)
    assert (theirs.read_text(), path.is_symlink()) == ("A=1\n", False)


def test_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    with pytest.raises(SettingsError, match="is not a regular file"):
        read_env(tmp_path / ".env")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SettingsError, match="is not a regular file"):
        read_env(tmp_path / "pipe")


def test_what_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=\xff\n")
    with pytest.raises(SettingsError, match="UTF-8"):
        read_env(tmp_path / ".env")


def test_an_unreadable_file_is_the_systems_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("A=1\n")

    def refuse(path: Path, *_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match="Permission denied"):
        read_env(tmp_path / ".env")


@pytest.mark.parametrize("fails", ["tempfile.mkstemp", "os.fsync", "pathlib.Path.replace"])
def test_whatever_fails_nothing_is_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    """A read-only folder, a full disk, a folder that turns read-only meanwhile."""
    path = tmp_path / ".env"
    path.write_text("A=1\n")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(fails, refuse)
    with pytest.raises(OSError, match="Read-only"):
        update_env(path, ID)
    assert path.read_text() == "A=1\n"
    assert [each.name for each in tmp_path.iterdir()] == [".env"]


@pytest.mark.parametrize("value", ["a b", "a#b", "a'b", 'a"b', "a\nB=1", "${A}", "a\\b", "é"])
def test_a_value_that_would_need_quotes_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="nothing written"):
        with_values("", {"COGNITO_CLIENT_ID": value})


_LINES = st.sampled_from(
    [
        *("", "# c", "A=1", "export B='x y' # z", "odd line", "COGNITO_USER_POOL_ID=old"),
        *('C="a', '"', "  COGNITO_USER_POOL_ID = 'o' # k", "COGNITO_USER_POOL_ID"),
    ]
)


@given(st.lists(_LINES), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_whatever_is_there_every_other_setting_keeps_its_value(
    lines: list[str], newline: str, ends: bool
) -> None:
    before = newline.join(lines) + (newline if ends else "")
    after = with_values(before, ID)

    def read(text: str) -> dict[str, str | None]:
        from io import StringIO

        return dotenv_values(stream=StringIO(text, newline=""), interpolate=False)

    assert read(after) == {**read(before), **ID}
    assert with_values(after, ID) == after
