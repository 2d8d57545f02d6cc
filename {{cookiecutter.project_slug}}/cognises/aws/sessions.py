"""A boto3 session for each user; what AWS refuses becomes an exception that answers a request."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any

import boto3
import botocore.session
from botocore.exceptions import ClientError, HTTPClientError
from botocore.loaders import Loader, create_loader

from cognises.aws.cache import TokenCache
from cognises.aws.credentials import exchange, identity_client, require_local_endpoint
from cognises.errors import CognisesError, printable
from cognises.settings.model import Settings
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


class UserSession:
    """One user's session, and the clients made from it."""

    def __init__(self, session: boto3.Session, settings: Settings) -> None:
        self.session, self._settings = session, settings
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()  # clients may be shared between threads, sessions may not

    def client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                client = self.session.client(service)  # type: ignore[call-overload,unused-ignore]
                require_local_endpoint(client, self._settings)
                self._clients[service] = client
            return self._clients[service]


class UserSessions:
    """What one app keeps: the client that exchanges tokens, and a session for each token."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._identity: Any = None
        self.sessions: TokenCache[UserSession] = TokenCache()

    def session_for(self, token: str, claims: Mapping[str, Any]) -> UserSession:
        """The session of the user of a verified ID token. Raises CognisesError, as `exchange`."""
        digest = sha256(token.encode()).digest()
        return self.sessions.get(digest, lambda: self._make(token, claims))

    def _make(self, token: str, claims: Mapping[str, Any]) -> tuple[UserSession, float]:
        settings = self._settings
        with self._lock:
            if self._identity is None:
                self._identity = identity_client(_new_session(), settings)
        core = _new_session()
        core._credentials = found = exchange(self._identity, settings, token, claims)
        region = settings.pool.region if settings.pool else None
        session = boto3.Session(botocore_session=core, region_name=region)
        paths = _loader().search_paths
        del paths[len(dict.fromkeys(paths)) :]  # boto3 adds its own folder each time
        _watch(session.events, settings.realm)
        return UserSession(session, settings), found.ends


def _new_session() -> botocore.session.Session:
    """A botocore session that shares the service descriptions with all others."""
    session = botocore.session.Session()
    session.register_component("data_loader", _loader())
    return session


@lru_cache(maxsize=1)
def _loader() -> Loader:
    return create_loader()


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


def _watch(events: Any, realm: str) -> None:
    """Raise what AWS refuses, and what does not reach AWS, in all clients of a boto3 session."""

    def after_call(parsed: dict[str, Any], model: Any, **_: Any) -> None:
        if not (error := parsed.get("Error")):
            return
        code, status = error.get("Code", ""), parsed["ResponseMetadata"].get("HTTPStatusCode", 0)
        if code in _BUSY or status >= 500:
            kind, reason = AwsUnavailable, "aws_unavailable"
        elif code in _DENIED or status == 403:
            kind, reason = AwsDenied, "aws_denied"
        else:
            return
        detail = f"{model.service_model.service_name} {model.name}: {code[:60]}"
        log.warning("AWS refuses: %s (%s)", reason, printable(detail))
        raise kind(refusal(CognisesError(reason, detail), realm), parsed, model.name)

    def after_call_error(exception: Exception, **_: Any) -> None:
        if isinstance(exception, (HTTPClientError, ConnectionError)):
            why = type(exception).__name__
            raise refusal(CognisesError("aws_unavailable", why), realm) from exception

    events.register("after-call", after_call)
    events.register("after-call-error", after_call_error)
