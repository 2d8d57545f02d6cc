"""What `bootstrap`, `deploy` and `policy --bootstrap` read; the env file that bootstrap writes."""

import os
import re
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from cognises.errors import SettingsError
from cognises.provisioning import target as t
from cognises.provisioning.aws import Aws
from cognises.provisioning.names import DEFAULT_ROLE_PREFIX, stage_name
from cognises.settings import sources
from cognises.settings.values import is_loopback, public_address
from cognises.user_pool import REGION
from infra.stack_state import stack_name

# What --parameter takes, with the template's defaults. A value given once is kept.
OPTIONAL = {
    "DeletionProtection": "ACTIVE", "UserPoolTier": "", "SesIdentityArn": "", "EmailFrom": "",
    "CustomDomain": "", "CustomDomainCertificateArn": "", "CustomAttribute": "",
    "Files": "true", "AdminGroup": "admins",
}  # fmt: skip
# Cognito's rule for prefix domains, and the words it reserves.
DOMAIN_PREFIX = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
RESERVED = ("aws", "amazon", "cognito")
_CERTIFICATE = re.compile(r"(arn:aws[a-z-]*:acm:us-east-1:[0-9]{12}:certificate/[0-9A-Za-z-]+)?")
# python-dotenv's own writer changes CRLF line ends, drops comments behind values, keeps the mode.
_BOM = "\ufeff"
_HEADER = "# Written by `provision.py bootstrap`; ignored by git.\n"
_PLAIN = re.compile(r"[\w:/.@+,=%-]*", re.ASCII)  # needs no quotes in any reader of env files
_BLANK = r"[^\S\r\n]"
_LINE = re.compile(
    rf"""(?P<name>\s*(?:export{_BLANK}+)?['"]?[^\s='"]+['"]?)(?P<equals>{_BLANK}*={_BLANK}*)?"""
    rf"""(?:'(?:\\'|[^'])*'|"(?:\\"|[^"])*"|[^\r\n]*?)"""
    rf"(?P<after>{_BLANK}+\#[^\r\n]*|{_BLANK}*)(?P<end>[\r\n]*)"
)


@dataclass(frozen=True)
class Request:
    """Where and for which stage; empty where nothing was given."""

    aws: Aws
    role_prefix: str
    pool_id: str | None
    client_ids: tuple[str, ...]
    domain: str
    public_url: str
    domain_prefix: str
    parameters: Mapping[str, str]

    @property
    def stage(self) -> str:
        return stage_name(self.role_prefix)

    @property
    def stack(self) -> str:
        return stack_name(self.role_prefix, "cognito")


def read_pairs(pairs: Sequence[str]) -> dict[str, str]:
    """From the `NAME=VALUE` texts of --parameter. Raises SettingsError with every problem."""
    names = Counter(pair.partition("=")[0] for pair in pairs)
    malformed = [pair for pair in pairs if not re.match("[A-Za-z0-9]+=", pair)]
    problems = [f"--parameter {pair!r}: write NAME=VALUE" for pair in malformed]
    problems += [f"--parameter {name}: given twice" for name, n in names.items() if n > 1]
    if problems:
        raise SettingsError(problems)
    return dict(pair.split("=", 1) for pair in pairs)


def read_request(
    options: t.Options,
    public_url: str | None = None,
    domain_prefix: str | None = None,
    parameters: Mapping[str, str] | None = None,
) -> Request:
    """The checked request. Raises SettingsError with every problem at once."""
    values = t.settings_values(options)
    problems = t.shape_problems(values)
    pool = t.read_pool(values, problems)
    region = values.get("AWS_REGION") or (pool.region if pool else "")
    if not region:
        problems.append("no region: name one with --region or AWS_REGION")
    elif not REGION.fullmatch(region):
        problems.append(f"AWS_REGION: {region!r} is not the name of a region, such as eu-west-1")
    aws = t.aws_of(options, values, region)
    clients = values.get("COGNITO_CLIENT_ID", "").split(",")
    request = Request(
        aws=aws,
        role_prefix=values.get("COGNISES_ROLE_PREFIX", DEFAULT_ROLE_PREFIX),
        pool_id=pool.id if pool else None,
        client_ids=tuple(each.strip() for each in clients if each.strip()),
        domain=values.get("COGNITO_DOMAIN", ""),
        public_url=_public_url(public_url or values.get("COGNISES_PUBLIC_URL"), aws, problems),
        domain_prefix=domain_prefix or "",
        parameters=parameters or {},
    )
    problems += _option_problems(request)
    if problems:
        raise SettingsError(problems)
    return request


def _public_url(text: str | None, aws: Aws, problems: list[str]) -> str:
    """The service's address. Plain http on this machine goes with an emulator on this machine."""
    if not text:
        return ""
    try:
        address = public_address(text, aws.is_local())
    except ValueError as error:
        problems.append(f"COGNISES_PUBLIC_URL: {error}")
        return ""
    if not aws.is_local() and is_loopback(urlsplit(address).hostname or ""):
        problem = "COGNISES_PUBLIC_URL: is this machine; AWS would send users' codes to their own:"
        problems.append(f"{problem} give the service's real address (`make dev` needs none)")
    return address


def _option_problems(request: Request) -> list[str]:
    prefix, given = request.domain_prefix, request.parameters
    named = f"--domain-prefix: {prefix!r}"
    reserved = [word for word in RESERVED if word in prefix]
    problems = [f"{named} contains {word!r}, which Cognito reserves" for word in reserved]
    if prefix and not DOMAIN_PREFIX.fullmatch(prefix):
        problems.append(f"{named}: use 1 to 63 lower-case letters, digits and inner hyphens")
    if prefix and not request.public_url:
        problems.append("--domain-prefix: needs --public-url, the address to return to")
    unknown, known = sorted(given.keys() - OPTIONAL.keys()), ", ".join(OPTIONAL)
    problems += [f"--parameter {name}: bootstrap takes {known}" for name in unknown]
    if not _CERTIFICATE.fullmatch(given.get("CustomDomainCertificateArn", "")):
        needs = "needs the ARN of an ACM certificate in us-east-1, as Cognito's custom domains do"
        problems.append(f"--parameter CustomDomainCertificateArn: {needs}")
    if not request.stage:
        problems.append("COGNISES_ROLE_PREFIX: has no letter or digit to name the stage by")
    return problems


def source_of_pool_id(options: t.Options) -> str:
    """Where the pool id that counts is written."""
    if os.environ.get("COGNITO_USER_POOL_ID"):
        return "the environment"
    for path in filter(None, (options.env_file, sources.PROJECT_FOLDER / ".env")):
        if dotenv_values(path, interpolate=False).get("COGNITO_USER_POOL_ID"):
            return path.name
    return ".flaskenv"


def default_domain_prefix(stage: str, account: str) -> str:
    """A prefix that is free: the stage and the account, without Cognito's reserved words."""
    for word in RESERVED:
        stage = stage.replace(word, "")
    plain = re.sub("-+", "-", stage).strip("-") or "service"
    return f"{plain[: 62 - len(account)].strip('-')}-{account}"


def read_env(path: Path) -> str | None:
    """A file's text, None if there is none. Raises SettingsError unless regular, UTF-8; OSError."""
    if path.is_symlink():
        raise SettingsError([f"{path.name} is a link; put a regular file in its place"])
    if not path.exists():
        return None
    if not path.is_file():
        raise SettingsError([f"{path.name} is not a regular file; move it away"])
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    try:
        with os.fdopen(descriptor, encoding="utf-8", newline="") as file:
            return file.read()
    except UnicodeDecodeError:
        raise SettingsError([f"{path.name}: not UTF-8; save it as UTF-8"]) from None


def with_values(text: str | None, values: Mapping[str, str]) -> str:
    """An env file's text with only these values changed: in a name's last line, or appended."""
    for name, value in values.items():
        if not _PLAIN.fullmatch(value):
            problem = f"{name}: {value!r} is not an id or address of AWS; nothing written"
            raise SettingsError([problem])
    text = _HEADER if text is None else text
    bom, text = (_BOM, text[1:]) if text.startswith(_BOM) else ("", text)
    newline = "\r\n" if "\r\n" in text else "\n"
    bindings = list(parse_stream(StringIO(text, newline="")))
    pieces = [each.original.string for each in bindings]
    last = {each.key: index for index, each in enumerate(bindings) if each.key and not each.error}
    for name, value in values.items():
        if name not in last:
            before = "" if not pieces or pieces[-1].endswith(("\n", "\r")) else newline
            pieces.append(f"{before}{name}={value}{newline}")
        elif (bindings[last[name]].value or "") != value:
            if not (found := _LINE.fullmatch(pieces[last[name]])):
                raise SettingsError(["the env file has a line that cannot be read; fix its quotes"])
            line = f"{found['name']}{found['equals'] or '='}{value}{found['after']}{found['end']}"
            pieces[last[name]] = line
    return bom + "".join(pieces)


def write_env(path: Path, text: str) -> None:
    """Replace the file by one of mode 0600, at once and never through a link. Raises OSError."""
    descriptor, name = tempfile.mkstemp(prefix=".env-", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as temporary:
            temporary.write(text.encode("utf-8"))
            temporary.flush()
            os.fsync(temporary.fileno())
        Path(name).replace(path)  # replaces a link, and does not follow it
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def update_env(path: Path, values: Mapping[str, str]) -> bool:
    """Write the values into the file; returns whether it is different. Raises as the above."""
    before = read_env(path)
    if (after := with_values(before, values)) != before:
        write_env(path, after)
    return after != before
