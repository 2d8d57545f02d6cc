"""ministack, another emulator than moto, run for one test: it makes stacks and can enforce IAM."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev_process import PATIENCE, status, wait_for

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
        health = f"{address}/_ministack/health"
        wait_for(lambda: process.poll() is not None or status(health) == 200)
        assert process.poll() is None, (folder / "log").read_text()
        yield address
    finally:
        process.terminate()
        process.wait(PATIENCE)
