"""The settings of one app, checked; every problem is reported at once."""
# ruff: noqa: RUF009 (_of returns a field)

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any
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


def _of(name: str, read: Callable[..., Any], default: Any = None, needs: str = "") -> Any:
    """A field, the name of its setting, and what reads its text, in a folder or with `local`."""
    return field(default=default, metadata={"name": name, "read": read, "needs": needs})


@dataclass(frozen=True)
class Settings:
    """The checked settings of one app. Make them with `parse`."""

    folder: Path
    given: frozenset[str] = frozenset()  # the names that are set, to a good or a bad value
    warnings: tuple[str, ...] = ()  # unknown names: logged, they do not stop the service
    local: bool = _of("COGNISES_LOCAL", v.flag, False)
    pool: UserPool | None = _of("COGNITO_USER_POOL_ID", UserPool.parse)
    client_ids: frozenset[str] = _of("COGNITO_CLIENT_ID", v.item_set(v.CLIENT_ID), frozenset())
    sign_in_client_id: str | None = _of("COGNITO_CLIENT_ID", v.items(v.CLIENT_ID, itemgetter(0)))
    client_secret: v.Secret | None = _of("COGNITO_CLIENT_SECRET", v.secret)
    token_use: frozenset[str] = _of("COGNITO_TOKEN_USE", v.token_use, frozenset({"id"}))
    groups_claim: str = _of("COGNITO_GROUPS_CLAIM", v.claim_name, "cognito:groups")
    audiences: frozenset[str] = _of("COGNITO_AUDIENCE", v.item_set(v.AUDIENCE), frozenset())
    additional_regions: tuple[str, ...] = _of("COGNITO_ADDITIONAL_REGIONS", v.items(v.REGION), ())
    identity_pool_id: str | None = _of("COGNITO_IDENTITY_POOL_ID", v.matching(v.IDENTITY_POOL_ID))
    files_bucket: str | None = _of("COGNISES_FILES_BUCKET", v.matching(r"[a-z0-9.-]{3,63}"))
    jwks_file: Path | None = _of("COGNITO_JWKS_FILE", v.existing_file, needs="folder")
    jwks_url: str | None = _of("COGNITO_JWKS_URL", v.loopback_url)
    issuer: str | None = _of("COGNITO_ISSUER", v.loopback_url)
    public_url: str | None = _of("COGNISES_PUBLIC_URL", v.public_address, needs="local")
    domain: str | None = _of("COGNITO_DOMAIN", v.login_address, needs="local")
    scopes: tuple[str, ...] = _of("COGNITO_SCOPES", v.sign_in_scopes, v.DEFAULT_SCOPES)
    cookie_name: str = _of("COGNITO_COOKIE_NAME", v.cookie_name, "token_cookie")
    realm: str = _of("COGNISES_REALM", v.matching(r"[ !#-\[\]-~]{1,64}"), "cognises")
    groups_file: Path = _of("COGNISES_GROUPS_FILE", Path, Path("groups.json"), needs="folder")
    token_cache_size: int = _of("COGNISES_TOKEN_CACHE_SIZE", v.count, 4096)
    log_format: str = _of("COGNISES_LOG_FORMAT", v.matching("json|text"), "json")
    log_level: str = _of("COGNISES_LOG_LEVEL", v.matching("DEBUG|INFO|WARNING|ERROR"), "INFO")
    behind_proxy: bool = _of("COGNISES_BEHIND_PROXY", v.flag, False)
    cors_origins: tuple[str, ...] = _of("COGNISES_CORS_ORIGINS", v.web_origins, (), needs="local")
    max_body_bytes: int = _of("COGNISES_MAX_BODY_BYTES", v.size, 1024 * 1024)
    metrics_address: tuple[str, int] | None = _of("COGNISES_METRICS_ADDRESS", v.socket_address)

    @cached_property
    def public_path(self) -> str:
        """The path below which the service is mounted, as in `/orders`; empty at the root."""
        return urlsplit(self.public_url or "").path

    @property
    def public_origin(self) -> str | None:
        """Scheme, host and port of `public_url`, as a browser sends them in `Origin`."""
        return self.public_url and self.public_url.removesuffix(self.public_path)


_READ = [each for each in fields(Settings) if each.metadata]
NAMES = tuple(dict.fromkeys(each.metadata["name"] for each in _READ))


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
    found: dict[str, Any] = {"given": frozenset(texts), "groups_file": folder / "groups.json"}
    found["log_format"] = "text" if local else "json"
    for each in _READ:
        if (text := texts.get(name := each.metadata["name"])) is not None:
            arguments = {"": (text,), "local": (text, local), "folder": (folder / text,)}
            try:
                found[each.name] = each.metadata["read"](*arguments[each.metadata["needs"]])
            except (SettingsError, ValueError) as error:
                problems.append(f"{name}: {error}")
    settings = Settings(folder, **found)
    return settings, [*dict.fromkeys(problems), *_cross_checks(settings, texts)]


def _cross_checks(settings: Settings, texts: Mapping[str, str]) -> list[str]:
    if settings.local:
        problem = "COGNISES_LOCAL: refused where {} is set: this looks like a deployed service"
        names = [name for name in DEPLOYED_MARKERS if os.environ.get(name)]
    else:
        problem = "{}: only for local mode (COGNISES_LOCAL=1); remove it: keys come from the pool"
        names = [name for name in ("COGNITO_JWKS_URL", "COGNITO_ISSUER") if name in texts]
    problems = [problem.format(name) for name in names]
    if "COGNITO_DOMAIN" in texts and "COGNISES_PUBLIC_URL" not in texts:
        problems.append("COGNISES_PUBLIC_URL: missing; COGNITO_DOMAIN needs the service's address")
    is_http = settings.domain and (settings.public_url or "").startswith("http:")
    if is_http and (found := re.match("__(Host|Secure)-", settings.cookie_name)):
        problem = "cookie needs https; local http needs a plain name"
        problems.append(f"COGNITO_COOKIE_NAME: a {found[0]} {problem}")
    return problems
