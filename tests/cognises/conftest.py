"""A pool of real keys for the whole run, a verifier on it, and apps that trust it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from forgeries import Forgery

from cognises import Cognises, Verifier
from cognises.testing import FakePool
from cognises.tokens.verifier import pool_key_set

MakeApp = Callable[..., Flask]
MakeVerifier = Callable[..., Verifier]


@pytest.fixture(scope="session")
def cognito(_session_pool: FakePool) -> FakePool:
    """The pool of the run. Tests that change its keys make one of their own."""
    return _session_pool


@pytest.fixture(scope="session")
def make_verifier(cognito: FakePool) -> MakeVerifier:
    """`make_verifier(token_use="access", scopes=…)`: a verifier on the pool, no network."""

    def make(pool: FakePool = cognito, **options: Any) -> Verifier:
        keys = pool_key_set(pool.user_pool, load=lambda kid: pool.jwks)
        options = {"token_use": "id", "key_set": keys} | options
        return Verifier(pool.id, [pool.client_id], **options)

    return make


@pytest.fixture(scope="session")
def verifier(make_verifier: MakeVerifier) -> Verifier:
    """Accepts ID and access tokens of the pool."""
    return make_verifier(token_use=["id", "access"])


@pytest.fixture
def make_app(tmp_path: Path, cognito: FakePool) -> MakeApp:
    """`make_app(views, manifest, extension=False, NAME="value")`: an app that trusts the pool.

    `views` gets the app to put routes on it; then come the guards, unless `extension` is False.
    """

    def make(
        views: Callable[[Flask], object] = lambda app: None,
        groups: list[dict[str, Any]] | None = None,
        *,
        extension: bool = True,
        **config: Any,
    ) -> Flask:
        if groups is not None:
            (tmp_path / "groups.json").write_text(json.dumps(groups))
        app = Flask("service", root_path=str(tmp_path))
        app.config.update(TESTING=True, **config)
        views(app)
        if extension:
            Cognises(app)
        cognito.attach(app)
        return app

    return make


@pytest.fixture(scope="session")
def forged(cognito: FakePool) -> Callable[[Forgery], Any]:
    """A forgery's token, made once a run: some of them need a key of their own."""
    return functools.cache(lambda forgery: forgery.build(cognito))
