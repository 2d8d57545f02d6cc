"""The request flow, read aloud: request -> token -> claims -> principal -> decision.

What a request has passed is kept on the request object itself, under the credential it came with
and the guard it passed; nothing a client sends can write there, and the next request starts bare.
"""

from __future__ import annotations

import logging
from typing import NamedTuple, cast

from flask import Request
from flask import request as flask_request
from werkzeug.local import LocalProxy

from cognises.app_state import AppState
from cognises.credentials import CookieRules, read_token
from cognises.declarations import Guard, LoginGuard, Requirement
from cognises.errors import CognisesError
from cognises.permissions import decide
from cognises.principal import ANONYMOUS, Can, Principal, cannot
from cognises.setting_values import is_loopback
from cognises.verifier import Verifier

_ATTRIBUTE = "_cognises_passed"
_FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST",
              "HTTP_X_FORWARDED_PROTO", "HTTP_X_REAL_IP")  # fmt: skip

log = logging.getLogger("cognises.decisions")


class Target(NamedTuple):
    """What is asked for: a view's function name, and its endpoint if it is being dispatched."""

    name: str | None
    endpoint: str | None


class Login(NamedTuple):
    """A login guard, ready: who verifies, and what its principals can ask of the manifest."""

    verifier: Verifier
    can: Can


class Checkpoint(NamedTuple):
    """A requirement at one target, with everything looked up that does not change by request."""

    guards: tuple[Guard, ...]
    logins: tuple[Login, ...]
    open_to: tuple[frozenset[str], ...]
    admits_anonymous: bool
    label: str
    cookie_rules: CookieRules
    is_local: bool
    realm: str


def checkpoint(state: AppState, requirement: Requirement, target: Target) -> Checkpoint:
    """Make a requirement ready for requests. Raises SettingsError or ManifestError."""
    return Checkpoint(
        (*requirement.logins, *requirement.permissions),
        tuple(_login(state, guard) for guard in requirement.logins),
        state.open_to(requirement, target.name, target.endpoint),
        requirement.admits_anonymous,
        target.endpoint or target.name or "",
        state.cookie_rules,
        state.settings.local,
        state.settings.realm,
    )


def _login(state: AppState, guard: LoginGuard) -> Login:
    verifier = state.verifier(guard)
    return Login(verifier, state.can if state.is_own_pool(guard) else cannot)


class Passed:
    """What one request has passed, with one credential."""

    __slots__ = ("authorization", "by_guard", "cookies", "denied", "principal", "refusal")

    def __init__(self, authorization: str | None, cookies: str | None) -> None:
        self.authorization = authorization
        self.cookies = cookies
        self.by_guard: dict[Guard, Principal] = {}
        self.principal = ANONYMOUS
        # For the log alone: nothing that decides reads these two.
        self.refusal: CognisesError | None = None
        self.denied = ANONYMOUS


class Verdict(NamedTuple):
    """How a request fared at the guards, for logs: `decision` is None where nothing guarded it."""

    decision: str | None
    reason: str | None
    detail: str | None
    sub: str | None


UNGUARDED = Verdict(None, None, None, None)


def verdict_on(request: Request) -> Verdict:
    """What was decided about a request that is over."""
    passed: Passed | None = request.__dict__.get(_ATTRIBUTE)
    if passed is None:
        return UNGUARDED
    if passed.refusal is not None:
        sub = passed.denied.sub or passed.principal.sub
        return Verdict("refused", passed.refusal.reason, passed.refusal.detail, sub)
    return Verdict("allowed" if passed.by_guard else None, None, None, passed.principal.sub)


def note_refusal(request: Request, error: CognisesError) -> None:
    """Keep a refusal with its request, for the log."""
    passed_by(request).refusal = error


def passed_by(request: Request) -> Passed:
    """What this request has passed so far; empty where its credential has changed."""
    environ = request.environ
    authorization, cookies = environ.get("HTTP_AUTHORIZATION"), environ.get("HTTP_COOKIE")
    passed: Passed | None = request.__dict__.get(_ATTRIBUTE)
    if passed and passed.authorization == authorization and passed.cookies == cookies:
        return passed
    passed = request.__dict__[_ATTRIBUTE] = Passed(authorization, cookies)
    return passed


def enforce(request: Request, point: Checkpoint, passed: Passed) -> Principal:
    """The principal of a request that passes every guard. Raises CognisesError otherwise."""
    try:
        if point.is_local:
            require_loopback(request)
        token = read_token(request, point.cookie_rules)
        principal = _principal_of(token, point) if token is not None else _anonymous(point)
        for groups in point.open_to:
            decision = decide(principal.groups, groups)
            if not decision.allowed:
                passed.denied = principal
                raise CognisesError("forbidden", decision.reason)
    except CognisesError as error:
        passed.refusal = error
        log.info("refused %s %s: %s (%s)", request.method, point.label, error.reason, error.detail)
        raise
    for guard in point.guards:
        passed.by_guard[guard] = principal
    if passed.principal is ANONYMOUS:
        passed.principal = principal
    log.info("allowed %s %s", request.method, point.label)
    return principal


def _principal_of(token: str, point: Checkpoint) -> Principal:
    """Every login guard must accept the token; the first one's principal is the view's."""
    first, *others = point.logins
    principal = Principal(first.verifier.verify(token), first.can)
    for login in others:
        login.verifier.verify(token)
    return principal


def _anonymous(point: Checkpoint) -> Principal:
    if point.admits_anonymous:
        return ANONYMOUS
    raise CognisesError("missing_token", "no credential")


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
