"""Many groups: few calls, under throttling, never faster than the limit, hardly slower."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from accounts import Account, Ran, group
from faults import Wire

from cognises.provisioning.aws import RateLimiter, group_clients
from cognises.provisioning.groups import commands

Run = Callable[..., Ran]
MANY = [group(f"g{index}") for index in range(70)]  # two pages


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """Lies under the clients of every command that is run."""
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


def test_the_pace_is_even_and_never_saved_up() -> None:
    now, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    pace = RateLimiter(10, clock=lambda: now[0], sleep=sleep)
    pace.wait()
    pace.wait()
    now[0] += 60
    pace.wait()
    pace.wait()
    assert slept == pytest.approx([0.11, 0.11])


def test_who_wakes_late_is_not_followed_too_soon() -> None:
    now, passed = [100.0], []

    def sleep(seconds: float) -> None:
        now[0] += seconds + 0.05

    pace = RateLimiter(10, clock=lambda: now[0], sleep=sleep)
    for _ in range(5):
        pace.wait()
        passed.append(now[0])
    gaps = [after - before for before, after in pairwise(passed)]
    assert min(gaps) >= 0.11
