"""An embedded Cognito that is ready to use: served, filled, and named by the settings."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any

from cognises import provisioning
from cognises.errors import CognisesError
from cognises.provisioning.groups.commands import managed_policies
from cognises.provisioning.target import Options, read_target
from cognises.settings.sources import PROJECT_FOLDER, read_values
from cognises.settings.values import token_use, web_origins
from local_aws.cognito import LocalCognito, serving
from local_aws.issuer import ACCOUNT


class NotApplied(Exception):
    """groups.json was refused; the text is the provisioning script's own report."""


class NotRehearsed(Exception):
    """A command did something else than the pages say."""


@contextmanager
def embedded(public_url: str | None = None) -> Iterator[LocalCognito]:
    """A pool, client, identity pool and boundary, for a service at that address if it has one."""
    with serving(_token_use(), _origins()) as endpoint:
        cognito = LocalCognito(endpoint, public_url or "")
        _point_at(endpoint, cognito, public_url)
        yield cognito


def _point_at(endpoint: str, cognito: LocalCognito, public_url: str | None) -> None:
    """Settings for the service and for provisioning: the embedded pool, in local mode.

    Without a public address there is no browser sign-in.
    """
    os.environ.update(
        AWS_ENDPOINT_URL=endpoint,
        COGNITO_USER_POOL_ID=cognito.pool_id,
        COGNITO_CLIENT_ID=cognito.client_id,
        COGNITO_IDENTITY_POOL_ID=cognito.identity_pool_id,
        COGNITO_COOKIE_NAME="token_cookie",
        COGNITO_JWKS_URL=f"{endpoint}/{cognito.pool_id}/.well-known/jwks.json",
        COGNITO_DOMAIN=endpoint if public_url else "",
        COGNISES_FILES_BUCKET=cognito.bucket,
        COGNISES_LOCAL="1",
        COGNISES_PERMISSIONS_BOUNDARY=cognito.boundary,
        COGNISES_PUBLIC_URL=public_url or "",
    )


def _origins() -> tuple[str, ...]:
    """The web origins that may sign in here as well: those that the service answers."""
    text = read_values(PROJECT_FOLDER, names=["COGNISES_CORS_ORIGINS"])
    return web_origins(text["COGNISES_CORS_ORIGINS"], local=True) if text else ()


def _token_use() -> str:
    """The kind of token that programs get: the one that the service accepts."""
    values = read_values(PROJECT_FOLDER, names=["COGNITO_TOKEN_USE"])
    return "id" if "id" in token_use(values.get("COGNITO_TOKEN_USE", "id")) else "access"


def apply_manifest() -> str:
    """Apply groups.json by the provisioning script's own code; returns its report.

    That is the plan without its digest, and a summary as its last line. Raises NotApplied with
    everything that it said.
    """
    report = io.StringIO()
    make_managed_policies()
    with redirect_stdout(report), redirect_stderr(report):
        code = provisioning.main(["apply", "--yes"])
    if code != 0:
        raise NotApplied(f"{report.getvalue()}\ngroups.json could not be applied; see above.")
    lines = report.getvalue().splitlines()
    return "\n".join(line for line in lines if not line.startswith("digest: "))


def make_managed_policies() -> None:
    """Create the managed policies that groups.json names, without content: moto has none."""
    from moto.iam.models import AWSManagedPolicy, ManagedPolicy, iam_backends

    with suppress(CognisesError):  # what is wrong with the file is reported by apply
        for arn in managed_policies(read_target(Options()), ACCOUNT):
            _, partition, _, _, owner, resource = arn.split(":", 5)
            path, _, name = resource.removeprefix("policy").rpartition("/")
            make: Any = AWSManagedPolicy if owner == "aws" else ManagedPolicy
            region = os.environ["AWS_REGION"]
            made = make(name, ACCOUNT, region, path=f"{path}/", document="{}")
            iam_backends[ACCOUNT][partition].managed_policies.setdefault(arn, made)
