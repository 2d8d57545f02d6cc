"""Load while things break: keys rotate, the key endpoint fails and hangs, workers are killed.

Throughout, valid tokens by keys old and new get their 200, and every forgery its refusal.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from forgeries import FORGERIES
from key_server import Reply

from cognises import CognisesError
from cognises.testing import FakePool
from load.drive import Driver, Shot, Tally, shot
from load.server import Service

CONNECTIONS = 16
_TOKENS = 100
_HEADER = re.compile(r"[A-Za-z0-9_.=-]{10,8000}")


@dataclass
class Trouble:
    """What happened, in the order it did, and what was answered meanwhile."""

    tally: Tally = field(default_factory=Tally)
    events: list[str] = field(default_factory=list)
    kills: int = 0
    logged: list[str] = field(default_factory=list)


class Ammunition:
    """Requests with what must be answered to them; `reload()` adds tokens by the newest key."""

    def __init__(self, pool: FakePool) -> None:
        self._pool = pool
        self._good: list[Shot] = []
        self._bad = [*forged(pool), shot("/guarded", 401)]
        self.reload()

    def reload(self) -> None:
        tokens = [self._pool.token(["editors"]) for _ in range(_TOKENS)]
        self._bad += [shot("/guarded", 403, self._pool.token(["viewers"])) for _ in range(40)]
        self._good += [shot("/guarded", 200, token) for token in tokens]

    def __iter__(self) -> Iterator[Shot]:
        while True:
            yield random.choice(self._good if random.random() < 0.6 else self._bad)


def forged(pool: FakePool) -> list[Shot]:
    """Every forgery that fits into a header, but for made-up key ids and what gets good by waiting.

    An unknown key is looked for once in ten seconds, no more: see docs/operating.md.
    """
    shots = []
    for forgery in FORGERIES:
        if forgery.name.endswith("in an hour"):
            continue
        text = forgery.build(pool)
        status = CognisesError(forgery.reason, "").status
        if isinstance(text, str) and _HEADER.fullmatch(text) and forgery.reason != "unknown_key":
            shots.append(shot("/guarded", status, text))
    return shots


def through(service: Service, seconds: float) -> Trouble:
    """Drive the service for so long while all of it happens."""
    trouble = Trouble()
    ammunition = Ammunition(service.pool)
    script = threading.Thread(target=_happen, args=(service, ammunition, trouble, seconds))
    driver = Driver(service.port, iter(ammunition), CONNECTIONS)
    script.start()
    trouble.tally = driver.run(seconds)
    script.join()
    trouble.logged = [
        line
        for line in service.log.read_text().splitlines()
        if '"exception"' in line or '"status": 500' in line or "eyJ" in line
    ]
    return trouble


def _happen(service: Service, ammunition: Ammunition, trouble: Trouble, seconds: float) -> None:
    pool, keys = service.pool, service.keys

    def rotate() -> None:
        pool.rotate()
        ammunition.reload()

    def fail() -> None:
        keys.answer = lambda: Reply(status=500)

    def recover() -> None:
        keys.answer = lambda: pool.jwks
        keys.let_go()

    def kill() -> None:
        service.kill_a_worker()
        trouble.kills += 1

    script: list[tuple[str, Callable[[], object]]] = [
        ("a new key signs", rotate),
        ("a worker is killed", kill),
        ("the key endpoint answers 500", fail),
        ("a worker is killed", kill),
        ("the key endpoint is back", recover),
        ("a new key signs", rotate),
        ("the key endpoint hangs", keys.hold),
        ("a worker is killed", kill),
        ("the key endpoint is back", recover),
        ("a new key signs", rotate),
    ]
    pause = threading.Event()
    for what, act in script:
        pause.wait(seconds / (len(script) + 1))
        trouble.events.append(what)
        act()


def problems(trouble: Trouble) -> list[str]:
    """What must not have happened; a killed worker may take its connections along."""
    tally = trouble.tally
    found = [
        f"{times} times {answered} where {expected} was due"
        for (expected, answered), times in tally.wrong.items()
    ]
    if tally.broken > trouble.kills * CONNECTIONS:
        found.append(f"{tally.broken} connections ended without an answer")
    if tally.late or tally.refused:
        found.append(f"{tally.late} answers did not come, {tally.refused} connections refused")
    return found + [f"in the log: {line[:300]}" for line in trouble.logged[:10]]


def report(trouble: Trouble) -> str:
    answers = ", ".join(f"{times} x {status}" for status, times in trouble.tally.answers.items())
    lines = [
        f"{'; '.join(trouble.events)}.",
        f"{answers} in {trouble.tally.seconds:.0f} s; {trouble.kills} workers killed took "
        f"{trouble.tally.broken} connections along.",
    ]
    return "\n".join(lines + (problems(trouble) or ["every answer was the one that was due"]))
