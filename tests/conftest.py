"""The whole suite runs on no settings but its own, and reaches no address but loopback."""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis.configuration import set_hypothesis_home_dir

from cognises.settings.model import DEPLOYED_MARKERS
from cognises.settings.sources import NAMES

pytest_plugins = ["cognises.testing.fixtures"]

# A job in the background ignores SIGINT, and so would every process that a test sends it to.
signal.signal(signal.SIGINT, signal.default_int_handler)

gc.set_threshold(50_000, 20, 20)  # looking for garbage takes a tenth of the suite's time

for name in (*NAMES, *DEPLOYED_MARKERS, "FLASK_DEBUG", "FLASK_RUN_FROM_CLI", "FLASK_SKIP_DOTENV"):
    os.environ.pop(name, None)

# No example is left behind, only the table of characters, which takes seconds to make, and no test
# fails because a machine was slow.
set_hypothesis_home_dir(Path(__file__).resolve().parents[1] / "build" / "cache" / "hypothesis")
hypothesis_settings.register_profile("suite", database=None, deadline=None, max_examples=60)
hypothesis_settings.load_profile("suite")


# Tests that take minutes, or need what the suite does not install.
ON_REQUEST = ("crash_matrix", "ten_minutes", "emulator")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """They run when they are asked for by their marker."""
    markers = [name for name in ON_REQUEST if name not in config.option.markexpr]
    left_out = [item for item in items if any(map(item.get_closest_marker, markers))]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_xdist_auto_num_workers() -> int:
    """Three on two cores: many tests wait for a process, a server or the package registry."""
    return (os.cpu_count() or 1) * 3 // 2


def pytest_collection_finish() -> None:
    """What was imported and collected stays: looking for garbage in it takes time."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def aws_models() -> Iterator[None]:
    """botocore parses each description of a service once, not once for each session."""
    from botocore.loaders import JSONFileLoader

    load_file = cache(JSONFileLoader().load_file)
    with patch.object(JSONFileLoader, "load_file", lambda _, path: load_file(path)):
        yield


@pytest.fixture(autouse=True)
def decisions_are_logged() -> Iterator[None]:
    """`cognises.decisions` follows the root logger: an app of one test configures no other test."""
    decisions = logging.getLogger("cognises.decisions")
    decisions.setLevel(logging.NOTSET)
    yield
    decisions.setLevel(logging.NOTSET)
