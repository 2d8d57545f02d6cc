"""Calls to Cognito over HTTP: bounded in time, size and trust. The only user of requests."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import requests

TIMEOUT = 3.0
MAX_BYTES = 1024 * 1024
_CHUNK = 64 * 1024


class FetchError(Exception):
    """No usable response; the text says why, in fixed words."""


def fetch_json(url: str, *, timeout: float = TIMEOUT) -> Mapping[str, Any]:
    """The JSON object at `url`, an https address or a loopback one in local mode.

    No redirect is followed; the size limit counts decoded bytes. Raises FetchError.
    """
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


def post_form(
    url: str, form: bytes, *, authorization: str | None = None, timeout: float = TIMEOUT
) -> tuple[int, bytes]:
    """Status and body of what `url` answers to a form, already encoded. Raises FetchError.

    The caller waits no longer than `timeout` seconds, whatever drips: the call has a thread of its
    own, which ends when the other side does.
    """
    answer: queue.SimpleQueue[tuple[int, bytes] | FetchError] = queue.SimpleQueue()

    def call() -> None:
        try:
            answer.put(_call("POST", url, timeout, form, authorization))
        except FetchError as error:
            answer.put(error)

    threading.Thread(target=call, daemon=True, name="cognises-form").start()
    try:
        found = answer.get(timeout=timeout)
    except queue.Empty:
        raise FetchError("too slow") from None
    if isinstance(found, FetchError):
        raise found
    return found


def _call(
    method: str,
    url: str,
    timeout: float,
    form: bytes | None = None,
    authorization: str | None = None,
) -> tuple[int, bytes]:
    # Imported on first use: with preloaded keys, a function's first request does not need it.
    import requests
    from urllib3.exceptions import HTTPError

    deadline = time.monotonic() + timeout
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if form is not None else {}
    if authorization is not None:
        headers["Authorization"] = authorization
    try:
        with requests.Session() as session:
            # A proxy may carry https; requests to loopback go direct.
            session.trust_env = urlsplit(url).scheme == "https"
            session.auth = _no_auth
            answer = session.request(
                method, url, data=form, headers=headers, timeout=timeout, stream=True,
                allow_redirects=False,
            )  # fmt: skip
            return answer.status_code, _read(answer, deadline)
    except (requests.RequestException, HTTPError) as error:
        raise FetchError(type(error).__name__) from None


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Stops requests from looking up a password in ~/.netrc."""
    return request


def _read(answer: requests.Response, deadline: float) -> bytes:
    body = bytearray()
    # read1 returns after one read of the socket, so that the deadline is checked in time.
    while chunk := answer.raw.read1(_CHUNK, decode_content=True):
        body += chunk
        if len(body) > MAX_BYTES:
            raise FetchError("more than 1 MiB")
        if time.monotonic() > deadline:
            raise FetchError("too slow")
    return bytes(body)
