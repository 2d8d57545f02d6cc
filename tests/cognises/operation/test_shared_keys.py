"""What one process of a server has read of the key set serves its siblings."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from request_side import refused

from cognises.testing import FakePool
from cognises.tokens.http import FetchError
from cognises.tokens.jws import admit
from cognises.tokens.key_cache import EXPIRED, REFRESH_DUE, ClockReading, KeySet, Snapshot
from server.worker import SLOT, SLOTS, SharedKeys

EMULATOR = {"kty": "RSA", "kid": "dummy", "n": "AQAB", "e": "AQAB"}


def down(kid: str | None) -> Mapping[str, Any]:
    raise FetchError("answered 500")


def keys_of(load, siblings: SharedKeys) -> KeySet:
    keys = KeySet(load, admit)
    keys.shared = siblings
    return keys


@pytest.fixture
def now():
    """Of the test, not of its import, which may be long ago."""
    return ClockReading.now()


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch):
    """`shared.by(pid)` is the memory as the process of that id sees it."""
    memory = SharedKeys()

    def by(pid: int) -> SharedKeys:
        monkeypatch.setattr(os, "getpid", lambda: pid)
        return memory

    memory.by = by
    return memory


def test_nothing_is_shared_before_somebody_has_read(shared):
    assert shared.latest() is None


def test_a_reading_comes_out_as_it_went_in_and_the_newest_counts(shared, now):
    shared.by(1).publish({"keys": ["new"]}, now)
    shared.by(2).publish({"keys": ["old"]}, now.earlier(60))

    assert shared.latest() == ({"keys": ["new"]}, now)


def test_a_reading_crosses_a_fork(now):
    memory = SharedKeys()
    child = os.fork()
    if child == 0:
        memory.publish({"keys": []}, now)
        os._exit(0)
    os.waitpid(child, 0)

    assert memory.latest() == ({"keys": []}, now)


@pytest.mark.parametrize("cut", [0, 33, 40])
def test_a_garbled_reading_counts_as_absent(shared, cut, now):
    shared.by(0).publish({"keys": []}, now)
    shared._memory[cut] ^= 1

    assert shared.latest() is None


def test_a_key_set_too_large_for_a_slot_is_not_shared(shared, now):
    shared.by(0).publish({"keys": "x" * SLOT}, now)

    assert shared.latest() is None
    assert shared._memory[SLOT : SLOT + 1] == b"\0"


def test_a_worker_that_starts_in_an_outage_has_its_siblings_keys(shared, cognito: FakePool):
    keys_of(lambda kid: cognito.jwks, shared.by(1)).hydrate()
    newcomer = keys_of(down, shared.by(2))

    assert newcomer.key_for(cognito.keys[0].kid)


def test_a_key_that_a_sibling_has_seen_costs_no_fetch(shared, cognito: FakePool):
    calls = []

    def load(kid):
        calls.append(kid)
        return cognito.jwks

    keys_of(load, shared.by(1)).hydrate()
    keys_of(load, shared.by(2)).key_for(cognito.keys[1].kid)

    assert len(calls) == 1


def test_a_siblings_reading_keeps_its_age(shared, cognito: FakePool, now):
    shared.by(1).publish(cognito.jwks, now.earlier(EXPIRED - REFRESH_DUE))
    assert keys_of(down, shared).snapshot().since.age() > EXPIRED - REFRESH_DUE - 1

    shared.by(1).publish(cognito.jwks, now.earlier(EXPIRED))
    assert refused(keys_of(down, shared).snapshot).reason == "keys_unavailable"


def test_an_older_reading_brings_no_removed_key_back(shared, cognito: FakePool, now):
    removed, kept = cognito.keys[0].jwk, cognito.keys[1].jwk
    shared.by(1).publish({"keys": [removed, kept]}, now.earlier(60))
    keys = KeySet(lambda kid: {"keys": [kept]}, admit)
    keys.hydrate()
    keys.shared = shared

    assert refused(keys.key_for, cognito.keys[0].kid).reason == "unknown_key"


def test_a_newer_reading_takes_a_removed_key_away(shared, cognito: FakePool):
    published = [cognito.keys[0].jwk]
    keys = keys_of(lambda kid: {"keys": published}, shared.by(1))
    keys.hydrate()
    published[:] = [cognito.keys[1].jwk]
    shared.by(2).publish({"keys": published}, ClockReading.now())

    keys.key_for(cognito.keys[1].kid)

    assert refused(keys.key_for, cognito.keys[0].kid).reason == "unknown_key"


def test_what_is_shared_passes_the_same_admission(shared, now):
    shared.by(1).publish({"keys": [EMULATOR]}, now)

    assert refused(keys_of(down, shared).key_for, "dummy").reason == "keys_unavailable"


def test_slots_do_not_overlap():
    assert len(SharedKeys()._memory) == SLOTS * SLOT


def test_a_key_set_of_another_worker_without_the_key_refuses_no_request_that_waits_for_a_fetch(
    shared, cognito: FakePool, now
):
    """It comes in while the fetch for the new key is under way."""
    old, new = (key.jwk for key in cognito.keys)
    shared.by(1).publish({"keys": [old]}, ClockReading.now())
    may_answer, is_asked = threading.Event(), threading.Event()

    def load(kid):
        is_asked.set()
        may_answer.wait(5)
        return {"keys": [old, new]}

    keys = keys_of(load, shared)
    stale = keys._snapshot = Snapshot(admit({"keys": [old]}), now.earlier(60), fetched=True)
    with ThreadPoolExecutor() as threads:
        first = threads.submit(keys.key_for, cognito.keys[1].kid)
        is_asked.wait(5)
        keys.snapshot = lambda kid=None: stale  # the second has looked before the sibling's came
        second = threads.submit(keys.key_for, cognito.keys[1].kid)
        time.sleep(0.05)
        may_answer.set()

        assert first.result()
        assert second.result()


def test_a_key_set_that_changes_all_the_time_blocks_no_request_for_ever(cognito: FakePool):
    keys = KeySet(down, admit)
    looks = []

    def another(kid=None, seen=None):
        looks.append(kid)
        keys._snapshot = Snapshot(admit({"keys": [cognito.keys[0].jwk]}), ClockReading.now(), True)

    another()
    keys._wait_for_fetch = another

    assert refused(keys.key_for, cognito.keys[1].kid).reason == "unknown_key"
    assert len(looks) == 4
