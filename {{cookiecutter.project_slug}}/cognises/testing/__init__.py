"""Test your routes with real signatures and no network. Not part of what is deployed.

    pool = FakePool()
    pool.attach(app)                      # app.config["TESTING"] must be set
    client.get("/data", headers=pool.bearer(groups=["viewers"]))

The pytest fixtures `pool` and `as_group` are in `cognises.testing.fixtures`. There is no switch
that turns authentication off.
"""

from __future__ import annotations

from cognises.testing.fake_pool import FakePool as FakePool
