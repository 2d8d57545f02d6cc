"""Deprecated name, for projects made from 0.1.0: use `cognises.settings_of`. Removed in 0.3.0."""

from __future__ import annotations

from typing import NamedTuple

from flask import Flask

from cognises.settings.model import Settings
from cognises.web.state import settings_of


class _State(NamedTuple):
    settings: Settings
    reading: tuple[Settings, list[str]]


def state_of(app: Flask) -> _State:
    """The settings, where 0.1.0 had them. Raises SettingsError with every problem."""
    settings = settings_of(app)
    return _State(settings, (settings, []))
