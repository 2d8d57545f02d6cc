"""Tests run on settings of their own: none come from the environment or a developer's `.env`."""

from __future__ import annotations

import os

pytest_plugins = ["cognises.testing.fixtures"]

for name in list(os.environ):
    if name.startswith(("AWS_", "COGNITO_", "COGNISES_", "FLASK_")):
        del os.environ[name]
