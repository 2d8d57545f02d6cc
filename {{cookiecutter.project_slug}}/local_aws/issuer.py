"""The users and tokens of the embedded Cognito, as managed login sees them.

moto signs tokens but has no managed login, so this reads its memory: the only module that does.
Calls come one at a time (see `service.one_at_a_time`).
"""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

ACCOUNT = "123456789012"  # moto's
_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}


class Person(NamedTuple):
    """A user who may sign in. `username` is Cognito's own; `name` is what people type."""

    username: str
    name: str
    groups: tuple[str, ...]


class Issuer:
    """One app client of one pool in moto's memory. Raises LookupError where there is none."""

    def __init__(self, client_id: str) -> None:
        pools = [pool for pool in _pools() if client_id in pool.clients]
        if not pools:
            raise LookupError("no app client of that id")
        self.client_id = client_id
        self._pool: Any = pools[0]
        client = self._pool.clients[client_id]
        self.client: Mapping[str, Any] = client.extended_config
        self._secret: str | None = client.secret if client.generate_secret else None

    def accepts(self, secret: str | None) -> bool:
        """Whether a call with this client secret is the client's; None: the call has none."""
        if secret is None or self._secret is None:
            return secret is self._secret
        return hmac.compare_digest(secret.encode(), self._secret.encode())

    def people(self) -> list[Person]:
        """Everybody who is enabled, in the order of being made."""
        return [_person(user) for user in self._pool.users.values() if user.enabled]

    def person(self, username: str) -> Person | None:
        return next((each for each in self.people() if each.username == username), None)

    def sign_in(self, username: str, scopes: Sequence[str], nonce: str | None) -> dict[str, str]:
        """A new session: ID, access and refresh token."""
        refresh_token, session = self._pool.create_refresh_token(self.client_id, username)
        tokens = self._tokens(username, scopes, session, nonce)
        return {**tokens, "refresh_token": refresh_token}

    def refresh(self, refresh_token: str, scopes: Sequence[str]) -> dict[str, str] | None:
        """New ID and access tokens; None where the session has ended or never was.

        With refresh-token rotation there is a new refresh token as well; the caller ends the old.
        """
        found = self._pool.refresh_tokens.get(refresh_token)
        if found is None:
            return None
        client_id, username, session = found
        if client_id != self.client_id or self.person(username) is None:
            return None
        tokens = self._tokens(username, scopes, session, None)
        if self._rotation.get("Feature") == "ENABLED":
            tokens["refresh_token"], _ = self._pool.create_refresh_token(self.client_id, username)
        return tokens

    @property
    def _rotation(self) -> Mapping[str, Any]:
        rotation: Mapping[str, Any] = self.client.get("RefreshTokenRotation", {})
        return rotation

    @property
    def rotation_grace(self) -> int:
        """Seconds that a replaced refresh token goes on working: none unless the client says so."""
        return int(self._rotation.get("RetryGracePeriodSeconds", 0))

    def revoke(self, refresh_token: str) -> None:
        """End a session of this client; to end one that is not there is no error (RFC 7009)."""
        found = self._pool.refresh_tokens.get(refresh_token)
        if found is not None and found[0] == self.client_id:
            self._pool.refresh_tokens[refresh_token] = None

    def _tokens(
        self, username: str, scopes: Sequence[str], session: str, nonce: str | None
    ) -> dict[str, str]:
        user = self._pool.users[username]
        shared: dict[str, Any] = {"origin_jti": session}
        if user.groups:
            shared["cognito:groups"] = sorted(group.group_name for group in user.groups)
        access = self._jwt(user, "access", {**shared, "scope": " ".join(scopes), "version": 2})
        claims = {**shared, **_profile(user), **_roles(user), "at_hash": _at_hash(access)}
        if nonce is not None:
            claims["nonce"] = nonce
        return {"id_token": self._jwt(user, "id", claims), "access_token": access}

    def _jwt(self, user: Any, kind: str, claims: dict[str, Any]) -> str:
        claims["cognito:username" if kind == "id" else "username"] = user.username
        token, _ = self._pool.create_jwt(
            self.client_id, user.username, kind, self.seconds(kind), extra_data=claims
        )
        return str(token)

    def seconds(self, kind: str) -> int:
        """How long a token of that kind (`id` or `access`) lasts; Cognito's default is an hour."""
        name = {"id": "Id", "access": "Access"}[kind]
        units = self.client.get("TokenValidityUnits", {})
        unit = _SECONDS[units.get(f"{name}Token", "hours")]
        return int(self.client.get(f"{name}TokenValidity", 3600 // unit)) * unit


def moto_keys() -> dict[str, Any]:
    """The key set that moto signs with: one for all pools, and public knowledge."""
    from moto.cognitoidp.responses import CognitoIdpJsonWebKeyResponse

    keys: dict[str, Any] = json.loads(CognitoIdpJsonWebKeyResponse.json_web_key)
    return keys


def pool_clients() -> dict[str, list[str]]:
    """The app clients of every pool."""
    return {pool.id: list(pool.clients) for pool in _pools() if pool.clients}


def user_claims(pool_id: str, username: str) -> dict[str, Any]:
    """What userInfo says of a user. Raises LookupError where there is none."""
    pool = next(pool for pool in _pools() if pool.id == pool_id)
    user = pool.users[username]
    return {"sub": user.id, "username": user.username, **_profile(user)}


def user_roles(pool_id: str, username: str) -> dict[str, Any]:
    """The claims of an ID token about roles. Raises LookupError where there is no such user."""
    return _roles({pool.id: pool for pool in _pools()}[pool_id].users[username])


def identity_clients(identity_pool_id: str, provider: str) -> list[str]:
    """The app clients of a user pool that an identity pool trusts. Raises LookupError for none."""
    from moto.cognitoidentity.models import cognitoidentity_backends

    region = identity_pool_id.partition(":")[0]
    pool = cognitoidentity_backends[ACCOUNT][region].identity_pools[identity_pool_id]
    providers = pool.cognito_identity_providers
    named = [each.get("ClientId") for each in providers if each["ProviderName"] == provider]
    if found := [client for client in named if client]:
        return found
    raise LookupError("the identity pool names no app client of the user pool")


def is_assumed(key: str, session_token: str) -> bool:
    """Whether AssumeRole of moto's STS issued these keys, and they have not ended."""
    from moto.core.utils import utcnow
    from moto.sts.models import sts_backends

    backends = (b for partitions in sts_backends.values() for b in partitions.values())
    role = next(filter(None, (b.get_assumed_role_from_access_key(key) for b in backends)), None)
    if role is None or role.expiration <= utcnow():
        return False
    return hmac.compare_digest(role.session_token.encode(), session_token.encode())


def role_statements(arn: str) -> list[dict[str, Any]]:
    """The statements of a role's inline policies: none where there is no such role."""
    from moto.iam.models import iam_backends

    roles = iam_backends[ACCOUNT][arn.split(":")[1]].roles.values()
    role = next((role for role in roles if role.arn == arn), None)
    policies = role.policies.values() if role else ()
    documents = [json.loads(each) if isinstance(each, str) else each for each in policies]
    found = [document["Statement"] for document in documents]
    return [each for part in found for each in (part if isinstance(part, list) else [part])]


def _pools() -> list[Any]:
    from moto.cognitoidp.models import cognitoidp_backends

    backends = (b for regions in cognitoidp_backends.values() for b in regions.values())
    return [pool for backend in backends for pool in backend.user_pools.values()]


def _person(user: Any) -> Person:
    name = user.attribute_lookup.get("email") or user.username
    return Person(user.username, name, tuple(sorted(group.group_name for group in user.groups)))


def _profile(user: Any) -> dict[str, Any]:
    claims: dict[str, Any] = {
        name: user.attribute_lookup[name] for name in ("email",) if name in user.attribute_lookup
    }
    if claims:
        claims["email_verified"] = user.attribute_lookup.get("email_verified") == "true"
    return claims


def _roles(user: Any) -> dict[str, Any]:
    """The roles of the user's groups, and the first one's, unless several groups are first."""
    groups = [group for group in user.groups if group.role_arn]
    if not groups:
        return {}
    groups.sort(key=lambda group: (group.precedence is None, group.precedence or 0))
    roles = list(dict.fromkeys(group.role_arn for group in groups))
    first = {group.role_arn for group in groups if group.precedence == groups[0].precedence}
    preferred = {"cognito:preferred_role": roles[0]} if len(first) == 1 else {}
    return {"cognito:roles": roles, **preferred}


def _at_hash(access_token: str) -> str:
    """OpenID Connect Core, section 3.1.3.6."""
    half = sha256(access_token.encode()).digest()[:16]
    return urlsafe_b64encode(half).rstrip(b"=").decode()
