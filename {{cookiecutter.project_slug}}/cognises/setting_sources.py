"""Deprecated names, for projects made from 0.1.0: use `cognises.read_settings`, and in tests
`cognises.testing.isolated`. Removed in 0.3.0."""

from cognises.settings.sources import NAMES as NAMES
from cognises.settings.sources import PROJECT_FOLDER as PROJECT_FOLDER
from cognises.settings.sources import read_values as read_values
