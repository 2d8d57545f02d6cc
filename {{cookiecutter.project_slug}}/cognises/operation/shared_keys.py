"""The latest reading of the key set, in memory that the processes of one server share.

A worker that starts while the key endpoint is down has the keys its siblings have. Made before
the fork, so no name and no file leads to it. Standard library only.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from cognises.tokens.key_cache import ClockReading

SLOTS, SLOT = 16, 64 * 1024
_DIGEST = 32


class SharedKeys:
    """Each process writes a slot by its id; whoever reads takes the newest whole one.

    No lock: one that a killed worker held would never open again. What two writers garbled, or one
    left half written, does not match its digest and counts as absent.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, SLOTS * SLOT)

    def publish(self, document: Mapping[str, Any], since: ClockReading) -> None:
        """Leave a reading for the others; one too large for a slot is not shared."""
        reading = {"document": document, "wall": since.wall, "monotonic": since.monotonic}
        data = json.dumps(reading).encode()
        if len(data) <= SLOT - _DIGEST - 4:
            start = os.getpid() % SLOTS * SLOT
            record = sha256(data).digest() + len(data).to_bytes(4, "big") + data
            self._memory[start : start + len(record)] = record

    def latest(self) -> tuple[Mapping[str, Any], ClockReading] | None:
        """The newest reading and when it was made, or None."""
        readings = filter(None, (self._read(slot * SLOT) for slot in range(SLOTS)))
        newest = max(readings, key=lambda reading: reading["monotonic"], default=None)
        if newest is None:
            return None
        return newest["document"], ClockReading(newest["wall"], newest["monotonic"])

    def _read(self, start: int) -> dict[str, Any] | None:
        data_at = start + _DIGEST + 4
        size = int.from_bytes(self._memory[start + _DIGEST : data_at], "big")
        if not 0 < size <= SLOT - _DIGEST - 4:
            return None
        digest, data = self._memory[start : start + _DIGEST], self._memory[data_at : data_at + size]
        if sha256(data).digest() != digest:
            return None
        reading: dict[str, Any] = json.loads(data)
        return reading
