"""The keys of one reading, and how old it is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from cognises.tokens.jwk import Key

# So long a reading is the pool's own word on what it lacks.
COOL_DOWN = 10.0


class Moment(NamedTuple):
    """A point in time on both clocks: one may be set back, the other may stand still."""

    wall: float
    monotonic: float

    @classmethod
    def now(cls) -> Moment:
        return cls(time.time(), time.monotonic())

    def age(self) -> float:
        """Seconds since, by whichever clock went further."""
        by_wall, by_monotonic = time.time() - self.wall, time.monotonic() - self.monotonic
        return by_wall if by_wall > by_monotonic else by_monotonic

    def is_after(self, other: Moment) -> bool:
        return self.monotonic > other.monotonic

    def earlier(self, seconds: float) -> Moment:
        return Moment(self.wall - seconds, self.monotonic - seconds)


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """The keys of one reading; `fetched` is False for keys that were given (a file)."""

    keys: Mapping[str, Key]
    since: Moment
    fetched: bool

    def is_recent(self) -> bool:
        """Whether the pool itself said so just now."""
        return self.fetched and self.since.age() < COOL_DOWN
