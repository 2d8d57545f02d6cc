"""The latest reading of the key set, in memory that the processes of one server share.

A worker that starts while the key endpoint is down has the keys that other workers have.
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
_HEAD = 32 + 4  # digest and size


class SharedKeys:
    """Each process writes a slot by its id; a reader takes the newest whole one.

    No lock: one that a killed worker held would never open again. What two writers garbled, or one
    left half written, does not match its digest and counts as absent.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, SLOTS * SLOT)

    def publish(self, document: Mapping[str, Any], since: ClockReading) -> None:
        """Leave a reading for the others; one too large for a slot is not shared."""
        data = json.dumps({"document": document, "since": since}).encode()
        if len(data) <= SLOT - _HEAD:
            start = os.getpid() % SLOTS * SLOT
            record = sha256(data).digest() + len(data).to_bytes(4, "big") + data
            self._memory[start : start + len(record)] = record

    def latest(self) -> tuple[Mapping[str, Any], ClockReading] | None:
        """The newest reading and when it was made, or None."""
        readings = []
        for start in range(0, SLOTS * SLOT, SLOT):
            slot = self._memory[start : start + SLOT]
            data = slot[_HEAD : _HEAD + int.from_bytes(slot[32:_HEAD], "big")]
            if data and sha256(data).digest() == slot[:32]:
                found = json.loads(data)
                readings.append((found["document"], ClockReading(*found["since"])))
        return max(readings, key=lambda reading: reading[1].monotonic, default=None)
