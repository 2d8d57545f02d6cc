"""Calls to Cognito's managed login, through oauthlib. The only user of that library.

Endpoints: AWS, "Managed login and classic hosted UI endpoints reference". PKCE (RFC 7636) with
S256 always; a client secret, where the app client has one, by HTTP Basic (RFC 6749 section 2.3.1).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote_plus, urlencode, urlsplit

from cognises.errors import printable
from cognises.settings.model import Settings
from cognises.tokens.http import FetchError, post_form

if TYPE_CHECKING:  # imported on first use: most requests do not sign in
    from oauthlib.oauth2 import WebApplicationClient
    from werkzeug.datastructures import MultiDict

    from cognises.signin.cookies import Attempt

_MAX_CODE = 2048
_PROMPT = "(?:login|select_account|consent)"
# What `/login` passes on to the authorize endpoint, and the values that it accepts.
_FORWARDED = {
    "identity_provider": re.compile(r"[\w .:/@+-]{1,128}"),
    "idp_identifier": re.compile(r"[\w .:/@+-]{1,128}"),
    "login_hint": re.compile(r"[^\x00-\x1f\x7f]{1,256}"),
    "lang": re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*"),
    "prompt": re.compile(rf"(?:none|{_PROMPT})(?: {_PROMPT})*"),
}
# RFC 6749 section 5.2: the token endpoint refuses this app client, whatever the browser sent.
_CLIENT_ERRORS = dict.fromkeys((
    "invalid_client", "unauthorized_client", "invalid_scope", "redirect_mismatch",
    "unsupported_grant_type"), "misconfigured")  # fmt: skip
# Others that the log names: RFC 6749 sections 4.1.2.1 and 5.2, OIDC Core section 3.1.2.6, oauthlib.
_KNOWN_ERRORS = {
    *_CLIENT_ERRORS, "invalid_request", "access_denied", "unsupported_response_type",
    "server_error", "temporarily_unavailable", "invalid_grant", "login_required",
    "interaction_required", "missing_token"}  # fmt: skip
_MAX_DESCRIPTION = 200
_PERSONAL = re.compile(
    r"\S+@\S+"  # an e-mail address
    r"|(?<=username )\S+"  # as in Cognito's "Already found an entry for username …"
    r"|[\w+/=.~-]{24,}"  # a token, a code, an id
    r"|\+?\d[\d ()-]{6,}\d",  # a telephone number
    re.IGNORECASE,
)

# Reason: status, heading, and what to do about it. What a browser sends never leads to a 5xx: the
# token endpoint failed, refuses this app client, or issued tokens that do not fit into cookies.
PROBLEMS: Mapping[str, tuple[int, str, str]] = {
    "no_attempt": (400, "This sign-in cannot be finished",
        "It is older than ten minutes, was finished before, or was started in another browser."),
    "bad_answer": (400, "This sign-in cannot be finished",
        "The sign-in page came back with an answer that does not belong to your request."),
    "denied": (403, "You were not signed in",
        "The sign-in was cancelled, or you may not use this service."),
    "refused": (403, "The sign-in service refused",
        "A rule of the sign-in service or your identity provider did not accept this sign-in. "
        "Try again; if it is refused again, tell the operator of this service the time."),
    "misconfigured": (502, "The sign-in service refused",
        "This service and its sign-in service do not agree about their settings. "
        "Tell the operator of this service: the log names the setting."),
    "bad_tokens": (502, "The sign-in service sent tokens that were not accepted",
        "Its answer does not pass the checks of this service. Tell the operator of this service."),
    "too_many_renewals": (429, "Too many sessions end at once",
        "Nothing was changed. Try again in a moment."),
    "unreachable": (503, "The sign-in service does not answer",
        "Nothing was changed. Try again in a moment."),
    "too_many_groups": (500, "You are in too many groups for a browser",
        "The names of your groups do not fit into cookies. Ask the operator of this service to "
        "remove you from groups that you do not need."),
    "too_many_attributes": (500, "Your account has too many attributes for a browser",
        "The attributes of your account do not fit into cookies. Ask the operator of this service "
        "to let its app client read fewer of them."),
    "no_session": (401, "Your session has ended", "Sign in again to continue."),
}  # fmt: skip

# The same for refusals, which have a status of their own.
REFUSALS: Mapping[str, tuple[str, str]] = {
    "wrong_token_use": ("This page is not for browsers",
        "It takes another kind of token than browsers get here."),
    "wrong_client": ("This page is not for this sign-in",
        "It takes the tokens of another application."),
    "forbidden": ("This page is not open to you", "None of your groups may open this page."),
    "insufficient_scope": ("This page is not open to you",
        "It needs a scope that your sign-in does not include."),
    "cross_site": ("This form was sent from another site",
        "Nothing was changed. Open the page of this service and send the form from there."),
    "keys_unavailable": ("Your sign-in cannot be checked right now",
        "The signing keys cannot be read. Nothing is wrong with your account; try again soon."),
    "aws_denied": ("AWS does not allow you this",
        "The AWS role of your group does not include this action."),
    "no_role": ("You have no AWS role here",
        "This page acts in AWS with the role of your group, and you have none, or several."),
    "aws_unavailable": ("AWS cannot be reached right now",
        "Nothing is wrong with your account; try again soon."),
    "other": ("Please sign in again", "What your browser sent is not a session of this service."),
}  # fmt: skip


class SignInProblem(Exception):
    """`reason` is a key of `PROBLEMS`; `detail`, without token, code or claim, goes to the log."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail
        self.status, self.title, self.text = PROBLEMS[reason]


class Tokens(NamedTuple):
    id_token: str
    access_token: str
    refresh_token: str | None


class ManagedLogin:
    """The app client of the settings; `public_url` is the service's address, path included."""

    def __init__(self, settings: Settings, public_url: str) -> None:
        self._settings = settings
        self._domain = settings.domain or ""
        self._client_id = settings.sign_in_client_id or ""
        self._redirect_uri, self._logout_uri = f"{public_url}/callback", f"{public_url}/"

    def authorize_url(self, attempt: Attempt, forwarded: Mapping[str, str]) -> str:
        """Where a browser goes to sign in; `forwarded` is what `forwardable` found."""
        # oauthlib refuses http; the settings have checked the domain, loopback included.
        client = self._client()
        challenge = client.create_code_challenge(attempt.verifier, "S256")
        uri = client.prepare_request_uri(
            "https://domain.invalid/", redirect_uri=self._redirect_uri,
            scope=self._settings.scopes, state=attempt.state, nonce=attempt.nonce,
            code_challenge=challenge, code_challenge_method="S256", **forwarded,
        )  # fmt: skip
        return f"{self._domain}/oauth2/authorize?{urlsplit(uri).query}"

    def exchange(self, code: str, attempt: Attempt) -> Tokens:
        """Tokens for an authorization code (RFC 6749 section 4.1.3). Raises SignInProblem."""
        if len(code) > _MAX_CODE or not code.isascii() or not code.isprintable():
            raise SignInProblem("bad_answer", "the code is malformed")
        body = self._client().prepare_request_body(
            code=code, redirect_uri=self._redirect_uri, code_verifier=attempt.verifier
        )
        return self._fetch_tokens(body, "no_attempt")

    def refresh(self, refresh_token: str) -> Tokens:
        """New tokens for a refresh token (RFC 6749 section 6). Raises SignInProblem."""
        fields = {"refresh_token": refresh_token, "client_id": self._client_id}
        return self._fetch_tokens(self._client().prepare_refresh_body(**fields), "no_session")

    def revoke(self, refresh_token: str) -> None:
        """End a refresh token and its access tokens (RFC 7009). Raises SignInProblem."""
        form = {"token": refresh_token, "client_id": self._client_id}
        status, _ = self._post("/oauth2/revoke", urlencode(form))
        if status != 200:
            raise SignInProblem("misconfigured", f"revocation answered {status}")

    def logout_url(self) -> str:
        """Where a browser goes to end its session with Cognito, too."""
        query = urlencode({"client_id": self._client_id, "logout_uri": self._logout_uri})
        return f"{self._domain}/logout?{query}"

    def log_detail(self, error: object, description: object) -> str:
        """An OAuth error for the log: name, redacted description on one line, setting to fix."""
        name = error if isinstance(error, str) and error in _KNOWN_ERRORS else "an error of its own"
        text = description[: 5 * _MAX_DESCRIPTION] if isinstance(description, str) else ""
        shown = printable(_PERSONAL.sub("[redacted]", text))[:_MAX_DESCRIPTION]
        words, uri = f"{error} {description}".lower(), self._redirect_uri
        client = "COGNITO_CLIENT_SECRET is not the secret of the app client COGNITO_CLIENT_ID"
        if self._settings.client_secret is None:
            client = "the app client has a secret: set COGNITO_CLIENT_SECRET; or it does not exist"
        grant = "the app client does not allow the authorization code grant, or does not"
        hints = {
            "scope": "COGNITO_SCOPES names a scope that the app client does not allow",
            "redirect": f"the app client does not list the callback address {uri}",
            "invalid_client": client,
            "unauthorized_client": f"{grant} list the callback address {uri}",
        }
        hint = next((hint for word, hint in hints.items() if word in words), "")
        return ": ".join(filter(None, (name, shown, hint)))

    def _client(self) -> WebApplicationClient:
        from oauthlib.oauth2 import WebApplicationClient

        return WebApplicationClient(self._client_id)  # it keeps state: one for each call

    def _fetch_tokens(self, body: str, refused: str) -> Tokens:
        """`refused` is the reason where the endpoint refuses the code or refresh token."""
        from oauthlib.oauth2 import OAuth2Error

        status, answer = self._post("/oauth2/token", body)
        if status not in (200, 400, 401):  # a limit, a firewall or an outage: no refusal
            raise SignInProblem("unreachable", f"token endpoint answered {status}")
        failure = "bad_tokens" if status == 200 else "unreachable"
        try:
            # A body that is not a JSON object would be read as a form: it has no token either way.
            found = self._client().parse_request_body_response(answer.decode())
        except OAuth2Error as error:
            reasons = {"invalid_grant": refused, "invalid_request": refused, **_CLIENT_ERRORS}
            reason = failure if status == 200 else reasons.get(str(error.error), failure)
            detail = self.log_detail(error.error, error.description)
            raise SignInProblem(reason, f"token endpoint: {detail}") from None
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            raise SignInProblem(failure, f"token endpoint answered {status}, no tokens") from None
        tokens = Tokens._make(found.get(name) or None for name in Tokens._fields)
        if status == 200 and tokens.access_token and tokens.id_token is None:
            raise SignInProblem(refused, "no ID token: the browser asked for it without openid")
        texts = (*tokens[:2], tokens.refresh_token or "")
        if status != 200 or not all(isinstance(text, str) for text in texts):
            raise SignInProblem(failure, f"token endpoint answered {status}, no tokens")
        return tokens

    def _post(self, path: str, body: str) -> tuple[int, bytes]:
        authorization, secret = None, self._settings.client_secret
        if secret is not None:  # RFC 6749 section 2.3.1: both parts are form-encoded
            pair = f"{quote_plus(self._client_id)}:{quote_plus(secret.reveal())}"
            authorization = f"Basic {b64encode(pair.encode()).decode()}"
        try:
            return post_form(f"{self._domain}{path}", body.encode(), authorization=authorization)
        except FetchError as error:
            raise SignInProblem("unreachable", f"sign-in service: {error}") from None


def forwardable(arguments: MultiDict[str, str]) -> dict[str, Any]:
    """What of a query goes on to managed login: five parameters, each once and well-formed."""
    return {
        name: values[0]
        for name, pattern in _FORWARDED.items()
        if len(values := arguments.getlist(name)) == 1 and pattern.fullmatch(values[0])
    }
