"""The request flow, read aloud: request -> token -> claims -> principal -> decision.

What a request has passed is kept on the request object itself, under the credential it came with
and the guard it passed; nothing a client sends can write there, and the next request starts bare.
"""

from __future__ import annotations

import logging
from typing import NamedTuple, cast

from flask import Flask, Request
from flask import request as flask_request
from werkzeug.local import LocalProxy

from cognises.app_state import AppState, state_of
from cognises.credentials import CookieRules, read_token
from cognises.declarations import Guard, LoginGuard, PermissionGuard, Requirement
from cognises.errors import CognisesError
from cognises.permissions import decide
from cognises.principal import ANONYMOUS, Principal
from cognises.settings import is_loopback

_ATTRIBUTE = "_cognises_passed"
_FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST",
              "HTTP_X_FORWARDED_PROTO", "HTTP_X_REAL_IP")  # fmt: skip

log = logging.getLogger("cognises.decisions")


class Target(NamedTuple):
    """What is asked for: a view's function name, and its endpoint if it is being dispatched."""

    name: str | None
    endpoint: str | None


class Passed:
    """What one request has passed, with one credential."""

    __slots__ = ("by_guard", "credential", "principal")

    def __init__(self, credential: tuple[str | None, str | None]) -> None:
        self.credential = credential
        self.by_guard: dict[Guard, Principal] = {}
        self.principal = ANONYMOUS


def passed_by(request: Request) -> Passed:
    """What this request has passed so far; empty where its credential has changed."""
    environ = request.environ
    credential = (environ.get("HTTP_AUTHORIZATION"), environ.get("HTTP_COOKIE"))
    passed: Passed | None = request.__dict__.get(_ATTRIBUTE)
    if passed is None or passed.credential != credential:
        passed = request.__dict__[_ATTRIBUTE] = Passed(credential)
    return passed


def enforce(app: Flask, request: Request, requirement: Requirement, target: Target) -> Principal:
    """The principal of a request that passes every guard. Raises CognisesError otherwise."""
    state = state_of(app)
    if state.settings.local:
        require_loopback(request)
    try:
        principal = _pass_all(state, request, requirement, target)
    except CognisesError as error:
        log.info("refused %s %s: %s (%s)", request.method, target.endpoint or target.name,
                 error.reason, error.detail)  # fmt: skip
        raise
    log.info("allowed %s %s", request.method, target.endpoint or target.name)
    return principal


def _pass_all(
    state: AppState, request: Request, requirement: Requirement, target: Target
) -> Principal:
    token = read_token(request, CookieRules(state.settings.cookie_name, state.settings.public_url))
    if token is None and not requirement.admits_anonymous:
        raise CognisesError("missing_token", "no credential")
    passed = passed_by(request)
    principals = [_authenticate(state, guard, token) for guard in requirement.logins]
    for guard in requirement.permissions:
        _require_permission(state, guard, requirement.logins[0], principals[0], target)
    passed.by_guard.update(zip(requirement.logins, principals, strict=True))
    passed.by_guard.update(dict.fromkeys(requirement.permissions, principals[0]))
    if passed.principal is ANONYMOUS:
        passed.principal = principals[0]
    return principals[0]


def _authenticate(state: AppState, guard: LoginGuard, token: str | None) -> Principal:
    if token is None:
        return ANONYMOUS
    claims = state.verifier(guard).verify(token)
    return Principal(claims, state.can) if state.is_own_pool(guard) else Principal(claims)


def _require_permission(
    state: AppState, guard: PermissionGuard, login: LoginGuard, principal: Principal, target: Target
) -> None:
    if guard.permissions is None and not state.is_own_pool(login):
        raise CognisesError("forbidden", "the app's manifest does not speak of another pool")
    decision = decide(principal.groups, state.open_to(guard, target.name, target.endpoint))
    if not decision.allowed:
        raise CognisesError("forbidden", decision.reason)


def require_loopback(request: Request) -> None:
    """Local mode answers this machine alone, and never what a proxy passed on."""
    host = request.host.rpartition(":")[0] if _has_port(request.host) else request.host
    if not is_loopback(request.remote_addr or "") or not is_loopback(host):
        raise CognisesError("forbidden", "local mode answers loopback alone")
    if any(name in request.environ for name in _FORWARDED):
        raise CognisesError("forbidden", "local mode answers no forwarded request")


def _has_port(host: str) -> bool:
    return ":" in host and not host.endswith("]")


def _current_principal() -> Principal:
    return passed_by(flask_request).principal


current_user: Principal = cast(Principal, LocalProxy(_current_principal))
