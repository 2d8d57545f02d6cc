"""gunicorn as a real process, with its real configuration, under load and under attack."""

from __future__ import annotations

import signal
import threading
import time
from itertools import repeat

import pytest

from load import ratios, trouble
from load.drive import Driver, shot
from load.server import running

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def service():
    """A service for the tests that leave it alive."""
    with running(workers=2) as started:
        yield started


def test_no_answer_is_wrong_while_keys_rotate_the_endpoint_fails_and_workers_die():
    with running() as service:
        seen = trouble.through(service, 15)

    assert trouble.problems(seen) == []
    assert seen.kills == 3
    assert min(seen.tally.answers[status] for status in (200, 401, 403)) > 100


def test_what_is_measured_is_measured_without_an_error(service):
    routes = ratios.measure(service, rounds=1)

    assert [(route.name, route.errors) for route in routes] == [
        ("open", 0), ("repeated tokens", 0), ("a fresh token each", 0)]  # fmt: skip
    assert all(route.rate > 50 for route in routes)


@pytest.mark.parametrize("more", ["", "Connection: close\r\n"], ids=["kept", "one each"])
def test_a_stop_under_load_answers_every_request_that_was_accepted(more):
    with running() as service:
        token = service.pool.token(["editors"])
        shots = repeat(shot("/guarded", token=token, more=more))
        slow = Driver(service.port, repeat(shot("/slow")), connections=4)
        fast = Driver(service.port, shots)
        thread = threading.Thread(target=slow.run, args=(30, lambda: slow.tally.refused > 0))
        stop = threading.Timer(1.5, service.process.send_signal, [signal.SIGTERM])
        thread.start()
        stop.start()
        started = time.monotonic()
        fast.run(30, until=lambda: fast.tally.refused > 0)
        thread.join()
        code = service.process.wait(20)

    for tally in (fast.tally, slow.tally):
        assert (tally.wrong, tally.broken, tally.late) == ({}, 0, 0)
        assert tally.answers[200] > 3
        assert tally.refused > 0
    assert code == 0
    assert time.monotonic() - started < 15
