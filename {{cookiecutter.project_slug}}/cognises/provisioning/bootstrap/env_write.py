"""Puts settings into `.env` and leaves every other byte of it as it is.

Atomically, mode 0600, never through a link: a stage's ids must not end up in somebody else's file,
nor half of them in ours.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream

from cognises.errors import SettingsError

_MARK = "\ufeff"
# What needs no quotes, whoever reads the file.
_PLAIN = re.compile(r"[\w:/.@+,=%-]*", re.ASCII)
_LINE = re.compile(
    r"""(?P<before>\s*(?:export[^\S\r\n]+)?['"]?[^\s='"]+['"]?[^\S\r\n]*=[^\S\r\n]*)"""
    r"""(?P<value>'(?:\\'|[^'])*'|"(?:\\"|[^"])*"|[^\r\n]*?)"""
    r"(?P<after>[^\S\r\n]+\#[^\r\n]*|[^\S\r\n]*)(?P<end>(?:\r\n|\n|\r)*)"
)
_BARE = re.compile(r"(?P<before>\s*(?:export[^\S\r\n]+)?\S+)(?P<after>[^\r\n]*)(?P<end>[\r\n]*)")


@dataclass(frozen=True)
class EnvFile:
    """An env file as it was read. `text` is None where there is no file yet."""

    path: Path
    text: str | None


def read_env(path: Path) -> EnvFile:
    """The file as it is, ready to be written. Raises SettingsError, OSError.

    Refused: a link, a folder, anything that is no plain file, text that is not UTF-8.
    """
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return EnvFile(path, None)
    if stat.S_ISLNK(kind):
        raise SettingsError([f"{path.name} is a link; put a file of its own in its place"])
    if not stat.S_ISREG(kind):
        raise SettingsError([f"{path.name} is no file; move it away"])
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        content = file.read()
    try:
        return EnvFile(path, content.decode("utf-8"))
    except UnicodeDecodeError:
        raise SettingsError([f"{path.name}: must be UTF-8; save it so"]) from None


def with_values(text: str | None, values: Mapping[str, str]) -> str:
    """The text of an env file with these settings in force, all else untouched.

    A setting that is there already is changed in its place, where it was last (which counts); one
    with the right value stays as it is written; a new one goes to the end.
    """
    if text is None:
        lines = "".join(f"{name}={_plain(name, value)}\n" for name, value in values.items())
        return f"# Written by `provision.py bootstrap`; ignored by git.\n{lines}"
    mark, text = (_MARK, text[1:]) if text.startswith(_MARK) else ("", text)
    newline = "\r\n" if "\r\n" in text else "\n"
    bindings = list(parse_stream(StringIO(text, newline="")))
    pieces = [each.original.string for each in bindings]
    if "".join(pieces) != text:
        raise SettingsError(["the env file cannot be taken apart; mend its quotes"])
    last = {each.key: place for place, each in enumerate(bindings) if each.key and not each.error}
    for name, value in values.items():
        if name not in last:
            before = "" if not pieces or pieces[-1].endswith(("\n", "\r")) else newline
            pieces.append(f"{before}{name}={_plain(name, value)}{newline}")
        elif (bindings[last[name]].value or "") != value:
            pieces[last[name]] = _replaced(pieces[last[name]], _plain(name, value))
    return mark + "".join(pieces)


def write_env(file: EnvFile, text: str) -> bool:
    """Put the text in the file's place. Returns whether anything was different. Raises OSError."""
    if text == file.text:
        return False
    descriptor, name = tempfile.mkstemp(prefix=".env-", dir=file.path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as temporary:
            temporary.write(text.encode("utf-8"))
            temporary.flush()
            os.fsync(temporary.fileno())
        Path(name).replace(file.path)  # replaces a link too, and never follows it
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return True


def _replaced(piece: str, value: str) -> str:
    """A binding's own text with another value: what stands before and after it is kept."""
    found = _LINE.fullmatch(piece)
    if found:
        return f"{found['before']}{value}{found['after']}{found['end']}"
    bare = _BARE.fullmatch(piece)  # a name without `=`
    if bare:
        return f"{bare['before']}={value}{bare['after']}{bare['end']}"
    raise SettingsError(["the env file cannot be taken apart; mend its quotes"])


def _plain(name: str, value: str) -> str:
    if not _PLAIN.fullmatch(value):
        raise SettingsError([f"{name}: {value!r} is not what AWS calls things; nothing written"])
    return value
