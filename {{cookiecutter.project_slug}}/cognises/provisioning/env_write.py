"""Writes settings into an env file and leaves every other byte of it as it is.

Atomically, with mode 0600, and never through a link. python-dotenv's own writer changes CRLF line
ends, drops a comment behind a value, keeps the mode of the file, and writes one setting at a time.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream

from cognises.errors import SettingsError

_BOM = "\ufeff"
_HEADER = "# Written by `provision.py bootstrap`; ignored by git.\n"
# What needs no quotes, whoever reads the file.
_PLAIN = re.compile(r"[\w:/.@+,=%-]*", re.ASCII)
_BLANK = r"[^\S\r\n]"
_LINE = re.compile(
    rf"""(?P<name>\s*(?:export{_BLANK}+)?['"]?[^\s='"]+['"]?)(?P<equals>{_BLANK}*={_BLANK}*)?"""
    rf"""(?:'(?:\\'|[^'])*'|"(?:\\"|[^"])*"|[^\r\n]*?)"""
    rf"(?P<after>{_BLANK}+\#[^\r\n]*|{_BLANK}*)(?P<end>[\r\n]*)"
)


def read_env(path: Path) -> str | None:
    """The text of a file that can be written; None if there is no file. Raises OSError.

    SettingsError for a link, a folder, anything but a regular file, text that is not UTF-8.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(mode):
        raise SettingsError([f"{path.name} is a link; put a regular file in its place"])
    if not stat.S_ISREG(mode):
        raise SettingsError([f"{path.name} is not a regular file; move it away"])
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        content = file.read()
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise SettingsError([f"{path.name}: not UTF-8; save it as UTF-8"]) from None


def with_values(text: str | None, values: Mapping[str, str]) -> str:
    """The text of an env file with these values in force; every other byte stays.

    An existing setting is changed where it occurs last, which is the one in force; one that has
    the value already stays as it is written; a new one is appended.
    """
    for name, value in values.items():
        if not _PLAIN.fullmatch(value):
            raise SettingsError(
                [f"{name}: {value!r} is not an id or address of AWS; nothing written"]
            )
    text = _HEADER if text is None else text
    bom, text = (_BOM, text[1:]) if text.startswith(_BOM) else ("", text)
    newline = "\r\n" if "\r\n" in text else "\n"
    bindings = list(parse_stream(StringIO(text, newline="")))
    pieces = [each.original.string for each in bindings]
    last = {each.key: index for index, each in enumerate(bindings) if each.key and not each.error}
    for name, value in values.items():
        if name not in last:
            before = "" if not pieces or pieces[-1].endswith(("\n", "\r")) else newline
            pieces.append(f"{before}{name}={value}{newline}")
        elif (bindings[last[name]].value or "") != value:
            found = _LINE.fullmatch(pieces[last[name]])
            if found is None:
                raise SettingsError(["the env file has a line that cannot be read; fix its quotes"])
            line = f"{found['name']}{found['equals'] or '='}{value}{found['after']}{found['end']}"
            pieces[last[name]] = line
    return bom + "".join(pieces)


def write_env(path: Path, text: str) -> None:
    """Replace the file by one of mode 0600, at once and never through a link. Raises OSError."""
    descriptor, name = tempfile.mkstemp(prefix=".env-", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as temporary:
            temporary.write(text.encode("utf-8"))
            temporary.flush()
            os.fsync(temporary.fileno())
        Path(name).replace(path)  # replaces a link, and does not follow it
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def update_env(path: Path, values: Mapping[str, str]) -> bool:
    """Write the values into the file; returns whether it is different. Raises as the above."""
    before = read_env(path)
    after = with_values(before, values)
    if after != before:
        write_env(path, after)
    return after != before
