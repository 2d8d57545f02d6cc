"""The boto3 clients, made one way: explicit retries, explicit endpoint, paced group writes."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cognises.provisioning.aws.pace import DEFAULT_GROUP_WRITES, Pace
from cognises.settings.values import is_loopback
from cognises.user_pool import UserPool

GROUP_WRITES = ("CreateGroup", "UpdateGroup", "DeleteGroup")
MAX_ATTEMPTS = 10
FIRST_CALL_ATTEMPTS = 4  # seconds, not minutes, until an address that leads nowhere is told
WORKERS = 12

# boto3's sessions are not safe to make clients from in several threads at once.
_MAKING = threading.Lock()


@dataclass(frozen=True)
class Clients:
    """The two clients that provisioning writes through."""

    iam: Any
    cognito: Any

    @property
    def loopback(self) -> bool:
        """Whether the calls go to an emulator on this machine."""
        return on_loopback(self.cognito)


def make_clients(
    pool: UserPool,
    *,
    profile: str | None = None,
    endpoint_url: str | None = None,
    group_writes: float = DEFAULT_GROUP_WRITES,
) -> Clients:
    """Clients for a user pool's region. Raises botocore's errors (see `explain`)."""
    session = make_session(profile)
    iam = make_client(session, "iam", pool.region, endpoint_url)
    cognito = make_client(session, "cognito-idp", pool.region, endpoint_url)
    pace_group_writes(cognito, Pace(group_writes))
    give_up_early(cognito)
    return Clients(iam, cognito)


def make_session(profile: str | None) -> Any:
    """A session of our own: boto3's default one belongs to the caller."""
    import boto3

    return boto3.session.Session(profile_name=profile)


def make_client(session: Any, service: str, region: str, endpoint_url: str | None) -> Any:
    """One client. `standard` retries Cognito's throttling too, which `legacy` does not."""
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
        connect_timeout=5,
        read_timeout=30,
        max_pool_connections=WORKERS + 2,
        user_agent_extra="cognises",
    )
    with _MAKING:
        return session.client(service, region_name=region, endpoint_url=endpoint_url, config=config)


def pace_group_writes(cognito: Any, pace: Pace) -> None:
    """Slow a client's group writes down; retries pass here too, so they count."""
    for operation in GROUP_WRITES:
        cognito.meta.events.register(
            f"before-send.cognito-identity-provider.{operation}", lambda **_: pace.wait()
        )


def give_up_early(cognito: Any) -> None:
    """Every run begins with DescribeUserPool: where nothing can be reached, it ends there too."""

    def stop(attempts: int, caught_exception: Exception | None, **_: Any) -> None:
        if caught_exception is not None and attempts >= FIRST_CALL_ATTEMPTS:
            raise caught_exception

    cognito.meta.events.register("needs-retry.cognito-identity-provider.DescribeUserPool", stop)


def on_loopback(client: Any) -> bool:
    """Whether a client's endpoint is this machine and nothing else."""
    return is_loopback(urlsplit(str(client.meta.endpoint_url)).hostname or "")
