"""`--env-file`: the settings of one stage, read more strictly than `.env`."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from cognises.errors import SettingsError


def read_env_file(path: Path) -> dict[str, str | None]:
    """Its names and values. Raises SettingsError, for a line that is no setting too.

    Such a line may be a prefix or a pool misspelt, and the run would go to another stage.
    """
    if not path.is_file():
        raise SettingsError([f"--env-file {path}: there is no such file"])
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError([f"--env-file {path}: must be UTF-8; save it so"]) from None
    odd = [each.original.line for each in parse_stream(StringIO(text)) if each.error]
    if odd:
        raise SettingsError([f"--env-file {path}: line {line}: write NAME=value" for line in odd])
    return dotenv_values(stream=StringIO(text), interpolate=False)
