"""Which id a request goes by: the one it came with if that is plain, else a new one. Pure."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping

# In this order: a client or proxy of ours, then the load balancer.
HEADERS = ("HTTP_X_REQUEST_ID", "HTTP_X_AMZN_TRACE_ID")

# Room for "Root=1-67891233-abcdef012345678912345678;Parent=...;Sampled=1", none for a line break,
# a quote, a comma (two headers in one) or anything as long as a token.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:;=/+-]{0,127}")
_TOKEN = re.compile(r"eyJ[\w-]*\.")


def choose_id(environ: Mapping[str, object]) -> str:
    """The id of a request, by its WSGI environ."""
    for name in HEADERS:
        text = environ.get(name)
        if isinstance(text, str) and is_plain(text):
            return text
    return uuid.uuid4().hex


def is_plain(text: str) -> bool:
    """Whether a text may stand in a log and in a header: short, ASCII, and no token."""
    return _PLAIN.fullmatch(text) is not None and _TOKEN.search(text) is None
