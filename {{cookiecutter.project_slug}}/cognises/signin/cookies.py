"""The cookies of a signed-in browser, and of each attempt to sign in: HttpOnly and SameSite=Lax.

Over https their names start with `__Host-` (RFC 6265bis section 4.1.3.2), but the token's is a
setting. They last as long as the browser runs: the token inside says when it expires.
"""

import hmac
import json
import secrets
import time
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from flask import Request, Response

from cognises.errors import CognisesError
from cognises.settings.model import Settings
from cognises.signin.managed_login import SignInProblem, Tokens
from cognises.tokens import jws
from cognises.web.credentials import cookie_names, fits_one_cookie, join_token, split_token

_ATTEMPT_SECONDS = 600
_MAX_ATTEMPTS = 3  # with the tokens they must fit into what servers take of headers


class Attempt(NamedTuple):
    """A sign-in begun; its cookie proves that the same browser returns (RFC 9700 section 4.7)."""

    state: str
    nonce: str
    verifier: str  # PKCE's
    return_path: str
    started: int  # seconds since 1970

    @classmethod
    def new(cls, return_path: str) -> "Attempt":
        state, nonce, verifier = (secrets.token_urlsafe(size) for size in (32, 32, 48))
        return cls(state, nonce, verifier, return_path, int(time.time()))

    @classmethod
    def from_cookie(cls, value: str) -> "Attempt | None":
        """The attempt in a cookie's value; None for a value that this module did not write."""
        try:
            attempt = cls(*json.loads(jws.decode_segment(value.encode())))
        except (CognisesError, ValueError, TypeError, RecursionError):
            return None
        *texts, started = attempt
        is_sound = all(isinstance(text, str) and text and text.isascii() for text in texts)
        is_time = type(started) is int and 0 < started < 2**53
        return attempt if is_sound and is_time else None


class Cookies:
    def __init__(self, settings: Settings) -> None:
        is_secure = (settings.public_url or "").startswith("https:")
        prefix = "__Host-" if is_secure else ""
        self._attributes: Any = {"secure": is_secure, "httponly": True, "samesite": "Lax"}
        self._token, self._attempts = settings.cookie_name, f"{prefix}signin-"
        # Services below different paths of one host keep their sessions apart.
        self._refresh = f"{prefix}refresh{settings.public_path.replace('/', '-')}"
        self._uses_id = "id" in settings.token_use

    def keep_session(
        self, response: Response, tokens: Tokens, sent: Collection[str], *, is_new: bool = False
    ) -> None:
        """Set the cookies of tokens, and clear surplus ones that the request has `sent`."""
        pieces = self.pieces(tokens)
        for name in cookie_names(self._token):
            if name in pieces:
                response.set_cookie(name, pieces[name], **self._attributes)
            elif name in sent:
                response.delete_cookie(name, **self._attributes)
        if tokens.refresh_token:
            response.set_cookie(self._refresh, tokens.refresh_token, **self._attributes)
        elif is_new:  # the session may be another user's
            response.delete_cookie(self._refresh, **self._attributes)

    def pieces(self, tokens: Tokens) -> Mapping[str, str]:
        """The cookies of the token that the guards accept. Raises SignInProblem if too large."""
        token = tokens.id_token if self._uses_id else tokens.access_token
        pieces = split_token(self._token, token)
        if pieces is None or not fits_one_cookie(self._refresh, tokens.refresh_token or ""):
            raise SignInProblem(_cause_of_size(token), "a token does not fit into cookies")
        return pieces

    def end_session(self, request: Request, response: Response) -> None:
        for name in (*cookie_names(self._token), self._refresh):
            if name in request.cookies:
                response.delete_cookie(name, **self._attributes)

    def refresh_token(self, request: Request) -> str | None:
        """The refresh token; None where there is none, or more than one."""
        found = request.cookies.getlist(self._refresh)
        return (found[0] or None) if len(found) == 1 else None

    def token(self, request: Request) -> str | None:
        """The token, expired or not; None where there is none. Raises SignInProblem for two."""
        try:
            return join_token(request.cookies, self._token)
        except CognisesError as error:
            raise SignInProblem("no_session", error.detail) from None

    def has_session(self, request: Request) -> bool:
        return bool(request.cookies.get(self._token) or self.refresh_token(request))

    def replace_token(self, request: Request, tokens: Tokens) -> None:
        """Make the new token the one that this request came with."""
        pairs = (pair.strip() for pair in request.environ.get("HTTP_COOKIE", "").split(";"))
        own = cookie_names(self._token)
        kept = [pair for pair in pairs if pair and pair.partition("=")[0].strip() not in own]
        kept += [f"{name}={value}" for name, value in self.pieces(tokens).items()]
        request.environ["HTTP_COOKIE"] = "; ".join(kept)
        request.__dict__.pop("cookies", None)  # werkzeug keeps what it has parsed

    def keep_attempt(self, request: Request, response: Response, attempt: Attempt) -> None:
        """Set an attempt's cookie; of many unfinished ones only some are kept."""
        unfinished = sorted(name for name in request.cookies if name.startswith(self._attempts))
        for name in unfinished[_MAX_ATTEMPTS - 1 :]:
            response.delete_cookie(name, **self._attributes)
        name = self._attempt_name(attempt.state)
        value = jws.encode_segment(json.dumps(attempt).encode())
        response.set_cookie(name, value, _ATTEMPT_SECONDS, **self._attributes)

    def attempt(self, request: Request, state: str) -> Attempt | None:
        """The attempt that a callback with this state answers, if this browser made it."""
        found = request.cookies.getlist(self._attempt_name(state))
        attempt = Attempt.from_cookie(found[0]) if len(found) == 1 else None
        if attempt is None or not hmac.compare_digest(attempt.state.encode(), state.encode()):
            return None
        return attempt if 0 <= time.time() - attempt.started <= _ATTEMPT_SECONDS else None

    def forget_attempt(self, request: Request, response: Response, state: str) -> None:
        name = self._attempt_name(state)
        if name in request.cookies:
            response.delete_cookie(name, **self._attributes)

    def _attempt_name(self, state: str) -> str:
        return f"{self._attempts}{sha256(state.encode()).hexdigest()[:16]}"


def _cause_of_size(token: str) -> str:
    """Whether groups (with their roles) or attributes make a token large. Verifies nothing."""
    try:
        payload = jws.decode_segment(jws.split(token.encode("ascii", "replace"))[1])
        claims = jws.parse_object(payload)
    except CognisesError:
        return "too_many_attributes"
    of_groups = len(json.dumps([claims.get("cognito:groups"), claims.get("cognito:roles")]))
    return "too_many_groups" if 2 * of_groups > len(payload) else "too_many_attributes"
