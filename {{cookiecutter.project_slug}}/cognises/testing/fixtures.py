"""Pytest fixtures for your own routes. In conftest.py:

    pytest_plugins = ["cognises.testing.fixtures"]

They need a fixture `app` of yours that returns a Flask app with `TESTING` set.
"""

import sys
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cognises.manifest import load_groups
from cognises.testing import AsGroup, AsUserOf, FakePool
from cognises.web.state import settings_of


@pytest.fixture(scope="session")
def _session_pool() -> FakePool:
    return FakePool()  # one a run: RSA keys are slow to make


@pytest.fixture
def pool(app: Flask, _session_pool: FakePool) -> FakePool:
    """A FakePool that `app` trusts."""
    return _session_pool.attach(app)


@pytest.fixture
def as_group(app: Flask, pool: FakePool) -> AsGroup:
    """`as_group("editors")` is a test client signed in as a user of those groups.

    In a test under moto's `mock_aws` the user has AWS credentials; moto lets them do everything.
    """

    def client_of(*groups: str, **claims: Any) -> FlaskClient:
        if "moto" in sys.modules:
            from moto.cognitoidentity.models import cognitoidentity_backends
            from moto.core.models import DEFAULT_ACCOUNT_ID

            known = cognitoidentity_backends[DEFAULT_ACCOUNT_ID][pool.region].pools_identities
            known.setdefault(pool.identity_pool_id, {"Identities": []})
        client = app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {pool.token(groups, **claims)}"
        return client

    return client_of


@pytest.fixture
def as_user_of(app: Flask, as_group: AsGroup) -> AsUserOf:
    """`as_user_of("view_data")` signs in to the first group that lists it; fails without one."""

    def client_of(function: str, **claims: Any) -> FlaskClient:
        for group in load_groups(settings_of(app).groups_file):
            if function in group.allowed_functions:
                return as_group(group.name, **claims)
        pytest.fail(f"no group of groups.json lists {function!r} in its allowed_functions")

    return client_of
