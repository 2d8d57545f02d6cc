"""A run that is stopped from outside, by Ctrl-C or by force, is finished by the next one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from accounts import Account, Ran, group

from cognises.settings.sources import PROJECT_FOLDER

PROJECT = PROJECT_FOLDER
HUNDRED = [group(f"g{index}") for index in range(100)]
# The process reads the project's own env files; these must not come from there.
UNSET = ("COGNISES_PERMISSIONS_BOUNDARY", "COGNITO_IDENTITY_POOL_ID")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_applying_a_hundred_groups_can_be_stopped_in_the_middle(
    run: Callable[..., Ran],
    manifest: Callable[..., Path],
    remote: Account,
    monkeypatch: pytest.MonkeyPatch,
    how: signal.Signals,
) -> None:
    path = manifest(*HUNDRED)
    content = path.read_bytes()
    stopped = apply_and_stop(path, how, after=lambda: len(remote.groups()) >= 10)
    assert 10 <= len(remote.groups()) < 100
    if how is signal.SIGINT:
        assert stopped.returncode == 1
        assert "run the same command again to finish" in stopped.stderr
        assert "Traceback" not in stopped.stderr
    monkeypatch.setattr("cognises.provisioning.aws.RateLimiter.wait", lambda self: None)
    assert run("apply", "--yes").code == 0
    assert run("plan", "--detailed-exitcode").code == 0
    assert len(remote.groups()) == 100
    assert path.read_bytes() == content


def apply_and_stop(
    path: Path, how: signal.Signals, after: Callable[[], bool]
) -> subprocess.CompletedProcess[str]:
    """Apply in a process of its own, and send it a signal as soon as `after` says so."""
    command = [sys.executable, "provision.py", "apply", "--yes", "--groups-file", str(path)]
    with subprocess.Popen(
        command,
        cwd=PROJECT,
        env={**os.environ, "AWS_REGION": "us-east-1", **dict.fromkeys(UNSET, "")},
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        deadline = time.monotonic() + 30
        while not after() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(how)
        _, err = process.communicate(timeout=30)
        return subprocess.CompletedProcess(command, process.returncode, "", err)
