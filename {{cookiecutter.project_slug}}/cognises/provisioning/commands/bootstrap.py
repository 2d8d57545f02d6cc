"""`bootstrap`: the stack of infra/cognito.yaml, and its ids in `.env`.

Reads settings, looks at the stack, works out its parameters, brings it up, writes `.env`. Every
step repeats without harm, so a second run finds nothing to do.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import Any

import click
from dotenv import dotenv_values

from cognises.errors import SettingsError
from cognises.provisioning.bootstrap.env_write import EnvFile, read_env, with_values, write_env
from cognises.provisioning.bootstrap.plan import (
    GivenPool,
    given_pool_id,
    parameters,
    settings_to_write,
)
from cognises.provisioning.bootstrap.request import Request, default_domain_prefix, read_request
from cognises.provisioning.names import stack_tags
from cognises.provisioning.options import confirm
from cognises.provisioning.stacks.client import Stack, StackClient
from cognises.provisioning.stacks.engine import StackSpec, bring_up, refuse_foreign, say
from cognises.provisioning.target import Options
from cognises.settings import sources

TEMPLATE = sources.PROJECT_FOLDER / "infra" / "cognito.yaml"
POOL_TYPES = frozenset({"AWS::Cognito::UserPool"})


@dataclass(frozen=True)
class Choices:
    """What the person who bootstraps has decided."""

    yes: bool = False
    dry_run: bool = False
    public_url: str | None = None
    domain_prefix: str | None = None


def run(options: Options, choices: Choices) -> int:
    """Bring the stack up and write the ids. Returns 0; refusals and failures are raised."""
    request = read_request(options, choices.public_url, choices.domain_prefix)
    env_file = options.env_file or sources.PROJECT_FOLDER / ".env"
    read_env(env_file)  # what cannot be written later is told now
    aws = _Aws(request)
    stack = aws.stacks.describe(request.stack)
    tags = stack_tags(request.role_prefix)
    refuse_foreign(stack, tags)
    given = aws.given_pool(given_pool_id(request, stack, _source(options)))
    chosen = parameters(request, stack, given, aws.default_prefix(request, stack, given))
    _tell(request, chosen, given)
    if chosen["DomainPrefix"] not in ("", stack.parameters.get("DomainPrefix")):
        aws.raise_if_taken(chosen["DomainPrefix"], stack)
    spec = StackSpec(
        name=request.stack,
        template=TEMPLATE.read_text(encoding="utf-8"),
        parameters=chosen,
        tags=tags,
        capabilities=("CAPABILITY_IAM",),
        guarded=POOL_TYPES,
    )
    ask = partial(confirm, yes=choices.yes, command="bootstrap --yes")
    result = bring_up(aws.stacks, spec, ask, dry_run=choices.dry_run)
    if choices.dry_run:
        return 0
    _write(read_env(env_file), settings_to_write(request, result.outputs, chosen, given))
    return 0


class _Aws:
    """The clients, and the looks at AWS that come before the stack."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.stacks = StackClient(self._client("cloudformation"))

    def given_pool(self, pool_id: str) -> GivenPool | None:
        """A pool that is there already. Raises botocore's errors, if it is not, too."""
        if not pool_id:
            return None
        said = self._client("cognito-idp").describe_user_pool(UserPoolId=pool_id)["UserPool"]
        return GivenPool(
            id=pool_id,
            tier=said.get("UserPoolTier") or "",
            domain=said.get("Domain") or "",
            custom_domain=said.get("CustomDomain") or "",
        )

    def default_prefix(self, request: Request, stack: Stack, given: GivenPool | None) -> str:
        """The sign-in domain's first part, where nobody has chosen one; the account is asked."""
        if given or request.domain_prefix or stack.parameters.get("DomainPrefix"):
            return ""
        account = self._client("sts").get_caller_identity()["Account"]
        return default_domain_prefix(request.stage, account)

    def raise_if_taken(self, prefix: str, stack: Stack) -> None:
        """Raise SettingsError for a sign-in domain that is somebody's already.

        CloudFormation would find out too, but only once there is a user pool to take back.
        """
        said = self._client("cognito-idp").describe_user_pool_domain(Domain=prefix)
        owner = said.get("DomainDescription", {}).get("UserPoolId")
        # An emulator may keep no parameters, by which one's own domain is told from another's.
        is_own = self.stacks.is_emulator and owner == stack.outputs.get("UserPoolId")
        if owner and not is_own:
            raise SettingsError(
                [
                    f"error: the sign-in domain {prefix} belongs to another user pool; choose one "
                    "with --domain-prefix"
                ]
            )

    def _client(self, service: str) -> Any:
        return self._request.aws.client(service)


def _tell(request: Request, chosen: dict[str, str], given: GivenPool | None) -> None:
    if given:
        say(f"user pool {given.id} is there already and is not altered")
    if not chosen["PublicUrl"]:
        say(
            "note: no --public-url: nobody can sign in with a browser yet; run bootstrap again "
            "with it when the service has an address"
        )
    elif given and not (
        chosen["DomainPrefix"] or given.login_url(request.region) or request.on_loopback
    ):
        say(
            f"note: user pool {given.id} has no sign-in domain: nobody can sign in with a browser "
            "yet; run bootstrap again with --domain-prefix NAME"
        )


def _source(options: Options) -> str:
    """Where the pool id that counts is written."""
    name = "COGNITO_USER_POOL_ID"
    if os.environ.get(name):
        return "the environment"
    named = [options.env_file] if options.env_file else []
    for path in (*named, sources.PROJECT_FOLDER / ".env"):
        if path.is_file() and dotenv_values(path, interpolate=False).get(name):
            return path.name
    return ".flaskenv"


def _write(env: EnvFile, values: dict[str, str]) -> None:
    """Put the settings into the file, and say which. Where it fails, say them."""
    try:
        changed = write_env(env, with_values(env.text, values))
    except (OSError, SettingsError) as error:
        say(f"the stack is up, but {env.path.name} cannot be written; put these lines into it:")
        for name, value in values.items():
            say(f"  {name}={value}")
        if isinstance(error, OSError):
            raise click.ClickException(f"{env.path.name}: {error.strerror or error}") from None
        raise
    names = ", ".join(values)
    say(f"{env.path.name}: {f'wrote {names}' if changed else 'nothing to change'}")
    for name, value in values.items():
        if os.environ.get(name) is not None and os.environ[name] != value:
            say(f"warning: the environment variable {name} hides what was written; unset it")
