"""The keys of one pool, kept fresh: a snapshot that is replaced as a whole, and when to fetch.

fresh        under 10 minutes: used as it is
refresh due  fetched again in the background, no request waits
stale        over an hour: a request waits for one bounded fetch, then uses the keys there are;
             on Lambda from 10 minutes on, because threads do not run there between requests
preloaded    from a file: refresh due at once; on Lambda two seconds later, after the response
failed       no fetch for 1 to 30 seconds, and no request waits for one
expired      over 24 hours: refused until a fetch succeeds
unknown kid  one shared fetch; if it lacks the kid, no other for 10 seconds; known kids never wait
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from cognises.errors import CognisesError
from cognises.tokens.http import TIMEOUT, FetchError
from cognises.tokens.jwk import Key

if TYPE_CHECKING:
    from cognises.operation.shared_keys import SharedKeys

# For COOL_DOWN seconds a fetch counts as the pool's word on the keys that it lacks.
COOL_DOWN, REFRESH_DUE, STALE, EXPIRED = 10.0, 600.0, 3600.0, 86400.0
FIRST_BACKOFF, LAST_BACKOFF = 1.0, 30.0
HEAD_START = 2.0
MAX_WAITERS = 16
MAX_THREADS = 4  # of fetches, timed out ones included

log = logging.getLogger("cognises.tokens.jwk")

# Called after every fetch with whether it succeeded: metrics.
fetch_observers: list[Callable[[bool], None]] = []


class ClockReading(NamedTuple):
    """A point in time on both clocks: one can be set back, the other can stand still."""

    wall: float
    monotonic: float

    @classmethod
    def now(cls) -> ClockReading:
        return cls(time.time(), time.monotonic())

    def age(self) -> float:
        """Seconds since, by the clock that went further."""
        return max(time.time() - self.wall, time.monotonic() - self.monotonic)

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


@dataclass(eq=False)
class PendingFetch:
    """A fetch that runs, and the number of requests that wait for it."""

    since: ClockReading = field(default_factory=ClockReading.now)
    done: threading.Event = field(default_factory=threading.Event)
    waiters: int = 0


class KeySet:
    """The current keys, by `snapshot()` and `key_for(kid)`.

    `load(kid)` returns a JWKS or raises FetchError; `admit` selects the usable keys. Threads start
    on first use; a fork replaces the locks.
    """

    def __init__(
        self,
        load: Callable[[str | None], Mapping[str, Any]],
        admit: Callable[[object], dict[str, Key]],
    ) -> None:
        self._load, self._admit = load, admit
        self.shared: SharedKeys | None = None
        self._snapshot: Snapshot | None = None
        self._missed: Snapshot | None = None
        self._failures = 0
        self._retry_at = 0.0
        self._forget_threads()
        _KEY_SETS.add(self)

    def _forget_threads(self) -> None:
        self._lock = threading.RLock()
        self._pending: PendingFetch | None = None
        self._threads: list[threading.Thread] = []

    def preload(self, document: object) -> None:
        """Use the keys of a document (a file) until the first fetch. Raises CognisesError."""
        keys = self._admit(document)
        if not keys:
            raise CognisesError("keys_unavailable", "no usable key in the given set")
        # A function responds first: a fetch would share its core with the first response.
        age = REFRESH_DUE - HEAD_START if is_lambda() else REFRESH_DUE
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
        return self._refresh_if_due(kid, current)

    def _refresh_if_due(self, kid: str | None, current: Snapshot | None) -> Snapshot:
        age = current.since.age() if current is not None else EXPIRED
        if age < STALE and not (current and current.fetched and is_lambda()):
            self._start_fetch(kid, current)
        else:
            self._wait_for_fetch(kid, current)
        return self._usable()

    def _usable(self) -> Snapshot:
        current = self._snapshot
        if current is None or current.since.age() >= EXPIRED:
            raise self._unavailable()
        return current

    def require_usable(self) -> None:
        """Pass if tokens can be verified now; only the first caller without keys waits for them."""
        current = self._snapshot
        age = current.since.age() if current else EXPIRED
        if age >= REFRESH_DUE:
            pending = self._start_fetch(None, current)
            if age >= EXPIRED and pending is not None and not pending.waiters:
                self._wait_for_fetch(None, current)
        self._usable()

    def key_for(self, kid: str) -> tuple[Key, Snapshot]:
        """The key with this id and its snapshot, after one shared fetch if it is unknown.

        Raises CognisesError: `unknown_key` if a recent fetch lacks it, else `keys_unavailable`.
        """
        snapshot = self.snapshot(kid)
        if kid not in snapshot.keys:
            snapshot = self._fetched_for(kid, snapshot)
        return snapshot.keys[kid], snapshot

    def _fetched_for(self, kid: str, snapshot: Snapshot) -> Snapshot:
        # Again if another snapshot than the awaited one (an earlier or shared fetch) came first.
        for _ in range(3):
            if kid in snapshot.keys or (snapshot is self._missed and snapshot.is_recent()):
                break
            self._wait_for_fetch(kid, snapshot)
            before, snapshot = snapshot, self._snapshot or snapshot
            if snapshot is before:
                break
        if kid in snapshot.keys:
            return snapshot
        if not snapshot.is_recent():
            raise self._unavailable()
        self._missed = snapshot
        raise CognisesError("unknown_key", "a recent key set lacks the kid")

    def _unavailable(self) -> CognisesError:
        wait = max(1.0, self._retry_at - time.monotonic())
        return CognisesError("keys_unavailable", "no current key set", retry_after=wait)

    def _wait_for_fetch(self, kid: str | None, seen: Snapshot | None) -> None:
        """Wait for the shared fetch, for a limited time; surplus waiters continue with old keys.

        Without usable keys every request waits: no token could be verified.
        """
        pending = self._start_fetch(kid, seen)
        if pending is None:
            return
        with self._lock:
            pending.waiters += 1
            has_keys = seen is not None and seen.since.age() < EXPIRED
            is_surplus = has_keys and pending.waiters > MAX_WAITERS
        if not is_surplus:
            pending.done.wait(max(0.0, TIMEOUT - pending.since.age()))

    def _start_fetch(self, kid: str | None, seen: Snapshot | None) -> PendingFetch | None:
        """The pending fetch, else a new one; None while backing off, or if `seen` is replaced."""
        with self._lock:
            if self._snapshot is not seen:
                return None
            pending = self._pending
            if pending and not pending.done.is_set():
                if pending.since.age() < TIMEOUT:
                    return pending
                self._fail("no answer in time")
                pending.done.set()
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            if time.monotonic() < self._retry_at or len(self._threads) >= MAX_THREADS:
                return None
            self._pending = pending = PendingFetch()
            thread = threading.Thread(target=self._fetch, args=(pending, kid), daemon=True)
            try:
                thread.start()
                self._threads.append(thread)
            except RuntimeError:
                self._fail("no thread could be started")
                pending.done.set()
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
            self._succeed(keys, started, kid)
            if self.shared:
                self.shared.publish(document, started)
        except Exception as error:  # every failure must release the waiters
            if not pending.done.is_set():
                self._fail(str(error) if isinstance(error, FetchError) else type(error).__name__)
        finally:
            pending.done.set()

    def _load_shared(self, kid: str | None) -> bool:
        """Take over a newer fetch of another process; whether that makes our own unnecessary."""
        found = self.shared.latest() if self.shared else None
        if found is None:
            return False
        document, since = found
        keys = self._admit(document)
        with self._lock:
            current = self._snapshot
            is_newer = (
                not (current and current.fetched) or since.monotonic > current.since.monotonic
            )
            if not keys or not is_newer:
                return False
            self._snapshot = Snapshot(keys, since, fetched=True)
        log.info("key set taken from another process: %d keys", len(keys))
        return kid in keys if kid is not None else since.age() < REFRESH_DUE

    def _succeed(self, keys: Mapping[str, Key], started: ClockReading, kid: str | None) -> None:
        with self._lock:
            current = self._snapshot
            if current and current.fetched and current.since.monotonic > started.monotonic:
                return  # a fetch that timed out, and whose successor was faster
            self._failures, self._retry_at = 0, 0.0
            self._snapshot = Snapshot(keys, started, fetched=True)
            if kid is not None and kid not in keys:
                self._missed = self._snapshot
        log.info("key set read: %d keys", len(keys))
        for observe in fetch_observers:
            observe(True)

    def _fail(self, why: str) -> None:
        with self._lock:
            delay = min(LAST_BACKOFF, FIRST_BACKOFF * 2**self._failures)
            self._failures = min(self._failures + 1, 10)
            self._retry_at = time.monotonic() + delay * random.uniform(0.8, 1.2)  # noqa: S311
        log.warning("key set not read: %s", why)
        for observe in fetch_observers:
            observe(False)


def is_lambda() -> bool:
    """Whether this process, its threads included, is frozen between requests."""
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


_KEY_SETS: weakref.WeakSet[KeySet] = weakref.WeakSet()


def _after_fork() -> None:
    for key_set in list(_KEY_SETS):
        key_set._forget_threads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
