"""`bootstrap`: the stack of infra/cognito.yaml, and its ids in `.env`; it can be repeated."""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from cognises.errors import SettingsError
from cognises.provisioning import target as t
from cognises.provisioning.target import say
from cognises.settings import sources
from cognises.settings.values import is_loopback
from infra import bootstrap_settings as asked
from infra.stack_state import Stack, read_stack, require_owned, stack_tags
from infra.stacks import StackInput, deploy_stack

TEMPLATE = Path(__file__).with_name("cognito.yaml")
# The settings that bootstrap writes, by the stack's output.
WRITTEN = {
    "COGNITO_USER_POOL_ID": "UserPoolId",
    "COGNITO_CLIENT_ID": "UserPoolClientId",
    "COGNITO_IDENTITY_POOL_ID": "IdentityPoolId",
    "COGNISES_PERMISSIONS_BOUNDARY": "PermissionsBoundaryArn",
    "COGNISES_FILES_BUCKET": "FilesBucket",  # none with --parameter Files=false
}
MOST_OF_A_BUCKET = 35  # of S3's 63 characters, account and the longest region take 28
OF_THE_POOL = ("DeletionProtection", "UserPoolTier", "SesIdentityArn", "EmailFrom")
# The kinds of sign-in domains, each with what goes with it.
DOMAINS = {"DomainPrefix": (), "CustomDomain": ("CustomDomainCertificateArn",)}
_LATER = "sign-in with a browser does not work yet; run bootstrap again with"


@click.command("bootstrap")
@t.account_options
@click.option("--public-url", metavar="URL", help="The service's own address.")
@click.option("--domain-prefix", metavar="NAME", help="First part of the sign-in address.")
@t.parameters_option
@click.option("--revert-drift", is_flag=True, help="Also undo changes made by hand.")
@t.dry_run_option
@t.yes_option
def run(
    options: t.Options,
    public_url: str | None,
    domain_prefix: str | None,
    parameters: tuple[str, ...],
    revert_drift: bool,
    dry_run: bool,
    yes: bool,
) -> int:
    """Create user pool, app client, identity pool and boundary; write their ids into .env."""
    request = asked.read_request(options, public_url, domain_prefix, asked.read_pairs(parameters))
    env_file = options.env_file or sources.PROJECT_FOLDER / ".env"
    asked.read_env(env_file)  # a file that cannot be written is refused before anything is created
    bootstrap = Bootstrap(request, options)
    outputs = bootstrap.deploy(revert_drift=revert_drift, dry_run=dry_run, yes=yes)
    if not dry_run:
        _write(env_file, bootstrap.settings(outputs))
    return 0


class Bootstrap:
    """One run. Raises SettingsError for what does not fit together, ProvisionBlocked."""

    def __init__(self, request: asked.Request, options: t.Options) -> None:
        self.request, self.is_local = request, request.aws.is_local()
        self.cognito = request.aws.client("cognito-idp")
        self.cloudformation = request.aws.client("cloudformation")
        self.stack = read_stack(self.cloudformation, request.stack)
        require_owned(self.stack, stack_tags(request.role_prefix))
        named, of_stack = request.pool_id, self.stack.outputs.get("UserPoolId")
        if of_stack and named not in (None, of_stack):
            problem = f"COGNITO_USER_POOL_ID is {named} ({asked.source_of_pool_id(options)})"
            remedy = "correct the setting, or give this stage a COGNISES_ROLE_PREFIX of its own"
            raise SettingsError([f"{problem} and stack {self.stack.name} has {of_stack}; {remedy}"])
        # The pool that was there before the stack, if the stack has none of its own.
        existing = self.stack.parameters.get("ExistingUserPoolId") if of_stack else named
        self.existing = self._pool(existing) if existing else None
        self.parameters = self._parameters()

    def _pool(self, pool_id: str) -> Any:
        return self.cognito.describe_user_pool(UserPoolId=pool_id)["UserPool"]

    def _parameters(self) -> dict[str, str]:
        request, existing, before = self.request, self.existing, self.stack.parameters
        public_url = request.public_url or before.get("PublicUrl", "")
        prefix = request.domain_prefix or before.get("DomainPrefix", "")
        if not prefix and public_url and existing is None:
            account = request.aws.client("sts").get_caller_identity()["Account"]
            prefix = asked.default_domain_prefix(request.stage, account)
        kept = {name: before[name] for name in asked.OPTIONAL if name in before}
        chosen = {**asked.OPTIONAL, **kept, **request.parameters}
        tier = (existing or chosen).get("UserPoolTier")
        managed = public_url and not self.is_local and tier != "LITE"
        chosen |= {
            "ProjectSlug": request.stage,
            "ExistingUserPoolId": existing["Id"] if existing else "",
            "PublicUrl": public_url,
            "DomainPrefix": prefix,
            "ManagedLogin": "true" if managed else "false",
        }
        problems = self._pool_problems(prefix)
        if bool(chosen["CustomDomain"]) != bool(chosen["CustomDomainCertificateArn"]):
            problems.append("--parameter CustomDomain and CustomDomainCertificateArn go together")
        if chosen["CustomDomain"] and not public_url:
            problems.append("--parameter CustomDomain: needs --public-url")
        if chosen["Files"] == "true" and len(request.stage) > MOST_OF_A_BUCKET:
            problem = (
                f"COGNISES_ROLE_PREFIX names the stage {request.stage}, and the name of a bucket"
            )
            remedy = "choose a shorter one, or pass --parameter Files=false"
            problems.append(f"{problem} has room for {MOST_OF_A_BUCKET} characters of it; {remedy}")
        if chosen["EmailFrom"] and not chosen["SesIdentityArn"]:
            problems.append("--parameter EmailFrom: needs SesIdentityArn, which SES has verified")
        if problems:
            raise SettingsError(problems)
        return chosen

    def _pool_problems(self, prefix: str) -> list[str]:
        given, problems = self.request.parameters, list[str]()
        if pool := self.existing:
            here = f"user pool {pool['Id']}"
            why = f"{here} was there before the stack and is never altered"
            problems = [f"--parameter {name}: {why}" for name in OF_THE_POOL if name in given]
            domain, custom = pool.get("Domain"), pool.get("CustomDomain")
            if self.request.domain_prefix and domain not in (None, "", prefix):
                problems.append(f"--domain-prefix: {here} has the domain {domain}; omit the option")
            if custom and given.get("CustomDomain", custom) not in ("", custom):
                has = f"{here} has the domain {custom}"
                problems.append(f"--parameter CustomDomain: {has}; omit the option")
        if prefix in ("", self.stack.parameters.get("DomainPrefix")):
            return problems
        # CloudFormation would notice too, but only after it has created a user pool.
        found = self.cognito.describe_user_pool_domain(Domain=prefix).get("DomainDescription", {})
        if found.get("UserPoolId") not in (None, "", self.stack.outputs.get("UserPoolId")):
            problem = f"the sign-in domain {prefix} belongs to another user pool"
            problems.append(f"{problem}; choose one with --domain-prefix")
        return problems

    def deploy(self, *, revert_drift: bool, dry_run: bool, yes: bool) -> Mapping[str, str]:
        """Show, ask, deploy, in one or two updates; returns the stack's outputs."""
        ask = partial(t.confirm, yes=yes, aws=self.request.aws)
        if pool := self.existing:
            say(f"user pool {pool['Id']} exists already and is not altered")
        has_domain = self.is_local or any(self.parameters[kind] for kind in DOMAINS)
        if not self.parameters["PublicUrl"]:
            say(f"note: no --public-url: {_LATER} it when the service has an address")
        elif pool and not (has_domain or self._login_urls(pool)):
            lacks = f"user pool {pool['Id']} has no sign-in domain"
            say(f"note: {lacks}: {_LATER} --domain-prefix NAME")
        steps = deployment_steps(self.stack, self.parameters)
        if len(steps) > 1:
            say("note: a pool takes one sign-in domain of each kind, and the old one goes first:")
            say("two updates; sign-in pages are not available in between")
        name, tags = self.request.stack, stack_tags(self.request.role_prefix)
        template, protected = TEMPLATE.read_text("utf-8"), frozenset({"AWS::Cognito::UserPool"})
        outputs: Mapping[str, str] = {}
        for parameters in steps[:1] if dry_run else steps:
            desired = StackInput(name, template, parameters, tags, protected, revert_drift)
            outputs = deploy_stack(self.cloudformation, desired, ask, dry_run=dry_run)
        return outputs

    def settings(self, outputs: Mapping[str, str]) -> dict[str, str]:
        """The lines of `.env`. Raises SettingsError if an output is missing."""
        if missing := [o for o in WRITTEN.values() if not outputs.get(o) and o != "FilesBucket"]:
            problem = f"stack {self.stack.name} has no output {', '.join(missing)}"
            why = "what answered does not create Cognito's resources (use `make dev`, not moto)"
            raise SettingsError([f"{problem}; {why}"])
        values = {name: outputs.get(output, "") for name, output in WRITTEN.items()}
        values["COGNITO_CLIENT_ID"] = self._client_ids(outputs)
        if url := self.parameters["PublicUrl"]:
            values |= {"COGNISES_PUBLIC_URL": url, "COGNITO_DOMAIN": self._login_url(outputs) or ""}
        return {name: value for name, value in values.items() if value}

    def _client_ids(self, outputs: Mapping[str, str]) -> str:
        """Ours first, since sign-in uses the first; others that the same pool has are kept."""
        ours, pool_id = outputs["UserPoolClientId"], outputs["UserPoolId"]
        ids = self.request.client_ids
        if ours not in ids:
            ids = (ours, *(ids if self.request.pool_id == pool_id else ()))
        if len(ids) == 1:
            return ours
        pages = self.cognito.get_paginator("list_user_pool_clients").paginate(UserPoolId=pool_id)
        found = {each["ClientId"] for page in pages for each in page["UserPoolClients"]}
        for gone in (each for each in ids if each not in found):
            say(f"COGNITO_CLIENT_ID: app client {gone} does not exist any more and is removed")
        return ",".join(each for each in ids if each in found)

    def _login_url(self, outputs: Mapping[str, str]) -> str | None:
        """Where people sign in: the address in use, if it is the pool's and still right."""
        known = self.request.domain
        if self.is_local:  # an emulator serves it at its own address
            own = (self.request.aws.endpoint_for("cognito-idp") or "").rstrip("/")
            return known if is_loopback(urlsplit(known).hostname or "") else own
        url = outputs.get("ManagedLoginUrl", "")
        pool = self.existing or (self._pool(outputs["UserPoolId"]) if known else {})
        urls = self._login_urls(pool)
        is_same = url == self.stack.outputs.get("ManagedLoginUrl", "")
        is_right = is_same and known.rstrip("/").lower() in urls
        return known if is_right else url or next(iter(urls), None)

    def _login_urls(self, pool: Mapping[str, Any]) -> list[str]:
        region = self.request.aws.region
        auth = "auth-fips" if region.startswith("us-gov-") else "auth"
        custom, prefix = pool.get("CustomDomain"), pool.get("Domain")
        urls = [f"https://{custom}"] if custom else []
        return [*urls, f"https://{prefix}.{auth}.{region}.amazoncognito.com"] if prefix else urls


def deployment_steps(stack: Stack, chosen: Mapping[str, str]) -> list[dict[str, str]]:
    """Each update's parameters. A pool takes one domain of a kind, so the old one goes first."""
    before, steps = stack.parameters, [dict(chosen)]
    for kind, names in DOMAINS.items():
        if before.get(kind) and chosen[kind] not in ("", before[kind]):
            steps = [{**steps[0], **dict.fromkeys((kind, *names), "")}, dict(chosen)]
    return steps


def _write(path: Path, values: dict[str, str]) -> None:
    try:
        is_changed = asked.update_env(path, values)
    except (OSError, SettingsError) as error:
        say(f"the stack is deployed, but {path.name} cannot be written; add these lines to it:")
        for name, value in values.items():
            say(f"  {name}={value}")
        if isinstance(error, OSError):
            raise click.ClickException(f"{path.name}: {error.strerror or error}") from None
        raise
    say(f"{path.name}: {'wrote ' + ', '.join(values) if is_changed else 'nothing to change'}")
    for name, value in values.items():
        if os.environ.get(name) not in (None, value):
            say(f"warning: the environment variable {name} hides what was written; unset it")
