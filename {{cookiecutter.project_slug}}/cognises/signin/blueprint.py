"""`/login`, `/callback`, `/logout`, `/session/refresh`, and pages in place of bare refusals."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.urls import iri_to_uri
from werkzeug.wrappers import Response as WerkzeugResponse

from cognises.errors import CognisesError
from cognises.settings.model import Settings
from cognises.signin.cookies import Cookies
from cognises.signin.managed_login import ManagedLogin, Tokens, error_name
from cognises.signin.problems import SignInProblem
from cognises.signin.return_path import return_path
from cognises.signin.session import SessionChecks
from cognises.web import caching
from cognises.web.browser import is_page_view, prefers_html, vary_by_accept
from cognises.web.credentials import is_same_origin
from cognises.web.decorators import public
from cognises.web.responses import Refusal, refusal
from cognises.web.state import state_of

log = logging.getLogger("cognises.signin")

bp = Blueprint("signin", __name__, template_folder="templates")

# RFC 6749 section 4.1.2.1: the person, or a rule about her, said no; the rest is configuration.
_DENIALS = frozenset({"access_denied", "login_required", "interaction_required"})


def sign_in(app: Flask) -> None:
    """Add browser sign-in to `app`, before `Cognises(app)`.

    It works where `COGNITO_DOMAIN` and `COGNISES_PUBLIC_URL` are set; elsewhere its addresses
    answer 404, and refusals stay as they are.
    """
    caching.install(app)
    app.register_blueprint(bp)
    app.register_error_handler(Refusal, _refused)
    app.context_processor(lambda: {"can_sign_in": _can(app), "has_session": _has_session})


@bp.before_request
def personal() -> None:
    """No cache may keep these answers."""
    caching.mark_guarded(request)


@bp.get("/login")
@public
def login() -> WerkzeugResponse:
    """To Cognito's managed login; back to the page that the person wanted."""
    managed = _managed_login()
    target = return_path(current_app, request.args.get("next"))
    settings = state_of(current_app).settings
    if settings.local and request.host_url != f"{settings.public_origin}/":
        # localhost and 127.0.0.1 are two hosts to a browser's cookies: go on at the public one.
        return _to(f"{settings.public_url}{url_for('signin.login', next=target)}")
    attempt = managed.new_attempt(target)
    response = _to(managed.authorize_url(attempt))
    _cookies().keep_attempt(request, response, attempt)
    return response


@bp.get("/callback")
@public
def callback() -> WerkzeugResponse:
    """Back from managed login, with a code or an error."""
    managed, cookies = _managed_login(), _cookies()
    state = _one("state")
    try:
        attempt = cookies.attempt(request, state)
        if attempt is None:
            raise SignInProblem("no_attempt", "no attempt of this browser has that state")
        _raise_error()
        code = _one("code")
        if not code:
            raise SignInProblem("bad_answer", "neither one code nor an error")
        tokens = managed.exchange(code, attempt)
        _checks().check_new(tokens, attempt.nonce)
        response = _to(return_path(current_app, attempt.return_path))
        if not tokens.refresh_token:
            cookies.forget_refresh_token(response)  # the one before was somebody else's, perhaps
        cookies.keep_session(response, _shown(tokens), tokens.refresh_token)
    except SignInProblem as problem:
        response = _problem_page(problem)
    cookies.forget_attempt(response, state)
    return response


@bp.post("/logout")
@public
def logout() -> WerkzeugResponse:
    """End the session here, the refresh token at Cognito, and Cognito's own session."""
    managed, cookies = _managed_login(), _cookies()
    _require_same_origin()
    refresh_token = cookies.refresh_token(request)
    if refresh_token:
        try:
            managed.revoke(refresh_token)
        except SignInProblem as problem:
            log.warning("refresh token not revoked: %s", problem.detail)
    address = managed.logout_url()
    if request.accept_mimetypes.best == "application/json":
        response = jsonify(status=200, message="Signed out.", next=address)
    else:
        response = _to(address, 303)
    cookies.end_session(response)
    return vary_by_accept(response)


@bp.post("/session/refresh")
@public
def refresh() -> WerkzeugResponse:
    """New tokens for the refresh token; a form goes on to the page that it names."""
    managed, cookies = _managed_login(), _cookies()
    _require_same_origin()
    try:
        refresh_token = cookies.refresh_token(request)
        if refresh_token is None:
            raise SignInProblem("no_session", "no refresh token")
        sub = _checks().sub_of(cookies.previous_token(request))  # before the token is spent
        tokens = managed.refresh(refresh_token)
        _checks().check_refreshed(tokens, sub)
        is_form = prefers_html(request)
        target = return_path(current_app, request.form.get("next"))
        response = _to(target, 303) if is_form else jsonify(status=200, message="Refreshed.")
        cookies.keep_session(response, _shown(tokens), tokens.refresh_token)
    except SignInProblem as problem:
        response = _problem_page(problem)
        if problem.reason == "no_session":
            cookies.end_session(response)
    return vary_by_accept(response)


def _refused(error: Refusal) -> WerkzeugResponse | Refusal:
    """A person is sent to sign in, or shown why not; a program gets the refusal as it is."""
    if not _is_on(state_of(current_app).settings):
        return error
    response = error.get_response()
    if not is_page_view(request):
        return vary_by_accept(response)  # type: ignore[arg-type]
    if error.error.reason == "missing_token":
        return vary_by_accept(_to(url_for("signin.login", next=_here())))
    page = make_response(
        _render(
            "signin/refused.html",
            error=error.error,
            here=_here(),
            can_refresh=_cookies().refresh_token(request) is not None,
        ),
        error.error.status,
    )
    for name, value in error.error.headers_for(state_of(current_app).settings.realm).items():
        page.headers[name] = value
    return vary_by_accept(page)


def _problem_page(problem: SignInProblem) -> Response:
    """What went wrong and what to do; nothing starts by itself, so that nothing loops."""
    log.warning("%s: %s (%s)", request.path, problem.reason, problem.detail)
    answer = problem.answer
    if not prefers_html(request):
        body = {"status": answer.status, "message": answer.title, "reason": problem.reason}
        return make_response(body, answer.status)
    return make_response(_render("signin/problem.html", answer=answer), answer.status)


def _render(name: str, **values: object) -> str:
    """A page in the app's own frame, where it has one."""
    layout = current_app.jinja_env.select_template(["layout.html", "signin/layout.html"])
    return render_template(name, layout=layout, **values)


def _raise_error() -> None:
    """The error that managed login came back with; its description is never shown."""
    error = request.args.get("error")
    if error is not None:
        reason = "denied" if error in _DENIALS else "refused"
        raise SignInProblem(reason, f"managed login said {error_name(error)}")


def _here() -> str:
    """The address that was asked for, as the browser wrote it."""
    url = urlsplit(iri_to_uri(request.url))
    return return_path(current_app, f"{url.path}?{url.query}" if url.query else url.path)


def _one(name: str) -> str:
    """A parameter that must be there once; empty otherwise."""
    found = request.args.getlist(name)
    return found[0] if len(found) == 1 else ""


def _require_same_origin() -> None:
    settings = state_of(current_app).settings
    if not is_same_origin(request, settings.public_origin):
        error = CognisesError("cross_site", "signing out or refreshing from elsewhere")
        raise refusal(error, settings.realm)


def _shown(tokens: Tokens) -> str:
    """The token that the cookie carries: the kind that the guards accept."""
    is_id = "id" in state_of(current_app).settings.token_use
    return tokens.id_token if is_id else tokens.access_token


def _can(app: Flask) -> bool:
    """Whether pages offer to sign in; not while settings are wrong, for then error pages ask."""
    settings, problems = state_of(app).reading
    return not problems and _is_on(settings)


def _is_on(settings: Settings) -> bool:
    return bool(settings.domain and settings.public_url and settings.sign_in_client_id)


def _has_session() -> bool:
    """Whether the browser holds a session, good or not: for what a page offers, not allows."""
    caching.mark_guarded(request)
    cookies = _cookies()
    return bool(cookies.previous_token(request) or cookies.refresh_token(request))


def _managed_login() -> ManagedLogin:
    settings = state_of(current_app).settings
    if not (settings.domain and settings.public_url and settings.sign_in_client_id):
        abort(404)
    if request.script_root:
        # Where managed login comes back to is the root of the public address.
        log.error("browser sign-in does not work below a path: the app is mounted at one")
        abort(404)
    return ManagedLogin(settings.domain, settings.sign_in_client_id, settings.public_url)


def _checks() -> SessionChecks:
    state = state_of(current_app)
    return SessionChecks(state, state.settings.sign_in_client_id or "")


def _cookies() -> Cookies:
    return Cookies(state_of(current_app).settings)


def _to(address: str, code: int = 302) -> Response:
    return redirect(address, code, Response)  # type: ignore[return-value]
