"""Settings of your own. Those of sign-in and groups are read and checked by `cognises`."""

from __future__ import annotations

from cognises import read_settings

DEFAULTS = {"PROJECT_NAME": "Cognises Service"}


def read() -> dict[str, str]:
    """Your settings from the environment, `.env` and `.flaskenv`, in that order."""
    return read_settings(DEFAULTS)
