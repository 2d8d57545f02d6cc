"""What has verified already, so that the same bytes need not be verified again."""

from __future__ import annotations

from cognises.tokens.claims import TokenClaims
from cognises.tokens.jwk import Key
from cognises.tokens.key_snapshot import Snapshot

MAX_HEADERS = 64


class Memory:
    """What has verified under one snapshot of the keys; another snapshot starts an empty one.

    A signature over the same bytes under the same keys cannot verify differently a second time;
    what can change with time, the claims' verdict, is never remembered. Successes only: the key
    by the whole header segment, the claims by the digest of the whole token.
    """

    __slots__ = ("keys", "snapshot", "tokens")

    def __init__(self, snapshot: Snapshot | None) -> None:
        self.snapshot = snapshot
        self.keys: dict[bytes, Key] = {}
        self.tokens: dict[bytes, TokenClaims] = {}

    def keep_key(self, header: bytes, key: Key) -> None:
        # A pool writes few different headers.
        if len(self.keys) < MAX_HEADERS:
            self.keys[header] = key

    def keep_token(self, digest: bytes, claims: TokenClaims, size: int) -> None:
        if not size:
            return
        # Each step is atomic: threads may overshoot the size by their number, and need no lock.
        self.tokens[digest] = claims
        if len(self.tokens) > size:
            # Half at once: finding the oldest takes a walk past all that have gone before it.
            for oldest in list(self.tokens)[: -(size // 2 + 1)]:
                self.tokens.pop(oldest, None)
