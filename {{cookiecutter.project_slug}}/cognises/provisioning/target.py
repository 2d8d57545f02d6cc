"""What the command line works on: settings and options, checked together."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

import click
from dotenv import dotenv_values
from dotenv.parser import parse_stream

from cognises.errors import SettingsError
from cognises.provisioning.aws import ENDPOINT_VARIABLES, GENERAL_ENDPOINT, IGNORE_ENDPOINTS, Aws
from cognises.provisioning.names import DEFAULT_ROLE_PREFIX
from cognises.settings.sources import NAMES, PROJECT_FOLDER, read_values
from cognises.settings.values import IDENTITY_POOL_ID, ROLE_PATH
from cognises.user_pool import UserPool

BOUNDARY_ARN = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]{1,512}", re.ASCII)
ROLE_PREFIX = re.compile(r"[\w+=,.@-]{0,63}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9.-]+|[0-9a-f:]+")

# botocore's own variables that `.env` may hold, too.
ENDPOINTS = (GENERAL_ENDPOINT, *ENDPOINT_VARIABLES.values())
AWS_NAMES = ("AWS_PROFILE", IGNORE_ENDPOINTS, *ENDPOINTS)

# What bootstrap writes for a stage. With `--env-file`, these are not taken from `.env`, which
# may be another stage's.
OF_A_STAGE = (
    "COGNITO_USER_POOL_ID",
    "COGNITO_CLIENT_ID",
    "COGNITO_IDENTITY_POOL_ID",
    "COGNITO_DOMAIN",
    "COGNISES_PERMISSIONS_BOUNDARY",
    "COGNISES_PUBLIC_URL",
)


@dataclass(frozen=True)
class Options:
    """The options of the command line that say where to work; None where not given."""

    profile: str | None = None
    region: str | None = None
    env_file: Path | None = None
    permissions_boundary: str | None = None
    groups_file: Path | None = None


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
        """The region that the identity pool's id names."""
        return (self.identity_pool_id or self.pool.region).partition(":")[0]


def settings_values(options: Options) -> dict[str, str]:
    """Raw settings: options, the environment, `--env-file`, `.env`, `.flaskenv`, in this order.

    With `--env-file`, those of `OF_A_STAGE` are not taken from `.env`. Raises SettingsError for
    a file that cannot be read or holds what it must not.
    """
    values = read_values(PROJECT_FOLDER, names=(*NAMES, *AWS_NAMES))
    if options.env_file:
        named = read_env_file(options.env_file)
        for name in filter(_may_set, OF_A_STAGE):
            values.pop(name, None)
            committed = _committed(name)
            if committed:
                values[name] = committed
        values |= {name: value for name, value in named.items() if value and _may_set(name)}
    if options.region:
        values["AWS_REGION"] = options.region
    if options.permissions_boundary:
        values["COGNISES_PERMISSIONS_BOUNDARY"] = options.permissions_boundary
    return values


def read_env_file(path: Path) -> dict[str, str | None]:
    """The names and values of `--env-file`. Raises SettingsError, also for a malformed line.

    Such a line may be a misspelt prefix or pool, and the run would change another stage.
    """
    if not path.is_file():
        raise SettingsError([f"--env-file {path}: there is no such file"])
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError([f"--env-file {path}: must be UTF-8; save it as UTF-8"]) from None
    malformed = [each.original.line for each in parse_stream(StringIO(text)) if each.error]
    if malformed:
        raise SettingsError(
            [f"--env-file {path}: line {line}: write NAME=value" for line in malformed]
        )
    return dotenv_values(stream=StringIO(text), interpolate=False)


def forget_env_files() -> None:
    """Take out of the environment what flask's command line has put there from the env files.

    Otherwise `.env` would stand above `--env-file`, and the run could change another stage.
    """
    for name in (".env", ".flaskenv"):
        path = PROJECT_FOLDER / name
        for key, value in dotenv_values(path).items() if path.is_file() else ():
            if value is not None and os.environ.get(key) == value:
                del os.environ[key]


def read_target(options: Options) -> Target:
    """The checked target. Raises SettingsError with every problem at once."""
    values = settings_values(options)
    problems: list[str] = []
    pool = _pool(values, problems)
    problems += shape_problems(values)
    if problems or pool is None:
        raise SettingsError([f"error: {problem}" for problem in problems])
    return Target(
        pool=pool,
        groups_file=groups_file(options, values),
        role_prefix=values.get("COGNISES_ROLE_PREFIX", DEFAULT_ROLE_PREFIX),
        identity_pool_id=values.get("COGNITO_IDENTITY_POOL_ID"),
        boundary=values.get("COGNISES_PERMISSIONS_BOUNDARY"),
        role_path=values.get("COGNISES_ROLE_PATH", "/"),
        aws=aws_of(options, values, pool.region),
    )


def aws_of(options: Options, values: Mapping[str, str], region: str) -> Aws:
    """The AWS session for options and raw settings; nothing is read or sent yet.

    AWS_PROFILE of `.env` is used as if it were exported, so exported access keys win over it.
    """
    files = {
        name: values[name] for name in AWS_NAMES if name in values and not os.environ.get(name)
    }
    profile = options.profile or files.get("AWS_PROFILE")
    if profile and not options.profile and os.environ.get("AWS_ACCESS_KEY_ID"):
        click.echo(
            f"note: AWS_ACCESS_KEY_ID is exported and is used instead of AWS_PROFILE={profile} of "
            ".env; to use the profile, unset AWS_ACCESS_KEY_ID or pass --profile",
            err=True,
        )
        profile = None
    return Aws(region, profile=profile, env_file=files)


def groups_file(options: Options, values: Mapping[str, str]) -> Path:
    """The manifest: as named on the command line, else by the setting, beside wsgi.py."""
    return options.groups_file or PROJECT_FOLDER / values.get("COGNISES_GROUPS_FILE", "groups.json")


_SHAPES = (
    ("COGNITO_IDENTITY_POOL_ID", IDENTITY_POOL_ID, "us-east-1:01234567-89ab-…"),
    ("COGNISES_PERMISSIONS_BOUNDARY", BOUNDARY_ARN, "arn:aws:iam::123456789012:policy/name"),
    ("COGNISES_ROLE_PATH", ROLE_PATH, "/service/ (it starts and ends with a slash)"),
    ("COGNISES_ROLE_PREFIX", ROLE_PREFIX, "my-service- (letters, digits and _+=,.@-)"),
)


def shape_problems(values: Mapping[str, str]) -> list[str]:
    """What is wrong with the form of settings that provisioning alone reads."""
    problems = [
        f"{name}: {values[name]!r} is not of the form {example}"
        for name, pattern, example in _SHAPES
        if name in values and not pattern.fullmatch(values[name])
    ]
    problems += [
        f"{name}: is not of the form http://127.0.0.1:5000; unset it for AWS"
        for name in ENDPOINTS
        if name in values and not _is_address(values[name])
    ]
    return problems


def _is_address(text: str) -> bool:
    try:
        url = urlsplit(text)
        return (
            url.scheme in ("http", "https")
            and url.port != 0
            and bool(_HOST.fullmatch(url.hostname or ""))
        )
    except ValueError:  # a port out of range, an open bracket
        return False


def _committed(name: str) -> str | None:
    """A setting of `.flaskenv`, which every stage shares."""
    path = PROJECT_FOLDER / ".flaskenv"
    return dotenv_values(path, interpolate=False).get(name) if path.is_file() else None


def _may_set(name: str) -> bool:
    return name in (*NAMES, *AWS_NAMES) and os.environ.get(name) is None


def _pool(values: Mapping[str, str], problems: list[str]) -> UserPool | None:
    pool_id = values.get("COGNITO_USER_POOL_ID")
    if pool_id is None:
        problems.append(
            "COGNITO_USER_POOL_ID is not set; put the pool's id into .env, or run "
            "`provision.py bootstrap`, which creates a pool"
        )
        return None
    try:
        pool = UserPool.parse(pool_id)
    except SettingsError as error:
        problems += [f"COGNITO_USER_POOL_ID: {problem}" for problem in error.problems]
        return None
    region = values.get("AWS_REGION", pool.region)
    if region != pool.region:
        problems.append(
            f"AWS_REGION is {region} and user pool {pool.id} is in {pool.region}; correct "
            "whichever is wrong (--region, AWS_REGION or COGNITO_USER_POOL_ID)"
        )
    return pool
