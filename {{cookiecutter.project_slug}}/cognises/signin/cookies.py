"""The cookies of a signed-in browser. HttpOnly, Lax, for this host and all of its paths.

All last as long as the browser runs: the token inside says when it expires, and one that has
expired tells an ended session from no session. Over https the names start with `__Host-`, so that
no other host, and no plain http, can set them (RFC 6265bis section 4.1.3.2); the token's own name
is a setting.
"""

from __future__ import annotations

from flask import Request, Response

from cognises.settings.model import Settings
from cognises.signin.attempt import (
    LIFETIME,
    Attempt,
    cookie_suffix,
    from_cookie,
    to_cookie,
)
from cognises.signin.problems import SignInProblem

# What browsers keep of one cookie: name, value and attributes together (RFC 6265 section 6.1).
_MAX_COOKIE = 4096
_ATTRIBUTES = len("=; Secure; HttpOnly; Path=/; SameSite=Lax; Max-Age=2592000")
_MAX_ATTEMPTS = 3  # with the tokens they must fit into what servers take of headers


class Cookies:
    """Reads and writes them by the app's settings."""

    def __init__(self, settings: Settings) -> None:
        self._is_secure = (settings.public_url or "").startswith("https://")
        prefix = "__Host-" if self._is_secure else ""
        self._token = settings.cookie_name
        self._refresh = f"{prefix}refresh"
        self._attempts = f"{prefix}signin-"

    def keep_session(self, response: Response, token: str, refresh_token: str | None) -> None:
        """Set the token's cookie, and the refresh token's where there is one.

        Raises SignInProblem (`too_large`) before either is set.
        """
        kept = [(self._refresh, refresh_token)] if refresh_token else []
        pairs = [(self._token, token), *kept]
        if any(len(name) + len(value) + _ATTRIBUTES > _MAX_COOKIE for name, value in pairs):
            raise SignInProblem("too_large", "a token does not fit into a cookie")
        for name, value in pairs:
            self._set(response, name, value)

    def end_session(self, response: Response) -> None:
        for name in (self._token, self._refresh):
            self._clear(response, name)

    def forget_refresh_token(self, response: Response) -> None:
        self._clear(response, self._refresh)

    def refresh_token(self, request: Request) -> str | None:
        """The refresh token; None where there is none, or more than one."""
        return _only(request, self._refresh)

    def previous_token(self, request: Request) -> str | None:
        """The token of the session so far, expired or not."""
        return _only(request, self._token)

    def keep_attempt(self, request: Request, response: Response, attempt: Attempt) -> None:
        """Set an attempt's cookie; of many unfinished ones only some are kept."""
        unfinished = sorted(name for name in request.cookies if name.startswith(self._attempts))
        for name in unfinished[_MAX_ATTEMPTS - 1 :]:
            self._clear(response, name)
        name = f"{self._attempts}{cookie_suffix(attempt.state)}"
        self._set(response, name, to_cookie(attempt), LIFETIME)

    def attempt(self, request: Request, state: str) -> Attempt | None:
        """The attempt that a callback with this state answers, if this browser made it."""
        suffix = cookie_suffix(state)
        found = request.cookies.getlist(f"{self._attempts}{suffix}") if suffix else []
        attempt = from_cookie(found[0]) if len(found) == 1 else None
        return attempt if attempt and attempt.is_for(state) else None

    def forget_attempt(self, response: Response, state: str) -> None:
        suffix = cookie_suffix(state)
        if suffix:
            self._clear(response, f"{self._attempts}{suffix}")

    def _set(self, response: Response, name: str, value: str, max_age: int | None = None) -> None:
        response.set_cookie(
            name, value, max_age, secure=self._is_secure, httponly=True, samesite="Lax", path="/"
        )

    def _clear(self, response: Response, name: str) -> None:
        response.delete_cookie(
            name, secure=self._is_secure, httponly=True, samesite="Lax", path="/"
        )


def _only(request: Request, name: str) -> str | None:
    found = request.cookies.getlist(name)
    return found[0] if len(found) == 1 and found[0] else None
