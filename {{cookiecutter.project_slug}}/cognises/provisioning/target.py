"""What a command works on, checked; how it declares its options and asks before it acts."""

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial, wraps
from io import StringIO
from pathlib import Path
from pkgutil import resolve_name
from typing import Any
from urllib.parse import urlsplit

import click
from dotenv import dotenv_values
from dotenv.parser import parse_stream

from cognises.errors import SettingsError, printable
from cognises.manifest.rules import POLICY_ARN
from cognises.provisioning.aws import AWS_NAMES, ENDPOINTS, Aws
from cognises.provisioning.names import DEFAULT_ROLE_PREFIX, identity_region
from cognises.settings.sources import NAMES, PROJECT_FOLDER, read_values
from cognises.settings.values import IDENTITY_POOL_ID, ROLE_PATH
from cognises.user_pool import UserPool

EXIT_ERROR, EXIT_PENDING, EXIT_BLOCKED, EXIT_USAGE = 1, 2, 3, 64
ROLE_PREFIX = re.compile(r"[\w+=,.@-]{0,63}", re.ASCII)
# What bootstrap writes for a stage. `--env-file` excludes those of `.env`: it may be another's.
OF_A_STAGE = (
    "COGNITO_USER_POOL_ID", "COGNITO_CLIENT_ID", "COGNITO_IDENTITY_POOL_ID", "COGNITO_DOMAIN",
    "COGNISES_PERMISSIONS_BOUNDARY", "COGNISES_PUBLIC_URL", "COGNISES_FILES_BUCKET",
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """The options of the command line that say where to work; None where not given."""

    profile: str | None = None
    region: str | None = None
    env_file: Path | None = None
    permissions_boundary: str | None = None
    groups_file: Path | None = None

    @property
    def env_file_name(self) -> str:
        """The file that bootstrap fills in, as messages name it."""
        return str(self.env_file or ".env")

    @property
    def advice(self) -> str:
        """For an id that is missing: the file that it belongs in, and the command that does it."""
        command = "`provision.py bootstrap`"
        if self.env_file:
            command = f"`provision.py bootstrap --env-file {self.env_file}`"
        return f"put it into {self.env_file_name}, or run {command}, which writes it"


@dataclass(frozen=True)
class Target:
    """Where to provision, from settings and options, and the AWS session to do it with."""

    pool: UserPool
    groups_file: Path
    role_prefix: str
    identity_pool_id: str | None = None
    boundary: str | None = None
    role_path: str = "/"
    aws: Aws = field(default_factory=lambda: Aws(""), compare=False)

    @property
    def identity_region(self) -> str:
        return identity_region(self.identity_pool_id, self.pool.region)


def read_target(options: Options) -> Target:
    """The checked target. Raises SettingsError with every problem at once."""
    values = settings_values(options)
    problems = shape_problems(values)
    pool = read_pool(values, problems)
    if "COGNITO_USER_POOL_ID" not in values:
        problems.append(f"COGNITO_USER_POOL_ID is not set; {options.advice}")
    if problems or pool is None:
        raise SettingsError(problems)
    return Target(
        pool, groups_file(options, values), values.get("COGNISES_ROLE_PREFIX", DEFAULT_ROLE_PREFIX),
        values.get("COGNITO_IDENTITY_POOL_ID"), values.get("COGNISES_PERMISSIONS_BOUNDARY"),
        values.get("COGNISES_ROLE_PATH", "/"), aws_of(options, values, pool.region),
    )  # fmt: skip


def settings_values(options: Options) -> dict[str, str]:
    """Raw settings by name. Raises SettingsError for a file that is unreadable or wrong."""
    names = (*NAMES, *AWS_NAMES)
    values = read_values(PROJECT_FOLDER, names=names)
    if options.env_file:
        committed = dotenv_values(PROJECT_FOLDER / ".flaskenv", interpolate=False)
        given = {name: committed.get(name) for name in OF_A_STAGE}
        given |= {name: value for name, value in _read_env_file(options.env_file).items() if value}
        for name in (given.keys() & set(names)) - os.environ.keys():
            values[name] = given[name] or ""
    boundary, region = options.permissions_boundary, options.region
    values |= {"COGNISES_PERMISSIONS_BOUNDARY": boundary} if boundary else {}
    values |= {"AWS_REGION": region} if region else {}
    return {name: value for name, value in values.items() if value}


def _read_env_file(path: Path) -> dict[str, str | None]:
    """Refuses a malformed line: a misspelt prefix or pool would change another stage."""
    try:
        bindings = list(parse_stream(StringIO(path.read_text(encoding="utf-8-sig"))))
    except FileNotFoundError:
        raise SettingsError([f"--env-file {path}: there is no such file"]) from None
    except UnicodeDecodeError:
        raise SettingsError([f"--env-file {path}: must be UTF-8; save it as UTF-8"]) from None
    if malformed := [each.original.line for each in bindings if each.error]:
        raise SettingsError(f"--env-file {path}: line {n}: write NAME=value" for n in malformed)
    return {each.key: each.value for each in bindings if each.key}


def forget_env_files() -> None:
    """Remove what flask put into the environment from `.env`: it would win over `--env-file`."""
    for name in (".env", ".flaskenv"):
        for key, value in dotenv_values(PROJECT_FOLDER / name).items():
            if value is not None and os.environ.get(key) == value:
                del os.environ[key]


def aws_of(options: Options, values: Mapping[str, str], region: str) -> Aws:
    """The AWS session. AWS_PROFILE of `.env` counts as if exported: exported keys win over it."""
    named = (name for name in AWS_NAMES if values.get(name) and not os.environ.get(name))
    files = {name: values[name] for name in named}
    profile = options.profile or files.get("AWS_PROFILE")
    if profile and not options.profile and os.environ.get("AWS_ACCESS_KEY_ID"):
        note = f"AWS_ACCESS_KEY_ID is exported and is used instead of AWS_PROFILE={profile} of .env"
        say(f"note: {note}; to use the profile, unset it or pass --profile")
        profile = None
    return Aws(region, profile=profile, env_file=files)


def groups_file(options: Options, values: Mapping[str, str]) -> Path:
    return options.groups_file or PROJECT_FOLDER / values.get("COGNISES_GROUPS_FILE", "groups.json")


_SHAPES = (
    ("COGNITO_IDENTITY_POOL_ID", IDENTITY_POOL_ID, "us-east-1:01234567-89ab-…"),
    ("COGNISES_PERMISSIONS_BOUNDARY", POLICY_ARN, "arn:aws:iam::123456789012:policy/name"),
    ("COGNISES_ROLE_PATH", ROLE_PATH, "/service/ (it starts and ends with a slash)"),
    ("COGNISES_ROLE_PREFIX", ROLE_PREFIX, "my-service- (letters, digits and _+=,.@-)"),
)


def shape_problems(values: Mapping[str, str]) -> list[str]:
    """What is wrong with the form of settings that provisioning alone reads."""
    found = [f"{name}: {values[name]!r} is not of the form {example}"
             for name, pattern, example in _SHAPES
             if name in values and not pattern.fullmatch(values[name])]  # fmt: skip
    found += [f"{name}: is not of the form http://127.0.0.1:5000; unset it for AWS"
              for name in ENDPOINTS
              if name in values and not _is_address(values[name])]  # fmt: skip
    return found


def _is_address(text: str) -> bool:
    try:
        url = urlsplit(text)
        is_web = url.scheme in ("http", "https") and url.port != 0
        return is_web and bool(re.fullmatch(r"[A-Za-z0-9.-]+|[0-9a-f:]+", url.hostname or ""))
    except ValueError:  # a port out of range, an open bracket
        return False


def read_pool(values: Mapping[str, str], problems: list[str]) -> UserPool | None:
    """The user pool that the settings name, if they name one; its region is AWS_REGION's."""
    if "COGNITO_USER_POOL_ID" not in values:
        return None
    try:
        pool = UserPool.parse(values["COGNITO_USER_POOL_ID"])
    except SettingsError as error:
        problems += [f"COGNITO_USER_POOL_ID: {problem}" for problem in error.problems]
        return None
    if (region := values.get("AWS_REGION", pool.region)) != pool.region:
        problem = f"AWS_REGION is {region} and user pool {pool.id} is in {pool.region}"
        problems.append(f"{problem}; correct --region, AWS_REGION or COGNITO_USER_POOL_ID")
    return pool


Command = Callable[..., int]
AddOptions = Callable[[Command], Command]
PATH = click.Path(path_type=Path)
flag = partial(click.option, is_flag=True)
yes_option = flag("--yes", help="Do not ask; needed off a terminal.")
dry_run_option = flag("--dry-run", help="Show the changes; leave nothing behind.")
parameters_option = click.option(
    "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="Kept once given."
)
json_option = flag("--json", "as_json", help="Print one JSON object.")
_WHERE = {
    "profile": click.option("--profile", help="The AWS profile to use."),
    "region": click.option("--region", help="Must be the pool's; default: AWS_REGION."),
    "env_file": click.option("--env-file", type=PATH, help="One stage's settings."),
    "groups_file": click.option("--groups-file", type=PATH, help="The manifest."),
    "permissions_boundary": click.option("--permissions-boundary", help="Every role gets it."),
}


def gather(name: str, kind: Callable[..., Any], options: dict[str, Any]) -> AddOptions:
    """Add options by their field of `kind`; the command gets one `kind` of them, named `name`."""

    def add(command: Command) -> Command:
        @wraps(command)
        def wrapped(**given: Any) -> int:
            fields = {each: given.pop(each) for each in options}
            return command(**{name: kind(**fields)}, **given)

        for option in reversed(options.values()):
            wrapped = option(wrapped)
        return wrapped

    return add


def where(*names: str) -> AddOptions:
    """Add the named fields of `Options` as options; the command gets one `options`."""
    return gather("options", Options, {name: _WHERE[name] for name in names})


account_options = where("profile", "region", "env_file")
place_options = where("profile", "region", "env_file", "groups_file")
aws_options = where(*_WHERE)


class NoSecretArguments(click.Command):
    """A command that handles passwords or tokens: a surplus argument is not repeated."""

    allow_extra_args = True

    def invoke(self, ctx: click.Context) -> Any:
        if ctx.args:
            raise click.UsageError("one argument too many; secrets are never arguments", ctx)
        return super().invoke(ctx)


def of_infra(place: str) -> Any:
    """What infra/ of a generated project has at `infra.module:name`, imported only when needed.
    Raises ClickException where cognises is installed as a wheel, without that folder.
    """
    module, _, name = place.partition(":")
    try:
        return resolve_name(place)
    except (ModuleNotFoundError, AttributeError) as error:
        if error.name not in ("infra", module, name):
            raise
    file = f"{module.replace('.', '/')}.py"
    problem = f"there is no {file}; copy the folder infra/ of a generated project beside your app"
    raise click.ClickException(problem)


def say(line: str) -> None:
    """Print a line for people: not part of the output."""
    click.echo(printable(line), err=True)


def announce(aws: Aws) -> None:
    """Print account, region and caller, before a change."""
    found = aws.client("sts").get_caller_identity()
    say(f"account {found['Account']}, region {aws.region}, caller {found['Arn']}")


def require_terminal(options: str) -> None:
    """Raise ClickException, with the options to add, where no question can be asked."""
    if not sys.stdin.isatty():
        raise click.ClickException(f"there is no terminal to ask on; add {options}")


def confirm(question: str, *, yes: bool, aws: Aws | None = None) -> None:
    """Announce `aws`, and ask without `--yes`. Raises ClickException for no, and off a terminal."""
    if aws:
        announce(aws)
    if not yes:
        require_terminal("--yes")
        if not click.confirm(question, err=True):
            raise click.ClickException("nothing was changed")
