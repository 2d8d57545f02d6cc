"""Test your routes with real signatures and no network. Not part of what is deployed.

    app = create_app(isolated())          # no settings but those that the test gives
    pool = FakePool()
    pool.attach(app)                      # refused unless app.config["TESTING"] is set
    client.get("/data", headers=pool.bearer(groups=["viewers"]))

The pytest fixtures are in `cognises.testing.fixtures`. There is no switch that turns
authentication off.
"""

from __future__ import annotations

from collections.abc import Callable

from flask.testing import FlaskClient

from cognises.settings.sources import NAMES
from cognises.testing.fake_pool import FakePool

__all__ = ["AsGroup", "AsUserOf", "FakePool", "isolated"]

AsGroup = Callable[..., FlaskClient]
"""The type of the fixture `as_group`."""

AsUserOf = Callable[[str], FlaskClient]
"""The type of the fixture `as_user_of`."""


def isolated(**config: object) -> dict[str, object]:
    """The configuration of an app under test: TESTING, and the settings given.

    All others are unset, whatever the environment and the env files say, except the manifest's
    path.
    """
    unset = {name: "" for name in NAMES if name != "COGNISES_GROUPS_FILE"}
    return {**unset, "TESTING": True, **config}
