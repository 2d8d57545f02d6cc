"""What a guarded request of the generated service costs, in requests to a bare Flask route.

Both run in one process, in short interleaved turns, with `GET /protected` in JSON. The service is
the project as it ships: request log in JSON, security headers, limits, sign-in, guards. The unit
is CPU time of this thread, so that other load on the machine matters little; the figure is the
median of all pairs of turns.
"""

from __future__ import annotations

import logging
import os
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import islice

from flask import Flask, jsonify

from cognises.testing import FakePool
from cognises.web.state import state_of

from .requests import Call, fresh, repeated, requests_to

PAIRS, TURN = 150, 20
PATH, GROUP = "/protected", "viewers"


def bare() -> Flask:
    """A Flask app with one route and nothing else."""
    app = Flask("bare")
    app.add_url_rule(PATH, "protected", lambda: jsonify(message="hello"))
    return app


def service(pool: FakePool) -> Flask:
    """The generated service as it runs when it is deployed; its log lines go to the null device."""
    from app import create_app

    root = logging.getLogger()
    root.addHandler(logging.StreamHandler(open(os.devnull, "w")))  # noqa: SIM115
    app = create_app({"COGNITO_USER_POOL_ID": pool.id, "COGNITO_CLIENT_ID": pool.client_id})
    state_of(app).set_test_keys(pool.id, lambda kid: pool.jwks)
    return app


def ratios(pool: FakePool) -> dict[str, float]:
    """CPU time of a guarded request over that of a bare one, for both kinds of token."""
    plain = requests_to(bare(), iter(lambda: "", None), PATH)
    guarded = service(pool)
    kinds: dict[str, Callable[[FakePool, str], Iterator[str]]] = {
        "repeated token": repeated,
        "new token": fresh,
    }
    found = {}
    for name, tokens in kinds.items():
        credentials = (f"Bearer {token}" for token in tokens(pool, GROUP))
        ready = iter(list(islice(credentials, (PAIRS + 1) * TURN)))
        found[name] = _median(plain, requests_to(guarded, ready, PATH))
    return found


def _median(plain: Call, guarded: Call) -> float:
    _seconds(plain), _seconds(guarded)  # the first turn fills caches
    return statistics.median(_seconds(guarded) / _seconds(plain) for _ in range(PAIRS))


def _seconds(call: Call) -> float:
    began = time.thread_time()
    for _ in range(TURN):
        call()
    return time.thread_time() - began
