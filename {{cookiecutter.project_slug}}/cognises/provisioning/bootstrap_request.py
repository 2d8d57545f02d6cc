"""What `bootstrap` is asked for: options and settings, checked together.

`deploy` and `policy --bootstrap` read the same request. Other commands need a pool; bootstrap
creates it, so a pool id may be missing here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from dotenv import dotenv_values

from cognises.errors import SettingsError
from cognises.provisioning.aws import Aws
from cognises.provisioning.names import DEFAULT_ROLE_PREFIX, stack_name, stage_name
from cognises.provisioning.target import Options, aws_of, settings_values, shape_problems
from cognises.settings import sources
from cognises.settings.values import is_loopback, origin
from cognises.user_pool import REGION, UserPool

# What --parameter takes, with the template's defaults. A value given once is kept.
OPTIONAL = {
    "DeletionProtection": "ACTIVE",
    "UserPoolTier": "",
    "SesIdentityArn": "",
    "EmailFrom": "",
    "CustomDomain": "",
    "CustomDomainCertificateArn": "",
}
# Cognito's rule for prefix domains, and the words it reserves.
DOMAIN_PREFIX = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
RESERVED = ("aws", "amazon", "cognito")
_CERTIFICATE = re.compile(r"arn:aws[a-z-]*:acm:us-east-1:[0-9]{12}:certificate/[0-9A-Za-z-]+")


@dataclass(frozen=True)
class Request:
    """Where and for which stage; None where nothing was given."""

    aws: Aws
    role_prefix: str
    pool_id: str | None = None
    client_ids: tuple[str, ...] = ()
    domain: str | None = None
    public_url: str | None = None
    domain_prefix: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def stage(self) -> str:
        return stage_name(self.role_prefix)

    @property
    def stack(self) -> str:
        return stack_name(self.role_prefix, "cognito")


def read_pairs(pairs: Iterable[str]) -> dict[str, str]:
    """From the `NAME=VALUE` texts of --parameter. Raises SettingsError with every problem."""
    found: dict[str, str] = {}
    problems = []
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.isalnum():
            problems.append(f"--parameter {pair!r}: write NAME=VALUE")
        elif name in found:
            problems.append(f"--parameter {name}: given twice")
        found[name] = value
    if problems:
        raise SettingsError(problems)
    return found


def read_request(
    options: Options,
    public_url: str | None = None,
    domain_prefix: str | None = None,
    parameters: Mapping[str, str] | None = None,
) -> Request:
    """The checked request. Raises SettingsError with every problem at once."""
    values = settings_values(options)
    if public_url:
        values["COGNISES_PUBLIC_URL"] = public_url
    problems = shape_problems(values)
    pool = _pool(values, problems)
    aws = aws_of(options, values, _region(values, pool, problems))
    clients = values.get("COGNITO_CLIENT_ID", "").split(",")
    request = Request(
        aws=aws,
        role_prefix=values.get("COGNISES_ROLE_PREFIX", DEFAULT_ROLE_PREFIX),
        pool_id=pool.id if pool else None,
        client_ids=tuple(each.strip() for each in clients if each.strip()),
        domain=values.get("COGNITO_DOMAIN"),
        public_url=_public_url(values.get("COGNISES_PUBLIC_URL"), aws.is_local(), problems),
        domain_prefix=domain_prefix or None,
        parameters=parameters or {},
    )
    problems += _domain_prefix_problems(request)
    problems += _parameter_problems(request.parameters)
    if not request.stage:
        problems.append("COGNISES_ROLE_PREFIX: has no letter or digit to name the stage by")
    if problems:
        raise SettingsError(problems)
    return request


def _pool(values: Mapping[str, str], problems: list[str]) -> UserPool | None:
    if "COGNITO_USER_POOL_ID" not in values:
        return None
    try:
        return UserPool.parse(values["COGNITO_USER_POOL_ID"])
    except SettingsError as error:
        problems += [f"COGNITO_USER_POOL_ID: {problem}" for problem in error.problems]
        return None


def _region(values: Mapping[str, str], pool: UserPool | None, problems: list[str]) -> str:
    region = values.get("AWS_REGION") or (pool.region if pool else "")
    if not region:
        problems.append("no region: name one with --region or AWS_REGION")
    elif not REGION.fullmatch(region):
        problems.append(f"AWS_REGION: {region!r} is not the name of a region, such as eu-west-1")
    elif pool and pool.region != region:
        problems.append(
            f"AWS_REGION is {region} and user pool {pool.id} is in {pool.region}; correct the "
            "wrong one (--region, AWS_REGION or COGNITO_USER_POOL_ID)"
        )
    return region


def _public_url(text: str | None, local: bool, problems: list[str]) -> str | None:
    """The service's address. Plain http on this machine goes with an emulator on this machine."""
    if text is None:
        return None
    try:
        address = origin(text, local)
    except ValueError as error:
        problems.append(f"COGNISES_PUBLIC_URL: {error}")
        return None
    if not local and is_loopback(urlsplit(address).hostname or ""):
        problems.append(
            "COGNISES_PUBLIC_URL: is this machine; AWS would send each user's sign-in code to "
            "the user's own machine: give the service's real address (`make dev` needs none)"
        )
    return address


def _domain_prefix_problems(request: Request) -> list[str]:
    prefix = request.domain_prefix
    if not prefix:
        return []
    problems = [
        f"--domain-prefix: {prefix!r} contains {word!r}, which Cognito reserves"
        for word in RESERVED
        if word in prefix
    ]
    if not DOMAIN_PREFIX.fullmatch(prefix):
        problems.append(
            f"--domain-prefix: {prefix!r}: use 1 to 63 lower-case letters, digits and inner hyphens"
        )
    if request.public_url is None:
        problems.append("--domain-prefix: needs --public-url, the address to return to")
    return problems


def _parameter_problems(given: Mapping[str, str]) -> list[str]:
    known = ", ".join(OPTIONAL)
    problems = [
        f"--parameter {each}: bootstrap takes {known}" for each in given if each not in OPTIONAL
    ]
    certificate = given.get("CustomDomainCertificateArn")
    if certificate and not _CERTIFICATE.fullmatch(certificate):
        problems.append(
            "--parameter CustomDomainCertificateArn: needs the ARN of an ACM certificate in "
            "us-east-1, where Cognito's custom domains are served"
        )
    return problems


def combination_problems(chosen: Mapping[str, str]) -> list[str]:
    """What does not fit together among the stack's new parameters."""
    domain, certificate = chosen["CustomDomain"], chosen["CustomDomainCertificateArn"]
    checks = {
        "CustomDomain and CustomDomainCertificateArn go together": bool(domain)
        != bool(certificate),
        "CustomDomain: needs --public-url": domain and not chosen["PublicUrl"],
        "EmailFrom: needs SesIdentityArn, the identity verified in SES": chosen["EmailFrom"]
        and not chosen["SesIdentityArn"],
    }
    return [f"--parameter {text}" for text, is_wrong in checks.items() if is_wrong]


def source_of_pool_id(options: Options) -> str:
    """Where the pool id that counts is written."""
    name = "COGNITO_USER_POOL_ID"
    if os.environ.get(name):
        return "the environment"
    for path in filter(None, (options.env_file, sources.PROJECT_FOLDER / ".env")):
        if path.is_file() and dotenv_values(path, interpolate=False).get(name):
            return path.name
    return ".flaskenv"


def default_domain_prefix(stage: str, account: str) -> str:
    """A prefix that is free: the stage and the account, without Cognito's reserved words."""
    plain = stage
    for word in RESERVED:
        plain = plain.replace(word, "")
    plain = re.sub("-+", "-", plain).strip("-") or "service"
    return f"{plain[: 62 - len(account)].strip('-')}-{account}"
