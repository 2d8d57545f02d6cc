"""One thing that is wrong: how bad, where, and what to do about it."""

from __future__ import annotations

import unicodedata
from typing import Literal, NamedTuple

# Cc control, Cf format (the bidirectional ones are here), Cs surrogates, Co private use,
# Zl and Zp line and paragraph separators.
_ESCAPED = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


class Problem(NamedTuple):
    """`level` is `error` or `warning`; `place` is a path into the file, as in `[2].group_name`."""

    place: str
    text: str
    level: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        parts = (self.level, printable(self.place), printable(self.text))
        return ": ".join(part for part in parts if part)

    def under(self, place: str) -> Problem:
        """The same problem, its place seen from further out."""
        joint = "." if self.place and not self.place.startswith("[") else ""
        return Problem(f"{place}{joint}{self.place}", self.text, self.level)


def warning(place: str, text: str) -> Problem:
    """A problem that AWS would accept and a person should see."""
    return Problem(place, text, "warning")


def printable(text: str) -> str:
    """The text on one line, control and direction characters as escapes."""
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in _ESCAPED
        else character
        for character in text
    )
