"""boto3: one session per run, so one MFA code or AssumeRole; its clients; retries of our own."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from cognises.settings.values import is_loopback

T = TypeVar("T")
Clock = Callable[[], float]
Sleep = Callable[[float], None]
GROUP_WRITES = ("CreateGroup", "UpdateGroup", "DeleteGroup")
DEFAULT_GROUP_WRITES = 15.0  # a second: Cognito's quota, which cannot be raised
MARGIN = 1.1  # requests sent evenly do not arrive evenly
MAX_ATTEMPTS = 10
FIRST_CALL_ATTEMPTS = 4  # an address that cannot be reached is reported in seconds, not minutes
WORKERS = 12
# The names of botocore's AWS_ENDPOINT_URL_<SERVICE> variables, for the services that are called.
ENDPOINT_VARIABLES = {"cognito-idp": "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER"} | {
    service: f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}"
    for service in ("cloudformation", "cognito-identity", "ecr", "iam", "s3", "sts")
}
IGNORE_ENDPOINTS = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
ENDPOINTS = ("AWS_ENDPOINT_URL", *ENDPOINT_VARIABLES.values())
AWS_NAMES = ("AWS_PROFILE", IGNORE_ENDPOINTS, *ENDPOINTS)  # `.env` may hold them, too


class Clients(NamedTuple):
    iam: Any
    cognito: Any


class Aws:
    """One run's boto3 session and clients. `.env` counts where the environment sets nothing."""

    def __init__(
        self, region: str, *, profile: str | None = None, env_file: Mapping[str, str] | None = None
    ) -> None:
        self.region, self.profile = region, profile
        self._layers: tuple[Mapping[str, str], ...] = (os.environ, env_file or {})
        self._clients: dict[tuple[str, str], Any] = {}

    @cached_property
    def session(self) -> Any:
        return make_session(self.profile)

    def client(self, service: str, region: str | None = None) -> Any:
        """The client of a service, the same one each time."""
        if (key := (service, region or self.region)) not in self._clients:
            endpoint, ignores = self.endpoint_for(service), self._ignores_config()
            self._clients[key] = make_client(self.session, *key, endpoint, ignores)
        return self._clients[key]

    def endpoint_for(self, service: str) -> str | None:
        """The address in the environment or `.env`, in botocore's order; None: botocore decides."""
        names = (ENDPOINT_VARIABLES[service], "AWS_ENDPOINT_URL")
        return None if self._ignores_config() else self._first(*names)

    def is_local(self) -> bool:
        """Whether the environment and `.env` send every service to this machine; no call."""
        return all(_is_loopback_url(self.endpoint_for(each)) for each in ENDPOINT_VARIABLES)

    def _ignores_config(self) -> bool:
        return (self._first(IGNORE_ENDPOINTS) or "").lower() == "true"

    def _first(self, *names: str) -> str | None:
        found = (layer.get(name) for layer in self._layers for name in names)
        return next(filter(None, found), None)


def make_session(profile: str | None) -> Any:
    """A session of our own: boto3's default one belongs to the caller."""
    import boto3

    return boto3.session.Session(profile_name=profile)


def make_client(
    session: Any, service: str, region: str, endpoint_url: str | None, ignore_config: bool = False
) -> Any:
    """One client. `standard` retries Cognito's throttling too, which `legacy` does not."""
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS}, connect_timeout=5,
        read_timeout=30, max_pool_connections=WORKERS + 2, user_agent_extra="cognises",
        ignore_configured_endpoint_urls=ignore_config or None,
    )  # fmt: skip
    client = session.client(service, region_name=region, endpoint_url=endpoint_url, config=config)
    client.meta.events.register("before-parse", require_answer_of_aws)
    return client


def require_answer_of_aws(operation_model: Any, response_dict: Any, **_: object) -> None:
    """Raise ResponseParserError for a proxy's page: botocore reads it as an answer without data.
    Source: Smithy, "AWS Query protocol" and "AWS JSON 1.1 protocol".
    """
    from botocore import parsers

    protocol, body = operation_model.service_model.protocol, response_dict["body"]
    if response_dict["status_code"] >= 300 or protocol not in ("query", "json"):
        return
    root = f"<{operation_model.name}Response".encode()
    if not (body.strip()[:1] in (b"", b"{") if protocol == "json" else root in body):
        error: Any = parsers.ResponseParserError
        raise error(f"what answered {operation_model.name} is not AWS")


def group_clients(aws: Aws, group_writes: float = DEFAULT_GROUP_WRITES) -> Clients:
    """The clients for plan and apply, group writes limited. Raises botocore's errors."""
    clients = Clients(aws.client("iam"), aws.client("cognito-idp"))
    limit(clients.cognito, RateLimiter(group_writes), GROUP_WRITES)
    return clients


def limit(cognito: Any, limiter: "RateLimiter", operations: Iterable[str]) -> None:
    """Limit how often operations are sent, retries too, and retries of a run's first call."""
    for operation in operations:
        event = f"before-send.cognito-identity-provider.{operation}"
        cognito.meta.events.register(event, lambda **_: limiter.wait())

    def stop(attempts: int, caught_exception: Exception | None, **_: Any) -> None:
        if caught_exception is not None and attempts >= FIRST_CALL_ATTEMPTS:
            raise caught_exception

    cognito.meta.events.register("needs-retry.cognito-identity-provider.DescribeUserPool", stop)


def on_loopback(*clients: Any) -> bool:
    """Whether the endpoint of every client is this machine and nothing else."""
    return all(_is_loopback_url(str(client.meta.endpoint_url)) for client in clients)


def _is_loopback_url(url: str | None) -> bool:
    return is_loopback(urlsplit(url or "").hostname or "")


class RateLimiter:
    """Lets callers pass one at a time, never closer together than the rate allows."""

    def __init__(
        self, per_second: float, *, clock: Clock = time.monotonic, sleep: Sleep = time.sleep
    ) -> None:
        self._interval, self._lock = MARGIN / per_second, threading.Lock()
        self._clock, self._sleep, self._next = clock, sleep, clock()

    def wait(self) -> None:
        with self._lock:  # held while asleep: a late waker must not be followed too soon
            if (delay := self._next - self._clock()) > 0:
                self._sleep(delay)
            self._next = max(self._next, self._clock()) + self._interval


# IAM answers 409 while a role is being changed, and 404 for a while after it is created: retried.
CONFLICTS = ("ConcurrentModification", "EntityTemporarilyUnmodifiable")
TRIES, FIRST_PAUSE = 7, 0.25  # seconds; doubled each time: 16 s in all


def resilient(call: Callable[[], T], *, just_created: bool = False, sleep: Sleep = time.sleep) -> T:
    """Call, and retry on a conflict; with `just_created`, also while the role is not visible."""
    for attempt in range(TRIES - 1):
        try:
            return call()
        except Exception as error:
            code = error_code(error).removesuffix("Exception")
            # IAM's answer about a new role, and Cognito's about a group whose role it cannot see.
            unseen = code == "NoSuchEntity" or (
                code == "InvalidParameter" and "role" in error_message(error).lower()
            )
            if code not in CONFLICTS and not (just_created and unseen):
                raise
            sleep(FIRST_PAUSE * 2**attempt)
    return call()


def error_code(error: BaseException, part: str = "Code") -> str:
    """The code (or another part) of an AWS error response, empty for any other exception."""
    response = getattr(error, "response", None)
    found = response.get("Error", {}) if isinstance(response, Mapping) else {}
    return str(found.get(part, "")) if isinstance(found, Mapping) else ""


def error_message(error: BaseException) -> str:
    """The message of an AWS error response, as AWS wrote it; empty for any other exception."""
    return error_code(error, "Message")
