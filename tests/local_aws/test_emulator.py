"""The emulator of `make rehearse` answers programs of this machine alone."""

from __future__ import annotations

import asyncio
import runpy
import sys
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import pytest

from cognises.settings.sources import PROJECT_FOLDER

LOCAL = (b"host", b"127.0.0.1:4566")
SCOPES = {
    "a program": ("http", [LOCAL], "emulated"),
    "the start of the server": ("lifespan", None, "emulated"),
    "a page of another site": ("http", [LOCAL, (b"origin", b"https://evil.example")], 403),
    "a page without an origin": ("http", [LOCAL, (b"sec-fetch-site", b"cross-site")], 403),
    "a name that leads here": ("http", [(b"host", b"evil.example:4566")], 403),
    "no host": ("http", [], 403),
    "a WebSocket": ("websocket", [LOCAL], None),
}


@pytest.mark.parametrize(("kind", "headers", "expected"), SCOPES.values(), ids=SCOPES)
def test_pages_and_other_host_names_are_refused(
    monkeypatch: pytest.MonkeyPatch, kind: str, headers: list[Any] | None, expected: object
) -> None:
    sent: list[object] = []

    async def emulate(scope: object, receive: object, send: Any) -> None:
        await send({"status": "emulated"})

    async def send(message: dict[str, object]) -> None:
        sent.append(message.get("status"))

    # They are installed beside the emulator only.
    for name, value in {"hypercorn.asyncio.serve": None, "hypercorn.config.Config": None,
                        "ministack.services.cognito": Mock(),
                        "ministack.app.app": emulate}.items():  # fmt: skip
        module, _, attribute = name.rpartition(".")
        made = ModuleType(module)
        setattr(made, attribute, value)
        monkeypatch.setitem(sys.modules, module.partition(".")[0], ModuleType("package"))
        monkeypatch.setitem(sys.modules, module, made)
    emulator = runpy.run_path(str(PROJECT_FOLDER / "local_aws" / "emulator.py"))

    scope = {"type": kind} | ({} if headers is None else {"headers": headers})
    with ThreadPoolExecutor() as pool:  # this thread's event loop may run: playwright's does
        pool.submit(asyncio.run, emulator["for_programs"](scope, None, send)).result()

    assert sent[:1] == ([] if expected is None else [expected])
