"""Credentials that stop to work with the token they came from, and what AWS refuses as a refusal.

Imports botocore: only what acts in AWS imports this file.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import ClientError, HTTPClientError

from cognises.aws.exchange import RoleCredentials
from cognises.errors import CognisesError, printable
from cognises.web.responses import ForbiddenRefusal, Refusal, ServiceUnavailableRefusal, refusal

log = logging.getLogger("cognises.aws")

# Codes of services that refuse with another status than 403.
_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}
)
_BUSY = frozenset(
    {"Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException",
     "RequestLimitExceeded", "SlowDown", "ProvisionedThroughputExceededException"}
)  # fmt: skip


class UserCredentials(Credentials):  # type: ignore[misc,unused-ignore]
    """One user's credentials; botocore asks for them each time that it signs a call."""

    def __init__(self, found: RoleCredentials, realm: str) -> None:
        super().__init__(found.access_key, found.secret_key, found.session_token, "cognises")
        self._ends, self._realm = found.ends, realm

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Raises a refusal (401 `token_expired`) once the token or the credentials have ended."""
        if time.time() >= self._ends:
            raise refusal(CognisesError("token_expired", "its AWS credentials too"), self._realm)
        return super().get_frozen_credentials()

    def __repr__(self) -> str:
        return "<UserCredentials>"


class _AwsError(Refusal, ClientError):  # type: ignore[misc,unused-ignore]
    """A refusal that views can also catch as botocore's ClientError, with its attributes."""

    def __init__(self, answer: Refusal, parsed: dict[str, Any], operation: str) -> None:
        ClientError.__init__(self, parsed, operation)
        self.error, self.description, self._answer = answer.error, answer.description, answer

    def get_response(self, *args: Any, **kwargs: Any) -> Any:
        return self._answer.get_response(*args, **kwargs)


class AwsDenied(_AwsError, ForbiddenRefusal):
    """403 `aws_denied`: the user's role may not do this."""


class AwsUnavailable(_AwsError, ServiceUnavailableRefusal):
    """503 `aws_unavailable`: AWS limits or fails the call."""


def watch(events: Any, realm: str) -> None:
    """Turn what AWS refuses, and what does not reach AWS, into exceptions that answer a request.

    `events` is a boto3 session's: its clients inherit the handlers.
    """

    def after_call(parsed: dict[str, Any], model: Any, **_: Any) -> None:
        error = parsed.get("Error")
        if not error:
            return
        code, status = error.get("Code", ""), parsed["ResponseMetadata"].get("HTTPStatusCode", 0)
        if code in _BUSY or status >= 500:
            answer = _refusal("aws_unavailable", model, code, realm)
            raise AwsUnavailable(answer, parsed, model.name)
        if code in _DENIED or status == 403:
            raise AwsDenied(_refusal("aws_denied", model, code, realm), parsed, model.name)

    def after_call_error(exception: Exception, **_: Any) -> None:
        if isinstance(exception, (HTTPClientError, ConnectionError)):
            why = type(exception).__name__
            raise refusal(CognisesError("aws_unavailable", why), realm) from exception

    events.register("after-call", after_call)
    events.register("after-call-error", after_call_error)


def _refusal(reason: str, model: Any, code: str, realm: str) -> Refusal:
    detail = f"{model.service_model.service_name} {model.name}: {code[:60]}"
    log.warning("AWS refuses: %s (%s)", reason, printable(detail))
    return refusal(CognisesError(reason, detail), realm)
