"""Where a password comes from and where a generated one goes: never an argument, never a log.

Cognito checks the pool's password policy.
"""

from __future__ import annotations

import os
import secrets
import string
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from cognises.provisioning.target import PATH, require_terminal

LONGEST = 256
GENERATED_LENGTH = 20
# Generated passwords are read aloud and typed: no look-alikes, and no symbol that a shell, a URL
# or a sentence would interpret. One of each kind satisfies every password policy.
_KINDS = (
    "".join(set(string.ascii_uppercase) - set("IO")),
    "".join(set(string.ascii_lowercase) - set("lo")),
    "23456789",
    "@#%=+-_:",
)


def generate_password(minimum: int) -> str:
    """A random password that every password policy of this minimum length accepts."""
    chosen = [secrets.choice(kind) for kind in _KINDS]
    length = max(GENERATED_LENGTH, minimum)
    chosen += [secrets.choice("".join(_KINDS)) for _ in range(length - len(chosen))]
    secrets.SystemRandom().shuffle(chosen)
    return "".join(chosen)


@dataclass(frozen=True)
class PasswordChoice:
    """The password options of the command line; they hold no password."""

    prompt: bool = False
    stdin: bool = False
    generate: bool = False
    file: Path | None = None
    permanent: bool = False

    @property
    def given(self) -> int:
        """How many options say where a password comes from."""
        return self.prompt + self.stdin + (self.generate or self.file is not None)

    def check(self) -> None:
        """Raise UsageError for options that contradict one another, before anything is done."""
        if self.given > 1:
            names = "--password-prompt, --password-stdin and --password-generate"
            raise click.UsageError(f"{names} exclude one another")
        if self.generate and self.file is None and not sys.stderr.isatty():
            problem = "--password-generate shows the password on a terminal, and there is none here"
            raise click.UsageError(f"{problem}; name a new file for it: --password-file FILE")

    @contextmanager
    def obtain(self, minimum: int, name: str) -> Iterator[str]:
        """The password, for the block that sets it. In: the pool's minimum length, the user's name.

        After the block a generated one is shown, once, unless it is in a file. Where the block
        fails, the file is deleted again. Raises ClickException.
        """
        if self.stdin:
            yield _from_stdin()
        elif not (self.generate or self.file):
            yield _typed(name)
        elif not self.file:
            yield (text := generate_password(minimum))
            click.echo(f"password of {name}, shown once: {text}", err=True)
        else:
            _write_new(self.file, text := generate_password(minimum))
            try:
                yield text
            except BaseException:
                self.file.unlink(missing_ok=True)
                raise

    @property
    def note(self) -> str:
        """What the outcome says of it: how long it is valid, and where it is."""
        kept = "" if self.permanent else ", to be changed at the next sign-in"
        return f"{kept}; it is in {self.file}" if self.file else kept

    @property
    def details(self) -> dict[str, str]:
        """The same for `--json`."""
        found = {"password": "permanent" if self.permanent else "temporary"}
        return {**found, "password_file": str(self.file)} if self.file else found


def password_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add where a password comes from; the command gets one `choice`."""

    @click.option("--password-prompt", "prompt", is_flag=True, help="Ask for it, twice, hidden.")
    @click.option("--password-stdin", "stdin", is_flag=True, help="Read it from standard input.")
    @click.option("--password-generate", "generate", is_flag=True, help="Generate, and show it.")
    @click.option("--password-file", "file", type=PATH, help="Generate it into this new file.")
    @click.option("--permanent", is_flag=True, help="It need not be changed at the next sign-in.")
    @wraps(command)
    def wrapped(**given: Any) -> int:
        fields = ("prompt", "stdin", "generate", "file", "permanent")
        choice = PasswordChoice(**{name: given.pop(name) for name in fields})
        choice.check()
        return command(choice=choice, **given)

    return wrapped


def _typed(name: str) -> str:
    require_terminal("it with --password-stdin, or --password-file FILE to generate one")
    prompt = f"Password for {name}"
    return str(click.prompt(prompt, hide_input=True, confirmation_prompt="Once more", err=True))


def _from_stdin() -> str:
    """One line, whatever ends it. A terminal would show what is typed."""
    if sys.stdin.isatty():
        raise click.ClickException("this terminal shows what is typed; use --password-prompt")
    try:
        text = sys.stdin.buffer.read(4 * LONGEST + 2).decode("utf-8")
    except UnicodeDecodeError:
        raise click.ClickException("the password on standard input is not UTF-8") from None
    line = text.removesuffix("\n").removesuffix("\r")
    if not line or "\n" in line:
        raise click.ClickException("standard input must hold the password, in one line")
    if len(line) > LONGEST:
        raise click.ClickException(f"the password has more than {LONGEST} characters")
    return line


def _write_new(file: Path, text: str) -> None:
    """A new file that only its owner reads; never an existing one, never through a link."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        advice = "--password-file takes the name of a new file"
        raise click.ClickException(f"{file} exists; {advice}") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text + "\n")
