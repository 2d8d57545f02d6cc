"""Where a password comes from and where a generated one goes: never an argument, never a log."""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from cognises.provisioning.target import PATH, flag, gather, require_terminal

LONGEST = 256
# Generated passwords are read aloud and typed: no look-alikes, and no symbol that a shell, a URL
# or a sentence would interpret. One of each kind satisfies every password policy.
_KINDS = ("ABCDEFGHJKLMNPQRSTUVWXYZ", "abcdefghijkmnpqrstuvwxyz", "23456789", "@#%=+-_:")


def generate_password(minimum: int) -> str:
    """A random password that every password policy of this minimum length accepts."""
    chosen = [secrets.choice(kind) for kind in _KINDS]
    more = max(20, minimum) - len(chosen)
    chosen += [secrets.choice("".join(_KINDS)) for _ in range(more)]
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

    def check(self) -> "PasswordChoice":
        """Itself. Raises UsageError for options that contradict one another."""
        if self.given > 1:
            names = "--password-prompt, --password-stdin and --password-generate"
            raise click.UsageError(f"{names} exclude one another")
        if self.generate and self.file is None and not sys.stderr.isatty():
            problem = "--password-generate shows the password on a terminal, and there is none here"
            raise click.UsageError(f"{problem}; name a new file for it: --password-file FILE")
        return self

    @contextmanager
    def obtain(self, minimum: int, name: str) -> Iterator[str]:
        """The password, for the block that sets it; only after it, a generated one is shown."""
        if self.stdin:
            yield _from_stdin()
        elif not (self.generate or self.file):
            require_terminal("--password-stdin, or --password-file FILE to generate one")
            ask = f"Password for {name}"
            yield str(click.prompt(ask, hide_input=True, confirmation_prompt="Once more", err=True))
        elif not self.file:
            yield (text := generate_password(minimum))
            click.echo(f"password of {name}, shown once: {text}", err=True)
        else:
            text = generate_password(minimum)
            try:  # a new file that only its owner reads; never through a link
                opened = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                advice = "--password-file takes the name of a new file"
                raise click.ClickException(f"{self.file} exists; {advice}") from None
            with os.fdopen(opened, "w", encoding="utf-8") as file:
                file.write(text + "\n")
            try:
                yield text
            except BaseException:
                self.file.unlink(missing_ok=True)
                raise

    @property
    def note(self) -> str:
        """What the outcome says of it: how long it is valid, and where it is."""
        kept = "" if self.permanent else ", to be changed at the next sign-in"
        return kept + (f"; it is in {self.file}" if self.file else "")

    @property
    def details(self) -> dict[str, str]:
        """The same for `--json`."""
        found = {"password": "permanent" if self.permanent else "temporary"}
        return {**found, "password_file": str(self.file)} if self.file else found


_OPTIONS = {
    "prompt": flag("--password-prompt", "prompt", help="Ask for it, twice, hidden."),
    "stdin": flag("--password-stdin", "stdin", help="Read it from standard input."),
    "generate": flag("--password-generate", "generate", help="Generate, and show it."),
    "file": click.option("--password-file", "file", type=PATH, help="Generate it into a new file."),
    "permanent": flag("--permanent", help="It need not be changed at the next sign-in."),
}
password_options = gather("choice", lambda **given: PasswordChoice(**given).check(), _OPTIONS)


def _from_stdin() -> str:
    """One line, whatever ends it. A terminal would show what is typed."""
    if sys.stdin.isatty():
        raise click.ClickException("this terminal shows what is typed; use --password-prompt")
    try:
        text = sys.stdin.buffer.read(4 * LONGEST + 2).decode("utf-8")
    except UnicodeDecodeError:
        raise click.ClickException("the password on standard input is not UTF-8") from None
    if not (line := text.removesuffix("\n").removesuffix("\r")) or "\n" in line:
        raise click.ClickException("standard input must hold the password, in one line")
    if len(line) > LONGEST:
        raise click.ClickException(f"the password has more than {LONGEST} characters")
    return line
