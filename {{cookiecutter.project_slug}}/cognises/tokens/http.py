"""Calls to Cognito over HTTP: bounded in time, size and trust. The only user of requests."""

import json
import os
import threading
import time
import weakref
from collections.abc import Mapping
from concurrent import futures
from typing import Any
from urllib.parse import urlsplit

from cognises.tokens.jws import admit

TIMEOUT, MAX_BYTES = 3.0, 1024 * 1024


class FetchError(Exception):
    """No usable response; the text says why, in fixed words."""


def fetch_json(url: str, *, timeout: float = TIMEOUT) -> Mapping[str, Any]:
    """The JSON object at `url`; redirects are not followed. Raises FetchError."""
    status, body = _call("GET", url, timeout)
    if status != 200:
        raise FetchError(f"answered {status}")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise FetchError("not JSON") from None
    if not isinstance(document, dict):
        raise FetchError("not a JSON object")
    return document


def load_first(urls: tuple[str, ...], kid: str | None) -> Mapping[str, Any]:
    """The key set of the first address that responds, and that has `kid` if one is given."""
    found, failure = None, FetchError("no address")
    deadline = time.monotonic() + 2.5
    for url in urls:
        try:
            document = fetch_json(url, timeout=max(0.1, deadline - time.monotonic()))
        except FetchError as error:
            failure = error
            continue
        if kid is None or kid in admit(document, allow_emulators=True):
            return document
        found = document if found is None else found
    if found is None:
        raise failure
    return found


def post_form(
    url: str, form: bytes, *, authorization: str | None = None, timeout: float = TIMEOUT
) -> tuple[int, bytes]:
    """Status and body of the response to a form, already encoded. Raises FetchError."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if authorization is not None:
        headers["Authorization"] = authorization
    response: futures.Future[tuple[int, bytes]] = futures.Future()

    def call() -> None:
        try:
            response.set_result(_call("POST", url, timeout, data=form, headers=headers))
        except BaseException as error:
            response.set_exception(error)

    # However slowly a server sends its headers, the caller waits for `timeout` only.
    threading.Thread(target=call, daemon=True, name="cognises-form").start()
    try:
        return response.result(timeout)
    except futures.TimeoutError:
        raise FetchError("too slow") from None


def _call(method: str, url: str, timeout: float, **content: Any) -> tuple[int, bytes]:
    # Imported on first use: with preloaded keys, a function's first request does not need it.
    import requests
    from urllib3.exceptions import HTTPError

    deadline = time.monotonic() + timeout
    try:
        with requests.Session() as session:
            # A proxy may carry https; requests to loopback go direct.
            session.trust_env = urlsplit(url).scheme == "https"
            session.auth = lambda request: request  # else a password from ~/.netrc
            content |= {"timeout": timeout, "stream": True, "allow_redirects": False}
            response = session.request(method, url, **content)
            body = bytearray()
            # read1 returns after one read of the socket, so that the deadline is checked in time.
            while chunk := response.raw.read1(65_536, decode_content=True):
                body += chunk
                if len(body) > MAX_BYTES:
                    raise FetchError("more than 1 MiB")
                if time.monotonic() > deadline:
                    raise FetchError("too slow")
            return response.status_code, bytes(body)
    except (requests.RequestException, HTTPError) as error:
        raise FetchError(type(error).__name__) from None


# What holds locks or belongs to threads: a child process has none of its parent's.
forked: weakref.WeakSet[Any] = weakref.WeakSet()


def _after_fork() -> None:
    for each in list(forked):
        each.forget_threads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
