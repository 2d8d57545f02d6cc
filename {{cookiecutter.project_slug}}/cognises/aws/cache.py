"""What is kept of users who act in AWS: a bounded number of values, one for each token."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from cognises.errors import CognisesError

MAX_TOKENS = 128
T = TypeVar("T")


@dataclass(eq=False)
class _Slot(Generic[T]):
    """One token's value: the first request makes it, equal requests wait for it."""

    value: T | None = None
    error: CognisesError | None = None
    ends: float = float("inf")
    lock: threading.Lock = field(default_factory=threading.Lock)


class TokenCache(Generic[T]):
    """Values by the digest of a token, each kept until its end.

    At most `size`: values that have ended go first, then those used least recently. A failure is
    shared by the requests that wait for it and is not kept.
    """

    def __init__(self, size: int = MAX_TOKENS) -> None:
        self._size = size
        self._clear()
        _CACHES.add(self)

    def _clear(self) -> None:
        self._lock = threading.Lock()
        self._slots: dict[bytes, _Slot[T]] = {}

    def __len__(self) -> int:
        return len(self._slots)

    def get(self, digest: bytes, make: Callable[[], tuple[T, float]]) -> T:
        """The value of a token. `make()` returns it and its end, in seconds since the epoch.

        Raises the CognisesError that `make` raises.
        """
        slot = self._slot(digest)
        with slot.lock:
            if slot.error is not None:
                raise slot.error.with_traceback(None)
            if slot.value is None:
                try:
                    slot.value, slot.ends = make()
                except CognisesError as error:
                    slot.error = error
                    raise
                finally:
                    if slot.value is None:
                        with self._lock:
                            if self._slots.get(digest) is slot:
                                del self._slots[digest]
            return slot.value

    def _slot(self, digest: bytes) -> _Slot[T]:
        with self._lock:
            now = time.time()
            for key in [key for key, slot in self._slots.items() if slot.ends <= now]:
                del self._slots[key]
            slot = self._slots.pop(digest, None) or _Slot[T]()
            self._slots[digest] = slot  # at the end: used most recently
            while len(self._slots) > self._size:
                del self._slots[next(iter(self._slots))]
            return slot


_CACHES: weakref.WeakSet[TokenCache[Any]] = weakref.WeakSet()


def _after_fork() -> None:
    """A child process starts without its parent's credentials, and without its held locks."""
    for cache in list(_CACHES):
        cache._clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
