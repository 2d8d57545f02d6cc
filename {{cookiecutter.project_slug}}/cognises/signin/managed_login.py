"""Calls to Cognito's managed login, through oauthlib. The only user of that library.

Endpoints: AWS, "Managed login and classic hosted UI endpoints reference". PKCE (RFC 7636) with
S256 always; a client secret, where the app client has one, by HTTP Basic (RFC 6749 section 2.3.1).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote_plus, urlencode, urlsplit, urlunsplit

from cognises.settings.model import Settings
from cognises.signin.attempt import Attempt
from cognises.signin.problems import (
    SignInProblem,
    error_name,
    log_description,
    operator_hint,
)
from cognises.tokens.http import FetchError, post_form

if TYPE_CHECKING:  # imported on first use: most requests do not sign in
    from oauthlib.oauth2 import WebApplicationClient
    from werkzeug.datastructures import MultiDict

_VERIFIER_LENGTH = 64
_MAX_CODE = 2048
# What `/login` passes on to the authorize endpoint, and what each may look like.
_FORWARDED = {
    "identity_provider": re.compile(r"[\w .:/@+-]{1,128}"),
    "idp_identifier": re.compile(r"[\w .:/@+-]{1,128}"),
    "login_hint": re.compile(r"[^\x00-\x1f\x7f]{1,256}"),
    "lang": re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*"),
    "prompt": re.compile(
        r"(?:none|login|select_account|consent)(?: (?:login|select_account|consent))*"
    ),
}
# RFC 6749 section 5.2: the token endpoint refuses this app client, whatever the browser sent.
_CLIENT_ERRORS = {"invalid_client", "unauthorized_client", "invalid_scope", "redirect_mismatch",
                  "unsupported_grant_type"}  # fmt: skip


class Tokens(NamedTuple):
    """What the token endpoint gave, not verified yet."""

    id_token: str
    access_token: str
    refresh_token: str | None


class ManagedLogin:
    """The app client of the settings; `public_url` is the service's address, path included."""

    def __init__(self, settings: Settings, public_url: str) -> None:
        self._domain = settings.domain or ""
        self._client_id = settings.sign_in_client_id or ""
        self._secret = settings.client_secret
        self._scopes = settings.scopes
        self.redirect_uri = f"{public_url}/callback"
        self._logout_uri = f"{public_url}/"

    def new_attempt(self, return_path: str) -> Attempt:
        verifier: str = self._client().create_code_verifier(_VERIFIER_LENGTH)
        return Attempt.new(verifier, return_path)

    def authorize_url(self, attempt: Attempt, forwarded: Mapping[str, str] | None = None) -> str:
        """Where a browser goes to sign in, with the parameters that `forwarded` allows."""
        client = self._client()
        challenge = client.create_code_challenge(attempt.verifier, "S256")
        # oauthlib knows https alone; the settings have checked the address, loopback included.
        uri = client.prepare_request_uri(
            "https://domain.invalid/",
            redirect_uri=self.redirect_uri,
            scope=self._scopes,
            state=attempt.state,
            nonce=attempt.nonce,
            code_challenge=challenge,
            code_challenge_method="S256",
            **(forwarded or {}),
        )
        return self._url("/oauth2/authorize", urlsplit(uri).query)

    def exchange(self, code: str, attempt: Attempt) -> Tokens:
        """Tokens for an authorization code (RFC 6749 section 4.1.3). Raises SignInProblem."""
        if len(code) > _MAX_CODE or not code.isascii() or not code.isprintable():
            raise SignInProblem("bad_answer", "the code cannot be one")
        body = self._client().prepare_request_body(
            code=code, redirect_uri=self.redirect_uri, code_verifier=attempt.verifier
        )
        return self._fetch_tokens(body, refused="no_attempt")

    def refresh(self, refresh_token: str) -> Tokens:
        """New tokens for a refresh token (RFC 6749 section 6). Raises SignInProblem."""
        body = self._client().prepare_refresh_body(
            refresh_token=refresh_token, client_id=self._client_id
        )
        return self._fetch_tokens(body, refused="no_session")

    def revoke(self, refresh_token: str) -> None:
        """End a refresh token and its access tokens (RFC 7009). Raises SignInProblem."""
        form = {"token": refresh_token, "client_id": self._client_id}
        status, _ = self._post("/oauth2/revoke", urlencode(form))
        if status != 200:
            raise SignInProblem("misconfigured", f"revocation answered {status}")

    def logout_url(self) -> str:
        """Where a browser goes to end its session with Cognito, too."""
        query = urlencode({"client_id": self._client_id, "logout_uri": self._logout_uri})
        return self._url("/logout", query)

    def log_detail(self, error: object, description: object) -> str:
        """An OAuth error for the log: its name, its description, and the setting to fix."""
        parts = (
            error_name(error),
            log_description(description),
            operator_hint(error, description, self.redirect_uri, self._secret is not None),
        )
        return ": ".join(filter(None, parts))

    def _client(self) -> WebApplicationClient:
        from oauthlib.oauth2 import WebApplicationClient

        return WebApplicationClient(self._client_id)  # it keeps state: one for each call

    def _fetch_tokens(self, body: str, refused: str) -> Tokens:
        """`refused` is the reason where the endpoint does not take the code or refresh token."""
        from oauthlib.oauth2 import OAuth2Error

        status, answer = self._post("/oauth2/token", body)
        if status >= 500:
            raise SignInProblem("unreachable", f"token endpoint answered {status}")
        try:
            # A body that is not a JSON object would be read as a form: it has no token either way.
            found = self._client().parse_request_body_response(answer.decode())
        except OAuth2Error as error:
            reason = _refusal_reason(status, error.error, refused)
            detail = self.log_detail(error.error, error.description)
            raise SignInProblem(reason, f"token endpoint: {detail}") from None
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            reason = refused if 400 <= status < 500 else "bad_tokens"
            raise SignInProblem(reason, f"token endpoint answered {status}, no tokens") from None
        if status != 200:
            raise SignInProblem("bad_tokens", f"token endpoint answered {status}")
        texts = [found.get(name) for name in ("id_token", "access_token")]
        refresh = found.get("refresh_token")
        if not all(isinstance(text, str) for text in (*texts, refresh or "")):
            raise SignInProblem("bad_tokens", "a token is missing")
        return Tokens(texts[0], texts[1], refresh or None)

    def _post(self, path: str, body: str) -> tuple[int, bytes]:
        try:
            return post_form(self._url(path), body.encode(), authorization=self._basic())
        except FetchError as error:
            raise SignInProblem("unreachable", f"sign-in service: {error}") from None

    def _basic(self) -> str | None:
        """The client secret as RFC 6749 section 2.3.1 sends it: both parts form-encoded."""
        if self._secret is None:
            return None
        pair = f"{quote_plus(self._client_id)}:{quote_plus(self._secret.reveal())}"
        return f"Basic {b64encode(pair.encode()).decode()}"

    def _url(self, path: str, query: str = "") -> str:
        scheme, host, base, *_ = urlsplit(self._domain)
        return urlunsplit((scheme, host, base + path, query, ""))


def _refusal_reason(status: int, error: object, refused: str) -> str:
    """Who has to act on an error of the token endpoint: the operator, or the person again."""
    if status == 200 or not isinstance(error, str):
        return "bad_tokens"
    return "misconfigured" if error in _CLIENT_ERRORS else refused


def forwarded(arguments: MultiDict[str, str]) -> dict[str, Any]:
    """What of a query goes on to managed login: five parameters, each given once and plausible."""
    return {
        name: values[0]
        for name, pattern in _FORWARDED.items()
        if len(values := arguments.getlist(name)) == 1 and pattern.fullmatch(values[0])
    }
