"""What the stand-in remembers: codes, browsers and scopes. Gone with the process."""

import hmac
import secrets
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from local_aws.issuer import Issuer

CODE_LIFETIME = 300


class Grant(NamedTuple):
    """What a code stands for, until it is used once or has expired."""

    client_id: str
    redirect_uri: str
    challenge: str
    username: str
    scopes: tuple[str, ...]
    nonce: str | None


@dataclass
class Grants:
    """Codes that were given out, and what they have been turned into."""

    sessions: dict[str, str] = field(default_factory=dict)  # a browser's cookie to who was picked
    _open: dict[str, tuple[Grant, float]] = field(default_factory=dict)
    _used: dict[str, str] = field(default_factory=dict)  # a code to the refresh token it gave
    _scopes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _rotated: dict[str, float] = field(default_factory=dict)  # when a replaced refresh token ends

    def open(self, grant: Grant) -> str:
        """A code for a grant."""
        code = secrets.token_urlsafe(24)
        self._open[code] = grant, time.monotonic() + CODE_LIFETIME
        return code

    def redeem(
        self, issuer: Issuer, code: str, redirect_uri: str, verifier: str
    ) -> dict[str, str] | None:
        """Tokens for a code, once, and only for the client that began the attempt; else None."""
        grant, expires = self._open.pop(code, (None, 0.0))
        if grant is None:
            if code in self._used:  # a code seen twice was stolen: what it gave ends, too
                issuer.revoke(self._used.pop(code))
            return None
        digest = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=")
        is_good = (
            (grant.client_id, grant.redirect_uri) == (issuer.client_id, redirect_uri)
            and hmac.compare_digest(digest, grant.challenge.encode())
            and time.monotonic() < expires
            and issuer.person(grant.username) is not None
        )
        if not is_good:
            return None
        tokens = issuer.sign_in(grant.username, grant.scopes, grant.nonce)
        refresh_token = tokens["refresh_token"]
        self._used[code], self._scopes[refresh_token] = refresh_token, grant.scopes
        return tokens

    def refresh(self, issuer: Issuer, refresh_token: str) -> dict[str, str] | None:
        """New tokens with the scopes of the first ones; None where the session has ended.

        With refresh-token rotation the old refresh token works for its grace period only.
        """
        now = time.monotonic()
        if now >= self._rotated.get(refresh_token, now + 1):
            issuer.revoke(refresh_token)
        scopes = self._scopes.get(refresh_token, ("openid",))
        tokens = issuer.refresh(refresh_token, scopes)
        if tokens and "refresh_token" in tokens:
            self._scopes[tokens["refresh_token"]] = scopes
            self._rotated.setdefault(refresh_token, now + issuer.rotation_grace)
        return tokens
