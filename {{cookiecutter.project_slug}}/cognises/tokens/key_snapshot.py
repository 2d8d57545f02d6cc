"""The keys of one fetch, and their age."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from cognises.tokens.jwk import Key

# For this long a fetch counts as the pool's word on the keys that it lacks.
COOL_DOWN = 10.0


class ClockReading(NamedTuple):
    """A point in time on both clocks: one can be set back, the other can stand still."""

    wall: float
    monotonic: float

    @classmethod
    def now(cls) -> ClockReading:
        return cls(time.time(), time.monotonic())

    def age(self) -> float:
        """Seconds since, by the clock that went further."""
        by_wall, by_monotonic = time.time() - self.wall, time.monotonic() - self.monotonic
        return by_wall if by_wall > by_monotonic else by_monotonic

    def earlier(self, seconds: float) -> ClockReading:
        return ClockReading(self.wall - seconds, self.monotonic - seconds)


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """The keys of one fetch; `fetched` is False for preloaded keys."""

    keys: Mapping[str, Key]
    since: ClockReading
    fetched: bool

    def is_recent(self) -> bool:
        return self.fetched and self.since.age() < COOL_DOWN
