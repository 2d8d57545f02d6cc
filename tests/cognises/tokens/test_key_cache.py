"""The keys of a pool over time: rotation, floods, outages, clocks, forks. Against a real server."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from key_server import KeyServer, Reply
from request_side import refused

from cognises import CognisesError, Verifier
from cognises.testing import FakePool, SigningKey, encode
from cognises.tokens import http
from cognises.tokens.http import load_first
from cognises.tokens.key_cache import (
    COOL_DOWN,
    EXPIRED,
    HEAD_START,
    LAST_BACKOFF,
    MAX_WAITERS,
    REFRESH_DUE,
    STALE,
)
from cognises.tokens.verifier import pool_key_set
from cognises.user_pool import UserPool


@pytest.fixture
def pool(_session_pool: FakePool) -> FakePool:
    """A pool whose keys a test may change; it starts with those of the run."""
    fresh = object.__new__(FakePool)
    fresh.__dict__.update(_session_pool.__dict__, keys=list(_session_pool.keys))
    return fresh


@pytest.fixture
def server(pool: FakePool) -> Iterator[KeyServer]:
    server = KeyServer(lambda: pool.jwks)
    yield server
    server.close()


@pytest.fixture
def verifier(pool: FakePool, server: KeyServer) -> Verifier:
    return make(pool, server.url)


def make(pool: FakePool, *urls: str) -> Verifier:
    keys = pool_key_set(pool.user_pool, load=partial(load_first, urls))
    return Verifier(pool.id, pool.client_id, token_use="id", key_set=keys)


class Clock:
    """Both clocks, each movable by itself."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall_offset = self.monotonic_offset = 0.0
        wall, monotonic = time.time, time.monotonic
        monkeypatch.setattr(time, "time", lambda: wall() + self.wall_offset)
        monkeypatch.setattr(time, "monotonic", lambda: monotonic() + self.monotonic_offset)

    def move(self, seconds: float, *, wall: bool = True, monotonic: bool = True) -> None:
        self.wall_offset += seconds * wall
        self.monotonic_offset += seconds * monotonic


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def eventually(holds: Callable[[], object], seconds: float = 10) -> None:
    """Wait for what a background thread does; generous, since machines are slow."""
    waited = threading.Event()
    for _ in range(int(seconds / 0.01)):
        if holds():
            return
        waited.wait(0.01)
    pytest.fail("it never came about")


def long_lived(pool: FakePool, **options: object) -> str:
    return pool.token(exp=int(time.time()) + 40 * 86400, **options)


def stranger(pool: FakePool, kid: str) -> str:
    """A token that names an unknown key; the key is looked up before the signature."""
    header = encode({"kid": kid, "alg": "RS256"})
    return f"{header}.{encode(pool.claims())}.{'A' * 342}"


# Rotation


def test_nothing_is_fetched_before_the_first_token(verifier: Verifier, server: KeyServer):
    refused(verifier.verify, "no token")

    assert server.hits == []


def test_many_tokens_cost_one_fetch(verifier: Verifier, server: KeyServer, pool: FakePool):
    for _ in range(20):
        assert verifier.verify(pool.token())
        assert verifier.verify(pool.token(key=pool.keys[1]))

    assert len(server.hits) == 1


def test_a_new_key_is_found_by_the_first_token_that_names_it(verifier, server, pool):
    assert verifier.verify(pool.token())
    pool.rotate()

    assert verifier.verify(pool.token())
    assert len(server.hits) == 2


def test_a_removed_key_is_refused_after_the_next_refresh(verifier, server, pool, clock):
    token = long_lived(pool)
    assert verifier.verify(token)
    del pool.keys[0]
    clock.move(REFRESH_DUE + 1)

    assert verifier.verify(token)  # starts the refresh, and does not wait for it
    eventually(lambda: len(server.hits) == 2)
    eventually(lambda: is_refused(verifier, token, "unknown_key"))


def is_refused(verifier: Verifier, token: str, reason: str) -> bool:
    try:
        verifier.verify(token)
    except CognisesError as error:
        return error.reason == reason
    return False


def test_the_old_keys_tokens_are_refused_when_its_kid_gets_new_material(verifier, pool):
    old = long_lived(pool)
    assert verifier.verify(old)
    pool.keys[0] = SigningKey(pool.keys[0].kid)

    verifier.hydrate()

    assert refused(verifier.verify, old).reason == "invalid_token"
    assert verifier.verify(pool.token())


# Floods


def test_1000_tokens_with_distinct_unknown_kids_cost_at_most_one_fetch(verifier, server, pool):
    assert verifier.verify(pool.token())

    for i in range(1000):
        reason = refused(verifier.verify, stranger(pool, f"unknown-{i}")).reason
        assert reason == "unknown_key"

    assert len(server.hits) <= 2
    assert verifier.verify(pool.token())


def test_1000_unknown_kids_from_a_cold_start_cost_at_most_one_fetch(verifier, server, pool):
    for i in range(1000):
        assert refused(verifier.verify, stranger(pool, f"unknown-{i}")).reason == "unknown_key"

    assert len(server.hits) == 1


def test_unknown_kids_from_many_threads_cost_at_most_one_fetch(verifier, server, pool):
    assert verifier.verify(pool.token())
    tokens = [stranger(pool, f"unknown-{i}") for i in range(200)]

    with ThreadPoolExecutor(16) as threads:
        reasons = set(threads.map(lambda token: refused(verifier.verify, token).reason, tokens))

    assert reasons <= {"unknown_key", "keys_unavailable"}
    assert len(server.hits) <= 2


def test_a_flood_of_unknown_kids_cannot_keep_a_new_key_out_past_the_cool_down(
    verifier, server, pool, clock
):
    assert verifier.verify(pool.token())
    refused(verifier.verify, stranger(pool, "unknown"))
    pool.rotate()
    assert refused(verifier.verify, pool.token()).reason == "unknown_key"

    clock.move(COOL_DOWN + 1)

    assert verifier.verify(pool.token())
    assert len(server.hits) == 3


def test_known_kids_do_not_wait_while_a_fetch_for_an_unknown_one_is_in_flight(
    verifier, server, pool
):
    assert verifier.verify(pool.token())
    server.hold()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(refused, verifier.verify, stranger(pool, "unknown"))
        assert server.arrived.wait(10)

        for _ in range(50):
            assert verifier.verify(pool.token())
        assert not waiting.done()

        server.let_go()
        assert waiting.result(10).reason == "unknown_key"


def test_known_kids_do_not_wait_for_a_background_refresh(verifier, server, pool, clock):
    token = long_lived(pool)
    assert verifier.verify(token)
    clock.move(REFRESH_DUE + 1)
    server.hold()

    for _ in range(50):
        assert verifier.verify(token)

    assert server.arrived.wait(10)
    assert len(server.hits) == 2
    server.let_go()


def test_waiters_for_an_unknown_kid_are_capped_and_the_surplus_gets_503(
    verifier, server, pool, clock
):
    assert verifier.verify(long_lived(pool))
    clock.move(COOL_DOWN + 1)  # the snapshot is no longer recent: absence proves nothing
    server.hold()
    surplus = 8
    with ThreadPoolExecutor(MAX_WAITERS + surplus) as threads:
        answers = [
            threads.submit(refused, verifier.verify, stranger(pool, f"unknown-{i}"))
            for i in range(MAX_WAITERS + surplus)
        ]
        eventually(lambda: sum(answer.done() for answer in answers) >= surplus)
        early = [answer.result() for answer in answers if answer.done()]
        server.let_go()
        late = [answer.result(10) for answer in answers]

    assert {error.reason for error in early} == {"keys_unavailable"}
    assert {error.status for error in early} == {503}
    assert sum(error.reason == "unknown_key" for error in late) == MAX_WAITERS
    assert len(server.hits) == 2


def test_fifty_first_requests_that_come_together_are_all_answered(verifier, server, pool):
    """The surplus of a cold start is not refused: no key is known that it could do without."""
    tokens = [pool.token([f"group-{i}"]) for i in range(50)]
    server.hold()
    with ThreadPoolExecutor(50) as threads:
        answers = [threads.submit(verifier.verify, token) for token in tokens]
        eventually(
            lambda: verifier.keys._pending is not None and verifier.keys._pending.waiters == 50
        )
        server.let_go()

        assert all(answer.result(10) for answer in answers)
    assert len(server.hits) == 1


# Outages


def test_service_goes_on_through_an_outage_with_a_warm_set(verifier, server, pool, clock):
    token = long_lived(pool)
    assert verifier.verify(token)
    server.answer = lambda: Reply(status=500)

    for age in (REFRESH_DUE + 1, STALE, EXPIRED - STALE - REFRESH_DUE - 60):
        clock.move(age)
        for _ in range(20):
            assert verifier.verify(token)


def test_a_warm_set_is_refused_past_its_hard_age(verifier, server, pool, clock):
    token = long_lived(pool)
    assert verifier.verify(token)
    server.answer = lambda: Reply(status=500)
    clock.move(EXPIRED + 1)

    error = refused(verifier.verify, token)

    assert (error.reason, error.status) == ("keys_unavailable", 503)
    assert int(error.headers["Retry-After"]) >= 1
    assert "WWW-Authenticate" not in error.headers


def test_an_unknown_kid_in_an_outage_is_503_and_not_401(verifier, server, pool, clock):
    assert verifier.verify(long_lived(pool))
    server.answer = lambda: Reply(status=500)
    clock.move(COOL_DOWN + 1)

    assert refused(verifier.verify, stranger(pool, "unknown")).status == 503


def test_1000_requests_in_a_cold_outage_cost_a_handful_of_attempts(verifier, server, pool):
    server.answer = lambda: Reply(status=500)
    token = pool.token()

    for _ in range(1000):
        error = refused(verifier.verify, token)
        assert (error.status, int(error.headers["Retry-After"]) >= 1) == (503, True)

    assert 1 <= len(server.hits) <= 3


def test_a_cold_outage_ends_when_the_endpoint_comes_back(verifier, server, pool, clock):
    server.answer = lambda: Reply(status=500)
    refused(verifier.verify, pool.token())
    server.answer = lambda: pool.jwks
    clock.move(2)

    assert verifier.verify(pool.token())


def test_back_off_grows_to_its_limit_and_starts_again_after_a_success(
    verifier, server, pool, clock
):
    server.answer = lambda: Reply(status=500)
    token = long_lived(pool)
    waits = []
    for _ in range(8):
        waits.append(int(refused(verifier.verify, token).headers["Retry-After"]))
        clock.move(LAST_BACKOFF * 1.2 + 1)

    assert waits[0] <= 2
    assert waits == sorted(waits) or max(waits) >= 20  # with jitter
    assert max(waits) <= LAST_BACKOFF * 1.2 + 1
    assert len(server.hits) == 8

    server.answer = lambda: pool.jwks
    assert verifier.verify(token)
    server.answer = lambda: Reply(status=500)
    clock.move(EXPIRED + 1)
    assert int(refused(verifier.verify, token).headers["Retry-After"]) <= 2


ODD = {
    "an HTML page": Reply(b"<html>"),
    "a redirect": Reply(b"", 302, {"Location": "http://127.0.0.1:1/"}),
    "403": Reply(b"", 403),
    "ten megabytes": Reply(b" " * 10_000_000),
    "a gzip bomb": Reply.zipped(b" " * 20_000_000),
    "nothing": Reply(b""),
    "an array": Reply(b"[]"),
    "no keys": Reply({"keys": []}),
    "no usable key": Reply({"keys": [{"kty": "oct", "kid": "x", "k": "AAAA"}]}),
    "keys of another kind": Reply({"keys": "none"}),
    "weak keys": Reply({"keys": [SigningKey("weak", bits=1024).jwk]}),
}


@pytest.mark.parametrize("reply", ODD.values(), ids=ODD.keys())
def test_an_odd_answer_does_not_replace_good_keys(reply, verifier, server, pool, clock, caplog):
    caplog.set_level(logging.WARNING)
    token = long_lived(pool)
    assert verifier.verify(token)
    server.answer = lambda: reply
    clock.move(STALE + 1)  # waits for the refresh, then takes what there is

    assert verifier.verify(token)
    assert len(server.hits) == 2
    assert any("key set not read" in record.getMessage() for record in caplog.records)
    assert verifier.verify(token)


@pytest.mark.parametrize("reply", ODD.values(), ids=ODD.keys())
def test_an_odd_answer_at_a_cold_start_is_503(reply, verifier, server, pool):
    server.answer = lambda: reply

    assert refused(verifier.verify, pool.token()).reason == "keys_unavailable"


def test_a_number_that_is_no_key_does_not_cost_the_good_ones_beside_it(verifier, server, pool):
    odd = pool.jwks["keys"][0] | {"kid": "odd", "n": "gA" + "A" * 340}
    server.answer = lambda: {"keys": [odd, *pool.jwks["keys"]]}

    assert verifier.verify(pool.token())


def test_the_second_host_helps_where_the_first_is_down(server, pool):
    verifier = make(pool, "http://127.0.0.1:1/keys", server.url)

    assert verifier.verify(pool.token())


def test_the_second_host_helps_where_the_first_is_behind(server, pool):
    behind = KeyServer(lambda: {"keys": [SigningKey("old").jwk]})
    try:
        verifier = make(pool, behind.url, server.url)

        assert verifier.verify(pool.token())
    finally:
        behind.close()


def test_a_first_host_without_the_kid_is_still_an_answer_where_the_second_is_down(server, pool):
    verifier = make(pool, server.url, "http://127.0.0.1:1/keys")
    assert verifier.verify(pool.token())

    assert refused(verifier.verify, stranger(pool, "unknown")).reason == "unknown_key"


def test_the_addresses_of_a_pool_are_its_own_hosts_over_https():
    keys = pool_key_set(UserPool.parse("us-east-1_FakePool1"), ["eu-west-1"])

    assert keys._load.args[0] == tuple(
        f"https://{prefix}cognito-idp.{region}.amazonaws.com/us-east-1_FakePool1"
        "/.well-known/jwks.json"
        for region in ("us-east-1", "eu-west-1")
        for prefix in ("", "issuer-")
    )


def test_hydrate_says_so_where_the_endpoint_is_down(verifier, server, pool):
    server.answer = lambda: Reply(status=500)
    assert refused(verifier.hydrate).reason == "keys_unavailable"
    assert refused(verifier.hydrate).reason == "keys_unavailable"  # backing off

    assert len(server.hits) == 1


# Ages and clocks


@pytest.mark.parametrize("clocks", [{"wall": False}, {"monotonic": False}, {}], ids=str)
def test_age_is_measured_by_the_clock_that_went_further(clocks, verifier, server, pool, clock):
    token = long_lived(pool)
    assert verifier.verify(token)
    server.answer = lambda: Reply(status=500)

    clock.move(EXPIRED + 1, **clocks)

    assert refused(verifier.verify, token).reason == "keys_unavailable"


def test_a_wall_clock_set_back_makes_no_key_young_again(verifier, server, pool, clock):
    token = long_lived(pool)
    assert verifier.verify(token)
    server.answer = lambda: Reply(status=500)
    clock.move(-10 * EXPIRED, monotonic=False)
    clock.move(EXPIRED + 1, wall=False)

    assert refused(verifier.verify, pool.token(iat=None)).reason == "keys_unavailable"


def test_a_set_older_than_an_hour_waits_for_one_refresh(verifier, server, pool, clock):
    token = long_lived(pool)
    assert verifier.verify(token)
    del pool.keys[0]
    clock.move(STALE + 1)

    assert refused(verifier.verify, token).reason == "unknown_key"
    assert 2 <= len(server.hits) <= 3  # that refresh, and the one fetch an unknown kid may cost


def test_on_lambda_a_request_waits_for_the_refresh_that_a_thread_would_never_end(
    verifier, server, pool, clock, monkeypatch
):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "service")
    token = long_lived(pool)
    assert verifier.verify(token)
    del pool.keys[0]
    clock.move(REFRESH_DUE + 1)

    assert refused(verifier.verify, token).reason == "unknown_key"


def test_on_lambda_an_outage_costs_one_wait_and_no_request(
    verifier, server, pool, clock, monkeypatch
):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "service")
    token = long_lived(pool)
    assert verifier.verify(token)
    server.answer = lambda: Reply(status=500)
    clock.move(REFRESH_DUE + 1)

    for _ in range(20):
        assert verifier.verify(token)
    assert len(server.hits) == 2  # the first, and the one that failed: then it backs off


def test_on_lambda_given_keys_answer_the_first_request_at_once(verifier, server, pool, monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "service")
    server.answer = lambda: Reply(pool.jwks, drip=0.5)
    verifier.load_jwks(pool.jwks)

    assert verifier.verify(pool.token())
    assert not server.hits


def test_on_lambda_given_keys_are_refreshed_after_the_first_request_and_not_beside_it(
    verifier, server, pool, clock, monkeypatch
):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "service")
    verifier.load_jwks(pool.jwks)
    assert verifier.verify(pool.token())
    time.sleep(0.1)
    assert not server.hits

    clock.move(HEAD_START + 1)
    assert verifier.verify(pool.token())
    eventually(lambda: server.hits)


def test_a_fresh_set_is_not_refreshed(verifier, server, pool, clock):
    token = long_lived(pool)
    assert verifier.verify(token)
    clock.move(REFRESH_DUE - 10)

    for _ in range(20):
        assert verifier.verify(token)
    assert len(server.hits) == 1


def test_keys_from_a_file_serve_at_once_and_are_refreshed_in_the_background(verifier, server, pool):
    verifier.load_jwks(pool.jwks)
    server.hold()

    assert verifier.verify(pool.token())
    assert server.arrived.wait(10)
    server.let_go()


def test_keys_from_a_file_cannot_outlive_the_pools_own_word(verifier, server, pool):
    stale = SigningKey("stale")
    verifier.load_jwks({"keys": [stale.jwk]})
    token = pool.token(key=stale)
    assert verifier.verify(token)

    eventually(lambda: is_refused(verifier, token, "unknown_key"))


def test_a_kid_that_a_file_lacks_is_unknown_only_after_a_fetch(verifier, server, pool):
    server.answer = lambda: Reply(status=500)
    verifier.load_jwks(pool.jwks)

    assert refused(verifier.verify, stranger(pool, "unknown")).reason == "keys_unavailable"


def test_keys_from_a_file_are_refused_past_the_hard_age_without_a_fetch(
    verifier, server, pool, clock
):
    server.answer = lambda: Reply(status=500)
    verifier.load_jwks(pool.jwks)
    token = long_lived(pool)
    assert verifier.verify(token)
    clock.move(EXPIRED + 1)

    assert refused(verifier.verify, token).reason == "keys_unavailable"


def test_a_thread_frozen_with_its_machine_does_not_block_the_next_fetch(
    verifier, server, pool, clock
):
    server.hold()
    with ThreadPoolExecutor(1) as threads:
        frozen = threads.submit(is_refused, verifier, pool.token(), "keys_unavailable")
        assert server.arrived.wait(10)
        clock.move(60)  # the machine slept, and the answer will never come
        is_refused(verifier, pool.token(), "keys_unavailable")
        clock.move(60)  # past any back-off
        asking = threading.Thread(target=is_refused, args=(verifier, pool.token(), ""), daemon=True)
        asking.start()
        eventually(lambda: len(server.hits) == 2)
        server.let_go()
        asking.join(10)
        assert frozen.done() or frozen.result(10) is not None

    eventually(lambda: not is_refused(verifier, pool.token(iat=None), "keys_unavailable"))


# Threads and processes


def test_many_threads_at_a_cold_start_share_one_fetch(verifier, server, pool):
    tokens = [pool.token([f"group-{i}"]) for i in range(MAX_WAITERS)]
    barrier = threading.Barrier(MAX_WAITERS)

    def verify(token: str) -> object:
        barrier.wait(10)
        return verifier.verify(token)["cognito:groups"]

    with ThreadPoolExecutor(MAX_WAITERS) as threads:
        groups = list(threads.map(verify, tokens))

    assert groups == [(f"group-{i}",) for i in range(MAX_WAITERS)]
    assert len(server.hits) == 1


def test_verdicts_stay_right_while_keys_rotate_under_many_threads(verifier, server, pool):
    first, second = pool.keys
    good, retired = pool.token(key=second), pool.token(key=first)
    outcomes: set[tuple[str, str]] = set()
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            for name, token in (("good", good), ("retired", retired)):
                outcomes.add((name, "refused" if is_refused(verifier, token, "unknown_key")
                              else "passed"))  # fmt: skip

    assert verifier.verify(good)
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        pool.keys[:] = [second]
        verifier.hydrate()
        pool.keys[:] = [first, second]
        verifier.hydrate()
    pool.keys[:] = [second]
    verifier.hydrate()
    stop.set()
    for thread in threads:
        thread.join(10)

    assert ("good", "refused") not in outcomes
    assert refused(verifier.verify, retired).reason == "unknown_key"


def test_where_no_thread_can_be_started_the_answer_is_503_and_no_crash(
    verifier, server, pool, monkeypatch
):
    def fail(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        assert refused(verifier.verify, pool.token()).reason == "keys_unavailable"
        verifier.load_jwks(pool.jwks)
        assert verifier.verify(pool.token())


def test_a_load_that_raises_anything_is_503_and_wakes_the_waiters(pool):
    def broken(kid: str | None) -> dict[str, object]:
        raise ZeroDivisionError

    verifier = Verifier(
        pool.id, pool.client_id, token_use="id",
        key_set=pool_key_set(pool.user_pool, load=broken),
    )  # fmt: skip

    assert refused(verifier.verify, pool.token()).reason == "keys_unavailable"


def test_a_request_that_another_ones_fetch_overtakes_starts_none_of_its_own(pool, clock):
    loads = []
    keys = pool_key_set(pool.user_pool, load=lambda kid: loads.append(kid) or pool.jwks)
    keys.hydrate()
    clock.move(700)
    start = keys._start_fetch

    def overtaken(*seen: object) -> object:
        keys._start_fetch = start
        keys.hydrate()
        return start(*seen)

    keys._start_fetch = overtaken
    keys.snapshot()

    for thread in keys._threads:
        thread.join(10)
    assert len(loads) == 2


def test_an_answer_that_comes_too_late_does_not_replace_a_newer_one(pool, clock):
    late, newest = SigningKey("late"), SigningKey("newest")
    asked, go_on = threading.Event(), threading.Event()
    answers = iter([late, newest])

    def load(kid: str | None) -> dict[str, object]:
        key = next(answers)
        if key is late:
            asked.set()
            go_on.wait(10)
        return {"keys": [key.jwk]}

    keys = pool_key_set(pool.user_pool, load=load)
    verifier = Verifier(pool.id, pool.client_id, token_use="id", key_set=keys)
    first = threading.Thread(target=is_refused, args=(verifier, pool.token(), ""))
    first.start()
    assert asked.wait(10)
    clock.move(30)  # given up on, and backed off from
    is_refused(verifier, long_lived(pool, key=newest), "")
    clock.move(30)
    assert verifier.verify(long_lived(pool, key=newest))

    go_on.set()
    first.join(10)
    eventually(lambda: not [t for t in threading.enumerate() if "(_fetch)" in t.name])

    assert verifier.verify(long_lived(pool, key=newest))
    assert refused(verifier.verify, long_lived(pool, key=late)).reason != "invalid_token"


def test_a_key_that_another_threads_fetch_has_brought_costs_no_second_fetch(pool):
    loads: list[str | None] = []
    keys = pool_key_set(pool.user_pool, load=lambda kid: loads.append(kid) or pool.jwks)
    seen = keys._snapshot
    keys.hydrate()

    assert keys._start_fetch("anything", seen) is None
    assert len(loads) == 1


forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


def in_child(check: Callable[[], bool]) -> bool:
    """Whether `check` holds in a forked child, which is killed if it hangs."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if check() else 1)
        except BaseException:
            os._exit(2)
    for _ in range(400):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        threading.Event().wait(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return False


def test_what_happens_in_a_child_forgets_the_parents_fetch_and_keeps_its_keys(
    verifier, server, pool
):
    assert verifier.verify(pool.token())
    server.hold()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(refused, verifier.verify, stranger(pool, "unknown"))
        assert server.arrived.wait(10)

        http._after_fork()

        assert verifier.verify(pool.token())
        server.let_go()
        assert waiting.result(10).status in (401, 503)


@forks
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_verifies_with_the_keys_it_inherited(verifier, server, pool):
    known, fresh = pool.token(), pool.token()
    assert verifier.verify(known)

    assert in_child(lambda: bool(verifier.verify(known) and verifier.verify(fresh)))
    assert verifier.verify(fresh)


@forks
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_in_the_middle_of_a_fetch_leaves_the_child_able_to_fetch(verifier, server, pool):
    server.hold()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(verifier.verify, pool.token())
        assert server.arrived.wait(10)
        token = pool.token()
        threading.Timer(0.3, server.let_go).start()

        assert in_child(lambda: bool(verifier.verify(token)))
        assert waiting.result(10)


@forks
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_while_any_lock_is_held_leaves_no_child_waiting_for_it(verifier, server, pool):
    token, fresh = pool.token(), pool.token(["admins"])
    assert verifier.verify(token)
    taken, done = threading.Event(), threading.Event()
    locks = list(locks_of(verifier))
    assert locks

    def hold_all() -> None:
        for lock in locks:
            lock.acquire()
        taken.set()
        done.wait(30)
        for lock in locks:
            lock.release()

    holder = threading.Thread(target=hold_all)
    holder.start()
    assert taken.wait(10)
    try:
        survives = in_child(lambda: bool(verifier.verify(token) and verifier.verify(fresh)))
    finally:
        done.set()
        holder.join(10)

    assert survives


LOCKS = (type(threading.Lock()), type(threading.RLock()))


def locks_of(thing: object, depth: int = 3) -> Iterator[Any]:
    """Every lock that an object of ours holds, however it is named."""
    for value in getattr(thing, "__dict__", {}).values():
        if isinstance(value, LOCKS):
            yield value
        elif depth and type(value).__module__.startswith("cognises."):
            yield from locks_of(value, depth - 1)
