"""One small app for each way to guard a view; all of them answer the same two bytes."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask, abort, request
from flask_cognito import CognitoAuth, cognito_auth_required, cognito_check_groups
from flask_jwt_extended import JWTManager, get_jwt, jwt_required

from cognises import Cognises, Verifier, login_check, permission_required, public
from cognises.testing import FakePool
from cognises.tokens.verifier import pool_key_set

from .peers import Verify

GROUP = "editors"


def manifest(groups: int) -> list[dict[str, Any]]:
    """A manifest of that many groups; one of them lists the view."""
    statement = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    names = [GROUP, *(f"group{number}" for number in range(groups - 1))]
    return [
        {"group_name": name, "group_policy": policy, "allowed_functions": [view]}
        for name, view in zip(names, ["view", *(f"view{n}" for n in range(groups))], strict=False)
    ]


def verifier(pool: FakePool) -> Verifier:
    """Ours without an app."""
    keys = pool_key_set(pool.user_pool, load=lambda kid: pool.jwks)
    return Verifier(pool.id, pool.client_id, token_use="id", key_set=keys)


def unguarded() -> Flask:
    app = Flask("unguarded")
    app.add_url_rule("/", view_func=public(lambda: "ok"), endpoint="view")
    return app


def decorated(pool: FakePool, groups: int = 3) -> Flask:
    """`login_check` and `permission_required`, which enforce by themselves."""
    app = Flask("decorated")
    app.testing = True

    @app.get("/")
    @login_check
    @permission_required(manifest(groups))
    def view(response: object) -> str:
        return "ok"

    pool.attach(app)
    return app


def guarded(pool: FakePool) -> Flask:
    """The same under `Cognises(app)`."""
    app = decorated(pool)
    Cognises(app)
    return app


def flask_jwt_extended(pool: FakePool) -> Flask:
    """Guarded by Flask-JWT-Extended; it takes one key, and no key set."""
    app = Flask("flask_jwt_extended")
    app.config.update(
        JWT_ALGORITHM="RS256",
        JWT_PUBLIC_KEY=pool.keys[0]
        .private.public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        .decode(),
        JWT_DECODE_AUDIENCE=pool.client_id,
        JWT_DECODE_ISSUER=pool.issuer,
    )
    JWTManager(app)

    @app.get("/")
    @jwt_required()
    def view() -> str:
        if GROUP not in get_jwt()["cognito:groups"]:
            abort(403)
        return "ok"

    return app


def flask_cognito(pool: FakePool, url: str) -> Flask:
    """Guarded by Flask-Cognito; the library below it reads other keys from its environment."""
    os.environ["AWS_COGNITO_JWKS_PATH"] = url
    app = Flask("flask_cognito")
    app.config.update(
        COGNITO_REGION=pool.user_pool.region,
        COGNITO_USERPOOL_ID=pool.id,
        COGNITO_APP_CLIENT_ID=pool.client_id,
    )
    CognitoAuth(app)

    @app.get("/")
    @cognito_auth_required
    @cognito_check_groups([GROUP])
    def view() -> str:
        return "ok"

    return app


def bare(call: Callable[[], object]) -> Flask:
    """A view that does nothing but `call`: the floor for every verification in a request."""
    app = Flask("bare")

    def view() -> str:
        call()
        return "ok"

    app.add_url_rule("/", view_func=view)
    return app


def by_hand(verify: Verify) -> Flask:
    """A hand-made decorator over another library, with the group check everybody writes."""
    app = Flask("by_hand")

    def guard(view: Callable[[], str]) -> Callable[[], str]:
        @functools.wraps(view)
        def wrapper() -> str:
            claims = verify(request.headers["Authorization"].removeprefix("Bearer "))
            if GROUP not in claims.get("cognito:groups", ()):
                abort(403)
            return view()

        return wrapper

    app.add_url_rule("/", view_func=guard(lambda: "ok"), endpoint="view")
    return app
