"""A boto3 session of the signed-in user, from the token of the request under way."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from flask import Flask, current_app

from cognises.aws.cache import TokenCache
from cognises.aws.exchange import (
    RoleCredentials,
    exchange,
    identity_client,
    require_local_endpoint,
)
from cognises.errors import CognisesError
from cognises.web.authorize import current_user
from cognises.web.responses import refusal
from cognises.web.route_metadata import DEFAULT_LOGIN
from cognises.web.state import AppState, state_of

if TYPE_CHECKING:
    import boto3
    from botocore.loaders import Loader
    from botocore.session import Session

    from cognises.settings.model import Settings

_EXTENSION = "cognises.aws"

log = logging.getLogger("cognises.aws")


class _UserSession:
    """One user's session, and the clients made from it."""

    def __init__(self, session: boto3.Session, settings: Settings) -> None:
        self.session = session
        self._settings = settings
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()  # clients may be shared between threads, sessions may not

    def client(self, service: str) -> Any:
        with self._lock:
            client = self._clients.get(service)
            if client is None:
                client = self.session.client(service)  # type: ignore[call-overload,unused-ignore]
                require_local_endpoint(client, self._settings)
                self._clients[service] = client
            return client


def user_session() -> boto3.Session:
    """A boto3 session with the AWS credentials of the signed-in user's group role.

    Call it in a guarded view. The credentials come from the request's own ID token; they are kept
    until shortly before they end, and stop to work when the token expires. Raises an HTTPException
    that answers the request: 401 where no user is signed in, 403 `no_role` for access tokens,
    machine clients and users without a single role, 503 `aws_unavailable`.
    """
    return _session_of_request().session


def user_client(service: str) -> Any:
    """A boto3 client of the user's session, as in `user_client("s3")`; kept with the session.

    What AWS refuses raises a botocore ClientError that answers the request with 403 `aws_denied`
    unless the view handles it; throttling and outages answer 503 `aws_unavailable`.
    """
    return _session_of_request().client(service)


class _Aws:
    """What one app keeps: the client that exchanges tokens, and a session for each token."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._identity: Any = None
        self.sessions: TokenCache[_UserSession] = TokenCache()

    def session_for(self, token: str, claims: Mapping[str, Any]) -> _UserSession:
        digest = sha256(token.encode()).digest()
        return self.sessions.get(digest, lambda: self._make(token, claims))

    def _make(self, token: str, claims: Mapping[str, Any]) -> tuple[_UserSession, float]:
        with self._lock:
            if self._identity is None:
                self._identity = identity_client(_new_session(), self._settings)
        found = exchange(self._identity, self._settings, token, claims)
        return _UserSession(_session_with(found, self._settings), self._settings), found.ends


def _session_of_request() -> _UserSession:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    state = state_of(app)
    try:
        token = _id_token(state)
        aws = app.extensions.get(_EXTENSION)
        if aws is None:
            aws = app.extensions.setdefault(_EXTENSION, _Aws(state.settings))
        found: _UserSession = aws.session_for(token, current_user.claims)
        return found
    except CognisesError as error:
        log.warning("no AWS credentials: %s (%s)", error.reason, error.detail)
        raise refusal(error, state.settings.realm) from error


def _id_token(state: AppState) -> str:
    """The request's own token, where it is one of a person of the app's user pool."""
    token, claims = current_user.token, current_user.claims
    if token is None:
        raise CognisesError("missing_token", "no user is signed in")
    if claims.get("token_use") != "id":
        raise CognisesError("no_role", "an access token; AWS credentials need an ID token")
    if claims.get("iss") not in state.verifier(DEFAULT_LOGIN).expected.issuers:
        raise CognisesError("no_role", "a token of another pool")
    return token


def _session_with(found: RoleCredentials, settings: Settings) -> boto3.Session:
    import boto3

    from cognises.aws.credentials import UserCredentials, watch

    session = _new_session()
    session._credentials = UserCredentials(found, settings.realm)
    region = settings.pool.region if settings.pool else None
    made = boto3.Session(botocore_session=session, region_name=region)
    paths = _loader().search_paths
    del paths[len(dict.fromkeys(paths)) :]  # boto3 adds its own folder each time
    watch(made.events, settings.realm)
    return made


def _new_session() -> Session:
    """A botocore session that shares the service descriptions with all others."""
    import botocore.session

    session = botocore.session.Session()
    session.register_component("data_loader", _loader())
    return session


@lru_cache(maxsize=1)
def _loader() -> Loader:
    import botocore.loaders

    return botocore.loaders.create_loader()
