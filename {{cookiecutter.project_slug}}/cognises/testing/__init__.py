"""Test your routes with real signatures and no network. Not part of what is deployed.

    app = create_app(isolated())          # no settings but those that the test gives
    pool = FakePool()
    pool.attach(app)                      # refused unless app.config["TESTING"] is set
    client.get("/data", headers=pool.bearer(groups=["viewers"]))

`cognises.testing.fixtures` holds pytest fixtures. No switch turns authentication off.
"""

import json
import os
import time
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from flask import Flask
from flask.testing import FlaskClient

from cognises.settings.model import DEPLOYED_MARKERS
from cognises.settings.sources import NAMES
from cognises.tokens.jws import encode_segment as base64url
from cognises.user_pool import UserPool
from cognises.web.state import state_of

__all__ = ["AsGroup", "AsUserOf", "FakePool", "isolated"]
AsGroup = Callable[..., FlaskClient]  # the type of the fixture `as_group`
AsUserOf = Callable[..., FlaskClient]  # the type of the fixture `as_user_of`
Groups = Iterable[str] | None
Header = Mapping[str, object] | None
_SOCIAL_PROVIDERS = ("Facebook", "Google", "LoginWithAmazon", "SignInWithApple")


def isolated(**config: object) -> dict[str, object]:
    """The configuration of an app under test: TESTING, the settings given, the manifest's path.
    All others are unset, whatever the environment and the env files say.
    """
    unset = {name: "" for name in NAMES if name != "COGNISES_GROUPS_FILE"}
    return {**unset, "TESTING": True, **config}


def number(value: int) -> str:
    """An unsigned integer as a JWK writes it (RFC 7518 section 6.3.1)."""
    return base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def encode(value: object) -> str:
    """A token segment as Cognito writes it: compact JSON with escaped slashes."""
    return base64url(json.dumps(value, separators=(",", ":")).replace("/", "\\/").encode())


class SigningKey:
    """One RSA key, made in this process and never written to disk."""

    def __init__(self, kid: str | None = None, *, bits: int = 2048, exponent: int = 65537) -> None:
        self.private = rsa.generate_private_key(exponent, bits)
        # Cognito's key ids are 44 characters of standard base64.
        self.kid = kid or b64encode(os.urandom(32)).decode()

    @property
    def jwk(self) -> dict[str, str]:
        """The public half as a JWK (RFC 7517)."""
        numbers = self.private.public_key().public_numbers()
        return {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": self.kid,
                "n": number(numbers.n), "e": number(numbers.e)}  # fmt: skip

    def sign(self, signed: str) -> str:
        """The RS256 signature segment over a signing input."""
        return base64url(self.private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))


class FakePool:
    """A user pool for tests. The first of its `keys` signs. Pools never share a key."""

    def __init__(
        self, pool_id: str = "us-east-1_FakePool1", client_id: str = "fakeclient0123456789"
    ) -> None:
        self.user_pool = UserPool.parse(pool_id)
        self.id, self.client_id = pool_id, client_id
        self.identity_pool_id = f"{self.user_pool.region}:{uuid.UUID(int=0)}"  # enough for moto
        self.region, self.issuer = self.user_pool.region, self.user_pool.issuers[0]
        self.keys = [SigningKey(), SigningKey()]

    @property
    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The key set as the pool publishes it."""
        return {"keys": [key.jwk for key in self.keys]}

    def attach(self, app: Flask, *, own: bool = True) -> "FakePool":
        """Make an app under test trust this pool, as its own or as one that a route names."""
        if app.testing is not True or any(os.environ.get(name) for name in DEPLOYED_MARKERS):
            raise RuntimeError('FakePool attaches to an app with config["TESTING"] = True only')
        if own:
            app.config.update(COGNITO_USER_POOL_ID=self.id, COGNITO_CLIENT_ID=self.client_id)
            if not app.config.get("COGNITO_IDENTITY_POOL_ID"):
                app.config["COGNITO_IDENTITY_POOL_ID"] = self.identity_pool_id
        state_of(app).set_test_keys(self.id, lambda kid: self.jwks)
        return self

    def claims(
        self, groups: Groups = None, *, token_use: str = "id", **changes: Any
    ) -> dict[str, Any]:
        """The claims that Cognito writes; a change to None leaves the claim out."""
        now = int(time.time())
        claims = {"sub": str(uuid.uuid4()), "iss": self.issuer, "token_use": token_use,
                  "auth_time": now, "iat": now, "exp": now + 3600, "jti": str(uuid.uuid4()),
                  "cognito:groups": None if groups is None else list(groups)}  # fmt: skip
        if token_use == "access":
            claims |= {"client_id": self.client_id, "username": "ada",
                       "scope": "openid email", "version": 2}  # fmt: skip
        else:
            claims |= {"aud": self.client_id, "cognito:username": "ada",
                       "email": "ada@example.org", "email_verified": True}  # fmt: skip
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def token(
        self, groups: Groups = None, *, token_use: str = "id", key: SigningKey | None = None,
        header: Header = None, federated: str | None = None, **changes: Any,
    ) -> str:  # fmt: skip
        """A signed token. Other claims by keyword; names with a colon by `**{"cognito:…": …}`.
        `federated` is an identity provider, as in `federated="Google"`: the user has the name, the
        group and the `identities` that Cognito gives to someone who signs in there.
        """
        if federated is not None:
            groups = [f"{self.id}_{federated}", *(groups or ())]
            changes = _federated(federated, token_use) | changes
        return self.sign(self.claims(groups, token_use=token_use, **changes), key, header)

    def machine_token(self, scopes: str | Iterable[str] = (), **changes: Any) -> str:
        """An access token of the client itself (client credentials grant): no user, no groups."""
        scope = scopes if isinstance(scopes, str) else " ".join(scopes)
        client = changes.get("client_id", self.client_id)
        own = {"token_use": "access", "sub": client, "username": None, "scope": scope}
        return self.token(**(own | changes))

    def sign(self, claims: object, key: SigningKey | None = None, header: Header = None) -> str:
        """Any payload, signed; `header` replaces Cognito's header of kid and alg."""
        key = key or self.keys[0]
        signed = f"{encode(header or {'kid': key.kid, 'alg': 'RS256'})}.{encode(claims)}"
        return f"{signed}.{key.sign(signed)}"

    def bearer(self, groups: Groups = None, **options: Any) -> dict[str, str]:
        """Request headers that carry a token."""
        return {"Authorization": f"Bearer {self.token(groups, **options)}"}

    def rotate(self) -> SigningKey:
        """Sign with a new key from now on; the earlier ones stay published."""
        self.keys.insert(0, SigningKey())
        return self.keys[0]


def _federated(provider: str, token_use: str) -> dict[str, Any]:
    user = "123456789012345678901"
    if token_use == "access":
        return {"username": f"{provider}_{user}"}
    kind = provider if provider in _SOCIAL_PROVIDERS else "SAML"
    identity = {"userId": user, "providerName": provider, "providerType": kind, "issuer": None,
                "primary": "true", "dateCreated": "1700000000000"}  # fmt: skip
    return {"cognito:username": f"{provider}_{user}", "identities": [identity]}
