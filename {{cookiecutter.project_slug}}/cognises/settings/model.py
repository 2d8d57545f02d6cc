"""The settings of one app, checked; every problem is reported at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

from cognises.errors import SettingsError
from cognises.settings.sources import NAMES, gather
from cognises.settings.values import (
    AUDIENCE,
    CLIENT_ID,
    COOKIE_NAME,
    IDENTITY_POOL_ID,
    REALM,
    REGION,
    Secret,
    claim_name,
    count,
    existing_file,
    flag,
    items,
    login_address,
    loopback_url,
    matching,
    one_of,
    public_address,
    secret,
    sign_in_scopes,
    size,
    socket_address,
    token_use,
    web_origins,
)
from cognises.user_pool import UserPool

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

# Variables that a runtime sets where a service is deployed.
DEPLOYED_MARKERS = (
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "AWS_EXECUTION_ENV",
    "ECS_CONTAINER_METADATA_URI",
    "ECS_CONTAINER_METADATA_URI_V4",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "KUBERNETES_SERVICE_HOST",
)

T = TypeVar("T")


def read(folder: Path, config: Mapping[str, object]) -> tuple[Settings, list[str]]:
    """The settings in force, with defaults for those that are wrong, and everything wrong."""
    found = gather(folder, config, NAMES)
    settings, problems = _parse(folder, found.values)
    settings = settings._replace(given=found.given, warnings=found.warnings)
    return settings, found.problems + problems


class Settings(NamedTuple):
    """The checked settings of one app. Make them with `parse`."""

    folder: Path
    pool: UserPool | None = None
    client_ids: frozenset[str] = frozenset()
    sign_in_client_id: str | None = None
    client_secret: Secret | None = None
    token_use: frozenset[str] = frozenset({"id"})
    groups_claim: str = "cognito:groups"
    audiences: frozenset[str] = frozenset()
    additional_regions: tuple[str, ...] = ()
    identity_pool_id: str | None = None
    jwks_file: Path | None = None
    jwks_url: str | None = None
    issuer: str | None = None
    local: bool = False
    public_url: str | None = None
    domain: str | None = None
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    cookie_name: str = "token_cookie"
    realm: str = "cognises"
    groups_file: Path = Path("groups.json")
    given: frozenset[str] = frozenset()
    """The names that are set, to a good or a bad value."""
    warnings: tuple[str, ...] = ()
    """What is worth a line in the log and does not stop the service."""
    token_cache_size: int = 4096
    log_format: str = "json"
    log_level: str = "INFO"
    behind_proxy: bool = False
    cors_origins: tuple[str, ...] = ()
    max_body_bytes: int = 1024 * 1024
    metrics_address: tuple[str, int] | None = None

    @property
    def public_path(self) -> str:
        """The path below which the service is mounted, as in `/orders`; empty at the root."""
        return urlsplit(self.public_url or "").path

    @property
    def public_origin(self) -> str | None:
        """Scheme, host and port of `public_url`, as a browser sends them in `Origin`."""
        return self.public_url and self.public_url.removesuffix(self.public_path)


def parse(folder: Path, values: Mapping[str, str]) -> Settings:
    """Check raw values (see `read_values`) and return Settings; every problem in one error."""
    settings, problems = _parse(folder, values)
    if problems:
        raise SettingsError(problems)
    return settings


def _parse(folder: Path, values: Mapping[str, str]) -> tuple[Settings, list[str]]:
    problems: list[str] = []
    take = FieldReader(values, problems)
    nothing: tuple[str, ...] = ()
    local = take("COGNISES_LOCAL", flag, False)
    client_ids = take("COGNITO_CLIENT_ID", items(CLIENT_ID), nothing)
    settings = Settings(
        folder=folder,
        local=local,
        pool=take("COGNITO_USER_POOL_ID", UserPool.parse, None),
        client_ids=frozenset(client_ids),
        sign_in_client_id=client_ids[0] if client_ids else None,
        client_secret=take("COGNITO_CLIENT_SECRET", secret, None),
        token_use=take("COGNITO_TOKEN_USE", token_use, frozenset({"id"})),
        groups_claim=take("COGNITO_GROUPS_CLAIM", claim_name, "cognito:groups"),
        audiences=frozenset(take("COGNITO_AUDIENCE", items(AUDIENCE), nothing)),
        additional_regions=take("COGNITO_ADDITIONAL_REGIONS", items(REGION), nothing),
        identity_pool_id=take("COGNITO_IDENTITY_POOL_ID", matching(IDENTITY_POOL_ID), None),
        jwks_file=take("COGNITO_JWKS_FILE", lambda text: existing_file(folder, text), None),
        jwks_url=take("COGNITO_JWKS_URL", loopback_url, None),
        issuer=take("COGNITO_ISSUER", loopback_url, None),
        public_url=take("COGNISES_PUBLIC_URL", lambda text: public_address(text, local), None),
        domain=take("COGNITO_DOMAIN", lambda text: login_address(text, local), None),
        scopes=take("COGNITO_SCOPES", sign_in_scopes, ("openid", "email", "profile")),
        cookie_name=take("COGNITO_COOKIE_NAME", matching(COOKIE_NAME), "token_cookie"),
        realm=take("COGNISES_REALM", matching(REALM), "cognises"),
        groups_file=take(
            "COGNISES_GROUPS_FILE", lambda text: folder / text, folder / "groups.json"
        ),
        given=frozenset(values),
        token_cache_size=take("COGNISES_TOKEN_CACHE_SIZE", count, 4096),
        log_format=take("COGNISES_LOG_FORMAT", one_of("json", "text"), "text" if local else "json"),
        log_level=take("COGNISES_LOG_LEVEL", one_of(*LOG_LEVELS), "INFO"),
        behind_proxy=take("COGNISES_BEHIND_PROXY", flag, False),
        cors_origins=take("COGNISES_CORS_ORIGINS", web_origins(local), nothing),
        max_body_bytes=take("COGNISES_MAX_BODY_BYTES", size, 1024 * 1024),
        metrics_address=take("COGNISES_METRICS_ADDRESS", socket_address, None),
    )
    return settings, problems + _cross_checks(settings, values)


class FieldReader:
    """Reads one value after another and collects the problems."""

    def __init__(self, values: Mapping[str, str], problems: list[str]) -> None:
        self._values, self._problems = values, problems

    def __call__(self, name: str, read: Callable[[str], T], default: T) -> T:
        if name not in self._values:
            return default
        try:
            return read(self._values[name])
        except SettingsError as error:
            self._problems += [f"{name}: {problem}" for problem in error.problems]
        except ValueError as error:
            self._problems.append(f"{name}: {error}")
        return default


def _cross_checks(settings: Settings, values: Mapping[str, str]) -> list[str]:
    """Problems of settings in combination."""
    problems = []
    if not settings.local:
        problems += [
            f"{name}: only for local mode (COGNISES_LOCAL=1); remove it: keys come from the pool"
            for name in ("COGNITO_JWKS_URL", "COGNITO_ISSUER")
            if name in values
        ]
    if settings.local:
        problems += [
            f"COGNISES_LOCAL: refused where {name} is set: this looks like a deployed service"
            for name in DEPLOYED_MARKERS
            if os.environ.get(name)
        ]
    if "COGNITO_DOMAIN" in values and "COGNISES_PUBLIC_URL" not in values:
        problems.append("COGNISES_PUBLIC_URL: missing; COGNITO_DOMAIN needs the service's address")
    if settings.domain and (settings.public_url or "").startswith("http:"):
        problems += [
            f"COGNITO_COOKIE_NAME: a {prefix} cookie needs https; local http needs a plain name"
            for prefix in ("__Host-", "__Secure-")
            if settings.cookie_name.startswith(prefix)
        ]
    return problems
