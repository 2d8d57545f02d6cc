"""`/login`, `/callback`, `/logout` and `/session/refresh`."""

from __future__ import annotations

import logging

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    jsonify,
    request,
    url_for,
)
from werkzeug.wrappers import Response as WerkzeugResponse

from cognises.errors import CognisesError
from cognises.signin.managed_login import ManagedLogin, forwarded
from cognises.signin.problems import SignInProblem
from cognises.signin.refusals import answer_refusal, problem_page, redirect_to
from cognises.signin.service import SignIn, sign_in_of
from cognises.web import caching, public_path
from cognises.web.browser import prefers_html, vary_by_accept
from cognises.web.credentials import is_same_origin
from cognises.web.decorators import public
from cognises.web.responses import Refusal, refusal
from cognises.web.state import state_of

log = logging.getLogger("cognises.signin")

bp = Blueprint("signin", __name__, template_folder="templates")

# OAuth errors by which a person, or a rule about the person, said no.
_DENIALS = frozenset({"access_denied", "login_required", "interaction_required"})


def sign_in(app: Flask) -> None:
    """Add browser sign-in to `app`, before `Cognises(app)`.

    It works where `COGNITO_DOMAIN` and `COGNISES_PUBLIC_URL` are set; elsewhere its addresses
    answer 404, and refusals stay as they are.
    """
    caching.install(app)
    public_path.install(app)
    service = SignIn(app)
    state_of(app).renew = service.renew_page_view
    app.register_blueprint(bp)
    app.register_error_handler(Refusal, answer_refusal)
    app.after_request(_keep_renewed)
    app.context_processor(
        lambda: {"can_sign_in": service.can_be_offered, "has_session": _has_session}
    )


@bp.before_request
def personal() -> None:
    """No cache may keep these answers."""
    caching.mark_guarded(request)


@bp.get("/login")
@public
def login() -> WerkzeugResponse:
    """To Cognito's managed login; afterwards back to the page that was asked for."""
    service, managed = _service()
    settings = service.settings
    target = service.return_path(request, single_arg("next"))
    if settings.local and request.host_url.rstrip("/") != settings.public_origin:
        # localhost and 127.0.0.1 are two hosts to a browser's cookies: continue at the public one.
        own = url_for("signin.login", next=target, **forwarded(request.args))
        return redirect_to(f"{settings.public_origin}{own}")
    if single_arg("renewal") == "refused" and service.is_signed_in(request):
        return redirect_to(target)
    attempt = managed.new_attempt(target)
    response = redirect_to(managed.authorize_url(attempt, forwarded(request.args)))
    service.cookies.keep_attempt(request, response, attempt)
    return response


@bp.get("/callback")
@public
def callback() -> WerkzeugResponse:
    """Back from managed login, with a code or an error."""
    service, managed = _service()
    cookies, state = service.cookies, single_arg("state")
    attempt = cookies.attempt(request, state)
    return_to = service.return_path(request, attempt.return_path if attempt else None)
    response: Response
    try:
        _raise_error(managed)
        if attempt is None:
            raise SignInProblem("no_attempt", "no attempt of this browser has that state")
        code = single_arg("code")
        if not code:
            raise SignInProblem("bad_answer", "neither one code nor an error")
        tokens = managed.exchange(code, attempt)
        cookies.require_room(tokens)
        service.checks.check_new(tokens, attempt.nonce)
        response = redirect_to(return_to)
        if not tokens.refresh_token:
            cookies.forget_refresh_token(response)  # it may be another user's
        cookies.keep_session(request, response, tokens)
    except SignInProblem as problem:
        if problem.reason == "no_attempt" and service.is_signed_in(request):
            response = redirect_to(return_to)  # a used callback: Back, or a reloaded page
        else:
            response = problem_page(problem, return_to)
    cookies.forget_attempt(response, state)
    return response


@bp.post("/logout")
@public
def logout() -> WerkzeugResponse:
    """End the session here, the refresh token at Cognito, and Cognito's own session."""
    service, managed = _service()
    _require_same_origin(service)
    refresh_token = service.cookies.refresh_token(request)
    if refresh_token:
        try:
            managed.revoke(refresh_token)
        except SignInProblem as problem:
            log.warning("refresh token not revoked: %s", problem.detail)
    address = managed.logout_url()
    if request.accept_mimetypes.best == "application/json":
        response = jsonify(status=200, message="Signed out.", next=address)
    else:
        response = redirect_to(address, 303)
    service.cookies.end_session(request, response)
    return vary_by_accept(response)


@bp.post("/session/refresh")
@public
def refresh() -> WerkzeugResponse:
    """New tokens for the refresh token; a form goes on to the page that it names.

    A refusal deletes no cookie: another request's renewal may just have set it.
    """
    service, _ = _service()
    _require_same_origin(service)
    target = service.return_path(request, request.form.get("next"))
    try:
        tokens = service.renew(request)
        is_form = prefers_html(request)
        response = redirect_to(target, 303) if is_form else jsonify(status=200, message="Renewed.")
        service.cookies.keep_session(request, response, tokens)
    except SignInProblem as problem:
        response = problem_page(problem, target)
    return vary_by_accept(response)


def _raise_error(managed: ManagedLogin) -> None:
    """The error that managed login came back with; its description goes to the log alone."""
    error = request.args.get("error")
    if error is not None:
        reason = "denied" if error in _DENIALS else "refused"
        detail = managed.log_detail(error, request.args.get("error_description"))
        raise SignInProblem(reason, f"managed login: {detail}")


def single_arg(name: str) -> str:
    """A query parameter that is there once; empty otherwise."""
    found = request.args.getlist(name)
    return found[0] if len(found) == 1 else ""


def _require_same_origin(service: SignIn) -> None:
    settings = service.settings
    if not is_same_origin(request, settings.public_origin):
        error = CognisesError("cross_site", "sign-out or renewal from another site")
        raise refusal(error, settings.realm)


def _service() -> tuple[SignIn, ManagedLogin]:
    service = sign_in_of(current_app)
    if not service.is_on:
        abort(404)
    return service, service.managed_login(request)


def _keep_renewed(response: Response) -> Response:
    sign_in_of(current_app).keep_renewed(request, response)
    return response


def _has_session() -> bool:
    """Whether the browser holds a session, good or not: for what a page offers, not allows."""
    caching.mark_guarded(request)
    return sign_in_of(current_app).cookies.has_session(request)
