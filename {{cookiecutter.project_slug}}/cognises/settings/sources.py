"""Where settings are read, in order: `app.config`, the environment, `.env`, `.flaskenv`.

The two files are read beside `wsgi.py` only: no upward search, no interpolation.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from cognises.errors import SettingsError, printable

PROJECT_FOLDER = Path(__file__).resolve().parents[2]

NAMES = (
    "AWS_REGION", "AWS_ENDPOINT_URL", "COGNITO_USER_POOL_ID", "COGNITO_CLIENT_ID",
    "COGNITO_CLIENT_SECRET", "COGNITO_TOKEN_USE", "COGNITO_GROUPS_CLAIM", "COGNITO_AUDIENCE",
    "COGNITO_IDENTITY_POOL_ID", "COGNITO_ADDITIONAL_REGIONS", "COGNITO_JWKS_FILE",
    "COGNITO_JWKS_URL", "COGNITO_ISSUER", "COGNITO_DOMAIN", "COGNITO_SCOPES",
    "COGNITO_COOKIE_NAME", "COGNISES_LOCAL", "COGNISES_PUBLIC_URL", "COGNISES_REALM",
    "COGNISES_GROUPS_FILE", "COGNISES_ROLE_PREFIX", "COGNISES_ROLE_PATH",
    "COGNISES_PERMISSIONS_BOUNDARY", "COGNISES_TOKEN_CACHE_SIZE", "COGNISES_LOG_FORMAT",
    "COGNISES_LOG_LEVEL", "COGNISES_BEHIND_PROXY", "COGNISES_CORS_ORIGINS",
    "COGNISES_MAX_BODY_BYTES", "COGNISES_METRICS_ADDRESS",
)  # fmt: skip

_PREFIXES = ("COGNITO_", "COGNISES_")

# .flaskenv is committed: it must not move a trust root, open the debugger or hold a secret.
NEVER_COMMITTED = (
    "COGNITO_CLIENT_SECRET", "COGNISES_LOCAL", "COGNITO_JWKS_URL", "COGNITO_JWKS_FILE",
    "COGNITO_ISSUER", "AWS_ENDPOINT_URL", "FLASK_DEBUG",
)  # fmt: skip


class Sources(NamedTuple):
    values: dict[str, str]
    problems: list[str]
    given: frozenset[str]
    warnings: tuple[str, ...]


def read_settings(defaults: Mapping[str, str], folder: Path = PROJECT_FOLDER) -> dict[str, str]:
    """Settings of your own, by name: from the environment, `.env`, `.flaskenv`, else `defaults`.

    `folder` is the folder of `wsgi.py`. Raises SettingsError where an env file is wrong.
    """
    return {**defaults, **read_values(folder, names=defaults)}


def read_values(
    folder: Path, config: Mapping[str, object] | None = None, names: Iterable[str] = NAMES
) -> dict[str, str]:
    """The settings in force as text, by name; unset and empty ones are left out.

    `folder` is the folder of `wsgi.py`. Raises SettingsError where an env file holds what it must
    not, or a configured value is not text.
    """
    found = gather(folder, config, names)
    if found.problems:
        raise SettingsError(found.problems)
    return found.values


def gather(folder: Path, config: Mapping[str, object] | None, names: Iterable[str]) -> Sources:
    """The values of `names`, and everything that is wrong with the sources."""
    problems: list[str] = []
    committed = _env_file(folder / ".flaskenv", problems)
    private = _env_file(folder / ".env", problems)
    problems += _env_file_problems(folder, committed, private)
    layers: list[Mapping[str, object]] = [committed, private, os.environ, config or {}]
    values: dict[str, str | None] = {}
    for name in names:
        found = [layer[name] for layer in layers if layer.get(name) is not None]
        values[name] = _as_text(found[-1]) if found else ""
    unread = [name for name, text in values.items() if text is None]
    problems += [f"{name}: must be text (or a list of texts)" for name in unread]
    texts = {name: text for name, text in values.items() if text}
    return Sources(texts, problems, frozenset({*texts, *unread}), _unknown_names(layers))


def _unknown_names(layers: Iterable[Mapping[str, object]]) -> tuple[str, ...]:
    found = {str(name) for layer in layers for name in layer if str(name).startswith(_PREFIXES)}
    unknown = sorted(found - {*NAMES, "COGNISES_VERIFY"})
    close = {name: get_close_matches(name[:100], NAMES, n=1) for name in unknown}
    return tuple(
        f"{printable(name[:100])}: unknown setting, ignored; "
        + (f"did you mean {close[name][0]}?" if close[name] else "docs/settings.md lists all")
        for name in unknown
    )


def _env_file(path: Path, problems: list[str]) -> Mapping[str, str | None]:
    if not path.is_file():
        return {}  # a deployed service has none, and does not import python-dotenv
    state = path.stat()
    try:
        return _parse_env_file(path, state.st_mtime_ns, state.st_size, state.st_ino)
    except UnicodeDecodeError:
        problems.append(f"{path.name}: must be UTF-8; save it so")
        return {}


@lru_cache(maxsize=4)
def _parse_env_file(path: Path, *version: int) -> Mapping[str, str | None]:
    """A file is opened once, whoever reads settings: the app's own, and those of this package."""
    from dotenv import dotenv_values

    return dotenv_values(path, interpolate=False)


def _env_file_problems(
    folder: Path, committed: Mapping[str, object], private: Mapping[str, object]
) -> list[str]:
    unfilled = [
        f"{file}: {name}: values are taken as written, ${{…}} is not filled in"
        for file, values in ((".flaskenv", committed), (".env", private))
        for name in NAMES
        if "${" in str(values.get(name))
    ]
    return [
        *(
            f".flaskenv: {name} must not be committed; set it in .env or the environment"
            for name in committed
            if name in NEVER_COMMITTED or name.startswith("AWS_ENDPOINT_URL_")
        ),
        *unfilled,
        *_stray_env_files(folder),
    ]


def _stray_env_files(folder: Path) -> list[str]:
    """Flask's command line looks upward for env files and puts them into the environment."""
    if os.environ.get("FLASK_RUN_FROM_CLI") != "true" or os.environ.get("FLASK_SKIP_DOTENV"):
        return []
    from dotenv import find_dotenv

    found = (
        Path(find_dotenv(name, usecwd=True) or folder / name) for name in (".env", ".flaskenv")
    )
    return [
        f"{path.name}: flask has read one above the project; remove it or set FLASK_SKIP_DOTENV=1"
        for path in found
        if path.resolve().parent != folder.resolve()
    ]


def _as_text(value: object) -> str | None:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (list, tuple, set, frozenset)):
        return ",".join(value) if all(isinstance(item, str) for item in value) else None
    return str(value).strip() if isinstance(value, (str, int, Path)) else None


def project_folder(root_path: str) -> Path:
    """The folder of `wsgi.py`, from a Flask app's root path: above the app's package, if any."""
    folder = Path(root_path).resolve()
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder
