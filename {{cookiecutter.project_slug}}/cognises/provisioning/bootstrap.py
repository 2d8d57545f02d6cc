"""`bootstrap`: the stack of infra/cognito.yaml, and its ids in `.env`.

Reads settings, looks at the stack, computes its parameters, deploys it, writes `.env`. Every step
can be repeated, so a second run finds nothing to do.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import Any

import click
from dotenv import dotenv_values

from cognises.errors import SettingsError
from cognises.provisioning.aws import error_code
from cognises.provisioning.bootstrap_plan import (
    Pool,
    deployment_steps,
    existing_pool_id,
    settings_to_write,
    stack_parameters,
)
from cognises.provisioning.bootstrap_request import Request, default_domain_prefix, read_request
from cognises.provisioning.env_write import EnvFile, open_env, with_values, write_env
from cognises.provisioning.names import stack_tags
from cognises.provisioning.stack_parameters import read_pairs
from cognises.provisioning.stack_state import Stack, read_stack, require_owned, say
from cognises.provisioning.stacks import StackInput, deploy_stack
from cognises.provisioning.target import Options, announce, confirm
from cognises.settings import sources

TEMPLATE = sources.PROJECT_FOLDER / "infra" / "cognito.yaml"
PROTECTED = frozenset({"AWS::Cognito::UserPool"})


@dataclass(frozen=True)
class Choices:
    """The command's own options."""

    yes: bool = False
    dry_run: bool = False
    revert_drift: bool = False
    public_url: str | None = None
    domain_prefix: str | None = None
    parameters: tuple[str, ...] = ()


def run(options: Options, choices: Choices) -> int:
    """Deploy the stack and write the ids. Returns 0; refusals and failures are raised."""
    given = read_pairs(choices.parameters)
    request = read_request(options, choices.public_url, choices.domain_prefix, given)
    env_file = options.env_file or sources.PROJECT_FOLDER / ".env"
    open_env(env_file)  # a file that cannot be written is refused before anything is created
    aws = _Aws(request)
    stack = read_stack(aws.cloudformation, request.stack)
    require_owned(stack, stack_tags(request.role_prefix))
    pool_id = existing_pool_id(request, stack, _source(options))
    existing = aws.pool(pool_id) if pool_id else None
    prefix = aws.default_prefix(stack, existing)
    chosen = stack_parameters(request, stack, existing, prefix)
    aws.raise_if_taken(chosen, stack)
    _print_notes(request, chosen, existing)
    outputs = _deploy(aws.cloudformation, request, stack, chosen, choices)
    if choices.dry_run:
        return 0
    pool = existing or (aws.own_pool(outputs) if request.domain else None)
    values = settings_to_write(request, stack, outputs, chosen, pool)
    values["COGNITO_CLIENT_ID"] = aws.existing_clients(values)
    _write(open_env(env_file), values)
    return 0


def _deploy(
    client: Any, request: Request, stack: Stack, chosen: dict[str, str], choices: Choices
) -> dict[str, str]:
    steps = deployment_steps(stack, chosen)
    if len(steps) > 1:
        say(
            "note: a user pool takes one sign-in domain of each kind, so the old one is removed "
            "first: two updates; sign-in pages are not available in between"
        )
    outputs: dict[str, str] = {}
    for parameters in steps[:1] if choices.dry_run else steps:
        desired = StackInput(
            name=request.stack,
            template=TEMPLATE.read_text(encoding="utf-8"),
            parameters=parameters,
            tags=stack_tags(request.role_prefix),
            protected=PROTECTED,
            revert_drift=choices.revert_drift,
        )
        ask = partial(_ask, request, choices.yes)
        outputs = dict(deploy_stack(client, desired, ask, dry_run=choices.dry_run))
    return outputs


def _ask(request: Request, yes: bool, question: str) -> None:
    announce(request.aws)
    confirm(question, yes=yes, command="bootstrap --yes")


class _Aws:
    """The clients, and what is read from AWS before and after the stack."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.cloudformation = self._client("cloudformation")

    def pool(self, pool_id: str) -> Pool:
        """A user pool that exists. Raises botocore's errors, also if it does not."""
        found = self._cognito().describe_user_pool(UserPoolId=pool_id)["UserPool"]
        return Pool(
            id=pool_id,
            tier=found.get("UserPoolTier") or "",
            domain=found.get("Domain") or "",
            custom_domain=found.get("CustomDomain") or "",
        )

    def own_pool(self, outputs: dict[str, str]) -> Pool | None:
        """The stack's own pool, if it is there."""
        try:
            return self.pool(outputs["UserPoolId"]) if outputs.get("UserPoolId") else None
        except Exception as error:
            if error_code(error) != "ResourceNotFoundException":
                raise
            return None

    def default_prefix(self, stack: Stack, existing: Pool | None) -> str:
        """The first part of the sign-in domain where none was chosen; needs the account's id."""
        if existing or self._request.domain_prefix or stack.parameters.get("DomainPrefix"):
            return ""
        account = self._client("sts").get_caller_identity()["Account"]
        return default_domain_prefix(self._request.stage, account)

    def raise_if_taken(self, chosen: dict[str, str], stack: Stack) -> None:
        """Raise SettingsError for a sign-in domain that another pool has.

        CloudFormation would notice too, but only after it has created a user pool.
        """
        prefix = chosen["DomainPrefix"]
        if prefix in ("", stack.parameters.get("DomainPrefix")):
            return
        found = self._cognito().describe_user_pool_domain(Domain=prefix)
        owner = found.get("DomainDescription", {}).get("UserPoolId")
        if owner and owner != stack.outputs.get("UserPoolId"):
            raise SettingsError(
                [
                    f"error: the sign-in domain {prefix} belongs to another user pool; choose one "
                    "with --domain-prefix"
                ]
            )

    def existing_clients(self, values: dict[str, str]) -> str:
        """The client ids to write, without those that the pool no longer has."""
        ids = values["COGNITO_CLIENT_ID"].split(",")
        if len(ids) == 1:
            return ids[0]
        pages = self._cognito().get_paginator("list_user_pool_clients")
        found = {
            each["ClientId"]
            for page in pages.paginate(UserPoolId=values["COGNITO_USER_POOL_ID"])
            for each in page["UserPoolClients"]
        }
        for gone in (each for each in ids if each not in found):
            say(f"COGNITO_CLIENT_ID: app client {gone} does not exist any more and is removed")
        return ",".join(each for each in ids if each in found)

    def _cognito(self) -> Any:
        return self._client("cognito-idp")

    def _client(self, service: str) -> Any:
        return self._request.aws.client(service)


def _print_notes(request: Request, chosen: dict[str, str], existing: Pool | None) -> None:
    if existing:
        say(f"user pool {existing.id} exists already and is not altered")
    if not chosen["PublicUrl"]:
        say(
            "note: no --public-url: sign-in with a browser does not work yet; run bootstrap again "
            "with it when the service has an address"
        )
    elif existing and not (
        any(chosen[name] for name in ("DomainPrefix", "CustomDomain"))
        or existing.login_urls(request.region)
        or request.on_loopback
    ):
        say(
            f"note: user pool {existing.id} has no sign-in domain: sign-in with a browser does not "
            "work yet; run bootstrap again with --domain-prefix NAME"
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
    """Write the settings into the file, and say which; where that fails, print them."""
    try:
        changed = write_env(env, with_values(env.text, values))
    except (OSError, SettingsError) as error:
        say(f"the stack is deployed, but {env.path.name} cannot be written; add these lines to it:")
        for name, value in values.items():
            say(f"  {name}={value}")
        if isinstance(error, OSError):
            raise click.ClickException(f"{env.path.name}: {error.strerror or error}") from None
        raise
    done = f"wrote {', '.join(values)}" if changed else "nothing to change"
    say(f"{env.path.name}: {done}")
    for name, value in values.items():
        if os.environ.get(name) is not None and os.environ[name] != value:
            say(f"warning: the environment variable {name} hides what was written; unset it")
