"""One thing that is wrong: how bad, where, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Problem:
    """`level` is `error` or `warning`; `place` is a path into the file, as in `[2].group_name`."""

    place: str
    text: str
    level: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return ": ".join(part for part in (self.level, self.place, self.text) if part)

    def under(self, place: str) -> Problem:
        """The same problem, its place seen from further out."""
        joint = "." if self.place and not self.place.startswith("[") else ""
        return Problem(f"{place}{joint}{self.place}", self.text, self.level)


def warning(place: str, text: str) -> Problem:
    """A problem that AWS would accept and a person should see."""
    return Problem(place, text, "warning")
