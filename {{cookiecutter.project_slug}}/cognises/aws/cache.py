"""What is kept of users who act in AWS: a bounded number of values, one for each token."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

MAX_TOKENS = 128
T = TypeVar("T")


class TokenCache(Generic[T]):
    """At most `size` values by the digest of a token, each kept until its end.

    The first request for a token makes its value; equal requests wait for it, or share its failure,
    which is not kept. Values that have ended go first, then those used least recently.
    """

    def __init__(self, size: int = MAX_TOKENS) -> None:
        self._size = size
        self.clear()
        _CACHES.add(self)

    def clear(self) -> None:
        """Start again, with a lock that no other thread holds."""
        self._lock = threading.Lock()
        self._kept: dict[bytes, Future[tuple[T, float]]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, digest: bytes, make: Callable[[], tuple[T, float]]) -> T:
        """The value of a token. `make()` returns it and its end (seconds since the epoch)."""
        with self._lock:
            now = time.time()
            for key, each in list(self._kept.items()):
                if each.done() and each.result()[1] <= now:
                    del self._kept[key]
            found = self._kept.pop(digest, None)
            kept = self._kept[digest] = found or Future()  # at the end: used most recently
            while len(self._kept) > self._size:
                del self._kept[next(iter(self._kept))]
        if found is None:
            try:
                kept.set_result(make())
            except BaseException as error:
                with self._lock:
                    if self._kept.get(digest) is kept:
                        del self._kept[digest]
                kept.set_exception(error)
        return kept.result()[0]


_CACHES: weakref.WeakSet[TokenCache[Any]] = weakref.WeakSet()


def _after_fork() -> None:
    """A child process has no credentials of its parent, and no lock that is held."""
    for cache in list(_CACHES):
        cache.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
