"""Records what was measured, when and on what, for the pages: `make bench RECORD=1`."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

from . import chart

DOCS = Path(__file__).resolve().parent.parent / "docs"


def write(
    requests: Mapping[str, float],
    overheads: Mapping[str, float],
    loops: Mapping[str, float],
    verification: float,
) -> None:
    """Write docs/benchmark.json and docs/benchmark.svg; `verification` in seconds."""
    found = {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {_processor()}",
        "python": platform.python_version(),
        "verification_us": round(verification * 1e6),
        "requests": {name: round(ratio, 2) for name, ratio in requests.items()},
        "overheads": {name: round(ratio, 2) for name, ratio in overheads.items()},
        "loops": {name: round(ratio, 2) for name, ratio in loops.items()},
    }
    text = json.dumps(found, indent=2) + "\n"
    (DOCS / "benchmark.json").write_text(text, encoding="utf-8")
    (DOCS / "benchmark.svg").write_text(chart.svg(overheads), encoding="utf-8")


def _processor() -> str:
    """The name of the processor, where the system has it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()
