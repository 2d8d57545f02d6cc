"""Measures every app in turns and prints ratios; with `--record` writes them to docs/.

Three tables. Whole requests of the generated service, in requests to a bare Flask route (see
`bench.service`). The overhead of a guard: the time of a guarded request minus that of an unguarded
one, in RSA-2048 verifications by OpenSSL of the same run. The verifiers alone, called in a loop.
The last two are CPU time of this thread, in short interleaved turns, the best turn of each.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from itertools import islice

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from flask import Flask

from cognises.testing import FakePool

from . import apps, peers, record, service
from .requests import Call, fresh, repeated, requests_to

ROUNDS, TURN = 60, 40


def rsa(pool: FakePool) -> Call:
    """One RSA-2048 verification, nothing around it."""
    key, message = pool.keys[0].private, b"x" * 900
    signature = key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    public, scheme, digest = key.public_key(), padding.PKCS1v15(), hashes.SHA256()
    return lambda: public.verify(signature, message, scheme, digest)


def prepared(tokens: Iterator[str]) -> Iterator[str]:
    """All tokens are made before anything is timed: signing takes longer than verifying."""
    return iter(list(islice(tokens, ROUNDS * TURN)))


def measure(calls: dict[str, Call]) -> dict[str, float]:
    """Seconds of CPU per call, best turn of many."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start = time.thread_time()
            for _ in range(TURN):
                call()
            best[name] = min(best[name], (time.thread_time() - start) / TURN)
    return best


def overheads(pool: FakePool, url: str) -> tuple[dict[str, float], float]:
    """Every contender's overhead over the unguarded view in RSA verifications; one's seconds."""
    contenders: dict[str, tuple[Flask, Iterator[str]]] = {
        "one RSA verification, nothing else": (apps.bare(rsa(pool)), repeated(pool)),
        "cognises, repeated token": (apps.decorated(pool), repeated(pool)),
        "cognises, new token": (apps.decorated(pool), fresh(pool)),
        "cognises under Cognises(app), repeated token": (apps.guarded(pool), repeated(pool)),
        "cognises under Cognises(app), new token": (apps.guarded(pool), fresh(pool)),
        "cognises, repeated token, 10,000 groups": (
            apps.decorated(pool, 10_000), repeated(pool)),
        **{
            name: (apps.by_hand(verify), fresh(pool))
            for name, verify in peers.by_name(pool, url).items()
        },
        "Flask-Cognito": (apps.flask_cognito(pool, url), fresh(pool)),
        "Flask-JWT-Extended": (apps.flask_jwt_extended(pool), fresh(pool)),
    }  # fmt: skip
    calls = {
        name: requests_to(app, prepared(f"Bearer {token}" for token in tokens))
        for name, (app, tokens) in contenders.items()
    }
    times = measure(
        {
            "rsa": rsa(pool),
            "unguarded": requests_to(apps.unguarded(), repeated(pool)),
            **calls,
        }
    )
    one = times["rsa"]
    return {name: (times[name] - times["unguarded"]) / one for name in contenders}, one


def loops(pool: FakePool, url: str) -> dict[str, float]:
    """What each verifier costs in a loop, nothing around it, in RSA verifications."""
    contenders: dict[str, tuple[peers.Verify, Iterator[str]]] = {
        "cognises, repeated token": (apps.verifier(pool).verify, repeated(pool)),
        "cognises, new token": (apps.verifier(pool).verify, fresh(pool)),
        **{name: (verify, fresh(pool)) for name, verify in peers.by_name(pool, url).items()},
    }
    calls = {
        name: calls_to(verify, prepared(tokens)) for name, (verify, tokens) in contenders.items()
    }
    times = measure({"rsa": rsa(pool), **calls})
    return {name: times[name] / times["rsa"] for name in contenders}


def calls_to(verify: peers.Verify, tokens: Iterator[str]) -> Call:
    return lambda: verify(next(tokens))


def main(arguments: list[str]) -> int:
    pool = FakePool()
    requests = service.ratios(pool)
    with peers.jwks_server(pool) as url:
        found, verification = overheads(pool, url)
        alone = loops(pool, url)
    _print("a guarded request of the generated service, in bare Flask requests", requests)
    _print("overhead over an unguarded view, in RSA-2048 verifications", found)
    _print("the verifier alone, in a loop", alone)
    if arguments == ["--record"]:
        record.write(requests, found, alone, verification)
    return 0


def _print(title: str, ratios: dict[str, float]) -> None:
    width = max(len(name) for name in ratios)
    print(f"{title}\n")
    for name, ratio in ratios.items():
        print(f"{name.ljust(width)}  {ratio:5.2f}")
    print()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
