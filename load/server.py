"""gunicorn as a real process, on the app in load/service, with a pool of our own behind it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

from key_server import KeyServer

from cognises.settings.model import DEPLOYED_MARKERS
from cognises.testing import FakePool
from local_aws.environment import isolate

PROJECT = Path(__file__).resolve().parents[1] / "{{cookiecutter.project_slug}}"
START_SECONDS = 120  # of a machine that is busy with something else
# In the template the file bears its condition in its name.
CONFIGURATIONS = sorted(PROJECT.glob("*gunicorn.conf.py*"))


class Service(NamedTuple):
    """A running service: its port, gunicorn's master process, what it wrote, and its pool."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path
    pool: FakePool
    keys: KeyServer

    def get(self, path: str) -> str:
        with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def workers(self) -> set[int]:
        """The worker processes that are alive."""
        return _children(self.process.pid)

    def kill_a_worker(self) -> int:
        """Whichever answers first."""
        victim = int(self.get("/worker"))
        os.kill(victim, signal.SIGKILL)
        return victim

    def cpu_seconds(self) -> float:
        """What the workers have used so far; 0 where there is no /proc to tell."""
        return sum(_cpu_seconds(pid) for pid in self.workers())

    def memory(self) -> int:
        """Kilobytes that master and workers hold, shared pages counted for each."""
        return sum(_resident(pid) for pid in {self.process.pid, *self.workers()})


@contextmanager
def running(
    workers: int = 4, *, has_keys_in_file: bool = False, **settings: str
) -> Iterator[Service]:
    """A service as `gunicorn wsgi:app` starts it; ended with its key server when the block is.

    With its keys in a file it can verify tokens however late the key server is.
    """
    pool = FakePool()
    keys = KeyServer(lambda: pool.jwks)
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        log = Path(folder, "log")
        if has_keys_in_file:
            file = Path(folder, "jwks.json")
            file.write_text(json.dumps(pool.jwks))
            settings["COGNITO_JWKS_FILE"] = str(file)
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", str(CONFIGURATIONS[0]),
                 "--chdir", str(Path(__file__).parent / "service"), "wsgi:app"],
                env=_environment(pool, keys.url, port, workers) | settings,
                stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
        service = Service(port, process, log, pool, keys)
        try:
            _wait_until_ready(service)
            yield service
        finally:
            process.terminate()
            try:
                process.wait(30)
            finally:
                process.kill()
                keys.close()


def _environment(pool: FakePool, keys: str, port: int, workers: int) -> dict[str, str]:
    environment = dict(os.environ)
    isolate(environment)
    for name in DEPLOYED_MARKERS:
        environment.pop(name, None)
    return environment | {
        "PYTHONPATH": str(PROJECT),
        "COGNISES_GROUPS_FILE": "",
        "COGNITO_TOKEN_USE": "",
        "COGNITO_USER_POOL_ID": pool.id,
        "COGNITO_CLIENT_ID": pool.client_id,
        "COGNITO_JWKS_URL": keys,
        "COGNISES_LOCAL": "1",
        "COGNISES_LOG_FORMAT": "json",
        "WEB_CONCURRENCY": str(workers),
        "GUNICORN_BIND": f"127.0.0.1:{port}",
        "GUNICORN_CMD_ARGS": "",
    }


def free_port() -> int:
    """A port on loopback that is free now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _wait_until_ready(service: Service) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and service.process.poll() is None:
        try:
            service.get("/ready")
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"gunicorn did not start:\n{service.log.read_text()[-3000:]}")


def _ps(*arguments: str) -> list[list[str]]:
    done = subprocess.run(["ps", *arguments], capture_output=True, text=True, check=False)
    return [line.split() for line in done.stdout.splitlines()]


def _children(pid: int) -> set[int]:
    file = Path(f"/proc/{pid}/task/{pid}/children")
    if file.is_file():
        return {int(child) for child in file.read_text().split()}
    return {int(child) for child, parent in _ps("-axo", "pid=,ppid=") if int(parent) == pid}


def _cpu_seconds(pid: int) -> float:
    """User and system time: fields 14 and 15 of proc_pid_stat(5), after a name in brackets."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return sum(int(size) for (size,) in _ps("-o", "rss=", "-p", str(pid)))
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
