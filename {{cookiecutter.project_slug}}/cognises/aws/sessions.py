"""AWS credentials for an ID token, and a boto3 session with them for each user.

Source: Amazon Cognito developer guide, "Identity pools authentication flow", enhanced flow (GetId,
then GetCredentialsForIdentity). The pool picks the role of the group with the lowest precedence.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import lru_cache
from hashlib import sha256
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NotConnected
from botocore.exceptions import ParamValidationError as ParamValidationError
from botocore.loaders import Loader, create_loader
from botocore.parsers import ResponseParserError

from cognises.errors import CognisesError, printable
from cognises.settings.model import Settings
from cognises.settings.values import is_loopback
from cognises.tokens.http import forked
from cognises.web.responses import REFUSALS, Refusal, refusal

log = logging.getLogger("cognises.aws")
T = TypeVar("T")
MAX_TOKENS = 128
# Credentials are replaced this long before AWS ends them, so that no call is signed too late.
MARGIN = 60.0
# Anything else that the identity pool answers is about the token, the pool or its roles.
_UNAVAILABLE = {"InternalErrorException", "TooManyRequestsException", "ExternalServiceException"}
# Codes of services that refuse with another status than 403.
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}
_BUSY = {"Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException",
         "RequestLimitExceeded", "SlowDown", "ProvisionedThroughputExceededException"}  # fmt: skip


class TokenCache(Generic[T]):
    """At most `size` values by the digest of a token, each kept until its end.
    The first request makes the value; equal requests wait for it, or share its failure, which is
    not kept. Values that have ended go first, then those used least recently.
    """

    def __init__(self, size: int = MAX_TOKENS) -> None:
        self._size = size
        self.forget_threads()
        forked.add(self)

    def forget_threads(self) -> None:
        """Start again, with a lock that no other thread holds."""
        self._lock = threading.Lock()
        self._kept: dict[bytes, Future[tuple[T, float]]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, digest: bytes, make: Callable[[], tuple[T, float]]) -> T:
        """The value of a token. `make()` returns it and its end (seconds since the epoch)."""
        with self._lock:
            now = time.time()
            for key, each in list(self._kept.items()):
                if each.done() and each.result()[1] <= now:
                    del self._kept[key]
            found = self._kept.pop(digest, None)
            kept = self._kept[digest] = found or Future()  # at the end: used most recently
            while len(self._kept) > self._size:
                del self._kept[next(iter(self._kept))]
        if found is None:
            try:
                kept.set_result(make())
            except BaseException as error:
                with self._lock:
                    if self._kept.get(digest) is kept:
                        del self._kept[digest]
                kept.set_exception(error)
        return kept.result()[0]


class UserCredentials(Credentials):  # type: ignore[misc,unused-ignore]
    """One user's credentials, until `ends` (in seconds since the epoch)."""

    def __init__(self, found: Mapping[str, str], ends: float, realm: str) -> None:
        keys = (found["AccessKeyId"], found["SecretKey"], found["SessionToken"])
        super().__init__(*keys, "cognises")
        self.ends, self._realm = ends, realm

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """botocore calls it to sign a call. Raises a refusal (401 `token_expired`) at the end."""
        if time.time() >= self.ends:
            raise refusal(CognisesError("token_expired", "its AWS credentials too"), self._realm)
        return super().get_frozen_credentials()

    def __repr__(self) -> str:
        return "<UserCredentials>"


class UserSession:
    def __init__(self, session: boto3.Session, identity_id: str, settings: Settings) -> None:
        self.session, self.identity_id, self._settings = session, identity_id, settings
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()  # clients may be shared between threads, sessions may not

    def client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                client = self.session.client(service)  # type: ignore[call-overload,unused-ignore]
                _require_local_endpoint(client, self._settings)
                self._clients[service] = client
            return self._clients[service]


class UserSessions:
    """What one app keeps: the client that exchanges tokens, and a session for each token."""

    def __init__(self, settings: Settings) -> None:
        """Raises CognisesError `no_role` where the app has no identity pool."""
        if settings.pool is None or settings.identity_pool_id is None:
            raise CognisesError("no_role", "COGNITO_IDENTITY_POOL_ID is not set")
        self._settings, self._pool = settings, settings.pool
        self.sessions: TokenCache[UserSession] = TokenCache()
        self._pool_id = settings.identity_pool_id
        self.forget_threads()
        forked.add(self)

    def forget_threads(self) -> None:
        """Drop the client: a forked process must not read from its parent's connections."""
        self._kept_client: Any = None

    def _client(self) -> Any:
        if (client := self._kept_client) is None:
            # It signs nothing: the token is the credential.
            config = Config(signature_version=UNSIGNED, connect_timeout=2, read_timeout=5,
                            retries={"mode": "standard", "total_max_attempts": 3})  # fmt: skip
            region = self._pool_id.partition(":")[0]
            client = _new_session().create_client("cognito-identity", region, config=config)
            _require_local_endpoint(client, self._settings)
            self._kept_client = client
        return client

    def session_for(self, token: str, claims: Mapping[str, Any]) -> UserSession:
        """The session of a verified ID token. CognisesError: `no_role`, `aws_unavailable`."""
        digest = sha256(token.encode()).digest()
        return self.sessions.get(digest, lambda: self._make(token, claims))

    def _make(self, token: str, claims: Mapping[str, Any]) -> tuple[UserSession, float]:
        realm, (identity_id, found) = self._settings.realm, self._exchange(token, claims)
        # With the token at the latest.
        ends = min(found["Expiration"].timestamp() - MARGIN, float(claims["exp"]))
        core = _new_session()
        core._credentials = UserCredentials(found, ends, realm)
        session = boto3.Session(botocore_session=core, region_name=self._pool.region)
        paths = _loader().search_paths
        del paths[len(dict.fromkeys(paths)) :]  # boto3 adds its own folder each time
        _watch(session.events, realm)
        return UserSession(session, identity_id, self._settings), ends

    def _exchange(self, token: str, claims: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        logins = {self._pool.issuers[0].removeprefix("https://"): token}
        client = self._client()
        try:
            identity = client.get_id(IdentityPoolId=self._pool_id, Logins=logins)["IdentityId"]
            answer = client.get_credentials_for_identity(IdentityId=identity, Logins=logins)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if code in _UNAVAILABLE or status >= 500:
                raise CognisesError("aws_unavailable", "identity pool does not answer") from None
            roles = claims.get("cognito:roles")
            why = "the identity pool refuses the token or its role; run provision.py verify"
            if not roles:
                why = "no group of the user has a role"
            elif len(roles) > 1 and "cognito:preferred_role" not in claims:
                why = "several roles; give the groups distinct precedence in groups.json"
            raise CognisesError("no_role", f"{code}: {why}") from None
        except (BotoCoreError, ResponseParserError) as error:
            raise CognisesError("aws_unavailable", type(error).__name__) from None
        return identity, dict(answer["Credentials"])


def _require_local_endpoint(client: Any, settings: Settings) -> None:
    """In local mode only an emulator on this machine is called. Raises CognisesError."""
    if settings.local and not is_loopback(urlsplit(client.meta.endpoint_url).hostname or ""):
        raise CognisesError("no_role", "local mode: AWS_ENDPOINT_URL is not a loopback address")


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


_AWS_ERRORS: Mapping[str, Any] = {
    "aws_denied": type("AwsDenied", (_AwsError, REFUSALS[403]), {}),
    "aws_unavailable": type("AwsUnavailable", (_AwsError, REFUSALS[503]), {}),
}


def _watch(events: Any, realm: str) -> None:
    """Raise what AWS refuses, and what does not reach AWS, in all clients of a boto3 session."""

    def after_call(parsed: dict[str, Any], model: Any, **_: Any) -> None:
        if not (error := parsed.get("Error")):
            return
        code, status = error.get("Code", ""), parsed["ResponseMetadata"].get("HTTPStatusCode", 0)
        if code in _BUSY or status >= 500:
            reason = "aws_unavailable"
        elif code in _DENIED or status == 403:
            reason = "aws_denied"
        else:
            return
        detail = f"{model.service_model.service_name} {model.name}: {code[:60]}"
        log.warning("AWS refuses: %s (%s)", reason, printable(detail))
        answer = refusal(CognisesError(reason, detail), realm)
        raise _AWS_ERRORS[reason](answer, parsed, model.name)

    def after_call_error(exception: Exception, **_: Any) -> None:
        if isinstance(exception, (HTTPClientError, NotConnected, ResponseParserError)):
            why = type(exception).__name__
            raise refusal(CognisesError("aws_unavailable", why), realm) from exception

    events.register("after-call", after_call)
    events.register("after-call-error", after_call_error)
