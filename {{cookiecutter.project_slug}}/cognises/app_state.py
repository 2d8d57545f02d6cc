"""Deprecated name, for projects made from 0.1.0: use `cognises.settings_of`. Removed in 0.3.0."""

from types import SimpleNamespace

from flask import Flask

from cognises.web.state import settings_of


def state_of(app: Flask) -> SimpleNamespace:
    """The settings, where 0.1.0 had them. Raises SettingsError with every problem."""
    settings = settings_of(app)
    return SimpleNamespace(settings=settings, reading=(settings, []))
