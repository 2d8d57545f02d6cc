"""What a guard takes from the requests a second: a guarded route beside an open one.

Turns are short and interleaved, and a round's ratio compares turns that followed each other: what
else the machine does meets all of them. The median round counts. What the workers' CPU took for a
request stands beside it: it is the same on a machine that is busy with something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle, repeat
from statistics import mean, median
from typing import NamedTuple

from load.drive import Driver, Shot, Tally, shot
from load.server import Service

TURN = 0.5
GOALS = {"repeated tokens": 0.85, "a fresh token each": 0.6}
OPEN = "open"


class Route(NamedTuple):
    """One kind of load, over all its turns."""

    name: str
    rate: float
    ratio: float
    cpu: float
    p99: float
    errors: int


class _Turn(NamedTuple):
    tally: Tally
    cpu: float


def measure(service: Service, rounds: int = 24) -> list[Route]:
    """Drive every kind in turn, so many times."""
    token = service.pool.token(["editors"])
    kinds: dict[str, Callable[[], Iterator[Shot]]] = {
        OPEN: lambda: repeat(shot("/open", token=token)),
        "repeated tokens": lambda: repeat(shot("/guarded", token=token)),
        "a fresh token each": lambda: cycle(_fresh(service, amount)),
    }
    amount = _warm_up(service, kinds[OPEN]())
    turns: dict[str, list[_Turn]] = {name: [] for name in kinds}
    for number in range(rounds):
        for name in list(kinds)[:: -1 if number % 2 else 1]:
            turns[name].append(_take(service, kinds[name]()))
    return [_route(name, turns) for name in kinds]


def _take(service: Service, shots: Iterator[Shot]) -> _Turn:
    before = service.cpu_seconds()
    tally = Driver(service.port, shots).run(TURN)
    return _Turn(tally, (service.cpu_seconds() - before) / sum(tally.answers.values()))


def _warm_up(service: Service, shots: Iterator[Shot]) -> int:
    """How many fresh tokens a turn may need: signing takes longer than verifying."""
    return int(1.5 * TURN * Driver(service.port, shots).run(TURN).rate)


def _fresh(service: Service, amount: int) -> list[Shot]:
    return [shot("/guarded", token=service.pool.token(["editors"])) for _ in range(amount)]


def _route(name: str, turns: dict[str, list[_Turn]]) -> Route:
    tallies = [turn.tally for turn in turns[name]]
    beside = [turn.tally for turn in turns[OPEN]]
    errors = sum(sum(t.wrong.values()) + t.broken + t.late + t.refused for t in tallies)
    return Route(
        name,
        median(tally.rate for tally in tallies),
        median(ours.rate / theirs.rate for ours, theirs in zip(tallies, beside, strict=True)),
        mean(turn.cpu for turn in turns[name]),
        median(tally.within(0.99) for tally in tallies),
        errors,
    )


def is_good(routes: list[Route]) -> bool:
    """Whether every goal is met, without an error."""
    return not any(route.errors or route.ratio < GOALS.get(route.name, 0) for route in routes)


def table(routes: list[Route]) -> str:
    lines = [f"{'':18} requests/s  ratio  goal  CPU/request  99 % in  errors"]
    for name, rate, ratio, cpu, p99, errors in routes:
        lines.append(
            f"{name:18} {rate:10.0f} {ratio:6.2f} {GOALS.get(name, ''):>5} {cpu * 1e6:9.0f} µs "
            f"{p99 * 1e3:5.0f} ms {errors:7}"
        )
    return "\n".join(lines)
