"""What can go wrong between a browser and managed login, and the texts of the pages about it."""

from __future__ import annotations

from collections.abc import Mapping

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
}  # fmt: skip
OTHER_REFUSAL = ("Please sign in again", "What your browser sent is not a session of this service.")


class SignInProblem(Exception):
    """A sign-in, renewal or sign-out that failed. `reason` is a key of `PROBLEMS`.

    `detail` goes to the log: never a token, a code or a claim.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail
        self.status, self.title, self.text = PROBLEMS[reason]
