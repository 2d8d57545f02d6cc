"""gunicorn as a real process, with its real configuration, under load and under attack."""

from __future__ import annotations

import pytest

from load import ratios, trouble
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
