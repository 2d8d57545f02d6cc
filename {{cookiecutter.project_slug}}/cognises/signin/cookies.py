"""The cookies of a signed-in browser. HttpOnly, Lax, for this host and all of its paths.

All last as long as the browser runs: the token inside says when it expires, and one that has
expired tells an ended session from no session. Over https the names start with `__Host-`, so that
no other host, and no plain http, can set them (RFC 6265bis section 4.1.3.2); the token's own name
is a setting.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from flask import Request, Response

from cognises.errors import CognisesError
from cognises.settings.model import Settings
from cognises.signin.attempt import LIFETIME, Attempt, cookie_suffix, from_cookie, to_cookie
from cognises.signin.managed_login import Tokens
from cognises.signin.problems import SignInProblem
from cognises.tokens import jws
from cognises.web.token_cookies import cookie_names, fits_one_cookie, join_token, split_token

_MAX_ATTEMPTS = 3  # with the tokens they must fit into what servers take of headers


class Cookies:
    """Reads and writes them by the app's settings."""

    def __init__(self, settings: Settings) -> None:
        public = urlsplit(settings.public_url or "")
        self._is_secure = public.scheme == "https"
        prefix = "__Host-" if self._is_secure else ""
        self._token = settings.cookie_name
        # Services below different paths of one host keep their sessions apart.
        self._refresh = f"{prefix}refresh{public.path.replace('/', '-')}"
        self._attempts = f"{prefix}signin-"
        self._uses_id = "id" in settings.token_use

    def session_token(self, tokens: Tokens) -> str:
        """The token that the cookie carries: the kind that the guards accept."""
        return tokens.id_token if self._uses_id else tokens.access_token

    def keep_session(self, request: Request, response: Response, tokens: Tokens) -> None:
        """Set the token's cookies, and the refresh token's where there is one.

        Raises SignInProblem (see `require_room`) before either is set.
        """
        pieces = self.require_room(tokens)
        for name in cookie_names(self._token):
            if name in pieces:
                self._set(response, name, pieces[name])
            elif name in request.cookies:
                self._clear(response, name)
        if tokens.refresh_token:
            self._set(response, self._refresh, tokens.refresh_token)

    def require_room(self, tokens: Tokens) -> Mapping[str, str]:
        """The cookies of the token, by name. Raises SignInProblem where browsers keep no such."""
        token = self.session_token(tokens)
        pieces = split_token(self._token, token)
        if pieces is None or not fits_one_cookie(self._refresh, tokens.refresh_token or ""):
            raise SignInProblem(_cause_of_size(token), "a token does not fit into cookies")
        return pieces

    def end_session(self, request: Request, response: Response) -> None:
        pieces = [name for name in cookie_names(self._token)[1:] if name in request.cookies]
        for name in (self._token, self._refresh, *pieces):
            self._clear(response, name)

    def forget_refresh_token(self, response: Response) -> None:
        self._clear(response, self._refresh)

    def refresh_token(self, request: Request) -> str | None:
        """The refresh token; None where there is none, or more than one."""
        found = request.cookies.getlist(self._refresh)
        return found[0] if len(found) == 1 and found[0] else None

    def previous_token(self, request: Request) -> str | None:
        """The token of the session so far, expired or not; None where there is none.

        Raises SignInProblem where there are two.
        """
        try:
            return join_token(request.cookies, self._token)
        except CognisesError as error:
            raise SignInProblem("no_session", error.detail) from None

    def has_session(self, request: Request) -> bool:
        """Whether the browser holds a session, good or not."""
        return bool(request.cookies.get(self._token) or self.refresh_token(request))

    def replace_token(self, request: Request, token: str) -> None:
        """Make `token` the one that this request came with."""
        pairs = (pair.strip() for pair in request.environ.get("HTTP_COOKIE", "").split(";"))
        own = cookie_names(self._token)
        kept = [pair for pair in pairs if pair and pair.partition("=")[0].strip() not in own]
        cookies = (split_token(self._token, token) or {}).items()
        kept += [f"{name}={value}" for name, value in cookies]
        request.environ["HTTP_COOKIE"] = "; ".join(kept)
        request.__dict__.pop("cookies", None)  # werkzeug keeps what it has parsed

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


def _cause_of_size(token: str) -> str:
    """Whether groups (with their roles) or attributes make a token large. Verifies nothing."""
    try:
        payload = jws.decode_segment(jws.split(token.encode("ascii", "replace"))[1])
        claims = jws.parse_object(payload)
    except CognisesError:
        return "too_many_attributes"
    of_groups = len(json.dumps([claims.get("cognito:groups"), claims.get("cognito:roles")]))
    return "too_many_groups" if 2 * of_groups > len(payload) else "too_many_attributes"
