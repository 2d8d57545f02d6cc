"""Chromium, and the service as `make dev` runs it. Without Chromium these tests say so, and wait.

`TEST_BROWSER=require` makes a missing browser a failure: CI sets it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dev_process import Dev, copy_project
from single_page import Site

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
HOW = (
    "install Chromium (Debian: apt-get install chromium; or name one in CHROMIUM) "
    "and `make test` runs them"
)


# A form, which the project itself has none of.
FORM = """

from cognises import login_check


@bp.route("/form", methods=["GET", "POST"])
@login_check
def form(response: Principal) -> str:
    shown = '<form method="post"><input name="text"><button>Save</button></form>'
    return f"saved {request.form['text']}" if request.method == "POST" else shown
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These tests come last: playwright's event loop stays.

    Flask runs no async view in a thread that has one.
    """
    items.sort(key=is_ours)


def is_ours(item: pytest.Item) -> bool:
    """Whether a test is one of this folder."""
    return Path(__file__).parent in item.path.parents


def chromium() -> str | None:
    """The browser's path, by `CHROMIUM` or by the usual names."""
    named = os.environ.get("CHROMIUM")
    found = (shutil.which(name) for name in ([named] if named else NAMES))
    return next(filter(None, found), None)


@pytest.fixture(scope="session")
def chrome() -> Iterator[Any]:
    """A headless Chromium."""
    path = chromium()
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        path = None
    if path is None:
        if os.environ.get("TEST_BROWSER") == "require":
            pytest.fail("no Chromium, or no playwright (requirements-dev.txt)")
        pytest.skip(f"NOT RUN, no Chromium: {HOW}")
    with sync_playwright() as playwright:
        # Without its sandbox, because containers and CI machines run as root. It opens our own
        # pages alone.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


@pytest.fixture(scope="session")
def dev(tmp_path_factory: pytest.TempPathFactory, chrome: Any, site: Site) -> Iterator[Dev]:
    """`make dev` in a copy of the project, for the service and for the single-page app."""
    folder = tmp_path_factory.mktemp("service")
    copy_project(folder)
    with (folder / "app" / "data.py").open("a") as file:
        file.write(FORM)
    dev = Dev(folder, COGNISES_CORS_ORIGINS=site.origin)
    try:
        yield dev
    finally:
        dev.stop()


@pytest.fixture(scope="session")
def service(dev: Dev) -> str:
    """The address of the service."""
    return dev.address


@pytest.fixture
def page(chrome: Any) -> Iterator[Any]:
    """A page of a browser that has never been anywhere. What its console complains of fails."""
    context = chrome.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(15_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: _note(said, complaints))
    yield page
    context.close()
    assert complaints == []


def _note(said: Any, complaints: list[str]) -> None:
    """What a browser says of a policy that was broken or a script that failed.

    That an answer was no 2xx it says too; the tests ask for those on purpose.
    """
    if said.type in {"error", "warning"} and "Failed to load resource" not in said.text:
        complaints.append(said.text)


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pictures go to: `TEST_SCREENSHOTS`, which CI keeps, or a passing one."""
    named = os.environ.get("TEST_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
