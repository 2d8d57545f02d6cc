"""What can go wrong between a browser and managed login, each with its page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Answer(NamedTuple):
    """How a problem is told: status, heading, and what to do about it."""

    status: int
    title: str
    text: str


ANSWERS: Mapping[str, Answer] = {
    "no_attempt": Answer(
        400,
        "This sign-in cannot be finished",
        "It is older than ten minutes, was finished before, or was started in another browser.",
    ),
    "bad_answer": Answer(
        400,
        "This sign-in cannot be finished",
        "The sign-in page came back with an answer that does not belong to your request.",
    ),
    "denied": Answer(
        403, "You were not signed in", "The sign-in was cancelled, or you may not use this service."
    ),
    "refused": Answer(
        502,
        "The sign-in service refused",
        "This service and its sign-in page do not agree about their settings. Tell its operator.",
    ),
    "bad_tokens": Answer(
        502,
        "The sign-in service answered oddly",
        "What it sent does not pass this service's checks. Tell its operator.",
    ),
    "unreachable": Answer(
        503, "The sign-in service does not answer", "Nothing was changed. Try again in a moment."
    ),
    "too_large": Answer(
        500,
        "You are in too many groups for a browser",
        "Your token does not fit into a cookie. Tell the operator of this service.",
    ),
    "no_session": Answer(401, "Your session has ended", "Sign in again to go on."),
}


class SignInProblem(Exception):
    """A sign-in, refresh or sign-out that came to nothing. `reason` is a key of `ANSWERS`.

    `detail` goes to the log: fixed words, never a token, a code or what somebody sent.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail
        self.answer = ANSWERS[reason]
