"""Cognito's managed login, spoken to through oauthlib. The only user of that library.

Endpoints: AWS, "Managed login and classic hosted UI endpoints reference". A public client: PKCE
stands in for a secret (RFC 7636), and S256 is the only method.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode, urlsplit, urlunsplit

from cognises.signin.attempt import Attempt
from cognises.signin.problems import SignInProblem
from cognises.tokens.http import FetchError, post_form

if TYPE_CHECKING:  # imported on first use: most requests sign nobody in
    from oauthlib.oauth2 import WebApplicationClient

SCOPES = ["openid", "email", "profile"]
_VERIFIER_LENGTH = 64
# RFC 6749 sections 4.1.2.1 and 5.2; the last is oauthlib's own.
_ERRORS = {"invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type",
           "invalid_scope", "server_error", "temporarily_unavailable", "invalid_client",
           "invalid_grant", "unsupported_grant_type", "missing_token"}  # fmt: skip


class Tokens(NamedTuple):
    """What the token endpoint gave; nothing in it is believed yet."""

    id_token: str
    access_token: str
    refresh_token: str | None


class ManagedLogin:
    """One app client at one domain. `public_url` is the service's own address."""

    def __init__(self, domain: str, client_id: str, public_url: str) -> None:
        self._domain = domain
        self._client_id = client_id
        self._redirect_uri = f"{public_url}/callback"
        self._logout_uri = f"{public_url}/"

    def new_attempt(self, return_path: str) -> Attempt:
        verifier: str = self._client().create_code_verifier(_VERIFIER_LENGTH)
        return Attempt.new(verifier, return_path)

    def authorize_url(self, attempt: Attempt) -> str:
        """Where a browser goes to sign in."""
        client = self._client()
        challenge = client.create_code_challenge(attempt.verifier, "S256")
        # oauthlib knows https alone; the settings have checked the address, loopback included.
        uri = client.prepare_request_uri(
            "https://domain.invalid/",
            redirect_uri=self._redirect_uri,
            scope=SCOPES,
            state=attempt.state,
            nonce=attempt.nonce,
            code_challenge=challenge,
            code_challenge_method="S256",
        )
        return self._url("/oauth2/authorize", urlsplit(uri).query)

    def exchange(self, code: str, attempt: Attempt) -> Tokens:
        """Tokens for an authorization code (RFC 6749 section 4.1.3). Raises SignInProblem."""
        body = self._client().prepare_request_body(
            code=code, redirect_uri=self._redirect_uri, code_verifier=attempt.verifier
        )
        return self._fetch_tokens(body, expired="no_attempt")

    def refresh(self, refresh_token: str) -> Tokens:
        """New tokens for a refresh token (RFC 6749 section 6). Raises SignInProblem."""
        body = self._client().prepare_refresh_body(
            refresh_token=refresh_token, client_id=self._client_id
        )
        return self._fetch_tokens(body, expired="no_session")

    def revoke(self, refresh_token: str) -> None:
        """End a refresh token and its access tokens (RFC 7009). Raises SignInProblem."""
        form = {"token": refresh_token, "client_id": self._client_id}
        status, _ = self._post("/oauth2/revoke", urlencode(form))
        if status != 200:
            raise SignInProblem("refused", f"revocation answered {status}")

    def logout_url(self) -> str:
        """Where a browser goes to end its session with Cognito, too."""
        query = urlencode({"client_id": self._client_id, "logout_uri": self._logout_uri})
        return self._url("/logout", query)

    def _client(self) -> WebApplicationClient:
        from oauthlib.oauth2 import WebApplicationClient

        return WebApplicationClient(self._client_id)  # it keeps state: one for each call

    def _fetch_tokens(self, body: str, expired: str) -> Tokens:
        from oauthlib.oauth2 import OAuth2Error

        status, answer = self._post("/oauth2/token", body)
        if status >= 500:
            raise SignInProblem("unreachable", f"token endpoint answered {status}")
        try:
            # A body that is no JSON object would be read as a form: it has no token either way.
            found = self._client().parse_request_body_response(answer.decode())
        except OAuth2Error as error:
            reason = expired if error.error == "invalid_grant" else "refused"
            raise SignInProblem(reason, error_name(error.error)) from None
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            raise SignInProblem("bad_tokens", "token endpoint's answer is no token") from None
        if status != 200:
            raise SignInProblem("refused", f"token endpoint answered {status}")
        texts = [found.get(name) for name in ("id_token", "access_token")]
        refresh = found.get("refresh_token")
        if not all(isinstance(text, str) for text in (*texts, refresh or "")):
            raise SignInProblem("bad_tokens", "a token is missing")
        return Tokens(texts[0], texts[1], refresh or None)

    def _post(self, path: str, body: str) -> tuple[int, bytes]:
        try:
            return post_form(self._url(path), body.encode())
        except FetchError as error:
            raise SignInProblem("unreachable", f"sign-in service: {error}") from None

    def _url(self, path: str, query: str = "") -> str:
        scheme, host, base, *_ = urlsplit(self._domain)
        return urlunsplit((scheme, host, base + path, query, ""))


def error_name(error: object) -> str:
    """RFC 6749's name for an error, if it is one; what a server made up stays out of the log."""
    return error if isinstance(error, str) and error in _ERRORS else "an error of its own"
