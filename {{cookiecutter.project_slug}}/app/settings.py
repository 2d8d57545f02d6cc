"""Settings of your own. `cognises` reads and checks those of sign-in and groups."""

from __future__ import annotations

from cognises import read_settings

DEFAULTS = {
    "PROJECT_NAME": "Cognises Service",
    # An address to ask for access. The page for refused requests shows it when it is not empty.
    "PROJECT_CONTACT": "",
}


def read() -> dict[str, str]:
    """Your settings, from the environment, `.env`, `.flaskenv`, or the defaults, in that order."""
    return read_settings(DEFAULTS)
