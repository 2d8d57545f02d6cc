"""What a pool asks of a password: checked before it is sent, and kept when one is made. Pure.

Source: Cognito API reference, PasswordPolicyType; developer guide, "User pool password
requirements" (the symbols that count as such).
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LONGEST = 256
GENERATED_LENGTH = 20
SYMBOLS = "^$*.[]{}()?\"!@#%&/\\,><':;|_~`=+- "
# Made passwords are read aloud and typed by people: nothing that looks like something else, and
# no symbol that a shell, a URL or a sentence would swallow.
_UPPER = "".join(set(string.ascii_uppercase) - set("IO"))
_LOWER = "".join(set(string.ascii_lowercase) - set("lo"))
_DIGITS = "23456789"
_MADE_SYMBOLS = "@#%=+-_:"


@dataclass(frozen=True)
class PasswordPolicy:
    """The rules of one pool; without any, Cognito's own defaults."""

    minimum: int = 8
    upper: bool = True
    lower: bool = True
    digits: bool = True
    symbols: bool = True

    @classmethod
    def parse(cls, answer: Mapping[str, Any] | None) -> PasswordPolicy:
        """The rules from a `PasswordPolicyType`."""
        found = answer or {}
        return cls(
            minimum=int(found.get("MinimumLength", 8)),
            upper=bool(found.get("RequireUppercase", True)),
            lower=bool(found.get("RequireLowercase", True)),
            digits=bool(found.get("RequireNumbers", True)),
            symbols=bool(found.get("RequireSymbols", True)),
        )

    def problems(self, password: str) -> list[str]:
        """Everything the pool would refuse; the password itself is in none of the sentences."""
        wanted = (
            (self.upper, string.ascii_uppercase, "an upper-case letter (A to Z)"),
            (self.lower, string.ascii_lowercase, "a lower-case letter (a to z)"),
            (self.digits, string.digits, "a digit"),
            (self.symbols, SYMBOLS, "a symbol"),
        )
        found = [
            f"the password needs {name}"
            for needed, alphabet, name in wanted
            if needed and not set(alphabet) & set(password)
        ]
        if len(password) < self.minimum:
            found.insert(0, f"the password has less than {self.minimum} characters")
        if len(password) > LONGEST:
            found.insert(0, f"the password has more than {LONGEST} characters")
        if password != password.strip() or not password.isprintable():
            found.append("the password begins or ends with a space, or has a control character")
        return found

    def generate(self) -> str:
        """A password that every rule of the pool lets through, from the system's own randomness."""
        alphabets = (_UPPER, _LOWER, _DIGITS, _MADE_SYMBOLS)
        length = max(GENERATED_LENGTH, self.minimum)
        chosen = [secrets.choice(alphabet) for alphabet in alphabets]
        everything = "".join(alphabets)
        chosen += [secrets.choice(everything) for _ in range(length - len(chosen))]
        secrets.SystemRandom().shuffle(chosen)
        return "".join(chosen)
