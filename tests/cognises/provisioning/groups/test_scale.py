"""Many groups: few calls, also under throttling, close to the limit of Cognito, never above it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from accounts import Account, Ran, group
from faults import Wire
from worlds import plan

from cognises.provisioning.aws import (
    DEFAULT_GROUP_WRITES,
    GROUP_WRITES,
    WORKERS,
    Clients,
    RateLimiter,
    group_clients,
)
from cognises.provisioning.groups import commands
from cognises.provisioning.groups.apply import apply_plan
from cognises.provisioning.groups.plan import Plan

Run = Callable[..., Ran]
MANY = [group(f"g{index}") for index in range(70)]  # two pages


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """Carries the requests of every command that is run."""
    found = Wire()
    opened = []

    def tapped(*args: Any, **options: Any) -> Any:
        clients = group_clients(*args, **options)
        under = found.under(clients.iam, clients.cognito)
        under.__enter__()
        opened.append(under)
        return clients

    monkeypatch.setattr(commands, "group_clients", tapped)
    yield found
    for under in opened:
        under.__exit__(None, None, None)


@pytest.fixture
def unpaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cognises.provisioning.aws.RateLimiter.wait", lambda self: None)


def test_many_groups_cost_few_calls_also_when_a_quarter_is_throttled(
    run: Run,
    manifest: Callable[..., Path],
    remote: Account,
    wire: Wire,
    unpaced: None,
    no_pauses: None,
) -> None:
    manifest(*MANY)
    assert run("apply", "--yes").code == 0
    assert wire.count <= 3 * 70 + 20
    wire.count = 0
    assert run("plan", "--detailed-exitcode").code == 0
    assert wire.count <= 4
    chance = random.Random(7)
    wire.spoil = lambda number: "throttled" if chance.random() < 0.25 else None
    assert run("plan", "--detailed-exitcode").code == 0
    assert run("destroy", "--confirm", remote.pool_id).code == 0
    assert run("apply", "--yes").code == 0
    wire.spoil = lambda number: None
    assert run("plan", "--detailed-exitcode").code == 0
    assert len(remote.groups()) == 70


def test_group_writes_keep_the_limit(
    run: Run, manifest: Callable[..., Path], remote: Account, wire: Wire
) -> None:
    wire.delay = 0.05
    manifest(*MANY[:25])
    assert run("apply", "--yes", "--group-writes", "10").code == 0
    times = [at for at, name in wire.sent if name == "CreateGroup"]
    assert len(times) == 25
    assert times[-1] - times[0] >= 24 / 10
    assert most_in_a_second(times) <= 10


def most_in_a_second(times: list[float]) -> int:
    return max(sum(start <= at < start + 1 for at in times) for start in times)


def test_the_rate_is_even_and_unused_time_is_not_added_up() -> None:
    now, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    limiter = RateLimiter(10, clock=lambda: now[0], sleep=sleep)
    limiter.wait()
    limiter.wait()
    now[0] += 60
    limiter.wait()
    limiter.wait()
    assert slept == pytest.approx([0.11, 0.11])


def test_a_late_call_delays_the_next_one() -> None:
    now, passed = [100.0], []

    def sleep(seconds: float) -> None:
        now[0] += seconds + 0.05

    limiter = RateLimiter(10, clock=lambda: now[0], sleep=sleep)
    for _ in range(5):
        limiter.wait()
        passed.append(now[0])
    gaps = [after - before for before, after in pairwise(passed)]
    assert min(gaps) >= 0.11


class Workers:
    """Threads in simulated time: a unit of work starts where a worker is free first."""

    def __init__(self) -> None:
        self.now, self.free = 0.0, list[float]()

    def pool(self, workers: int, **_: Any) -> Workers:
        self.free = [0.0] * workers
        return self

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.now = max(self.free)

    def map(self, work: Callable[[Any], None], units: Iterable[Any]) -> Iterator[None]:
        for unit in units:
            first = self.free.index(min(self.free))
            self.now = self.free[first]
            yield work(unit)
            self.free[first] = self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Slow:
    """A client whose every answer takes a while; group writes wait for the limiter first."""

    def __init__(self, time: Workers, latency: float, limiter: RateLimiter) -> None:
        self.time, self.latency, self.limiter, self.count = time, latency, limiter, 0

    def __getattr__(self, method: str) -> Callable[..., None]:
        def call(**_: Any) -> None:
            if method.title().replace("_", "") in GROUP_WRITES:
                self.limiter.wait()
            self.count += 1
            self.time.sleep(self.latency)

        return call


@pytest.fixture(scope="module")
def thousand() -> Plan:
    return plan(*(group(f"g{index}") for index in range(1000)))


@pytest.mark.parametrize("latency", [0.02, 0.1, 0.3])
def test_a_thousand_new_groups_take_hardly_longer_than_the_limit_allows(
    monkeypatch: pytest.MonkeyPatch, thousand: Plan, latency: float
) -> None:
    time = Workers()
    monkeypatch.setattr("cognises.provisioning.groups.apply.ThreadPoolExecutor", time.pool)
    limiter = RateLimiter(DEFAULT_GROUP_WRITES, clock=lambda: time.now, sleep=time.sleep)
    client = Slow(time, latency, limiter)
    done, failed = apply_plan(thousand, Clients(client, client), sleep=time.sleep)
    assert (len(done), failed, len(time.free)) == (2000, [], WORKERS)
    assert client.count == 3 * 1000
    assert 1.0 <= time.now / (1000 / DEFAULT_GROUP_WRITES) <= 1.3
