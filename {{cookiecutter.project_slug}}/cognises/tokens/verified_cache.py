"""Verified tokens, so that the same bytes need not be verified again."""

from __future__ import annotations

from cognises.tokens.claims import TokenClaims
from cognises.tokens.jwk import Key
from cognises.tokens.key_snapshot import Snapshot

MAX_HEADERS = 64


class VerifiedTokenCache:
    """Tokens that verified under one snapshot of the keys; another snapshot gets an empty cache.

    The signature of the same bytes under the same keys does not change; the check of the claims
    does, with time, and is never cached. Successes only: keys by the whole header segment, claims
    by the SHA-256 of the whole token.
    """

    __slots__ = ("keys", "snapshot", "tokens")

    def __init__(self, snapshot: Snapshot | None) -> None:
        self.snapshot = snapshot
        self.keys: dict[bytes, Key] = {}
        self.tokens: dict[bytes, TokenClaims] = {}

    def cache_key(self, header: bytes, key: Key) -> None:
        # A pool writes few different headers.
        if len(self.keys) < MAX_HEADERS:
            self.keys[header] = key

    def cache_claims(self, digest: bytes, claims: TokenClaims, size: int) -> None:
        if not size:
            return
        # Each step is atomic: threads can exceed the size by their number, and need no lock.
        self.tokens[digest] = claims
        if len(self.tokens) > size:
            # Half at once: to find the oldest, a dict skips every entry deleted before it.
            for oldest in list(self.tokens)[: -(size // 2 + 1)]:
                self.tokens.pop(oldest, None)
