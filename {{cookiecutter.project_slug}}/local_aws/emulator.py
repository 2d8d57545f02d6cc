# /// script
# requires-python = ">=3.10"
# dependencies = ["ministack>=1.5.33,<2", "cryptography"]
# ///
"""The AWS emulator of `make rehearse`: `emulator.py FD`, on a loopback socket that listens already.

It needs one exact botocore, to which provisioning must not be held: it runs in an environment of
its own, which `emulator.lock` pins. It ends when the process that started it ends, by a pipe.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app
from ministack.services import cognito

create_group = cognito._create_group


async def for_programs(scope: Any, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
    """The emulator for programs of this machine, not for web pages or under another host name.

    By itself it answers pages of every origin, and what it is given may hold code to run.
    """
    headers = dict(scope.get("headers", ()))
    if headers.get(b"x-amz-target", b"").endswith(b".UpdateGroup"):
        headers[b"x-amz-target"] = headers[b"x-amz-target"].replace(b"Update", b"Create")
    is_local = headers.get(b"host", b"").startswith(b"127.0.0.1:")
    is_page = b"origin" in headers or b"sec-fetch-site" in headers
    if scope["type"] == "lifespan" or (scope["type"] == "http" and is_local and not is_page):
        await app({**scope, "headers": [*headers.items()]}, receive, send)
    elif scope["type"] == "http":
        await send({"type": "http.response.start", "status": 403, "headers": []})
        await send({"type": "http.response.body", "body": b"for programs of this machine only"})


def _create_or_update_group(data: dict[str, Any]) -> Any:
    """The emulator has no UpdateGroup: `for_programs` passes it on as CreateGroup."""
    group = cognito._user_pools.get(data["UserPoolId"])["_groups"].get(data["GroupName"])
    if group is None:
        return create_group(data)
    group.update(data)
    return cognito.json_response({})


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # returns when the other end is closed
    os._exit(0)


def main(listener: int) -> None:
    cognito._create_group = _create_or_update_group
    threading.Thread(target=_end_with_parent, daemon=True).start()
    config = Config()
    config.bind, config.loglevel = [f"fd://{listener}"], "ERROR"
    asyncio.run(serve(for_programs, config))


if __name__ == "__main__":
    main(int(sys.argv[1]))
