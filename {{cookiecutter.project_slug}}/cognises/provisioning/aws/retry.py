"""Retries that botocore has not: IAM's own conflicts, and things not visible yet everywhere.

IAM answers 409 while another change to the same role settles, and 404 for a while after a
role was made. Both pass by themselves, so both are tried again, a bounded number of times.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

CONFLICTS = frozenset(
    {
        "ConcurrentModification",
        "ConcurrentModificationException",
        "EntityTemporarilyUnmodifiable",
        "EntityTemporarilyUnmodifiableException",
    }
)
NOT_VISIBLE_YET = frozenset({"NoSuchEntity", "NoSuchEntityException"})
TRIES = 7
FIRST_PAUSE = 0.25  # seconds; doubled each time: 16 s in all


def error_code(error: BaseException) -> str:
    """The code of an AWS answer, empty for anything else."""
    return _said(error, "Code")


def resilient(
    call: Callable[[], T],
    *,
    just_created: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Call, and call again on a conflict; on `just_created` things also while they are unseen."""
    codes = CONFLICTS | NOT_VISIBLE_YET if just_created else CONFLICTS
    for attempt in range(TRIES - 1):
        try:
            return call()
        except Exception as error:
            if error_code(error) not in codes and not (just_created and _role_unseen(error)):
                raise
            sleep(FIRST_PAUSE * 2**attempt)
    return call()


def _role_unseen(error: Exception) -> bool:
    """Cognito's answer to a group whose role it cannot see yet."""
    said = _said(error, "Message").lower()
    return error_code(error) == "InvalidParameterException" and "role" in said


def _said(error: BaseException, part: str) -> str:
    response: dict[str, Any] = getattr(error, "response", {})
    return str(response.get("Error", {}).get(part, ""))
