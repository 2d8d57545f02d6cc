"""What bootstrap's stack gets, and what its outputs mean for `.env`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from cognises.errors import SettingsError
from cognises.provisioning.bootstrap_request import OPTIONAL, Request
from cognises.provisioning.stack_state import Stack
from cognises.settings.values import is_loopback

# The settings that bootstrap writes, by the stack's output.
WRITTEN = {
    "COGNITO_USER_POOL_ID": "UserPoolId",
    "COGNITO_CLIENT_ID": "UserPoolClientId",
    "COGNITO_IDENTITY_POOL_ID": "IdentityPoolId",
    "COGNISES_PERMISSIONS_BOUNDARY": "PermissionsBoundaryArn",
}
OF_THE_POOL = ("DeletionProtection", "UserPoolTier", "SesIdentityArn", "EmailFrom")
DOMAINS = ("DomainPrefix", "CustomDomain")


@dataclass(frozen=True)
class Pool:
    """What matters here of a user pool that exists."""

    id: str
    tier: str = ""
    domain: str = ""
    custom_domain: str = ""

    def login_urls(self, region: str) -> list[str]:
        """The base addresses of its sign-in pages, the custom domain first."""
        auth = "auth-fips" if region.startswith("us-gov-") else "auth"
        custom = [f"https://{self.custom_domain}"] if self.custom_domain else []
        prefix = f"https://{self.domain}.{auth}.{region}.amazoncognito.com"
        return custom + ([prefix] if self.domain else [])


def existing_pool_id(request: Request, stack: Stack, source: str) -> str:
    """The id of a pool that was there before the stack; empty where the stack creates its own.

    In: the request, the stack as it is, and where the request's pool id is written. Raises
    SettingsError if the stack belongs to another pool than the settings name.
    """
    of_stack = stack.outputs.get("UserPoolId", "")
    if not of_stack:
        return request.pool_id or ""
    if request.pool_id not in (None, of_stack):
        raise SettingsError(
            [
                f"error: COGNITO_USER_POOL_ID is {request.pool_id} ({source}) and stack "
                f"{stack.name} has {of_stack}; correct the setting, or give this stage a "
                "COGNISES_ROLE_PREFIX of its own"
            ]
        )
    return stack.parameters.get("ExistingUserPoolId", "")


def stack_parameters(
    request: Request, stack: Stack, existing: Pool | None, default_prefix: str
) -> dict[str, str]:
    """The template's parameters; a value that was given once is kept.

    Raises SettingsError for what an existing pool cannot get, and for values that do not fit.
    """
    before = stack.parameters
    public_url = request.public_url or before.get("PublicUrl", "")
    prefix = request.domain_prefix or before.get("DomainPrefix", "")
    if not prefix and public_url and existing is None:
        prefix = default_prefix
    optional = {
        name: request.parameters.get(name, before.get(name, default))
        for name, default in OPTIONAL.items()
    }
    tier = existing.tier if existing else optional["UserPoolTier"]
    managed = bool(public_url) and not request.on_loopback and tier != "LITE"
    chosen = {
        "ProjectSlug": request.stage,
        "ExistingUserPoolId": existing.id if existing else "",
        "PublicUrl": public_url,
        "DomainPrefix": prefix,
        "ManagedLogin": "true" if managed else "false",
        **optional,
    }
    problems = _combination_problems(chosen)
    if existing:
        problems += _existing_pool_problems(request, existing, prefix)
    if problems:
        raise SettingsError([f"error: {problem}" for problem in problems])
    return chosen


def deployment_steps(stack: Stack, chosen: Mapping[str, str]) -> list[dict[str, str]]:
    """The parameters of each update in turn: a domain is removed before another one is added.

    A pool takes one domain of each kind, and CloudFormation adds before it removes.
    """
    before = stack.parameters if stack.exists else {}
    changed = [
        name for name in DOMAINS if before.get(name) and chosen[name] not in ("", before[name])
    ]
    last = dict(chosen)
    if not changed:
        return [last]
    cleared = {**last, **dict.fromkeys(changed, "")}
    if "CustomDomain" in changed:
        cleared["CustomDomainCertificateArn"] = ""
    return [cleared, last]


def settings_to_write(
    request: Request,
    stack: Stack,
    outputs: Mapping[str, str],
    chosen: Mapping[str, str],
    pool: Pool | None,
) -> dict[str, str]:
    """The lines of `.env`, from the new outputs and parameters, and the stack before.

    Client ids are those of the setting, ours included. Raises SettingsError if an output is
    missing: what answered created nothing.
    """
    missing = [output for output in WRITTEN.values() if not outputs.get(output)]
    if missing:
        raise SettingsError(
            [
                f"error: stack {request.stack} has no output {', '.join(missing)}; what answered "
                "does not create Cognito's resources (moto does not: use `make dev`)"
            ]
        )
    values = {name: outputs[output] for name, output in WRITTEN.items()}
    values["COGNITO_CLIENT_ID"] = ",".join(_client_ids(request, values))
    if chosen["PublicUrl"]:
        values["COGNISES_PUBLIC_URL"] = chosen["PublicUrl"]
        domain = _login_url(request, stack, outputs, pool)
        if domain:
            values["COGNITO_DOMAIN"] = domain
    return values


def _client_ids(request: Request, values: Mapping[str, str]) -> list[str]:
    """Ours first, since sign-in uses the first; other clients of the same pool are kept."""
    ours = values["COGNITO_CLIENT_ID"]
    if ours in request.client_ids:
        return list(request.client_ids)
    same_pool = request.pool_id == values["COGNITO_USER_POOL_ID"]
    return [ours, *(request.client_ids if same_pool else ())]


def _login_url(
    request: Request, stack: Stack, outputs: Mapping[str, str], pool: Pool | None
) -> str | None:
    """Where people sign in: the address in use, if it is the pool's and this run changed none."""
    if request.on_loopback:  # an emulator serves it at its own address
        known = urlsplit(request.domain or "").hostname or ""
        return (
            request.domain
            if is_loopback(known)
            else (request.aws.endpoint_for("cognito-idp") or "").rstrip("/")
        )
    urls = pool.login_urls(request.region) if pool else []
    url = outputs.get("ManagedLoginUrl", "")
    is_new = url != stack.outputs.get("ManagedLoginUrl", "")
    if request.domain and request.domain.rstrip("/").lower() in urls and not is_new:
        return request.domain
    return url or next(iter(urls), None)


def _existing_pool_problems(request: Request, pool: Pool, prefix: str) -> list[str]:
    problems = [
        f"--parameter {name}: user pool {pool.id} was there before the stack and is never altered"
        for name in OF_THE_POOL
        if name in request.parameters
    ]
    has = f"user pool {pool.id} has the domain"
    if request.domain_prefix and pool.domain not in ("", prefix):
        problems.append(f"--domain-prefix: {has} {pool.domain}; omit the option to use that")
    custom = request.parameters.get("CustomDomain")
    if custom and pool.custom_domain not in ("", custom):
        problems.append(f"--parameter CustomDomain: {has} {pool.custom_domain}; omit the option")
    return problems


def _combination_problems(chosen: Mapping[str, str]) -> list[str]:
    domain, certificate = chosen["CustomDomain"], chosen["CustomDomainCertificateArn"]
    problems = []
    if bool(domain) != bool(certificate):
        problems.append("--parameter CustomDomain and CustomDomainCertificateArn go together")
    if domain and not chosen["PublicUrl"]:
        problems.append("--parameter CustomDomain: needs --public-url")
    if chosen["EmailFrom"] and not chosen["SesIdentityArn"]:
        problems.append("--parameter EmailFrom: needs SesIdentityArn, the identity verified in SES")
    return problems
