"""Checks of tokens from the token endpoint: `cognises.Verifier` and what makes a pair."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from cognises.errors import CognisesError
from cognises.signin.managed_login import Tokens
from cognises.signin.problems import SignInProblem
from cognises.tokens import jws
from cognises.tokens.verifier import Verifier
from cognises.web.route_metadata import LoginGuard
from cognises.web.state import AppState


class SessionChecks:
    """What both tokens of a pair must say, for one app and its sign-in client."""

    def __init__(self, state: AppState, client_id: str) -> None:
        clients = frozenset({client_id})
        self._id = state.verifier(LoginGuard(client_ids=clients, token_use=frozenset({"id"})))
        self._access = state.verifier(
            LoginGuard(client_ids=clients, token_use=frozenset({"access"}))
        )
        # Cognito always writes at_hash beside an access token; an emulator may not.
        self._needs_at_hash = not state.settings.local

    def check_new(self, tokens: Tokens, nonce: str) -> None:
        """Pass, or raise SignInProblem: both verify, are a pair, and answer this attempt."""
        claims = self._check_pair(tokens)
        found = claims.get("nonce")
        if not isinstance(found, str) or not hmac.compare_digest(found.encode(), nonce.encode()):
            # The browser's doing, where it has changed its attempt: no 5xx.
            raise SignInProblem("bad_answer", "nonce is not the attempt's")

    def check_refreshed(self, tokens: Tokens, sub: str | None) -> None:
        """Pass, or raise SignInProblem: the pair is good, and of the user `sub`, where known."""
        if self._check_pair(tokens).get("sub") != sub and sub is not None:
            raise SignInProblem("no_session", "refreshed tokens are of another user")

    def sub_of(self, token: str) -> str:
        """Whose session it is, by the token that the browser has held; it may have expired.

        Raises SignInProblem.
        """
        try:
            sub = jws.parse_object(self._id.verify_signature(token)).get("sub")
        except CognisesError as error:
            why = f"no session to continue: {error.reason}: {error.detail}"
            raise SignInProblem("no_session", why) from None
        if not isinstance(sub, str) or not sub:
            raise SignInProblem("no_session", "no session to continue: no sub")
        return sub

    def _check_pair(self, tokens: Tokens) -> Mapping[str, Any]:
        claims = _verified(self._id, tokens.id_token, "id")
        access = _verified(self._access, tokens.access_token, "access")
        sub = claims.get("sub")
        if not isinstance(sub, str) or not sub or access.get("sub") != sub:
            raise SignInProblem("bad_tokens", "the two tokens are of different users")
        self._check_at_hash(claims.get("at_hash"), tokens.access_token)
        return claims

    def _check_at_hash(self, found: object, access_token: str) -> None:
        """OpenID Connect Core, section 3.1.3.6."""
        if found is None and not self._needs_at_hash:
            return
        half = sha256(access_token.encode()).digest()[:16]
        if found != urlsafe_b64encode(half).rstrip(b"=").decode():
            raise SignInProblem("bad_tokens", "at_hash is not the access token's")


def _verified(verifier: Verifier, token: str, kind: str) -> Mapping[str, Any]:
    try:
        return verifier.verify(token)
    except CognisesError as error:
        reason = "unreachable" if error.reason == "keys_unavailable" else "bad_tokens"
        raise SignInProblem(reason, f"{kind} token: {error.reason}: {error.detail}") from None
