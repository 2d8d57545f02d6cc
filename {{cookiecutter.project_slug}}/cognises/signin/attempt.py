"""One attempt to sign in: what the callback needs of it, in a cookie of its own.

No server secret is needed: the cookie proves that the browser which returns is the one that left
(RFC 9700 section 4.7). Two tabs make two attempts.
"""

from __future__ import annotations

import hmac
import json
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import NamedTuple

LIFETIME = 600
_MAX_STATE = 128


class Attempt(NamedTuple):
    """`state` and `nonce` are random; `verifier` is PKCE's; `started` in seconds since 1970."""

    state: str
    nonce: str
    verifier: str
    return_path: str
    started: int

    @classmethod
    def new(cls, verifier: str, return_path: str) -> Attempt:
        state, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        return cls(state, nonce, verifier, return_path, int(time.time()))

    def is_for(self, state: str) -> bool:
        """Whether a callback with this `state` answers this attempt, in time."""
        is_own = hmac.compare_digest(self.state.encode(), state.encode())
        return is_own and 0 <= time.time() - self.started <= LIFETIME


def cookie_suffix(state: str) -> str | None:
    """The part of the cookie's name that tells attempts apart; None for an impossible state."""
    if not state or len(state) > _MAX_STATE:
        return None
    return sha256(state.encode()).hexdigest()[:16]


def to_cookie(attempt: Attempt) -> str:
    return urlsafe_b64encode(json.dumps(attempt).encode()).decode().rstrip("=")


def from_cookie(value: str) -> Attempt | None:
    """The attempt in a cookie's value; None where this module did not write it."""
    try:
        fields = json.loads(urlsafe_b64decode(value + "=" * (-len(value) % 4)))
        attempt = Attempt(*fields)
    except (ValueError, TypeError, RecursionError):
        return None
    texts = (attempt.state, attempt.nonce, attempt.verifier, attempt.return_path)
    is_sound = all(isinstance(text, str) and text and text.isascii() for text in texts)
    is_time = type(attempt.started) is int and 0 < attempt.started < 2**53
    return attempt if is_sound and is_time else None
