"""Browser sign-in over Cognito's managed login: authorization code with PKCE (RFC 6749, 7636).

`sign_in(app)` adds `/login`, `/callback`, `/logout`, `/session/refresh`, and pages for refusals.
"""

import logging
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, current_app, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.urls import iri_to_uri
from werkzeug.wrappers import Response as WerkzeugResponse

from cognises.errors import CognisesError
from cognises.signin.cookies import Attempt
from cognises.signin.managed_login import REFUSALS, SignInProblem, Tokens, forwardable
from cognises.signin.session import ENDED, RENEWAL_PROBLEM, SHARED_SECONDS, SignIn, current_sign_in
from cognises.web import responses
from cognises.web.authorize import auth_result_for, current_user
from cognises.web.credentials import is_same_origin
from cognises.web.decorators import public
from cognises.web.responses import Refusal, is_navigation, prefers_html, refusal, vary_by_accept
from cognises.web.state import state_of

__all__ = ["sign_in"]
log = logging.getLogger("cognises.signin")
bp = Blueprint("signin", __name__, template_folder="../templates")
# OAuth errors by which a person, or a rule about the person, said no.
_DENIALS = frozenset({"access_denied", "login_required", "interaction_required"})


def sign_in(app: Flask) -> None:
    """Add browser sign-in to `app`, before `Cognises(app)`.
    It works where `COGNITO_DOMAIN` and `COGNISES_PUBLIC_URL` are set; elsewhere its addresses
    answer 404, and refusals stay as they are.
    """
    responses.install(app, current_user=current_user)
    responses.serve_below_public_path(app)
    SignIn(app)
    app.register_blueprint(bp)
    app.register_error_handler(Refusal, answer_refusal)
    app.context_processor(_page_values)


def _page_values() -> dict[str, object]:
    """For every page of the app, also those that are rendered while settings are wrong."""

    def has_session() -> bool:
        """Whether the browser holds a session, good or not: for what a page offers, not allows."""
        responses.mark_guarded(request)
        return current_sign_in.cookies.has_session(request)

    is_on = not state_of(current_app).settings_with_problems[1] and current_sign_in.is_on
    return {"can_sign_in": is_on, "has_session": has_session}


@bp.before_request
def require_own_request() -> None:
    """404 where sign-in is off; a POST must be from this service's own pages. No cache keeps it."""
    responses.mark_guarded(request)
    if not current_sign_in.is_on:
        raise NotFound
    settings = current_sign_in.settings
    if request.method == "POST" and not is_same_origin(request, settings.public_origin):
        error = CognisesError("cross_site", "sign-out or renewal from another site")
        raise refusal(error, settings.realm)


@bp.get("/login")
@public
def login() -> WerkzeugResponse:
    """To Cognito's managed login; afterwards back to the page that was asked for."""
    settings, forwarded = current_sign_in.settings, forwardable(request.args)
    target = current_sign_in.return_path(request, _single_arg("next"))
    if settings.local and request.host_url.rstrip("/") != settings.public_origin:
        # localhost and 127.0.0.1 are two hosts to a browser's cookies: continue at the public one.
        own = url_for("signin.login", next=target, **forwarded)
        return redirect_to(f"{settings.public_origin}{own}")
    if _single_arg("renewal") == "refused" and current_sign_in.is_signed_in(request):
        return redirect_to(target)
    attempt = Attempt.new(target)
    response = redirect_to(current_sign_in.managed_login(request).authorize_url(attempt, forwarded))
    current_sign_in.cookies.keep_attempt(request, response, attempt)
    return response


@bp.get("/callback")
@public
def callback() -> WerkzeugResponse:
    """Back from managed login, with a code or an error."""
    cookies, state = current_sign_in.cookies, _single_arg("state")
    attempt = cookies.attempt(request, state)
    return_to = current_sign_in.return_path(request, attempt.return_path if attempt else None)
    response = redirect_to(return_to)
    try:
        cookies.keep_session(response, _tokens_of_callback(attempt), request.cookies, is_new=True)
    except SignInProblem as problem:
        # A signed-in user at a used callback (Back, or a reloaded page) continues to the app.
        if problem.reason != "no_attempt" or not current_sign_in.is_signed_in(request):
            response = problem_page(problem, return_to)
    cookies.forget_attempt(request, response, state)
    return response


def _tokens_of_callback(attempt: Attempt | None) -> Tokens:
    managed, error = current_sign_in.managed_login(request), request.args.get("error")
    if error is not None:
        detail = managed.log_detail(error, request.args.get("error_description"))
        reason = "denied" if error in _DENIALS else "refused"
        raise SignInProblem(reason, f"managed login: {detail}")
    if attempt is None:
        raise SignInProblem("no_attempt", "no attempt of this browser has that state")
    code = _single_arg("code")
    if not code:
        raise SignInProblem("bad_answer", "neither one code nor an error")
    tokens = managed.exchange(code, attempt)
    current_sign_in.check_new(tokens, attempt.nonce)
    return tokens


@bp.post("/logout")
@public
def logout() -> WerkzeugResponse:
    """End the session here, the refresh token at Cognito, and Cognito's own session."""
    try:
        current_sign_in.end(request)
    except SignInProblem as problem:
        log.warning("refresh token not revoked: %s", problem.detail)
    address = current_sign_in.managed_login(request).logout_url()
    response = redirect_to(address, 303)
    if request.accept_mimetypes.best == "application/json":
        body = {"status": 200, "message": "Signed out.", "next": address}
        response = current_app.make_response(body)
    current_sign_in.cookies.end_session(request, response)
    return vary_by_accept(response)


@bp.post("/session/refresh")
@public
def refresh() -> WerkzeugResponse:
    """New tokens for the refresh token; a form goes on to the page that it names."""
    target = current_sign_in.return_path(request, request.form.get("next"))
    try:
        tokens = current_sign_in.renew(request)
        response = current_app.make_response({"status": 200, "message": "Renewed."})
        if prefers_html(request):
            response = redirect_to(target, 303)
        current_sign_in.cookies.keep_session(response, tokens, request.cookies)
    except SignInProblem as problem:  # deletes no cookie: another renewal may just have set it
        response = problem_page(problem, target)
    return vary_by_accept(response)


def _single_arg(name: str) -> str:
    found = request.args.getlist(name)
    return found[0] if len(found) == 1 else ""


def answer_refusal(refused: Refusal) -> WerkzeugResponse | Refusal:
    """The error handler for refusals: pages for people, the refusal in JSON for programs."""
    error = refused.error
    if not current_sign_in.is_on:
        return refused
    if not is_navigation(request):
        return vary_by_accept(refused.get_response())  # type: ignore[arg-type]
    if error.reason not in ENDED:
        title, text = REFUSALS.get(error.reason, REFUSALS["other"])
        is_of_app = error.reason in ("wrong_token_use", "wrong_client")
        is_final = error.status not in (400, 401) or is_of_app
        login = None if is_final else url_for("signin.login", next=_current_path())
        user = auth_result_for(request).denied_principal
        page = _page("notice", error.status, title=title, text=text, user=user, login=login)
    elif request.method in ("GET", "HEAD", "OPTIONS"):
        return vary_by_accept(_to_sign_in())
    else:  # a form that was sent too late: the browser still has the input
        is_own = is_same_origin(request, current_sign_in.settings.public_origin)
        is_renewed = is_own and current_sign_in.try_renewal(request) is not None
        page = _page("unsaved", error.status, is_renewed=is_renewed)
    page.headers.update(error.headers_for(current_sign_in.settings.realm))
    return vary_by_accept(page)


def _to_sign_in() -> Response:
    """To managed login and back; a page where renewal failed and the session may be good."""
    problem: SignInProblem | None = request.__dict__.get(RENEWAL_PROBLEM)
    if problem and problem.reason != "no_session":
        return problem_page(problem, _current_path())
    if problem:
        log.info("%s: session not renewed (%s)", request.path, problem.detail)
    # Another tab may have renewed the session in the meantime: /login checks for that.
    renewal = "refused" if problem else None
    return redirect_to(url_for("signin.login", next=_current_path(), renewal=renewal))


def problem_page(problem: SignInProblem, return_to: str) -> Response:
    """What went wrong and what to do; nothing starts by itself, so that nothing loops."""
    log.warning("%s: %s (%s)", request.path, problem.reason, problem.detail)
    if not prefers_html(request):
        body = {"status": problem.status, "message": problem.title, "reason": problem.reason}
        headers = {"Retry-After": f"{SHARED_SECONDS:.0f}"} if problem.status in (429, 503) else {}
        return current_app.make_response((body, problem.status, headers))
    login = url_for("signin.login", next=return_to)
    return _page("notice", problem.status, title=problem.title, text=problem.text, login=login)


def redirect_to(address: str, code: int = 302) -> Response:
    """A redirect whose body repeats nothing of the address."""
    return Response(status=code, headers={"Location": iri_to_uri(address)})


def _page(name: str, status: int, **values: object) -> Response:
    return Response(responses.page(f"cognises/{name}.html", status=status, **values), status)


def _current_path() -> str:
    """Path and query of the request, as the browser wrote them, if they are a page's."""
    url = urlsplit(iri_to_uri(request.url))._replace(scheme="", netloc="")
    return current_sign_in.return_path(request, url.geturl())
