"""The benchmark measures what it says; how long anything takes is no matter of a test."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from bench import service
from cognises.testing import FakePool


@pytest.fixture
def _own_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    root.handlers, root.level = handlers, level


@pytest.mark.usefixtures("_own_logging")
def test_the_service_is_measured_as_it_ships(monkeypatch, tmp_path):
    monkeypatch.setattr(service, "PAIRS", 2)
    monkeypatch.setattr(service, "TURN", 2)
    monkeypatch.setattr("os.devnull", str(tmp_path / "log"))

    found = service.ratios(FakePool())

    assert list(found) == ["repeated token", "new token"]
    lines = (tmp_path / "log").read_text().splitlines()
    assert len([line for line in lines if '"path": "/protected"' in line]) == 2 * 3 * 2
    assert all('"decision": "allowed"' in line for line in lines if "/protected" in line)
