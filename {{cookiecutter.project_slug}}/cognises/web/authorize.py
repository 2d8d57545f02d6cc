"""The request flow: request -> token -> claims -> principal -> decision."""

import inspect
import logging
from dataclasses import dataclass, field
from typing import Any, SupportsIndex, cast

from flask import Request, has_request_context
from flask import request as flask_request
from werkzeug.local import LocalProxy

from cognises.errors import CognisesError, SettingsError
from cognises.settings.values import is_loopback
from cognises.web import responses, routes
from cognises.web.credentials import read_token
from cognises.web.principal import ANONYMOUS, Principal, decide
from cognises.web.responses import GUARDED
from cognises.web.routes import Guard, Guards, View
from cognises.web.state import AppState, RoutePolicy

_FORWARDED = frozenset({"HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST",
                        "HTTP_X_FORWARDED_PROTO", "HTTP_X_REAL_IP"})  # fmt: skip
log = logging.getLogger("cognises.decisions")


@dataclass(slots=True, eq=False)
class AuthResult:
    """What one request has passed with one credential; its principal is the first policy's."""

    credential: tuple[str | None, str | None] = field(repr=False)  # Authorization and Cookie
    passed: list[tuple[RoutePolicy, Principal]] = field(default_factory=list)
    is_checked: bool = False
    refusal: CognisesError | None = None  # for logs alone, as the next
    denied_principal: Principal | None = None

    @property
    def principal(self) -> Principal:
        return self.passed[0][1] if self.passed else ANONYMOUS

    def principal_for(self, guard: Guard) -> Principal | None:
        """The principal that passed a guard; None where it has not been asked yet."""
        for policy, principal in self.passed:
            if guard in policy.guards:
                return principal
        return None


def auth_result_for(request: Request) -> AuthResult:
    """What this request has passed so far; empty where its credential has changed."""
    environ = request.environ
    credential = environ.get("HTTP_AUTHORIZATION"), environ.get("HTTP_COOKIE")
    result: AuthResult | None = request.__dict__.get(GUARDED)
    if result is None or result.credential != credential:
        result = request.__dict__[GUARDED] = AuthResult(credential)
    return result


def authorize(request: Request, policy: RoutePolicy) -> Principal:
    """The principal that passes every guard of a policy, once renewed if need be; CognisesError."""
    try:
        return _authorize(request, policy)
    except CognisesError as error:
        renew = policy.state.renew
        if renew is None or not renew(request, error):
            raise
    return _authorize(request, policy)


def _authorize(request: Request, policy: RoutePolicy) -> Principal:
    result, principal, state = auth_result_for(request), ANONYMOUS, policy.state
    try:
        if state.settings.local:
            check_local(request)
        token = read_token(request, state.settings)
        if token is not None:
            claims = policy.verifiers[0].verify_cached(token)
            principal = result.denied_principal = Principal(claims, policy.can, token)
            for verifier in policy.verifiers[1:]:
                verifier.verify_cached(token)
            if state.check is not None and not result.is_checked:
                _require_true(state.check(principal))
                result.is_checked = True
        elif not policy.admits_anonymous:
            raise CognisesError("missing_token", "no credential")
        _require_permission(policy, principal)
    except CognisesError as error:
        result.refusal = error
        log.info("refused %s %s: %s (%s)", request.method, policy.label, error.reason, error.detail)
        raise
    result.passed.append((policy, principal))
    log.info("allowed %s %s", request.method, policy.label)
    return principal


def _require_permission(policy: RoutePolicy, principal: Principal) -> None:
    for open_to in policy.open_to:
        scopes = principal.machine_scopes if open_to.scopes else open_to.scopes
        decision = decide(principal.groups, open_to, scopes)
        if not decision.allowed:
            raise CognisesError("forbidden", decision.reason)
    if not policy.guards:
        raise CognisesError("forbidden", "the view is neither public nor guarded")


def _require_true(answer: object) -> None:
    """The answer of `Cognises(app, check=…)`: anything but True revokes the token."""
    if inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        raise SettingsError(["check: returned an awaitable; give a function or an async function"])
    if answer is not True:
        if answer is not False and answer is not None:
            log.warning("check returned a %s: True alone admits", type(answer).__name__)
        raise CognisesError("revoked", "the app's check refused it")


def check_local(request: Request) -> None:
    """Local mode answers this machine alone, and never what a proxy passed on."""
    host = request.host
    if ":" in host and not host.endswith("]"):
        host = host.rpartition(":")[0]
    if not is_loopback(request.remote_addr or "") or not is_loopback(host):
        raise CognisesError("forbidden", "local mode answers loopback alone")
    if not _FORWARDED.isdisjoint(request.environ):
        raise CognisesError("forbidden", "local mode answers no forwarded request")


def policy_at(state: AppState, request: Request) -> RoutePolicy | None:
    """The policy of the view that a request is dispatched to; None if public or without a view."""
    app, endpoint, rule = state.app, request.endpoint, request.url_rule
    view = app.view_functions.get(endpoint) if endpoint is not None else None
    if view is None or endpoint is None:
        return None
    applying: tuple[routes.PathRule, ...] = ()
    if state.path_rules and rule is not None:
        applying = tuple([each for each in state.path_rules if each.applies(rule, request.path)])
    handler, view_class = "", getattr(view, "view_class", None)
    if view_class is not None:
        if routes.refuse_unhandled_method(request, view):
            return None
        handler = routes.handler_name(view_class, request.method)
    key = (endpoint, handler, applying)
    compiled_for, policy = state.policies.get(key, (None, None))
    if compiled_for is not view:
        declared = routes.declaration_at(app, endpoint, request.method, applying)
        policy = None
        if not declared.is_public and (declared.guards or view is not state.static_view):
            name = routes.function_name(app, endpoint)
            policy = RoutePolicy(state, declared.guards, name, endpoint)
        state.keep_policy(key, (view, policy))
    return policy


def policy_of(state: AppState, request: Request, guarded: View, guards: Guards) -> RoutePolicy:
    """The policy for guards that are asked inside a view, or without `Cognises(app)`."""
    responses.install(state.app, current_user=current_user)
    policy = policy_at(state, request)
    if policy is not None and _belong(guards, guarded, policy, request):
        return policy
    declared = routes.declaration_of(guarded).guards or guards
    name = getattr(guarded, "__name__", "")
    key = (None, name, tuple(guard.key for guard in declared))
    _, policy = state.policies.get(key, (None, None))
    if policy is None:
        policy = RoutePolicy(state, declared, name, None)
        state.keep_policy(key, (None, policy))
    return policy


def _belong(guards: Guards, guarded: View, policy: RoutePolicy, request: Request) -> bool:
    """Whether guards are those of a route's policy; by value where an extension made them again."""
    if policy.guards.issuperset(guards):
        return True
    view = policy.state.app.view_functions.get(request.endpoint or "")
    view_class = getattr(view, "view_class", None)
    handler = getattr(view_class, routes.handler_name(view_class, request.method) or "", None)
    is_handler = handler and any(
        getattr(function, "__func__", None) is handler for function in routes.chain(guarded)
    )
    return bool(is_handler) and {g.key for g in guards} <= {g.key for g in policy.guards}


def outcome_of(request: Request | None) -> dict[str, str | None]:
    """What was decided about a request, for logs; no `decision` where nothing guarded it."""
    result: AuthResult | None = request.__dict__.get(GUARDED) if request else None
    found: dict[str, str | None] = dict.fromkeys(("decision", "reason", "detail", "sub"))
    if result and result.refusal is not None:
        error, sub = result.refusal, (result.denied_principal or result.principal).sub
        found |= {"decision": "refused", "reason": error.reason, "detail": error.detail, "sub": sub}
    elif result:
        found |= {"decision": "allowed" if result.passed else None, "sub": result.principal.sub}
    return found


def _current_principal() -> Principal:
    is_guarded = has_request_context() and flask_request.__dict__.get(GUARDED)
    return auth_result_for(flask_request).principal if is_guarded else ANONYMOUS


class CurrentUser(LocalProxy[Principal]):
    """Pickles what it stands for, which a LocalProxy does not."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return self._get_current_object().__reduce_ex__(protocol)


current_user: Principal = cast(Principal, CurrentUser(_current_principal))
