"""Where settings are read, in order: `app.config`, the environment, `.env`, `.flaskenv`.

The two files are read beside `wsgi.py` only: no upward search, no interpolation.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

from cognises.errors import SettingsError, printable
from cognises.settings import model

PROJECT_FOLDER = Path(__file__).resolve().parents[2]
# The settings of the service, and those of provisioning alone.
NAMES = (
    *model.NAMES, "AWS_REGION", "AWS_ENDPOINT_URL", "COGNISES_ROLE_PREFIX", "COGNISES_ROLE_PATH",
    "COGNISES_PERMISSIONS_BOUNDARY",
)  # fmt: skip
# .flaskenv is committed: it must not move a trust root, open the debugger or hold a secret.
NEVER_COMMITTED = (
    "COGNITO_CLIENT_SECRET", "COGNISES_LOCAL", "COGNITO_JWKS_URL", "COGNITO_JWKS_FILE",
    "COGNITO_ISSUER", "AWS_ENDPOINT_URL", "FLASK_DEBUG",
)  # fmt: skip


def read_settings(defaults: Mapping[str, str], folder: Path = PROJECT_FOLDER) -> dict[str, str]:
    """Settings of your own, by name: from the environment, `.env`, `.flaskenv`, else `defaults`.
    `folder` is the folder of `wsgi.py`. Raises SettingsError where an env file is wrong.
    """
    return {**defaults, **read_values(folder, names=defaults)}


def read_values(
    folder: Path, config: Mapping[str, object] | None = None, names: Iterable[str] = NAMES
) -> dict[str, str]:
    """The settings in force as text, by name; unset and empty ones are left out.
    Raises SettingsError where an env file holds what it must not, or a configured value is no text.
    """
    values, problems, _ = _gather(folder, config or {}, names)
    if problems:
        raise SettingsError(problems)
    return {name: text for name, text in values.items() if text}


def read(folder: Path, config: Mapping[str, object]) -> tuple[model.Settings, list[str]]:
    """The settings of an app, with defaults for those that are wrong, and everything wrong."""
    values, problems, written = _gather(folder, config, NAMES)
    settings, wrong = model.check(folder, {name: text for name, text in values.items() if text})
    warnings = []
    for name in sorted(written - {*NAMES, "COGNISES_VERIFY"}):
        if name.startswith(("COGNITO_", "COGNISES_")):
            close = get_close_matches(name[:100], NAMES, n=1)
            advice = f"did you mean {close[0]}?" if close else "docs/settings.md lists all"
            warnings.append(f"{printable(name[:100])}: unknown setting, ignored; {advice}")
    given = frozenset(name for name, text in values.items() if text != "")
    return replace(settings, given=given, warnings=tuple(warnings)), problems + wrong


def _gather(
    folder: Path, config: Mapping[str, object], names: Iterable[str]
) -> tuple[dict[str, str | None], list[str], set[str]]:
    """The values of `names` (None: not text), what is wrong, and every name that is written."""
    problems: list[str] = []
    committed = _env_file(folder / ".flaskenv", problems)
    private = _env_file(folder / ".env", problems)
    problems += _env_file_problems(folder, committed, private)
    layers: list[Mapping[str, object]] = [committed, private, os.environ, config]
    values: dict[str, str | None] = {}
    for name in names:
        found = [layer[name] for layer in layers if layer.get(name) is not None]
        values[name] = _as_text(found[-1]) if found else ""
        if values[name] is None:
            problems.append(f"{name}: must be text (or a list of texts)")
    return values, problems, {str(name) for layer in layers for name in layer}


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
    """Open a file once for all who read settings: the app's own, and those of this package."""
    from dotenv import dotenv_values

    return dotenv_values(path, interpolate=False)


def _env_file_problems(
    folder: Path, committed: Mapping[str, object], private: Mapping[str, object]
) -> list[str]:
    problems = [f".flaskenv: {name} must not be committed; set it in .env or the environment"
                for name in committed
                if name in NEVER_COMMITTED or name.startswith("AWS_ENDPOINT_URL_")]  # fmt: skip
    problems += [f"{file}: {name}: values are taken as written, ${{…}} is not filled in"
                 for file, values in ((".flaskenv", committed), (".env", private))
                 for name in NAMES if "${" in str(values.get(name))]  # fmt: skip
    # Flask's command line looks upward for env files and puts them into the environment.
    if os.environ.get("FLASK_RUN_FROM_CLI") == "true" and not os.environ.get("FLASK_SKIP_DOTENV"):
        from dotenv import find_dotenv

        problems += [
            f"{name}: flask has read one above the project; remove it or set FLASK_SKIP_DOTENV=1"
            for name in (".env", ".flaskenv")
            if (path := find_dotenv(name, usecwd=True))
            and Path(path).resolve().parent != folder.resolve()
        ]
    return problems


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
