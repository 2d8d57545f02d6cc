"""The id of a request: the one that it came with if that is plain, else a new one."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

# In this order: our own client or proxy, then the load balancer.
HEADERS = ("HTTP_X_REQUEST_ID", "HTTP_X_AMZN_TRACE_ID")

# Accepts "Root=1-67891233-abcdef012345678912345678;Parent=...;Sampled=1"; refuses line breaks,
# quotes, commas (two headers in one) and anything as long as a token.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:;=/+-]{0,127}")
_TOKEN = re.compile(r"eyJ[\w-]*\.")


def choose_id(environ: Mapping[str, object]) -> str:
    """The id of the request with this WSGI environ."""
    for name in HEADERS:
        text = environ.get(name)
        if isinstance(text, str) and is_plain(text):
            return text
    return os.urandom(16).hex()


def is_plain(text: str) -> bool:
    """Whether a text is fit for a log and a header: short, ASCII, and not a token."""
    return _PLAIN.fullmatch(text) is not None and _TOKEN.search(text) is None
