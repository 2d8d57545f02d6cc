"""gunicorn as a real process, with its real configuration, under load and under attack."""

from __future__ import annotations

import signal
import socket
import threading
import time
from itertools import repeat
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from load import attacks, ratios, trouble
from load.drive import Driver, shot
from load.server import Service, free_port, running
from server import worker


@pytest.fixture(scope="module")
def service():
    """A service for the tests that leave it alive."""
    with running(workers=2) as started:
        yield started


def test_no_answer_is_wrong_while_keys_rotate_the_endpoint_fails_and_workers_die():
    with running() as service:
        seen = trouble.through(service, 9)

    assert trouble.problems(seen) == []
    assert seen.kills == 3
    assert min(seen.tally.answers[status] for status in (200, 401, 403)) > 10


def test_what_is_measured_is_measured_without_an_error(service):
    routes = ratios.measure(service, rounds=1)

    assert [(route.name, route.errors) for route in routes] == [
        ("open", 0), ("repeated tokens", 0), ("a fresh token each", 0)]  # fmt: skip
    assert all(route.rate > 50 for route in routes)


def test_every_attack_of_the_load_test_leaves_the_service_answering(service):
    answered = {"this worker": attacks.attack(service), "stock gunicorn": {"slow heads": 0}}

    assert attacks.is_good(answered)
    assert not attacks.is_good({"this worker": {"slow heads": attacks.REQUESTS - 1}})


@pytest.mark.parametrize("more", ["", "Connection: close\r\n"], ids=["kept", "one each"])
def test_a_stop_under_load_answers_every_request_that_was_accepted(more):
    with running(has_keys_in_file=True) as service:
        token = service.pool.token(["editors"])
        shots = repeat(shot("/guarded", token=token, more=more))
        slow = Driver(service.port, repeat(shot("/slow")), connections=4)
        fast = Driver(service.port, shots)
        thread = threading.Thread(target=slow.run, args=(30, lambda: slow.tally.refused > 0))
        stop = threading.Timer(1.5, service.process.send_signal, [signal.SIGTERM])
        thread.start()
        stop.start()
        fast.run(30, until=lambda: fast.tally.refused > 0)
        thread.join()
        code = service.process.wait(20)

    for tally in (fast.tally, slow.tally):
        assert (tally.wrong, tally.broken, tally.late) == ({}, 0, 0)
        assert tally.answers[200] > 3
        assert tally.refused > 0
    assert code == 0


def connect(service: Service) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=20)


def request(sock: socket.socket, text: bytes) -> bytes:
    """The response to a request of no body, up to the end of "ok"."""
    sock.sendall(text)
    received = b""
    while not received.endswith(b"ok") and (data := sock.recv(65536)):
        received += data
    return received


def test_a_client_that_is_late_for_its_next_request_is_answered_during_a_stop():
    """Its response said that the connection stays; then its CPU was busy with something else."""
    text = b"GET /open HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with running(workers=1) as service, connect(service) as idle:
        assert b"connection: close" not in request(idle, text).lower()
        time.sleep(worker.HEAD_SECONDS)
        with connect(service) as late:  # not before: its first request has HEAD_SECONDS, too
            first = request(late, text)
            service.process.send_signal(signal.SIGTERM)
            assert idle.recv(1) == b""  # the server closes it, soon
            last = request(late, text)
            code = service.process.wait(20)

    assert first.startswith(b"HTTP/1.1 200")
    assert b"connection: close" not in first.lower()
    assert last.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in last.lower()
    assert code == 0


def test_workers_that_are_replaced_by_their_number_of_requests_lose_none():
    arguments = "--max-requests 200 --max-requests-jitter 50"
    with running(workers=2, GUNICORN_CMD_ARGS=arguments) as service:
        token = service.pool.token(["editors"])
        driver = Driver(service.port, repeat(shot("/guarded", token=token)))
        tally = driver.run(30, until=lambda: driver.tally.answers[200] > 1500)
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
