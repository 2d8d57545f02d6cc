"""The settings of one app, checked; every problem is reported at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from cognises.errors import SettingsError
from cognises.settings import values as v
from cognises.user_pool import UserPool

# Variables that a runtime sets where a service is deployed.
DEPLOYED_MARKERS = (
    "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "AWS_EXECUTION_ENV",
    "ECS_CONTAINER_METADATA_URI", "ECS_CONTAINER_METADATA_URI_V4",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "KUBERNETES_SERVICE_HOST",
)  # fmt: skip


class Settings(NamedTuple):
    """The checked settings of one app. Make them with `parse`."""

    folder: Path
    pool: UserPool | None = None
    client_ids: frozenset[str] = frozenset()
    sign_in_client_id: str | None = None
    client_secret: v.Secret | None = None
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
    given: frozenset[str] = frozenset()  # the names that are set, to a good or a bad value
    warnings: tuple[str, ...] = ()  # unknown names: logged, they do not stop the service
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
    """The Settings of raw values (see `read_values`). Raises SettingsError with every problem."""
    settings, problems = check(folder, values)
    if problems:
        raise SettingsError(problems)
    return settings


def check(folder: Path, texts: Mapping[str, str]) -> tuple[Settings, list[str]]:
    """The Settings, with defaults for those that are wrong, and everything that is wrong."""
    problems: list[str] = []
    local = texts.get("COGNISES_LOCAL") == "1"
    found: dict[str, Any] = {
        "given": frozenset(texts),
        "groups_file": folder / "groups.json",
        "log_format": "text" if local else "json",
    }
    for field, (name, read) in _readers(folder, local).items():
        if name in texts:
            try:
                found[field] = read(texts[name])
            except (SettingsError, ValueError) as error:
                problems.append(f"{name}: {error}")
    settings = Settings(folder, **found)
    return settings, [*dict.fromkeys(problems), *_cross_checks(settings, texts)]


def _readers(folder: Path, local: bool) -> dict[str, tuple[str, Callable[[str], Any]]]:
    """For each field of Settings: the name of the setting, and what reads its text."""
    return {
        "local": ("COGNISES_LOCAL", v.flag),
        "pool": ("COGNITO_USER_POOL_ID", UserPool.parse),
        "client_ids": ("COGNITO_CLIENT_ID", v.items(v.CLIENT_ID, frozenset)),
        "sign_in_client_id": ("COGNITO_CLIENT_ID", v.items(v.CLIENT_ID, itemgetter(0))),
        "client_secret": ("COGNITO_CLIENT_SECRET", v.secret),
        "token_use": ("COGNITO_TOKEN_USE", v.token_use),
        "groups_claim": ("COGNITO_GROUPS_CLAIM", v.claim_name),
        "audiences": ("COGNITO_AUDIENCE", v.items(v.AUDIENCE, frozenset)),
        "additional_regions": ("COGNITO_ADDITIONAL_REGIONS", v.items(v.REGION)),
        "identity_pool_id": ("COGNITO_IDENTITY_POOL_ID", v.matching(v.IDENTITY_POOL_ID)),
        "jwks_file": ("COGNITO_JWKS_FILE", lambda text: v.existing_file(folder / text)),
        "jwks_url": ("COGNITO_JWKS_URL", v.loopback_url),
        "issuer": ("COGNITO_ISSUER", v.loopback_url),
        "public_url": ("COGNISES_PUBLIC_URL", lambda text: v.public_address(text, local)),
        "domain": ("COGNITO_DOMAIN", lambda text: v.login_address(text, local)),
        "scopes": ("COGNITO_SCOPES", v.sign_in_scopes),
        "cookie_name": ("COGNITO_COOKIE_NAME", v.matching(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")),
        "realm": ("COGNISES_REALM", v.matching(r"[ !#-\[\]-~]{1,64}")),
        "groups_file": ("COGNISES_GROUPS_FILE", lambda text: folder / text),
        "token_cache_size": ("COGNISES_TOKEN_CACHE_SIZE", v.count),
        "log_format": ("COGNISES_LOG_FORMAT", v.matching("json|text")),
        "log_level": ("COGNISES_LOG_LEVEL", v.matching("DEBUG|INFO|WARNING|ERROR")),
        "behind_proxy": ("COGNISES_BEHIND_PROXY", v.flag),
        "cors_origins": ("COGNISES_CORS_ORIGINS", lambda text: v.web_origins(text, local)),
        "max_body_bytes": ("COGNISES_MAX_BODY_BYTES", v.size),
        "metrics_address": ("COGNISES_METRICS_ADDRESS", v.socket_address),
    }


NAMES = tuple(dict.fromkeys(name for name, _ in _readers(Path(), local=False).values()))


def _cross_checks(settings: Settings, texts: Mapping[str, str]) -> list[str]:
    problems = []
    if settings.local:
        problems += [
            f"COGNISES_LOCAL: refused where {name} is set: this looks like a deployed service"
            for name in DEPLOYED_MARKERS
            if os.environ.get(name)
        ]
    else:
        problems += [
            f"{name}: only for local mode (COGNISES_LOCAL=1); remove it: keys come from the pool"
            for name in ("COGNITO_JWKS_URL", "COGNITO_ISSUER")
            if name in texts
        ]
    if "COGNITO_DOMAIN" in texts and "COGNISES_PUBLIC_URL" not in texts:
        problems.append("COGNISES_PUBLIC_URL: missing; COGNITO_DOMAIN needs the service's address")
    if settings.domain and (settings.public_url or "").startswith("http:"):
        problems += [
            f"COGNITO_COOKIE_NAME: a {prefix} cookie needs https; local http needs a plain name"
            for prefix in ("__Host-", "__Secure-")
            if settings.cookie_name.startswith(prefix)
        ]
    return problems
