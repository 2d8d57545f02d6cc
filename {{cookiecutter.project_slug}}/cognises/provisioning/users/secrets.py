"""Where a password comes from and where one that was made goes: never an argument, never a log.

Typed twice and hidden, or read from standard input, or made to the pool's rules: then shown once
on a terminal, or written to a new file that only its owner can read.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from cognises.provisioning.users.passwords import LONGEST, PasswordPolicy
from cognises.provisioning.users.person import UserProblem


@dataclass(frozen=True)
class Secret:
    """A password on its way to the pool; its text stays out of every `repr`."""

    text: str
    made: bool = False
    file: Path | None = None

    def __repr__(self) -> str:
        return "Secret(…)"

    def reveal(self, name: str) -> None:
        """Show a made password where it can be shown once; one in a file is in the file."""
        if self.made and self.file is None:
            click.echo(f"password of {name}, shown once: {self.text}", err=True)

    @contextmanager
    def kept_only_if_done(self) -> Iterator[None]:
        """Take back what was written down where the pool did not take the password."""
        try:
            yield
        except BaseException:
            if self.file is not None:
                self.file.unlink(missing_ok=True)
            raise

    def about(self, permanent: bool) -> str:
        """What there is to say of it: how long it serves, and where it is."""
        kept = "" if permanent else ", to be changed at the next sign-in"
        return f"{kept}; it is in {self.file}" if self.file else kept

    def details(self, permanent: bool) -> dict[str, str]:
        """The same for `--json`."""
        found = {"password": "permanent" if permanent else "temporary"}
        return {**found, "password_file": str(self.file)} if self.file else found


@dataclass(frozen=True)
class PasswordChoice:
    """What the command line said about a password."""

    prompt: bool = False
    stdin: bool = False
    generate: bool = False
    file: Path | None = None
    permanent: bool = False

    @property
    def stated(self) -> bool:
        """Whether there is to be a password at all."""
        return self.prompt or self.stdin or self.makes_one

    @property
    def makes_one(self) -> bool:
        return self.generate or self.file is not None

    def raise_unless_sound(self) -> None:
        """Pass, or UsageError: before anything is asked or done."""
        if self.prompt + self.stdin + self.makes_one > 1:
            raise click.UsageError(
                "--password-prompt, --password-stdin and --password-generate exclude one another"
            )
        if self.makes_one and self.file is None and not sys.stderr.isatty():
            raise click.UsageError(
                "--password-generate shows the password on a terminal, and there is none here; "
                "name a new file for it: --password-file FILE"
            )

    def obtain(self, policy: PasswordPolicy, name: str) -> Secret:
        """A password that the pool's policy lets through. Raises UserProblem, ClickException."""
        if self.makes_one:
            text = policy.generate()
            return Secret(text, made=True, file=_written(self.file, text) if self.file else None)
        text = _from_stdin() if self.stdin else _typed(name)
        problems = policy.problems(text)
        if problems:
            raise UserProblem(problems)
        return Secret(text)


def _typed(name: str) -> str:
    if not sys.stdin.isatty():
        raise click.ClickException(
            "there is no terminal to type a password on; use --password-stdin, or "
            "--password-file FILE to have one made"
        )
    typed: str = click.prompt(
        f"Password for {name}", hide_input=True, confirmation_prompt="Once more", err=True
    )
    return typed


def _from_stdin() -> str:
    """One line, whatever ends it. A terminal would show what is typed."""
    if sys.stdin.isatty():
        raise click.ClickException(
            "--password-stdin would show the password here; use --password-prompt"
        )
    data = sys.stdin.buffer.read(4 * LONGEST + 2)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise click.ClickException("the password on standard input is not UTF-8") from None
    line = text[:-1] if text.endswith("\n") else text
    line = line[:-1] if line.endswith("\r") else line
    if not line or "\n" in line:
        raise click.ClickException("standard input must hold the password, in one line")
    return line


def _written(file: Path, text: str) -> Path:
    """A new file that only its owner reads; never an existing one, never through a link."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(file, flags, 0o600)
    except FileExistsError:
        raise click.ClickException(
            f"{file} exists; --password-file takes the name of a new file"
        ) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text + "\n")
    return file
