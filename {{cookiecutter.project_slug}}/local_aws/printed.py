"""What the pages show of a program, written by that program: `make docs`, through cog."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cog


def demo() -> None:
    """`make demo`, and all that it prints."""
    cog.out(f"```console\n$ make demo\n{_output('local_aws', 'demo')}\n```\n")


def access() -> None:
    """Who may call what, as a table."""
    cog.out(_output("flask", "cognises", "access", "--format", "markdown") + "\n")


def benchmark() -> None:
    """The figures that `make bench RECORD=1` left, when and on what they were measured."""
    recorded = _recorded()
    cog.out(
        f"{recorded['date']}, {recorded['machine']}, Python {recorded['python']}, one verification "
        f"{recorded['verification_us']} µs:\n\n"
    )
    _ratios("guard | overhead", recorded["overheads"])


def loops() -> None:
    """The figures of the verifiers alone, from the same run."""
    _ratios("verifier alone, in a loop | cost", _recorded()["loops"])


def _recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("docs/benchmark.json").read_text(encoding="utf-8"))
    return found


def _ratios(columns: str, ratios: dict[str, float]) -> None:
    cog.out(f"| {columns} |\n|---|---|\n")
    for name, ratio in ratios.items():
        cog.out(f"| {name} | {ratio:.2f} |\n")


def _output(*module: str) -> str:
    """What a module prints. Raises SystemExit, with its messages, where it fails."""
    done = subprocess.run([sys.executable, "-m", *module], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{done.stdout}\n{done.stderr}")
    return done.stdout.strip()
