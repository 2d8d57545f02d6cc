"""ministack, another emulator than moto, run for one test: it makes stacks and can enforce IAM."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from dev_process import PATIENCE, wait_for

from load.server import free_port


@contextmanager
def running(folder: Path, **environ: str) -> Iterator[str]:
    """The emulator's address while it runs; its files are in the folder."""
    port = free_port()
    own = {"BIND_HOST": "127.0.0.1", "MINISTACK_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
    own |= {"HOME": str(folder), "TMPDIR": str(folder), **environ}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            shlex.split(os.environ["TEST_EMULATOR"]), env=os.environ | own,
            stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: process.poll() is not None or _is_up(address))
        assert process.poll() is None, (folder / "log").read_text()
        yield address
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _is_up(address: str) -> bool:
    try:
        return requests.get(f"{address}/_ministack/health", timeout=10).ok
    except requests.ConnectionError:
        return False
