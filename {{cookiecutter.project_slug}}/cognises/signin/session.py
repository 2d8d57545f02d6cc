"""Sessions of one app: where sign-in returns to, the checks of tokens, and renewal."""

import hmac
import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent import futures
from hashlib import sha256
from secrets import token_bytes
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from flask import Flask, Request, Response, after_this_request, current_app
from werkzeug.exceptions import HTTPException
from werkzeug.local import LocalProxy

from cognises.errors import CognisesError
from cognises.settings.model import Settings
from cognises.signin.cookies import Cookies
from cognises.signin.managed_login import ManagedLogin, SignInProblem, Tokens
from cognises.tokens import jws
from cognises.tokens.verifier import Verifier
from cognises.web.responses import SECRET, is_navigation
from cognises.web.routes import LoginGuard
from cognises.web.state import state_of

ENDED = frozenset({"token_expired", "missing_token"})  # reasons that a renewal can help
RENEWAL_PROBLEM = "_cognises_renewal_problem"  # on a request that tried one: why it failed, or None
_EXTENSION = "cognises.signin"
MAX_RENEWALS, MAX_REFUSED = 256, 16
SHARED_SECONDS = 15.0  # longer than the token endpoint and the keys may take
_MAX_PATH = 512  # it travels in a cookie
# One leading slash; nothing that a browser, a proxy or a router could read as another address.
_SAFE_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")
_ENCODED_SLASH = re.compile(r"%(?:2f|5c|0[0-9a-f]|1[0-9a-f]|7f)", re.IGNORECASE)
# What a browser removes from a path before it asks for it: the route would be another one.
_DOTS = re.compile(r"/\.\.?(?:/|$)")
_Key = tuple[bytes, bytes, bytes]  # digests: user, token that the browser holds, refresh token
Renew = Callable[[], Tokens]
Outcome = Tokens | SignInProblem


class Renewals:
    """At most `MAX_RENEWALS` settled ones of this process's last `SHARED_SECONDS`. Thread-safe.
    Tabs of one browser ask at the same time with the same cookies, and with refresh-token rotation
    the second use of a refresh token is refused: equal requests share the first answer. Invented
    refresh tokens cost `MAX_REFUSED` calls for each verified user, and for all requests without.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shared: dict[_Key, tuple[float, futures.Future[Outcome]]] = {}  # and when it ends

    def share(self, refresh_token: str, held: str | None, renew: Renew, sub: str = "") -> Tokens:
        """The tokens of `renew()`, or of an equal request's. Raises SignInProblem."""
        # `held` is the browser's token: once that is the new one, its request is another.
        key = _digest(sub), _digest(held), _digest(refresh_token)
        own: futures.Future[Outcome] = futures.Future()
        found: Outcome
        with self._lock:
            future = self._join(key, own)
        if future is own:
            keep, found = False, SignInProblem("unreachable", "the shared renewal failed")
            try:
                keep, found = held is not None, renew()
            except SignInProblem as problem:  # a refusal, too, serves requests on their way
                keep, found = problem.reason == "no_session", problem.with_traceback(None)
            finally:
                own.set_result(found)
                with self._lock:
                    if not keep and self._shared.get(key, (0, None))[1] is own:
                        del self._shared[key]
        try:
            found = future.result(SHARED_SECONDS)
        except futures.TimeoutError:
            raise SignInProblem("unreachable", "an equal request's renewal is too slow") from None
        if isinstance(found, SignInProblem):
            raise SignInProblem(found.reason, found.detail)
        return found

    def _join(self, key: _Key, own: futures.Future[Outcome]) -> futures.Future[Outcome]:
        now = time.monotonic()
        self._shared = shared = {key: kept for key, kept in self._shared.items() if kept[0] > now}
        if key not in shared:
            refused = [each for each, (_, future) in shared.items() if not _issued(future)]
            if sum(sub == key[0] for sub, _, _ in refused) >= MAX_REFUSED:
                raise SignInProblem("too_many_renewals", "too many refused or unfinished ones")
            if len(shared) >= MAX_RENEWALS:  # unfinished renewals stay, refusals go first
                order = (*refused, *shared)
                shared.pop(next((each for each in order if shared[each][1].done()), key), None)
        return shared.setdefault(key, (now + SHARED_SECONDS, own))[1]

    def end(self, refresh_token: str) -> None:
        """Share no renewal of, or that led to, this refresh token. The limit still counts it."""
        ended = {_digest(refresh_token)}
        with self._lock:
            for key, (_, future) in reversed(list(self._shared.items())):
                if ended & {key[2], _issued(future)}:
                    ended.add(key[2])
                    self._shared[key[0], key[1], token_bytes()] = self._shared.pop(key)


def _digest(text: str | None) -> bytes:
    return sha256((text or "").encode()).digest()


def _issued(future: futures.Future[Outcome]) -> bytes | None:  # a refresh token, by a success
    found = future.result() if future.done() else None
    return _digest(found.refresh_token) if isinstance(found, Tokens) else None


class SignIn:
    def __init__(self, app: Flask) -> None:
        self._state, self._renewals = state_of(app), Renewals()
        self._state.renew = self.renew_page_view
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
    def cookies(self) -> Cookies:
        return Cookies(self.settings)

    def managed_login(self, request: Request) -> ManagedLogin:
        return ManagedLogin(self.settings, f"{self.settings.public_origin}{request.script_root}")

    def return_path(self, request: Request, text: str | None) -> str:
        """`text` if it is the path (and query) of a GET route of the app, else the front page."""
        home = f"{request.script_root}/"
        if not text or len(text) > _MAX_PATH or not _SAFE_PATH.fullmatch(text):
            return home
        path = urlsplit(text).path
        if "//" in path or _ENCODED_SLASH.search(path) or not path.startswith(home):
            return home
        plain, routes = unquote(path), self._state.app.url_map.bind("localhost")
        try:
            endpoint, _ = routes.match(plain[len(home) - 1 :], method="GET")
        except HTTPException:  # RequestRedirect included
            return home
        return home if _DOTS.search(plain) or str(endpoint).startswith("signin.") else text

    def is_signed_in(self, request: Request) -> bool:
        try:
            self._state.verifier().verify(self.cookies.token(request) or "")
        except (CognisesError, SignInProblem):
            return False
        return True

    def check_new(self, tokens: Tokens, nonce: str) -> None:
        """Pass, or raise SignInProblem: both verify, are a pair, and answer this attempt."""
        found = self._check_pair(tokens).get("nonce")
        if not isinstance(found, str) or not hmac.compare_digest(found.encode(), nonce.encode()):
            # The browser's doing, where it has changed its attempt: no 5xx.
            raise SignInProblem("bad_answer", "nonce is not the attempt's")

    def renew(self, request: Request) -> Tokens:
        """Verified new tokens for the refresh token of a request. Raises SignInProblem."""
        refresh_token = self.cookies.refresh_token(request)
        if refresh_token is None:
            raise SignInProblem("no_session", "no refresh token")
        previous = self.cookies.token(request)
        sub = "" if previous is None else self._sub_of(previous)  # before the token is spent

        def fetch() -> Tokens:
            tokens = self.managed_login(request).refresh(refresh_token)
            if self._check_pair(tokens).get("sub") != sub and sub:
                raise SignInProblem("no_session", "refreshed tokens are of another user")
            return tokens

        return self._renewals.share(refresh_token, previous, fetch, sub)

    def end(self, request: Request) -> None:
        """Revoke a request's refresh token. Raises SignInProblem."""
        if refresh_token := self.cookies.refresh_token(request):
            self._renewals.end(refresh_token)
            self._sub_of(self.cookies.token(request) or "")  # invented ones cost no call
            self.managed_login(request).revoke(refresh_token)

    def renew_page_view(self, request: Request, error: CognisesError) -> bool:
        """Whether a refused request to open a page may be decided again, with a renewed token."""
        has_header = "HTTP_AUTHORIZATION" in request.environ
        is_page = request.method in {"GET", "HEAD"} and is_navigation(request)
        if error.reason not in ENDED or has_header or not is_page:
            return False
        if tokens := self.try_renewal(request):
            self.cookies.replace_token(request, tokens)
        return tokens is not None

    def try_renewal(self, request: Request) -> Tokens | None:
        """New tokens, tried once a request, whose cookies its response sets, whatever it is."""
        has_token = self.is_on and self.cookies.refresh_token(request) is not None
        if RENEWAL_PROBLEM in request.__dict__ or not has_token:
            return None
        request.__dict__[RENEWAL_PROBLEM] = None
        try:
            tokens = self.renew(request)
        except SignInProblem as problem:
            request.__dict__[RENEWAL_PROBLEM] = problem
            return None
        sent = frozenset(request.cookies)

        @after_this_request
        def keep(response: Response) -> Response:
            self.cookies.keep_session(response, tokens, sent)
            return response

        request.__dict__[SECRET] = True
        return tokens

    def _check_pair(self, tokens: Tokens) -> Mapping[str, Any]:
        """The ID token's claims. Raises SignInProblem unless both tokens verify and are a pair."""
        self.cookies.pieces(tokens)
        claims = self._verified(tokens.id_token, "id")
        access = self._verified(tokens.access_token, "access")
        if access["sub"] != claims["sub"]:
            raise SignInProblem("bad_tokens", "the two tokens are of different users")
        # OpenID Connect Core section 3.1.3.6. Cognito always writes at_hash; an emulator may not.
        half = sha256(tokens.access_token.encode()).digest()[:16]
        at_hash = claims.get("at_hash")
        if at_hash != jws.encode_segment(half) and not (at_hash is None and self.settings.local):
            raise SignInProblem("bad_tokens", "at_hash is not the access token's")
        return claims

    def _verified(self, token: str, kind: str) -> Mapping[str, Any]:
        try:
            return self._verifier(kind).verify(token)
        except CognisesError as error:
            reason = "unreachable" if error.reason == "keys_unavailable" else "bad_tokens"
            raise SignInProblem(reason, f"{kind} token: {error.reason}: {error.detail}") from None

    def _verifier(self, kind: str) -> Verifier:
        clients = frozenset({self.settings.sign_in_client_id or ""})
        return self._state.verifier(LoginGuard(client_ids=clients, token_use=frozenset({kind})))

    def _sub_of(self, token: str) -> str:
        """The user of a session, by the token that the browser holds, which may have expired."""
        try:
            sub = jws.parse_object(self._verifier("id").verify_signature(token)).get("sub")
        except CognisesError as error:
            reason = "unreachable" if error.reason == "keys_unavailable" else "no_session"
            raise SignInProblem(reason, f"token cookie: {error.reason}: {error.detail}") from None
        if not isinstance(sub, str) or not sub:
            raise SignInProblem("no_session", "no session to continue: no sub")
        return sub


current_sign_in = cast(SignIn, LocalProxy(lambda: current_app.extensions[_EXTENSION]))
