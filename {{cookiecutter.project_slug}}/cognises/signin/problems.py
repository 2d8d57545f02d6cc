"""What can go wrong between a browser and managed login, each with the page that it gets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from cognises.errors import printable


class ProblemPage(NamedTuple):
    """What a person is shown: status, heading, and what to do about it."""

    status: int
    title: str
    text: str


# A 5xx is never the browser's doing: the token endpoint failed, or refuses this app client.
PAGES: Mapping[str, ProblemPage] = {
    "no_attempt": ProblemPage(
        400,
        "This sign-in cannot be finished",
        "It is older than ten minutes, was finished before, or was started in another browser.",
    ),
    "bad_answer": ProblemPage(
        400,
        "This sign-in cannot be finished",
        "The sign-in page came back with an answer that does not belong to your request.",
    ),
    "denied": ProblemPage(
        403, "You were not signed in", "The sign-in was cancelled, or you may not use this service."
    ),
    "refused": ProblemPage(
        403,
        "The sign-in service refused",
        "A rule of the sign-in service or your identity provider did not accept this sign-in. "
        "Try again; if it is refused again, tell the operator of this service the time.",
    ),
    "misconfigured": ProblemPage(
        502,
        "The sign-in service refused",
        "This service and its sign-in service do not agree about their settings. "
        "Tell the operator of this service: the log names the setting.",
    ),
    "bad_tokens": ProblemPage(
        502,
        "The sign-in service sent tokens that were not accepted",
        "Its answer does not pass the checks of this service. Tell the operator of this service.",
    ),
    "unreachable": ProblemPage(
        503, "The sign-in service does not answer", "Nothing was changed. Try again in a moment."
    ),
    "too_many_groups": ProblemPage(
        500,
        "You are in too many groups for a browser",
        "The names of your groups do not fit into cookies. Ask the operator of this service to "
        "remove you from groups that you do not need.",
    ),
    "too_many_attributes": ProblemPage(
        500,
        "Your account has too many attributes for a browser",
        "The attributes of your account do not fit into cookies. Ask the operator of this service "
        "to let its app client read fewer of them.",
    ),
    "no_session": ProblemPage(401, "Your session has ended", "Sign in again to continue."),
}


class SignInProblem(Exception):
    """A sign-in, renewal or sign-out that failed. `reason` is a key of `PAGES`.

    `detail` goes to the log: never a token, a code or a claim.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail
        self.page = PAGES[reason]


# RFC 6749 sections 4.1.2.1 and 5.2, OpenID Connect Core section 3.1.2.6; the last is oauthlib's.
_ERRORS = {"invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type",
           "invalid_scope", "server_error", "temporarily_unavailable", "invalid_client",
           "invalid_grant", "unsupported_grant_type", "login_required", "interaction_required",
           "redirect_mismatch", "missing_token"}  # fmt: skip
_MAX_DESCRIPTION = 200
_PERSONAL = re.compile(
    r"\S+@\S+"  # an e-mail address
    r"|(?<=username )\S+"  # as in Cognito's "Already found an entry for username …"
    r"|[\w+/=.~-]{24,}"  # a token, a code, an id
    r"|\+?\d[\d ()-]{6,}\d",  # a telephone number
    re.IGNORECASE,
)


def error_name(error: object) -> str:
    """A standard error's name; any other text stays out of the log."""
    return error if isinstance(error, str) and error in _ERRORS else "an error of its own"


def log_description(text: object) -> str:
    """An `error_description` for the log: redacted, on one line, at most 200 characters."""
    if not isinstance(text, str):
        return ""
    return printable(_PERSONAL.sub("[redacted]", text[: 5 * _MAX_DESCRIPTION]))[:_MAX_DESCRIPTION]


def operator_hint(error: object, description: object, redirect_uri: str, has_secret: bool) -> str:
    """Which setting to fix, where an OAuth error tells it; empty otherwise."""
    text = f"{error} {description}".lower()
    if "scope" in text:
        return "COGNITO_SCOPES names a scope that the app client does not allow"
    if "redirect" in text:
        return f"the app client does not list the callback address {redirect_uri}"
    if "invalid_client" in text and has_secret:
        return "COGNITO_CLIENT_SECRET is not the secret of the app client COGNITO_CLIENT_ID"
    if "invalid_client" in text:
        return "the app client has a secret: set COGNITO_CLIENT_SECRET; or it does not exist"
    if "unauthorized_client" in text:
        return (
            "the app client does not allow the authorization code grant, or does not list the "
            f"callback address {redirect_uri}"
        )
    return ""
