"""What a guard takes from the requests a second: a guarded route beside an open one.

Turns are short and interleaved, and a round's ratio compares turns that followed each other: what
else the machine does meets all of them. The median round counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle, repeat
from statistics import median
from typing import NamedTuple

from load.drive import Driver, Shot, Tally, shot
from load.server import Service

TURN = 1.0
GOALS = {"repeated tokens": 0.85, "a fresh token each": 0.6}
OPEN = "open"


class Route(NamedTuple):
    """One kind of load, over all its turns."""

    name: str
    rate: float
    ratio: float
    p99: float
    errors: int


def measure(service: Service, rounds: int = 12) -> list[Route]:
    """Drive every kind in turn, so many times."""
    token = service.pool.token(["editors"])
    kinds: dict[str, Callable[[], Iterator[Shot]]] = {
        OPEN: lambda: repeat(shot("/open", token=token)),
        "repeated tokens": lambda: repeat(shot("/guarded", token=token)),
        "a fresh token each": lambda: cycle(_fresh(service, amount)),
    }
    amount = _warm_up(service, kinds[OPEN]())
    turns: dict[str, list[Tally]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, make in kinds.items():
            turns[name].append(Driver(service.port, make()).run(TURN))
    return [_route(name, turns) for name in kinds]


def _warm_up(service: Service, shots: Iterator[Shot]) -> int:
    """How many fresh tokens a turn may need: signing takes longer than verifying."""
    return int(1.5 * TURN * Driver(service.port, shots).run(TURN).rate)


def _fresh(service: Service, amount: int) -> list[Shot]:
    return [shot("/guarded", token=service.pool.token(["editors"])) for _ in range(amount)]


def _route(name: str, turns: dict[str, list[Tally]]) -> Route:
    ours = turns[name]
    pairs = zip(ours, turns[OPEN], strict=True)
    errors = sum(sum(t.wrong.values()) + t.broken + t.late + t.refused for t in ours)
    return Route(
        name,
        median(turn.rate for turn in ours),
        median(turn.rate / open_turn.rate for turn, open_turn in pairs),
        median(turn.within(0.99) for turn in ours),
        errors,
    )


def is_good(routes: list[Route]) -> bool:
    """Whether every goal is met, without an error."""
    return not any(route.errors or route.ratio < GOALS.get(route.name, 0) for route in routes)


def table(routes: list[Route]) -> str:
    lines = [f"{'':20} {'requests/s':>10} {'ratio':>6} {'goal':>5} {'99 % in':>8} {'errors':>6}"]
    for name, rate, ratio, p99, errors in routes:
        goal = GOALS.get(name, "")
        lines.append(f"{name:20} {rate:10.0f} {ratio:6.2f} {goal:>5} {p99 * 1e3:6.0f}ms {errors:6}")
    return "\n".join(lines)
