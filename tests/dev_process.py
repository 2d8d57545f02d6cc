"""`make dev` as a process, in a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from compileall import compile_dir
from functools import lru_cache
from pathlib import Path
from typing import Any

import requests

from cognises.settings.sources import PROJECT_FOLDER

PARTS = (
    "app", "cognises", "local_aws", "infra", "server", "user_admin",
    "groups.json", "wsgi.py", "provision.py",
)  # fmt: skip
PATIENCE = 90.0  # of a machine that is busy with something else


class Dev:
    """One run. `output` is everything it has printed so far."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        self._log = folder / "dev.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-B", "-m", "local_aws"],
                cwd=folder, env={**os.environ, **environ}, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    @property
    def output(self) -> str:
        return self._log.read_text()

    @property
    def address(self) -> str:
        found = wait_for(lambda: re.search(r"Open (http://\S+)", self.output))
        address = str(found[1])
        wait_for(lambda: status(f"{address}/health") == 200)
        return address

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def status(url: str, token: str | None = None) -> int | None:
    """What a server answers; None before it starts and where its end cuts an answer off."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        return requests.get(url, headers=headers, timeout=10).status_code
    except requests.RequestException:
        return None


def wait_for(check: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := check()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found


def copy_project(target: Path) -> None:
    """The project's code and manifest into a folder, without anybody's settings."""
    shutil.copytree(_compiled().name, target, dirs_exist_ok=True)


@lru_cache
def _compiled() -> tempfile.TemporaryDirectory[str]:
    """A copy with its bytecode, which the processes of the tests do not write."""
    folder = tempfile.TemporaryDirectory(prefix="project-")
    for name in PARTS:
        source, target = PROJECT_FOLDER / name, Path(folder.name, name)
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", ".*")
            shutil.copytree(source, target, ignore=ignored)
        else:
            shutil.copy2(source, target)
    compile_dir(folder.name, quiet=1)
    return folder
