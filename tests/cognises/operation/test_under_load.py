"""gunicorn as a real process, with its real configuration, under load and under attack."""

from __future__ import annotations

import signal
import threading
import time
from itertools import repeat
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from load import ratios, trouble
from load.drive import Driver, shot
from load.server import free_port, running


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
    assert time.monotonic() - started < 25


def test_workers_that_are_replaced_by_their_number_of_requests_lose_none():
    arguments = "--max-requests 200 --max-requests-jitter 50"
    with running(workers=2, GUNICORN_CMD_ARGS=arguments) as service:
        token = service.pool.token(["editors"])
        tally = Driver(service.port, repeat(shot("/guarded", token=token))).run(4)
        started = service.log.read_text().count("Booting worker")

    assert tally.is_clean
    assert started > 3


def numbers(port: int) -> dict[str, float]:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in samples}


def test_metrics_are_of_all_workers_and_outlive_those_that_die():
    port = free_port()
    with running(workers=3, COGNISES_METRICS_ADDRESS=f"127.0.0.1:{port}") as service:
        token = service.pool.token(["editors"])
        tally = Driver(service.port, repeat(shot("/guarded", token=token))).run(0.5)
        Driver(service.port, repeat(shot("/guarded", 401))).run(0.2)
        service.kill_a_worker()
        found = numbers(port)
        with pytest.raises(HTTPError, match="404"):
            service.get("/metrics")

    assert found['cognises_decisions_total{decision="allowed",reason="none"}'] == tally.answers[200]
    assert found['cognises_decisions_total{decision="refused",reason="missing_token"}'] > 0
    assert found["cognises_keys_fetched_timestamp_seconds"] > time.time() - 60
