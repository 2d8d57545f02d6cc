"""Settings of your own. `cognises` reads and checks those of sign-in and groups."""

from __future__ import annotations

from cognises import read_settings

DEFAULTS = {
    "PROJECT_NAME": "Cognises Service",
    # Whom a user asks for access: shown on the page for closed routes, where it is not empty.
    "PROJECT_CONTACT": "",
}


def read() -> dict[str, str]:
    """Your settings, from the environment, `.env`, `.flaskenv`, or the defaults, in that order."""
    return read_settings(DEFAULTS)
