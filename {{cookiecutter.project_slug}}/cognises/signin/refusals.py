"""What a browser gets in place of a bare refusal: sign-in, or a page that says why and what to do.

Programs get the refusal as it is, in JSON.
"""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from flask import Response, current_app, make_response, render_template, request, url_for
from werkzeug.urls import iri_to_uri
from werkzeug.wrappers import Response as WerkzeugResponse

from cognises.signin.problems import SignInProblem
from cognises.signin.service import SignIn, sign_in_of
from cognises.web.authorize import auth_result_for
from cognises.web.browser import is_navigation, prefers_html, vary_by_accept
from cognises.web.credentials import is_same_origin
from cognises.web.responses import Refusal

log = logging.getLogger("cognises.signin")

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_ENDED = frozenset({"missing_token", "token_expired"})


def answer_refusal(error: Refusal) -> WerkzeugResponse | Refusal:
    """The error handler for refusals: pages for people, the refusal itself for programs."""
    sign_in = sign_in_of(current_app)
    if not sign_in.is_on:
        return error
    if not is_navigation(request):
        return vary_by_accept(error.get_response())  # type: ignore[arg-type]
    if error.error.reason not in _ENDED:
        return _page("signin/refused.html", error, user=auth_result_for(request).denied_principal)
    if request.method not in _SAFE_METHODS:
        return _nothing_saved(sign_in, error)
    problem = sign_in.renewal_problem(request)
    if problem and problem.reason != "no_session":
        return problem_page(problem, current_path(sign_in))
    if problem:
        log.info("%s: session not renewed (%s)", request.path, problem.detail)
    # Another tab may have renewed the session in the meantime: /login looks for it then.
    address = url_for(
        "signin.login", next=current_path(sign_in), renewal="refused" if problem else None
    )
    return vary_by_accept(redirect_to(address))


def _nothing_saved(sign_in: SignIn, error: Refusal) -> Response:
    """For a form that was sent after its session ended: the input is still in the browser."""
    is_own = is_same_origin(request, sign_in.settings.public_origin)
    is_renewed = is_own and sign_in.try_renewal(request)
    return _page("signin/unsaved.html", error, is_renewed=is_renewed)


def _page(name: str, error: Refusal, **values: object) -> Response:
    sign_in = sign_in_of(current_app)
    here = current_path(sign_in) if request.method in _SAFE_METHODS else None
    page = make_response(render(name, error=error.error, here=here, **values), error.error.status)
    for header, value in error.error.headers_for(sign_in.settings.realm).items():
        page.headers[header] = value
    return vary_by_accept(page)


def problem_page(problem: SignInProblem, return_to: str | None = None) -> Response:
    """What went wrong and what to do; nothing starts by itself, so that nothing loops."""
    log.warning("%s: %s (%s)", request.path, problem.reason, problem.detail)
    page = problem.page
    if not prefers_html(request):
        body = {"status": page.status, "message": page.title, "reason": problem.reason}
        return make_response(body, page.status)
    text = render("signin/problem.html", page=page, return_to=return_to)
    return make_response(text, page.status)


def redirect_to(address: str, code: int = 302) -> Response:
    """A redirect whose body repeats nothing of the address."""
    return Response(status=code, headers={"Location": iri_to_uri(address)})


def render(name: str, **values: object) -> str:
    """A page in the app's own frame, where it has one."""
    layout = current_app.jinja_env.select_template(["layout.html", "signin/layout.html"])
    return render_template(name, layout=layout, **values)


def current_path(sign_in: SignIn) -> str:
    """Path and query that were asked for, as the browser wrote them, if they are a page's."""
    url = urlsplit(iri_to_uri(request.url))
    return sign_in.return_path(request, f"{url.path}?{url.query}" if url.query else url.path)
