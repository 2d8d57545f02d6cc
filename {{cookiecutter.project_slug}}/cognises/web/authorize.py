"""The request flow, read aloud: request -> token -> claims -> principal -> decision.

What a request has passed is kept on the request object itself, under the credential it came with
and the guard it passed; nothing a client sends can write there, and the next request starts bare.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import NamedTuple, cast

from flask import Request
from flask import request as flask_request
from werkzeug.local import LocalProxy

from cognises.errors import CognisesError
from cognises.settings.values import is_loopback
from cognises.tokens.verifier import Verifier
from cognises.web.caching import GUARDED
from cognises.web.credentials import CookieRules, read_token
from cognises.web.permissions import decide
from cognises.web.principal import ANONYMOUS, Can, Principal, cannot
from cognises.web.route_metadata import Guard, Requirement
from cognises.web.state import AppState, Renew

_FORWARDED = frozenset({"HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST",
                        "HTTP_X_FORWARDED_PROTO", "HTTP_X_REAL_IP"})  # fmt: skip

log = logging.getLogger("cognises.decisions")


class Target(NamedTuple):
    """What is asked for: a view's function name, and its endpoint if it is being dispatched."""

    name: str | None
    endpoint: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A requirement at one target, with everything looked up that does not change by request.

    The first login guard's verifier makes the principal, who `can` ask the manifest or cannot;
    the `other_verifiers` must accept the token too.
    """

    guards: tuple[Guard, ...]
    verifier: Verifier
    can: Can
    other_verifiers: tuple[Verifier, ...]
    open_to: tuple[frozenset[str], ...]
    admits_anonymous: bool
    label: str
    cookie_rules: CookieRules
    is_local: bool
    realm: str
    renew: Renew | None


def checkpoint(state: AppState, requirement: Requirement, target: Target) -> Checkpoint:
    """Make a requirement ready for requests. Raises SettingsError or ManifestError."""
    first, *others = requirement.logins
    return Checkpoint(
        (*requirement.logins, *requirement.permissions),
        state.verifier(first),
        state.can if state.is_own_pool(first) else cannot,
        tuple(state.verifier(guard) for guard in others),
        state.open_to(requirement, target.name, target.endpoint),
        requirement.admits_anonymous,
        target.endpoint or target.name or "",
        state.cookie_rules,
        state.settings.local,
        state.settings.realm,
        state.renew,
    )


class Passed:
    """What one request has passed, with one credential: guards, and the principal they let in."""

    # For the log alone: nothing that decides reads these two.
    refusal: CognisesError | None = None
    denied = ANONYMOUS

    def __init__(self, authorization: str | None, cookies: str | None) -> None:
        self.authorization = authorization
        self.cookies = cookies
        self.entries: list[tuple[tuple[Guard, ...], Principal]] = []

    @property
    def principal(self) -> Principal:
        """Who the request is from, as the first guards that it passed say."""
        return self.entries[0][1] if self.entries else ANONYMOUS

    def at(self, guard: Guard) -> Principal | None:
        """Whom a guard has let in; None where it has not been asked."""
        for guards, user in self.entries:
            if guard in guards:
                return user
        return None


class Verdict(NamedTuple):
    """How a request fared at the guards, for logs: `decision` is None where nothing guarded it."""

    decision: str | None
    reason: str | None
    detail: str | None
    sub: str | None


UNGUARDED = Verdict(None, None, None, None)


def verdict_on(request: Request) -> Verdict:
    """What was decided about a request that is over."""
    passed: Passed | None = request.__dict__.get(GUARDED)
    if passed is None:
        return UNGUARDED
    if passed.refusal is not None:
        sub = passed.denied.sub or passed.principal.sub
        return Verdict("refused", passed.refusal.reason, passed.refusal.detail, sub)
    return Verdict("allowed" if passed.entries else None, None, None, passed.principal.sub)


def note_refusal(request: Request, error: CognisesError) -> None:
    """Keep a refusal with its request, for the log."""
    passed_by(request).refusal = error


def passed_by(request: Request) -> Passed:
    """What this request has passed so far; empty where its credential has changed.

    It is kept as the mark of a guarded request: its answer is meant for one user.
    """
    environ = request.environ
    authorization, cookies = environ.get("HTTP_AUTHORIZATION"), environ.get("HTTP_COOKIE")
    passed: Passed | None = request.__dict__.get(GUARDED)
    if passed and passed.authorization == authorization and passed.cookies == cookies:
        return passed
    passed = request.__dict__[GUARDED] = Passed(authorization, cookies)
    return passed


def enforce(request: Request, point: Checkpoint, passed: Passed) -> Principal:
    """The principal of a request that passes every guard, if need be with a renewed credential.

    Raises CognisesError otherwise.
    """
    try:
        return _enforce(request, point, passed)
    except CognisesError as error:
        if point.renew is None or not point.renew(request, error):
            raise
    return _enforce(request, point, passed_by(request))


def _enforce(request: Request, point: Checkpoint, passed: Passed) -> Principal:
    """The principal of a request that passes every guard. Raises CognisesError otherwise."""
    try:
        if point.is_local:
            require_loopback(request)
        token = read_token(request, point.cookie_rules)
        if token is None:
            principal = _anonymous(point)
            groups = principal.groups
        else:
            claims = point.verifier.read_shared(token)
            principal, groups = Principal(claims, point.can), claims.groups
            for verifier in point.other_verifiers:
                verifier.read_shared(token)
        for open_to in point.open_to:
            decision = decide(groups, open_to)
            if not decision.allowed:
                passed.denied = principal
                raise CognisesError("forbidden", decision.reason)
    except CognisesError as error:
        passed.refusal = error
        log.info("refused %s %s: %s (%s)", request.method, point.label, error.reason, error.detail)
        raise
    passed.entries.append((point.guards, principal))
    if log.isEnabledFor(logging.INFO):
        log.info("allowed %s %s", request.method, point.label)
    return principal


def _anonymous(point: Checkpoint) -> Principal:
    if point.admits_anonymous:
        return ANONYMOUS
    raise CognisesError("missing_token", "no credential")


def require_loopback(request: Request) -> None:
    """Local mode answers this machine alone, and never what a proxy passed on."""
    host = request.host
    if ":" in host and not host.endswith("]"):
        host = host.rpartition(":")[0]
    if not is_loopback(request.remote_addr or "") or not is_loopback(host):
        raise CognisesError("forbidden", "local mode answers loopback alone")
    if not _FORWARDED.isdisjoint(request.environ):
        raise CognisesError("forbidden", "local mode answers no forwarded request")


def _current_principal() -> Principal:
    passed: Passed | None = flask_request.__dict__.get(GUARDED)
    return passed_by(flask_request).principal if passed else ANONYMOUS


current_user: Principal = cast(Principal, LocalProxy(_current_principal))
