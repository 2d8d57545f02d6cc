"""The keys of one pool, kept fresh: a snapshot that is swapped whole, and when to fetch.

fresh       under 10 minutes: used as it is
soft        refreshed in the background, nobody waits
old         over an hour: a request waits for one bounded refresh, then takes what there is;
            on Lambda from 10 minutes on, for threads stand still there between requests
given       from a file: soft at once; on Lambda two seconds later, after the first answer
failed      no fetch for 1 to 30 seconds, and nobody waits for one
hard        over 24 hours: refused until a fetch succeeds
unknown kid one shared fetch; once it has missed, no other for 10 seconds; known kids never wait
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
from typing import Any, Protocol

from cognises.errors import CognisesError
from cognises.tokens.http import TIMEOUT, FetchError
from cognises.tokens.jwk import Key
from cognises.tokens.key_snapshot import Moment, Snapshot

SOFT, OLD, HARD = 600.0, 3600.0, 86400.0
FIRST_BACKOFF, LAST_BACKOFF = 1.0, 30.0
HEAD_START = 2.0
MAX_WAITERS = 16
# Fetches that were given up on and whose server still holds them: no more than these at a time.
MAX_THREADS = 4

log = logging.getLogger("cognises.tokens.jwk")

# Told of every fetch, whether it succeeded: for metrics.
fetch_observers: list[Callable[[bool], None]] = []


class Siblings(Protocol):
    """Other processes of the same service, whose readings serve this one too."""

    def publish(self, document: Mapping[str, Any], since: Moment) -> None: ...
    def latest(self) -> tuple[Mapping[str, Any], Moment] | None: ...


@dataclass(eq=False)
class _Flight:
    """One fetch under way, and the number of requests that wait for it."""

    since: Moment = field(default_factory=Moment.now)
    done: threading.Event = field(default_factory=threading.Event)
    waiters: int = 0


class KeySet:
    """The current keys, by `snapshot()` and `key_for(kid)`.

    `load(kid)` reads a JWKS and says FetchError where it cannot; `admit` chooses the usable keys.
    Threads start on first need; locks are made anew after a fork.
    """

    def __init__(
        self,
        load: Callable[[str | None], Mapping[str, Any]],
        admit: Callable[[object], dict[str, Key]],
    ) -> None:
        self._load, self._admit = load, admit
        self.siblings: Siblings | None = None
        self._snapshot: Snapshot | None = None
        self._missed: Snapshot | None = None
        self._failures = 0
        self._retry_at = 0.0
        self._forget_threads()
        _KEY_SETS.add(self)

    def _forget_threads(self) -> None:
        self._lock = threading.RLock()
        self._flight: _Flight | None = None
        self._threads: list[threading.Thread] = []

    def preload(self, document: object) -> None:
        """Take keys from elsewhere (a file), to be refreshed soon. No usable one: an error."""
        keys = self._admit(document)
        if not keys:
            raise CognisesError("keys_unavailable", "no usable key in the given set")
        # A function that starts answers first: a refresh would share its core with that answer.
        age = SOFT - HEAD_START if _stands_still() else SOFT
        self._snapshot = Snapshot(keys, Moment.now().earlier(age), fetched=False)

    def hydrate(self) -> None:
        """Fetch now and wait. Raises CognisesError (`keys_unavailable`) where that fails."""
        before = self._snapshot
        self._wait_for_fetch(None, before)
        if self._snapshot is before or self._snapshot is None:
            raise self._unavailable()

    def snapshot(self, kid: str | None = None) -> Snapshot:
        """Keys that may be used now; where they must be fetched, those that have `kid`, if any do.

        Raises CognisesError (`keys_unavailable`).
        """
        current = self._snapshot
        if current is not None:
            now, (wall, monotonic) = time.monotonic(), current.since
            if now - monotonic < SOFT and time.time() - wall < SOFT:
                return current
            if now < self._retry_at and current.since.age() < HARD:
                return current  # an outage: every request comes by here
        return self._looked_after(kid, current)

    def _looked_after(self, kid: str | None, current: Snapshot | None) -> Snapshot:
        age = current.since.age() if current is not None else HARD
        if age < OLD and not (current and current.fetched and _stands_still()):
            self._start_fetch(kid, current)
        else:
            self._wait_for_fetch(kid, current)
        current = self._snapshot
        if current is None or current.since.age() >= HARD:
            raise self._unavailable()
        return current

    def require_usable(self) -> None:
        """Whether tokens can be verified now; asks for keys where that is due.

        Only the first to ask waits for the answer, and only where there are no keys at all. Raises
        CognisesError (`keys_unavailable`).
        """
        current = self._snapshot
        age = current.since.age() if current else HARD
        if age >= SOFT:
            flight = self._start_fetch(None, current)
            if age >= HARD and flight is not None and not flight.waiters:
                self._wait_for_fetch(None, current)
        current = self._snapshot
        if current is None or current.since.age() >= HARD:
            raise self._unavailable()

    def key_for(self, kid: str) -> tuple[Key, Snapshot]:
        """The key of that id and the snapshot it is in, after one shared fetch if need be.

        Raises CognisesError: `unknown_key` if a recent fetch lacks it, else `keys_unavailable`.
        """
        snapshot = self.snapshot(kid)
        if kid not in snapshot.keys:
            snapshot = self._fetched_for(kid, snapshot)
        return snapshot.keys[kid], snapshot

    def _fetched_for(self, kid: str, snapshot: Snapshot) -> Snapshot:
        # Again where another reading than the one waited for (an older one's fetch, a sibling's)
        # has come in between.
        for _ in range(3):
            if kid in snapshot.keys or self._missed_lately(snapshot):
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

    def _missed_lately(self, snapshot: Snapshot) -> bool:
        return snapshot is self._missed and snapshot.is_recent()

    def _unavailable(self) -> CognisesError:
        wait = max(1.0, self._retry_at - time.monotonic())
        return CognisesError("keys_unavailable", "no current key set", retry_after=wait)

    def _wait_for_fetch(self, kid: str | None, seen: Snapshot | None) -> None:
        """Wait for the shared fetch, bounded; surplus waiters go on at once with what there is."""
        flight = self._start_fetch(kid, seen)
        if flight is None:
            return
        with self._lock:
            flight.waiters += 1
            is_surplus = flight.waiters > MAX_WAITERS
        if not is_surplus:
            flight.done.wait(max(0.0, TIMEOUT - flight.since.age()))

    def _start_fetch(self, kid: str | None, seen: Snapshot | None) -> _Flight | None:
        """The fetch under way, else a new one; None while backing off, or if `seen` is outdated."""
        with self._lock:
            if self._snapshot is not seen:
                return None
            flight = self._flight
            if flight and not flight.done.is_set():
                if flight.since.age() < TIMEOUT:
                    return flight
                self._fail("no answer in time")
                flight.done.set()
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            if time.monotonic() < self._retry_at or len(self._threads) >= MAX_THREADS:
                return None
            self._flight = flight = _Flight()
            thread = threading.Thread(target=self._fetch, args=(flight, kid), daemon=True)
            try:
                thread.start()
                self._threads.append(thread)
            except RuntimeError:
                self._fail("no thread could be started")
                flight.done.set()
        return flight

    def _fetch(self, flight: _Flight, kid: str | None) -> None:
        started = Moment.now()
        try:
            if self._inherit(kid):
                return
            document = self._load(kid)
            keys = self._admit(document)
            if not keys:
                raise FetchError("no usable key")
            self._succeed(keys, started, kid)
            if self.siblings:
                self.siblings.publish(document, started)
        except Exception as error:  # whatever it was, the waiters must learn that it failed
            if not flight.done.is_set():
                self._fail(str(error) if isinstance(error, FetchError) else type(error).__name__)
        finally:
            flight.done.set()

    def _inherit(self, kid: str | None) -> bool:
        """Take a sibling's newer reading, at its age; whether that spares a fetch of our own."""
        found = self.siblings.latest() if self.siblings else None
        if found is None:
            return False
        document, since = found
        keys = self._admit(document)
        with self._lock:
            current = self._snapshot
            if not keys or (current and current.fetched and not since.is_after(current.since)):
                return False
            self._snapshot = Snapshot(keys, since, fetched=True)
        log.info("key set taken from a sibling: %d keys", len(keys))
        return kid in keys if kid is not None else since.age() < SOFT

    def _succeed(self, keys: Mapping[str, Key], started: Moment, kid: str | None) -> None:
        with self._lock:
            current = self._snapshot
            if current and current.fetched and current.since.is_after(started):
                return  # an answer that was given up on, and overtaken
            self._failures, self._retry_at = 0, 0.0
            self._snapshot = Snapshot(keys, started, fetched=True)
            if kid is not None and kid not in keys:
                self._missed = self._snapshot
        log.info("key set read: %d keys", len(keys))
        _tell(True)

    def _fail(self, why: str) -> None:
        with self._lock:
            delay = min(LAST_BACKOFF, FIRST_BACKOFF * 2**self._failures)
            self._failures = min(self._failures + 1, 10)
            self._retry_at = time.monotonic() + delay * random.uniform(0.8, 1.2)  # noqa: S311
        log.warning("key set not read: %s", why)
        _tell(False)


def _stands_still() -> bool:
    """Whether this process is frozen once a request is answered, its threads with it."""
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


def _tell(succeeded: bool) -> None:
    for observe in fetch_observers:
        observe(succeeded)


_KEY_SETS: weakref.WeakSet[KeySet] = weakref.WeakSet()


def _after_fork() -> None:
    for key_set in list(_KEY_SETS):
        key_set._forget_threads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
