"""Errors, each with the HTTP response that it becomes. Standard library only."""

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple


class Answer(NamedTuple):
    """The response for a reason: status, fixed text, error code if there is a challenge."""

    status: int
    message: str
    challenge: str | None = None


# RFC 6750 section 3: no error code where no credential was sent; 503 is never a challenge.
ANSWERS: Mapping[str, Answer] = {
    "missing_token": Answer(401, "Sign in to use this address.", ""),
    "invalid_request": Answer(400, "The request carries no single well-formed credential.",
                              "invalid_request"),
    "invalid_token": Answer(401, "The token is not valid.", "invalid_token"),
    "token_expired": Answer(401, "The token has expired.", "invalid_token"),
    "wrong_token_use": Answer(401, "This kind of token is not accepted.", "invalid_token"),
    "wrong_client": Answer(401, "The token was issued to another client.", "invalid_token"),
    "unknown_key": Answer(401, "The token is signed with an unknown key.", "invalid_token"),
    "revoked": Answer(401, "Access has been revoked.", "invalid_token"),
    "insufficient_scope": Answer(403, "The token lacks a scope.", "insufficient_scope"),
    "forbidden": Answer(403, "You may not use this address."),
    "cross_site": Answer(403, "This request must come from the site itself."),
    "no_role": Answer(403, "You have no AWS role for this action."),
    "aws_denied": Answer(403, "AWS does not allow you this action."),
    "aws_unavailable": Answer(503, "AWS cannot be reached now; try again soon."),
    "keys_unavailable": Answer(503, "The signing keys cannot be read now; try again soon."),
    "misconfigured": Answer(500, "The service is not configured."),
    "blocked": Answer(500, "The plan was refused by a safety rule."),
}  # fmt: skip


class CognisesError(Exception):
    """A refusal, and the base class of every error of this package. `str(error)` is its message.
    `reason` is a key of `ANSWERS`, `status` its HTTP status, `message` the fixed text for the
    client. `detail` is for the log: fixed words too, never a token, a claim or an address.
    """

    def __init__(
        self, reason: str, detail: str = "", *, scopes: Iterable[str] = (), retry_after: float = 0
    ) -> None:
        self.reason, self.detail, self.scopes = reason, detail, tuple(scopes)
        self.status, self.message, self._challenge = ANSWERS[reason]
        self.retry_after = retry_after
        super().__init__(self.message)

    @property
    def headers(self) -> dict[str, str]:
        """Response headers with the default realm."""
        return self.headers_for("cognises")

    def headers_for(self, realm: str) -> dict[str, str]:
        """Response headers: `WWW-Authenticate` by RFC 6750 section 3, or `Retry-After`."""
        if self.status == 503:
            return {"Retry-After": str(max(1, round(self.retry_after or 1)))}
        if self._challenge is None:
            return {}
        fields = {"realm": realm, "error": self._challenge, "scope": " ".join(self.scopes)}
        shown = ", ".join(f'{name}="{text}"' for name, text in fields.items() if text)
        return {"WWW-Authenticate": f"Bearer {shown}"}


class ProblemsError(CognisesError):
    """Everything that is wrong at once: `problems`, one line each, with line breaks escaped."""

    _reason = "misconfigured"

    def __init__(self, problems: Iterable[object]) -> None:
        super().__init__(self._reason)
        self.problems = [printable(str(problem)) for problem in problems]
        self.args = ("\n".join(self.problems),)


class SettingsError(ProblemsError):
    """Wrong settings, routes or arguments; the service does not start."""


class ManifestError(ProblemsError):
    """A wrong manifest."""


class ProvisionBlocked(ProblemsError):
    """A plan that a safety rule refuses; nothing was written."""

    _reason = "blocked"


class Problem(NamedTuple):
    """`level` is `error` or `warning`; `place` is a path into the file, as in `[2].group_name`."""

    place: str
    text: str
    level: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.level, printable(self.place), printable(self.text))))

    def under(self, place: str) -> "Problem":
        """The same problem, with `place` before its own place."""
        joint = "." if self.place and not self.place.startswith("[") else ""
        return Problem(f"{place}{joint}{self.place}", self.text, self.level)


def warning(place: str, text: str) -> Problem:
    """A problem that AWS accepts and a person should know."""
    return Problem(place, text, "warning")


def printable(text: str) -> str:
    """The text on one line, control and direction characters as escapes."""
    # Control, format (bidirectional) and private characters, surrogates, separators of lines.
    kinds = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    escaped = {each for each in set(text) if unicodedata.category(each) in kinds}
    return text.translate({ord(each): each.encode("unicode_escape").decode() for each in escaped})
