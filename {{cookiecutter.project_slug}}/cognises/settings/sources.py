"""Where settings are read, in order: `app.config`, the environment, `.env`, `.flaskenv`.

The two files are read beside `wsgi.py` only, without looking upward and without interpolation.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from cognises.errors import SettingsError

PROJECT_FOLDER = Path(__file__).resolve().parents[2]

NAMES = (
    "AWS_REGION",
    "AWS_ENDPOINT_URL",
    "COGNITO_USER_POOL_ID",
    "COGNITO_CLIENT_ID",
    "COGNITO_TOKEN_USE",
    "COGNITO_AUDIENCE",
    "COGNITO_IDENTITY_POOL_ID",
    "COGNITO_ADDITIONAL_REGIONS",
    "COGNITO_JWKS_FILE",
    "COGNITO_JWKS_URL",
    "COGNITO_ISSUER",
    "COGNITO_DOMAIN",
    "COGNITO_COOKIE_NAME",
    "COGNISES_LOCAL",
    "COGNISES_PUBLIC_URL",
    "COGNISES_REALM",
    "COGNISES_GROUPS_FILE",
    "COGNISES_ROLE_PREFIX",
    "COGNISES_PERMISSIONS_BOUNDARY",
    "COGNISES_TOKEN_CACHE_SIZE",
    "COGNISES_LOG_FORMAT",
    "COGNISES_LOG_LEVEL",
    "COGNISES_BEHIND_PROXY",
    "COGNISES_CORS_ORIGINS",
    "COGNISES_MAX_BODY_BYTES",
    "COGNISES_METRICS_ADDRESS",
)

# .flaskenv is committed: nothing in it may move a trust root or open the debugger.
NEVER_COMMITTED = (
    "COGNISES_LOCAL",
    "COGNITO_JWKS_URL",
    "COGNITO_JWKS_FILE",
    "COGNITO_ISSUER",
    "AWS_ENDPOINT_URL",
    "FLASK_DEBUG",
)


def read_values(
    folder: Path, config: Mapping[str, object] | None = None, names: Iterable[str] = NAMES
) -> dict[str, str]:
    """The settings in force as text, by name; unset and empty ones are left out.

    `folder` is where `wsgi.py` lies; `names` are those asked for. Raises SettingsError where an
    env file holds what it must not, or a configured value is no text.
    """
    values, problems, _ = gather(folder, config, names)
    if problems:
        raise SettingsError(problems)
    return values


def gather(
    folder: Path, config: Mapping[str, object] | None, names: Iterable[str]
) -> tuple[dict[str, str], list[str], frozenset[str]]:
    """The values, what is wrong with them, and the names of all that were set."""
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
    return texts, problems, frozenset({*texts, *unread})


def _env_file(path: Path, problems: list[str]) -> dict[str, str | None]:
    if not path.is_file():
        return {}  # as where it is deployed: what reads such files is not even imported
    from dotenv import dotenv_values

    try:
        return dotenv_values(path, interpolate=False)
    except UnicodeDecodeError:
        problems.append(f"{path.name}: must be UTF-8; save it so")
        return {}


def _env_file_problems(
    folder: Path, committed: Mapping[str, object], private: Mapping[str, object]
) -> list[str]:
    problems = [
        f".flaskenv: {name} must not be committed; set it in .env or the environment"
        for name in NEVER_COMMITTED
        if name in committed
    ]
    for file, values in ((".flaskenv", committed), (".env", private)):
        problems += [
            f"{file}: {name}: values are taken as written, ${{…}} is not filled in"
            for name in NAMES
            if "${" in str(values.get(name))
        ]
    return problems + _stray_env_files(folder)


def _stray_env_files(folder: Path) -> list[str]:
    """Flask's command line looks upward for env files and puts them into the environment."""
    if os.environ.get("FLASK_RUN_FROM_CLI") != "true" or os.environ.get("FLASK_SKIP_DOTENV"):
        return []
    from dotenv import find_dotenv

    names = (".env", ".flaskenv")
    found = (Path(find_dotenv(name, usecwd=True) or folder / name) for name in names)
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
