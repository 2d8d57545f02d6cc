"""What a log line may hold, in both forms."""

from __future__ import annotations

import json
import logging
import sys
import time
import timeit
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cognises.operation.logs import JsonFormatter, TextFormatter, _no_access_line, configure

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"


def record(message: object = "request", name: str = "cognises.requests", **extra: object):
    made = logging.LogRecord(name, logging.INFO, __file__, 1, message, (), None)
    made.__dict__.update(extra)
    return made


def line(**options: object) -> dict[str, object]:
    return json.loads(JsonFormatter().format(record(**options)))


def test_a_line_is_one_json_object_with_the_fields_that_are_listed():
    text = JsonFormatter().format(record(method="GET", status=200, password="x", request_id="r-1"))

    assert "\n" not in text
    found = json.loads(text)
    assert found.pop("time").endswith("Z")
    assert found == {"level": "INFO", "logger": "cognises.requests", "message": "request",
                     "method": "GET", "status": 200, "request_id": "r-1"}  # fmt: skip


def test_a_line_break_in_a_path_starts_no_line_of_its_own():
    for formatter in (JsonFormatter(), TextFormatter()):
        text = formatter.format(record(path="/a\n{}\r\u2028\x1b[31m", status=404))

        assert len(text.splitlines()) == 1
        assert "\x1b" not in text


@pytest.mark.parametrize(
    "text",
    [f"verify {TOKEN}", f"Authorization: Bearer {TOKEN}", "Bearer opaque-token-1",
     "to ada@secret.example", "ada+x@mail.secret.example!", "/u/ada%40secret.example", TOKEN[:30]],
)  # fmt: skip
def test_what_looks_like_a_token_or_an_address_is_redacted_wherever_it_came_from(text: str):
    for formatter in (JsonFormatter(), TextFormatter()):
        for written in (record(message=text, name="other"), record(path=text, status=200)):
            shown = formatter.format(written)
            assert "***" in shown
            assert "ada" not in shown
            assert "eyJ" not in shown
            assert "opaque" not in shown


def test_a_traceback_is_kept_without_the_token_in_it():
    try:
        raise ValueError(TOKEN)
    except ValueError:
        made = record(name="app")
        made.exc_info = sys.exc_info()

    found = json.loads(JsonFormatter().format(made))

    assert "ValueError: ***" in found["exception"]
    assert "test_logs.py" in found["exception"]
    assert "eyJ" not in TextFormatter().format(made)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Invalid request from ip=10.0.0.1: Invalid HTTP Header: 'Cookie x'",
         "Invalid request from ip=10.0.0.1"),
        ("Error handling request GET /callback?code=secret", "Error handling request"),
        ("Booting worker with pid: 7", "Booting worker with pid: 7"),
    ],
)  # fmt: skip
def test_gunicorn_repeats_no_header_and_no_query_in_the_log(said: str, shown: str):
    assert line(message=said, name="gunicorn.error")["message"] == shown


def test_the_development_servers_own_access_lines_with_queries_are_dropped():
    access = record(message='127.0.0.1 - - [01/Jan/2026] "%s" %s %s\n', name="werkzeug")
    start = record(message=" * Running on http://127.0.0.1:5000", name="werkzeug")

    assert not _no_access_line(access)
    assert _no_access_line(start)


@contextmanager
def root_logger(*handlers: logging.Handler) -> Iterator[logging.Logger]:
    """The root logger with these handlers; everything is put back before pytest looks at it."""
    touched = [logging.getLogger(name) for name in (None, "werkzeug", "cognises.decisions")]
    before = [(one.handlers, one.level, one.filters) for one in touched]
    touched[0].handlers = list(handlers)
    try:
        yield touched[0]
    finally:
        for one, (had, level, filters) in zip(touched, before, strict=True):
            one.handlers, one.filters = had, filters
            one.setLevel(level)


@pytest.mark.parametrize(
    ("form", "stream", "formatter"),
    [("json", "stdout", JsonFormatter), ("text", "stderr", TextFormatter)],
)
def test_lines_go_where_a_container_or_a_person_looks_for_them(form, stream, formatter):
    with root_logger() as root:
        configure(form, "INFO")
        (handler,) = root.handlers

    assert handler.stream is getattr(sys, stream)
    assert isinstance(handler.formatter, formatter)


def test_a_handler_of_the_runtime_stays_and_writes_our_form():
    """Lambda puts one there, which carries lines to CloudWatch."""
    theirs = logging.StreamHandler()
    with root_logger(theirs) as root:
        configure("json", "WARNING")
        configure("json", "WARNING")

        assert root.handlers == [theirs]
        assert isinstance(theirs.formatter, JsonFormatter)
        assert root.level == logging.WARNING
        assert logging.getLogger("werkzeug").filters.count(_no_access_line) == 1


def test_a_decision_has_a_line_of_its_own_only_where_that_is_asked_for():
    decisions = logging.getLogger("cognises.decisions")
    with root_logger():
        configure("json", "INFO")
        assert not decisions.isEnabledFor(logging.INFO)

        decisions.setLevel(logging.NOTSET)
        configure("json", "DEBUG")
        assert decisions.isEnabledFor(logging.INFO)


HOSTILE = {
    "one long word": ("a", " @"),
    "beginnings of tokens": ("eyJ", ""),
    "addresses without an end": ("a@", ""),
    "encoded addresses": ("a%40", ""),
    "a domain without a dot": ("x@", "a"),
    "a domain of dots": ("@a.b-", ""),
    "half a header": ("earer ", ""),
}


@pytest.mark.parametrize(("piece", "end"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_long_hostile_line_takes_time_in_step_with_its_length(piece: str, end: str):
    """Eight times the length: a pattern that reads a run twice would take sixty-four times."""

    def cost(amount: int) -> float:
        text = piece * amount + end
        seconds = timeit.repeat(lambda: line(message=text), time.thread_time, number=1, repeat=5)
        return min(seconds)

    # Other processes slow a single measurement down; a pattern that is at fault is slow in each.
    assert any(cost(80_000) < 30 * cost(10_000) for _ in range(10))
