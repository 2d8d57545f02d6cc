"""Browser sign-in of one app: its settings, cookies and checks, and renewal of its sessions."""

from __future__ import annotations

from flask import Flask, Request, Response

from cognises.errors import CognisesError
from cognises.settings.model import Settings
from cognises.signin.cookies import Cookies
from cognises.signin.managed_login import ManagedLogin, Tokens
from cognises.signin.problems import SignInProblem
from cognises.signin.renewal import Renewals
from cognises.signin.return_path import return_path
from cognises.signin.session import SessionChecks
from cognises.web import caching
from cognises.web.browser import is_page_view
from cognises.web.route_metadata import DEFAULT_LOGIN
from cognises.web.state import state_of

_EXTENSION = "cognises.signin"
_RENEWED = "_cognises_renewed"  # on the request: its new tokens, or why there are none
_RENEWABLE = frozenset({"token_expired", "missing_token"})


class SignIn:
    """What the routes and pages of sign-in share; `sign_in_of(app)` finds it."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._state = state_of(app)
        self._renewals = Renewals()
        app.extensions[_EXTENSION] = self

    @property
    def settings(self) -> Settings:
        return self._state.settings

    @property
    def is_on(self) -> bool:
        """Whether the settings name a domain, the service's own address and an app client."""
        settings = self.settings
        return bool(settings.domain and settings.public_url and settings.sign_in_client_id)

    @property
    def can_be_offered(self) -> bool:
        """The same for pages, which are also rendered while settings are wrong."""
        return not self._state.settings_with_problems[1] and self.is_on

    @property
    def cookies(self) -> Cookies:
        return Cookies(self.settings)

    @property
    def checks(self) -> SessionChecks:
        return SessionChecks(self._state, self.settings.sign_in_client_id or "")

    def managed_login(self, request: Request) -> ManagedLogin:
        return ManagedLogin(self.settings, f"{self.settings.public_origin}{request.script_root}")

    def return_path(self, request: Request, text: str | None) -> str:
        """`text` if it is a page of the app, else the front page."""
        return return_path(self._app, text, request.script_root)

    def is_signed_in(self, request: Request) -> bool:
        """Whether the browser holds a token that is good now."""
        try:
            token = self.cookies.previous_token(request)
            self._state.verifier(DEFAULT_LOGIN).verify(token or "")
        except (CognisesError, SignInProblem):
            return False
        return True

    def renew(self, request: Request) -> Tokens:
        """Verified new tokens for the refresh token of a request. Raises SignInProblem."""
        cookies, checks = self.cookies, self.checks
        refresh_token = cookies.refresh_token(request)
        if refresh_token is None:
            raise SignInProblem("no_session", "no refresh token")
        previous = cookies.previous_token(request)
        sub = None if previous is None else checks.sub_of(previous)  # before the token is spent
        managed = self.managed_login(request)

        def fetch() -> Tokens:
            tokens = managed.refresh(refresh_token)
            cookies.require_room(tokens)
            checks.check_refreshed(tokens, sub)
            return tokens

        return self._renewals.share(refresh_token, previous, fetch)

    def renew_page_view(self, request: Request, error: CognisesError) -> bool:
        """Whether a refused request to open a page may be decided again, with a renewed token.

        It is tried once a request, where the token has ended and a refresh token is there. The
        answer carries the new cookies, whatever it is.
        """
        if (
            error.reason not in _RENEWABLE
            or "HTTP_AUTHORIZATION" in request.environ
            or not is_page_view(request)
            or not self.try_renewal(request)
        ):
            return False
        tokens: Tokens = request.__dict__[_RENEWED]
        self.cookies.replace_token(request, self.cookies.session_token(tokens))
        return True

    def try_renewal(self, request: Request) -> bool:
        """Renew the session of a request, unless that was tried before. Its answer sets cookies."""
        has_token = self.is_on and self.cookies.refresh_token(request) is not None
        if _RENEWED in request.__dict__ or not has_token:
            return False
        try:
            request.__dict__[_RENEWED] = self.renew(request)
        except SignInProblem as problem:
            request.__dict__[_RENEWED] = problem
            return False
        return True

    def renewal_problem(self, request: Request) -> SignInProblem | None:
        """Why a session could not be renewed, where it had a refresh token."""
        found = request.__dict__.get(_RENEWED)
        return found if isinstance(found, SignInProblem) else None

    def keep_renewed(self, request: Request, response: Response) -> None:
        """Set the cookies of a renewed session on whatever answers; no cache may keep them."""
        tokens = request.__dict__.get(_RENEWED)
        if isinstance(tokens, Tokens):
            caching.mark_secret(request)
            self.cookies.keep_session(request, response, tokens)


def sign_in_of(app: Flask) -> SignIn:
    """The app's sign-in. Raises KeyError where `sign_in(app)` was not called."""
    found: SignIn = app.extensions[_EXTENSION]
    return found
