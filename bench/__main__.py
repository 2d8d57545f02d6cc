"""Measures every app in turns and prints ratios; with `--record` docs/ remembers them.

Overhead is a guarded request's time less an unguarded one's, over the time of one RSA-2048
verification by OpenSSL, all in the same run. A second table has the verifiers alone, called in a
loop. Turns are short and interleaved, and the best of each counts: noise only ever adds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from flask import Flask
from werkzeug.test import EnvironBuilder

from cognises.testing import FakePool

from . import apps, peers, record

ROUNDS, TURN = 60, 40
Call = Callable[[], object]


def rsa(pool: FakePool) -> Call:
    """One RSA-2048 verification, nothing around it."""
    key, message = pool.keys[0].private, b"x" * 900
    signature = key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    public, scheme, digest = key.public_key(), padding.PKCS1v15(), hashes.SHA256()
    return lambda: public.verify(signature, message, scheme, digest)


def requests_to(app: Flask, credentials: Iterator[str]) -> Call:
    """Requests straight into the WSGI app, each with the next credential."""
    environ = EnvironBuilder("/").get_environ()

    def start_response(status: str, headers: object, exc_info: object = None) -> Any:
        if not status.startswith("200"):
            raise SystemExit(f"{app.name}: answered {status}")

    def call() -> None:
        b"".join(app.wsgi_app({**environ, "HTTP_AUTHORIZATION": next(credentials)}, start_response))

    return call


def fresh(pool: FakePool) -> Iterator[str]:
    """Tokens that nobody has seen."""
    return (pool.token([apps.GROUP], jti=str(number)) for number in count())


def repeated(pool: FakePool) -> Iterator[str]:
    token = pool.token([apps.GROUP])
    return (token for _ in count())


def prepared(tokens: Iterator[str]) -> Iterator[str]:
    """Signing takes longer than verifying: all tokens are made before anything is timed."""
    return iter(list(islice(tokens, ROUNDS * TURN)))


def measure(calls: dict[str, Call]) -> dict[str, float]:
    """Seconds a call, best turn of many."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(TURN):
                call()
            best[name] = min(best[name], (time.perf_counter() - start) / TURN)
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
        {"rsa": rsa(pool), "unguarded": requests_to(apps.unguarded(), repeated(pool)), **calls}
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
    with peers.jwks_server(pool) as url:
        found, verification = overheads(pool, url)
        alone = loops(pool, url)
    _print("overhead over an unguarded view, in RSA-2048 verifications", found)
    _print("the verifier alone, in a loop", alone)
    if arguments == ["--record"]:
        record.write(found, alone, verification)
    return 0


def _print(title: str, ratios: dict[str, float]) -> None:
    width = max(len(name) for name in ratios)
    print(f"{title}\n")
    for name, ratio in ratios.items():
        print(f"{name.ljust(width)}  {ratio:5.2f}")
    print()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
