"""A limit on how often something happens, kept on our side of the wire."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

DEFAULT_GROUP_WRITES = 10.0  # a second; Cognito allows 15 and shares them with everyone else
MARGIN = 1.1  # requests sent evenly do not arrive evenly


class Pace:
    """Lets callers pass one by one, never closer together than the rate allows."""

    def __init__(
        self,
        per_second: float = DEFAULT_GROUP_WRITES,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval = MARGIN / per_second
        self._clock, self._sleep = clock, sleep
        self._next = clock()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when it is the caller's turn."""
        with self._lock:  # held while asleep: who wakes late must not be followed too soon
            delay = self._next - self._clock()
            if delay > 0:
                self._sleep(delay)
            self._next = max(self._next, self._clock()) + self._interval
