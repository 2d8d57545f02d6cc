"""The keys of one pool, kept fresh: a snapshot that is replaced as a whole, and when to fetch.

From 10 minutes on, keys are fetched again in the background; from an hour on (on Lambda, where
threads stand still between requests, from 10 minutes on) a request waits for one bounded fetch,
then uses the keys there are; after 24 hours they are refused. Keys from a file are due at once (on
Lambda after 2 seconds). After a failure there is no fetch, and no wait, for 1 to 30 seconds. An
unknown kid costs one shared fetch in 10 seconds; known kids never wait for it.
"""

import logging
import os
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cognises.errors import CognisesError
from cognises.tokens.http import TIMEOUT, FetchError, forked
from cognises.tokens.jws import Key

# For COOL_DOWN seconds a fetch counts as the pool's word on the keys that it lacks.
COOL_DOWN, REFRESH_DUE, STALE, EXPIRED = 10.0, 600.0, 3600.0, 86400.0
FIRST_BACKOFF, LAST_BACKOFF, HEAD_START = 1.0, 30.0, 2.0
MAX_WAITERS, MAX_THREADS = 16, 4  # threads of fetches, timed out ones included
_LAMBDA = "AWS_LAMBDA_FUNCTION_NAME"
Load = Callable[["str | None"], Mapping[str, Any]]
log = logging.getLogger("cognises.tokens.jwk")
fetch_observers: list[Callable[[bool], None]] = []  # called after each fetch


class ClockReading(NamedTuple):
    """A point in time on both clocks: one can be set back, the other can stand still."""

    wall: float
    monotonic: float

    @classmethod
    def now(cls) -> "ClockReading":
        return cls(time.time(), time.monotonic())

    def age(self) -> float:
        """Seconds since, by the clock that went further."""
        return max(time.time() - self.wall, time.monotonic() - self.monotonic)

    def earlier(self, seconds: float) -> "ClockReading":
        return ClockReading(self.wall - seconds, self.monotonic - seconds)


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """The keys of one fetch; `fetched` is False for preloaded keys."""

    keys: Mapping[str, Key]
    since: ClockReading
    fetched: bool

    def is_recent(self) -> bool:
        return self.fetched and self.since.age() < COOL_DOWN


@dataclass(eq=False)
class PendingFetch:
    """A fetch that runs, and the number of requests that wait for it."""

    since: ClockReading = field(default_factory=ClockReading.now)
    done: threading.Event = field(default_factory=threading.Event)
    waiters: int = 0


class KeySet:
    """The current keys. `load(kid)` returns a JWKS or raises FetchError; `admit` selects keys."""

    def __init__(self, load: Load, admit: Callable[[object], dict[str, Key]]) -> None:
        self._load, self._admit = load, admit
        self.shared: Any = None  # SharedKeys of server/, where processes share
        self._snapshot: Snapshot | None = None
        self._missed: Snapshot | None = None  # lacks a kid that it was fetched for
        self._failures, self._retry_at = 0, 0.0
        self.forget_threads()
        forked.add(self)

    def forget_threads(self) -> None:
        self._lock = threading.RLock()
        self._pending: PendingFetch | None = None
        self._threads: list[threading.Thread] = []

    def preload(self, document: object) -> None:
        """Use the keys of a document (a file) until the first fetch. Raises CognisesError."""
        keys = self._admit(document)
        if not keys:
            raise CognisesError("keys_unavailable", "no usable key in the given set")
        # On Lambda a fetch at once would slow the first response down.
        age = REFRESH_DUE - (HEAD_START if _LAMBDA in os.environ else 0)
        self._snapshot = Snapshot(keys, ClockReading.now().earlier(age), fetched=False)

    def hydrate(self) -> None:
        """Fetch now and wait. Raises CognisesError (`keys_unavailable`) where that fails."""
        before = self._snapshot
        self._wait_for_fetch(None, before)
        if self._snapshot is before:
            raise self._unavailable()

    def snapshot(self, kid: str | None = None) -> Snapshot:
        """The keys to use now, fetched for `kid` if need be. Raises CognisesError."""
        current = self._snapshot
        if current is not None:
            now, (wall, monotonic) = time.monotonic(), current.since
            if now - monotonic < REFRESH_DUE and time.time() - wall < REFRESH_DUE:
                return current
            if now < self._retry_at and current.since.age() < EXPIRED:
                return current  # the path of every request during an outage
        is_frozen = current and current.fetched and _LAMBDA in os.environ  # between requests
        refresh = self._wait_for_fetch if is_frozen or _age(current) >= STALE else self._start_fetch
        refresh(kid, current)
        return self._usable()

    def _usable(self) -> Snapshot:
        current = self._snapshot
        if current is None or _age(current) >= EXPIRED:
            raise self._unavailable()
        return current

    def require_usable(self) -> None:
        """Pass if tokens can be verified now; only the first caller without keys waits for them."""
        current = self._snapshot
        pending = self._start_fetch(None, current) if _age(current) >= REFRESH_DUE else None
        if pending and not pending.waiters and _age(current) >= EXPIRED:
            self._wait_for_fetch(None, current)
        self._usable()

    def key_for(self, kid: str) -> tuple[Key, Snapshot]:
        """The key with this id and its snapshot, after one shared fetch if it is unknown.
        Raises CognisesError: `unknown_key` if a recent fetch lacks it, else `keys_unavailable`.
        """
        snapshot = self.snapshot(kid)
        # Again if another snapshot than the awaited one (an earlier or shared fetch) came first.
        for _ in range(3):
            if kid in snapshot.keys or (snapshot is self._missed and snapshot.is_recent()):
                break
            self._wait_for_fetch(kid, snapshot)
            before, snapshot = snapshot, self._snapshot or snapshot
            if snapshot is before:
                break
        if kid in snapshot.keys:
            return snapshot.keys[kid], snapshot
        if not snapshot.is_recent():
            raise self._unavailable()
        self._missed = snapshot
        raise CognisesError("unknown_key", "a recent key set lacks the kid")

    def _unavailable(self) -> CognisesError:
        wait = max(1.0, self._retry_at - time.monotonic())
        return CognisesError("keys_unavailable", "no current key set", retry_after=wait)

    def _wait_for_fetch(self, kid: str | None, seen: Snapshot | None) -> None:
        """Wait for the shared fetch, for a limited time; surplus waiters continue with old keys."""
        if pending := self._start_fetch(kid, seen):
            with self._lock:
                pending.waiters += 1
                is_surplus = pending.waiters > MAX_WAITERS and _age(seen) < EXPIRED
            if not is_surplus:
                pending.done.wait(max(0.0, TIMEOUT - pending.since.age()))

    def _start_fetch(self, kid: str | None, seen: Snapshot | None) -> PendingFetch | None:
        """The pending fetch, else a new one; None while backing off, or if `seen` is replaced."""
        with self._lock:
            pending = self._pending
            if self._snapshot is not seen:
                return None
            if pending and not pending.done.is_set():
                if pending.since.age() < TIMEOUT:
                    return pending
                self._fail(pending, "no answer in time")
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            if time.monotonic() < self._retry_at or len(self._threads) >= MAX_THREADS:
                return None
            self._pending = pending = PendingFetch()
            thread = threading.Thread(target=self._fetch, args=(pending, kid), daemon=True)
            try:
                thread.start()
                self._threads.append(thread)
            except RuntimeError:
                self._fail(pending, "no thread could be started")
        return pending

    def _fetch(self, pending: PendingFetch, kid: str | None) -> None:
        started = ClockReading.now()
        try:
            if self._load_shared(kid):
                return
            document = self._load(kid)
            keys = self._admit(document)
            if not keys:
                raise FetchError("no usable key")
            made = self._replace(keys, started, "read")
            if not made:
                return  # this fetch timed out, and a later one was faster
            self._failures, self._retry_at = 0, 0.0
            if kid is not None and kid not in keys:
                self._missed = made
            for observe in fetch_observers:
                observe(True)
            if self.shared:
                self.shared.publish(document, started)
        except Exception as error:  # every failure must release the waiters
            why = str(error) if isinstance(error, FetchError) else type(error).__name__
            self._fail(pending, why)
        finally:
            pending.done.set()

    def _load_shared(self, kid: str | None) -> bool:
        """Take over a newer fetch of another process; whether that makes our own unnecessary."""
        found, current = self.shared.latest() if self.shared else None, self._snapshot
        if found is None or (current and current.since == found[1]):
            return False
        keys, since = self._admit(found[0]), found[1]
        if not keys or not self._replace(keys, since, "taken from another process"):
            return False
        return since.age() < REFRESH_DUE if kid is None else kid in keys

    def _replace(self, keys: Mapping[str, Key], since: ClockReading, how: str) -> Snapshot | None:
        """Use the keys of a fetch, unless those of a later one are in use."""
        with self._lock:
            current = self._snapshot
            if current and current.fetched and current.since.monotonic > since.monotonic:
                return None
            made = self._snapshot = Snapshot(keys, since, fetched=True)
        log.info("key set %s: %d keys", how, len(keys))
        return made

    def _fail(self, pending: PendingFetch, why: str) -> None:
        """Back off, and release the waiters, unless the fetch has timed out before."""
        with self._lock:
            if pending.done.is_set():
                return
            delay = min(LAST_BACKOFF, FIRST_BACKOFF * 2**self._failures)
            self._failures = min(self._failures + 1, 10)
            self._retry_at = time.monotonic() + delay * random.uniform(0.8, 1.2)  # noqa: S311
        log.warning("key set not read: %s", why)
        for observe in fetch_observers:
            observe(False)
        pending.done.set()


def _age(snapshot: Snapshot | None) -> float:
    return snapshot.since.age() if snapshot else EXPIRED
