"""What the stack of infra/cognito.yaml gets, and what its outputs mean for `.env`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from cognises.errors import SettingsError
from cognises.provisioning.bootstrap.request import Request
from cognises.provisioning.stacks.client import Stack
from cognises.settings.values import is_loopback

# The settings that bootstrap writes, by the stack's output.
WRITTEN = {
    "COGNITO_USER_POOL_ID": "UserPoolId",
    "COGNITO_CLIENT_ID": "UserPoolClientId",
    "COGNITO_IDENTITY_POOL_ID": "IdentityPoolId",
    "COGNISES_PERMISSIONS_BOUNDARY": "PermissionsBoundaryArn",
}


@dataclass(frozen=True)
class GivenPool:
    """A pool that was there before: what of it matters here."""

    id: str
    tier: str = ""
    domain: str = ""
    custom_domain: str = ""

    def login_url(self, region: str) -> str | None:
        """The base address of its sign-in pages, None if it has none."""
        if self.custom_domain:
            return f"https://{self.custom_domain}"
        auth = "auth-fips" if region.startswith("us-gov-") else "auth"
        return f"https://{self.domain}.{auth}.{region}.amazoncognito.com" if self.domain else None


def given_pool_id(request: Request, stack: Stack, source: str) -> str:
    """The id of a pool to build upon; empty where the stack makes, or has made, its own.

    In: the request, the stack as it is, and where the request's pool id is written. Raises
    SettingsError if the stack goes with another pool than the settings name.
    """
    theirs = stack.outputs.get("UserPoolId", "")
    if not theirs:
        return request.pool_id or ""
    if request.pool_id not in (None, theirs):
        raise SettingsError(
            [
                f"error: COGNITO_USER_POOL_ID is {request.pool_id} ({source}) and stack "
                f"{stack.name} goes with {theirs}; correct the setting, or give this stage a "
                "COGNISES_ROLE_PREFIX of its own"
            ]
        )
    return stack.parameters.get("ExistingUserPoolId", "")


def parameters(
    request: Request, stack: Stack, given: GivenPool | None, default_prefix: str
) -> dict[str, str]:
    """The template's parameters. What was said once and is not said again stays as it is.

    Raises SettingsError for a domain that the given pool cannot have.
    """
    before = stack.parameters
    public_url = request.public_url or before.get("PublicUrl", "")
    prefix = request.domain_prefix or before.get("DomainPrefix", "")
    if not prefix and public_url and given is None:
        prefix = default_prefix
    if given and request.domain_prefix and given.domain not in ("", prefix):
        raise SettingsError(
            [
                f"error: --domain-prefix: user pool {given.id} has the domain {given.domain} "
                "already; leave the option away to use that"
            ]
        )
    managed = not request.on_loopback and bool(public_url)
    return {
        "ProjectSlug": request.stage,
        "ExistingUserPoolId": given.id if given else "",
        "PublicUrl": public_url,
        "DomainPrefix": prefix,
        "ManagedLogin": "true" if managed and not _is_lite(given) else "false",
        "DeletionProtection": before.get("DeletionProtection", "ACTIVE"),
    }


def settings_to_write(
    request: Request, outputs: Mapping[str, str], chosen: Mapping[str, str], given: GivenPool | None
) -> dict[str, str]:
    """The lines of `.env`, from the stack's outputs and the parameters it was given.

    Raises SettingsError if an output is missing: what answered made nothing.
    """
    missing = [output for output in WRITTEN.values() if not outputs.get(output)]
    if missing:
        raise SettingsError(
            [
                f"error: stack {request.stack} has no output {', '.join(missing)}; what answers "
                "does not make Cognito's resources (moto does not: use `make dev`)"
            ]
        )
    values = {name: outputs[output] for name, output in WRITTEN.items()}
    values["COGNITO_CLIENT_ID"] = _client_ids(request, values)
    login = _login_url(request, outputs, given)
    if chosen["PublicUrl"]:
        values["COGNISES_PUBLIC_URL"] = chosen["PublicUrl"]
        if login:
            values["COGNITO_DOMAIN"] = login
    return values


def _is_lite(given: GivenPool | None) -> bool:
    return given is not None and given.tier == "LITE"


def _client_ids(request: Request, values: Mapping[str, str]) -> str:
    """Ours first, since sign-in takes the first; other clients of the same pool are kept."""
    ours = values["COGNITO_CLIENT_ID"]
    if ours in request.client_ids:
        return ",".join(request.client_ids)
    same_pool = request.pool_id == values["COGNITO_USER_POOL_ID"]
    return ",".join((ours, *(request.client_ids if same_pool else ())))


def _login_url(request: Request, outputs: Mapping[str, str], given: GivenPool | None) -> str | None:
    """Where people sign in. An emulator serves it at its own address, not at AWS's."""
    if request.on_loopback:
        known = urlsplit(request.domain or "").hostname or ""
        return (
            request.domain
            if is_loopback(known)
            else (request.aws.endpoint_for("cognito-idp") or "").rstrip("/")
        )
    return outputs.get("ManagedLoginUrl") or (given and given.login_url(request.region)) or None
