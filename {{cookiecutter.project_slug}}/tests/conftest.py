"""The whole suite runs on no settings but its own, and reaches no address but loopback."""

from __future__ import annotations

import os

from hypothesis import settings as hypothesis_settings

from cognises.settings import DEPLOYED_MARKERS, NAMES

pytest_plugins = ["cognises.testing.fixtures"]

for name in (*NAMES, *DEPLOYED_MARKERS, "FLASK_DEBUG", "FLASK_RUN_FROM_CLI", "FLASK_SKIP_DOTENV"):
    os.environ.pop(name, None)

# No example database in the project, and no failure because a machine was slow.
hypothesis_settings.register_profile(
    "suite", database=None, deadline=None, max_examples=60, derandomize=False
)
hypothesis_settings.load_profile("suite")
