"""Settings of your own. Those of sign-in and groups are read and checked by `cognises`."""

from __future__ import annotations

from cognises.settings.sources import PROJECT_FOLDER, read_values

DEFAULTS = {"PROJECT_NAME": "Cognises Service"}


def read() -> dict[str, str]:
    """Your settings from the environment, `.env` and `.flaskenv`, in that order."""
    return DEFAULTS | read_values(PROJECT_FOLDER, names=DEFAULTS)
