"""Renewals of sessions by their refresh tokens: equal requests share one.

Tabs of one browser ask at the same time with the same cookies. With refresh-token rotation the
second use of a refresh token is refused, so the first answer is given to all of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from hashlib import sha256

from cognises.signin.managed_login import Tokens
from cognises.signin.problems import SignInProblem

MAX_RENEWALS = 256
SHARED_SECONDS = 10.0
_WAIT_SECONDS = 15.0  # longer than the token endpoint and the keys may take


class Renewals:
    """The renewals of this process that are under way, or were done a moment ago. Thread-safe.

    It holds at most `MAX_RENEWALS`; renewals beyond that are done without being shared.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shared: dict[bytes, Future[Tokens]] = {}
        self._done: dict[bytes, float] = {}  # when each was done, oldest first

    def share(
        self, refresh_token: str, previous: str | None, renew: Callable[[], Tokens]
    ) -> Tokens:
        """The tokens of `renew()`, or of an equal request's. Raises SignInProblem.

        `previous` is the token that the browser holds: once it holds the new one, its next
        request is another request.
        """
        key = sha256(f"{refresh_token} {previous}".encode()).digest()
        with self._lock:
            self._forget_old()
            future = self._shared.get(key)
            if future is None and len(self._shared) < MAX_RENEWALS:
                own = self._shared[key] = Future()
            else:
                own = Future()
        if future is not None:
            return _result(future)
        try:
            own.set_result(renew())
        except SignInProblem as problem:
            own.set_exception(problem)
        except BaseException:
            own.set_exception(SignInProblem("unreachable", "the shared renewal failed"))
            raise
        finally:
            self._finish(key, own, is_shared=previous is not None)
        return _result(own)

    def _finish(self, key: bytes, own: Future[Tokens], *, is_shared: bool) -> None:
        """Keep tokens and refusals for requests that are on their way; nothing else."""
        problem = own.exception()
        is_final = problem is None or getattr(problem, "reason", "") == "no_session"
        with self._lock:
            if self._shared.get(key) is not own:
                return
            if is_shared and is_final:
                self._done[key] = time.monotonic()
            else:
                del self._shared[key]

    def _forget_old(self) -> None:
        before = time.monotonic() - SHARED_SECONDS
        for key in [key for key, done in self._done.items() if done < before]:
            del self._done[key], self._shared[key]


def _result(future: Future[Tokens]) -> Tokens:
    try:
        return future.result(_WAIT_SECONDS)
    except FutureTimeoutError:
        raise SignInProblem("unreachable", "an equal request's renewal is too slow") from None
    except SignInProblem as problem:
        raise SignInProblem(problem.reason, problem.detail) from None
