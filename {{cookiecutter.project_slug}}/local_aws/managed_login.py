"""A stand-in for Cognito's managed login: authorize, token, userInfo, revoke and logout endpoints.

For development on this machine only: anybody who opens it can sign in as any user. Addresses,
checks and errors are Cognito's (AWS, "Managed login and classic hosted UI endpoints reference"); a
page to pick a user takes the place of the password. `single_page.py` has what browsers' own
OAuth clients need.
"""

import secrets
from collections.abc import Callable, Iterable
from functools import partial
from urllib.parse import unquote_plus, urlencode, urlsplit

from flask import Flask, Request, Response, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as WerkzeugResponse

from cognises.web.credentials import is_same_origin
from local_aws import single_page
from local_aws.grants import Grant, Grants
from local_aws.issuer import Issuer
from local_aws.single_page import is_of_single_page_app

SESSION_COOKIE = "managed_login"
_PREFIXES = ("/oauth2/", "/login", "/logout", "/local/", "/managed-login/")

_FIELDS = ("response_type", "client_id", "redirect_uri", "scope", "state", "nonce",
           "code_challenge", "code_challenge_method")  # fmt: skip


class WrongRequest(Exception):
    """A request that may not even be redirected: client or address cannot be trusted."""


class Denied(Exception):
    """A request that goes back to the app with an error (RFC 6749 section 4.1.2.1)."""


class UnknownClient(Exception):
    """A call of the token or revocation endpoint that is not a client's; carries the status."""


def is_managed_login(path: str) -> bool:
    """Whether a path is the stand-in's, and not moto's."""
    return path.startswith(_PREFIXES) or single_page.is_discovery(path)


def managed_login(token_use: str = "id", origins: Iterable[str] = ()) -> Flask:
    """The stand-in as an app. `token_use` is the kind that `/local/token` gives.

    Single-page apps of `origins` may sign in with addresses of their own.
    """
    app = Flask(__name__, static_url_path="/managed-login")
    app.config["ORIGINS"] = frozenset(origins)
    grants = Grants()
    single_page.install(app)

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @app.errorhandler(WrongRequest)
    def wrong(error: WrongRequest) -> tuple[str, int]:
        return render_template("managed_login.html", reason=str(error)), 400

    @app.errorhandler(UnknownClient)
    def unknown(error: UnknownClient) -> tuple[Response, int, dict[str, str]]:
        """RFC 6749 section 5.2: a client that used HTTP Basic gets its challenge."""
        used_header = "Authorization" in request.headers
        headers = {"WWW-Authenticate": 'Basic realm="managed login"'} if used_header else {}
        return jsonify(error="invalid_client"), error.args[0], headers

    app.get("/oauth2/authorize", endpoint="authorize")(partial(authorize, grants))
    app.post("/login", endpoint="pick")(partial(pick, grants))
    app.post("/oauth2/token", endpoint="token")(partial(token, grants))
    app.post("/oauth2/revoke", endpoint="revoke")(revoke)
    app.get("/logout", endpoint="logout")(partial(logout, grants))
    app.post("/local/token", endpoint="local")(partial(token_for_a_program, token_use))
    return app


def authorize(grants: Grants) -> WerkzeugResponse | str:
    """The page to pick a user; a browser that has picked one before goes straight back."""
    issuer, redirect_uri = _client(request.args.get)
    try:
        _scopes(issuer, request.args.get)
        _challenge(request.args.get)
    except Denied as error:
        return _back(redirect_uri, error=str(error))
    username = grants.sessions.get(request.cookies.get(SESSION_COOKIE, ""))
    if username is not None and issuer.person(username) is not None:
        return _granted(grants, issuer, redirect_uri, username)
    fields = {name: request.args[name] for name in _FIELDS if name in request.args}
    page = Response(render_template("managed_login.html", people=issuer.people(), fields=fields))
    target = urlsplit(redirect_uri)
    page.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action 'self' {target.scheme}://{target.netloc}"
    )
    return page


def pick(grants: Grants) -> WerkzeugResponse:
    """Sign in as the user who was picked, or go back with `access_denied`."""
    if not is_same_origin(request, None):
        raise WrongRequest("the form was sent from elsewhere")
    issuer, redirect_uri = _client(request.form.get)
    username = request.form.get("username")
    try:
        if not username:
            raise Denied("access_denied")
        if issuer.person(username) is None:
            raise WrongRequest("no such user, or not enabled")
        response = _granted(grants, issuer, redirect_uri, username)
    except Denied as error:
        return _back(redirect_uri, error=str(error))
    session = secrets.token_urlsafe(16)
    grants.sessions[session] = username
    response.set_cookie(SESSION_COOKIE, session, httponly=True, samesite="Lax")
    return response


def token(grants: Grants) -> tuple[Response, int]:
    """Tokens for a code or a refresh token (RFC 6749 sections 4.1.3 and 6)."""
    form, issuer = request.form, _authenticated_client()
    grant_type = form.get("grant_type")
    if grant_type == "authorization_code":
        asked = (form.get(name, "") for name in ("code", "redirect_uri", "code_verifier"))
        tokens = grants.redeem(issuer, *asked)
    elif grant_type == "refresh_token":
        tokens = grants.refresh(issuer, form.get("refresh_token", ""))
    else:
        return jsonify(error="unsupported_grant_type"), 400
    if tokens is None:
        return jsonify(error="invalid_grant"), 400
    return jsonify({**tokens, "expires_in": issuer.seconds("access"), "token_type": "Bearer"}), 200


def revoke() -> tuple[Response, int]:
    """End a refresh token (RFC 7009)."""
    _authenticated_client().revoke(request.form.get("token", ""))
    return Response(), 200


def logout(grants: Grants) -> WerkzeugResponse:
    """Forget who was picked in this browser, and go on to the address that the client names."""
    try:
        issuer = Issuer(request.args.get("client_id", ""))
    except LookupError as error:
        raise WrongRequest(str(error)) from None
    target = request.args.get("logout_uri", "")
    if target not in issuer.client.get("LogoutURLs", []) and not is_of_single_page_app(target):
        raise WrongRequest("logout_uri is not a sign-out address of the client")
    grants.sessions.pop(request.cookies.get(SESSION_COOKIE, ""), None)
    response = redirect(target)
    response.delete_cookie(SESSION_COOKIE)
    return response


def token_for_a_program(token_use: str) -> tuple[str, int]:
    """A token of the first user of that group or name: what `python -m local_aws token` prints."""
    if "Sec-Fetch-Site" in request.headers or "Origin" in request.headers:
        return "not for browsers", 403
    try:
        issuer = Issuer(request.form.get("client_id", ""))
    except LookupError as error:
        return str(error), 404
    wanted = request.form.get("who", "")
    for person in issuer.people():
        if wanted == person.name or wanted in person.groups:
            tokens = issuer.sign_in(person.username, _allowed(issuer), None)
            return tokens[f"{token_use}_token"], 200
    names = sorted({name for each in issuer.people() for name in (each.name, *each.groups)})
    return f"no user and no group is called {wanted!r}; there are {', '.join(names)}", 404


def _authenticated_client() -> Issuer:
    """The client that calls, by HTTP Basic or the form, never both (RFC 6749 section 2.3.1).

    A client that has a secret must send it; another must send none. Raises UnknownClient.
    """
    client_id, secret = request.form.get("client_id"), request.form.get("client_secret")
    if "Authorization" in request.headers:
        sent = request.authorization
        if sent is None or sent.type != "basic" or secret is not None:
            raise UnknownClient(401)
        username, secret = (unquote_plus(part or "") for part in (sent.username, sent.password))
        if client_id not in (None, username):
            raise UnknownClient(401)
        client_id = username
    try:
        issuer = Issuer(client_id or "")
    except LookupError:
        raise UnknownClient(400) from None
    if not issuer.accepts(secret):
        raise UnknownClient(401)
    return issuer


Get = Callable[[str], str | None]


def _client(get: Get) -> tuple[Issuer, str]:
    """The client and the exact address to go back to (RFC 9700 section 2.1)."""
    try:
        issuer = Issuer(get("client_id") or "")
    except LookupError as error:
        raise WrongRequest(str(error)) from None
    redirect_uri = get("redirect_uri") or ""
    if redirect_uri not in issuer.client.get("CallbackURLs", []) and not is_of_single_page_app(
        redirect_uri
    ):
        raise WrongRequest("redirect_uri is not a callback address of the client")
    return issuer, redirect_uri


def _allowed(issuer: Issuer) -> tuple[str, ...]:
    return tuple(issuer.client.get("AllowedOAuthScopes", []))


def _scopes(issuer: Issuer, get: Get) -> tuple[str, ...]:
    if get("response_type") != "code" or "code" not in issuer.client.get("AllowedOAuthFlows", []):
        raise Denied("unauthorized_client")
    asked = tuple((get("scope") or "").split()) or _allowed(issuer)
    if not set(asked) <= set(_allowed(issuer)):
        raise Denied("invalid_scope")
    return asked


def _challenge(get: Get) -> str:
    challenge = get("code_challenge") or ""
    if get("code_challenge_method") != "S256" or len(challenge) != 43:
        raise Denied("invalid_request")
    return challenge


def _granted(grants: Grants, issuer: Issuer, redirect_uri: str, username: str) -> WerkzeugResponse:
    """Back to the app with a code."""
    get = _values(request).get
    grant = Grant(
        issuer.client_id,
        redirect_uri,
        _challenge(get),
        username,
        _scopes(issuer, get),
        get("nonce"),
    )
    return _back(redirect_uri, code=grants.open(grant))


def _back(redirect_uri: str, **answer: str) -> WerkzeugResponse:
    state = _values(request).get("state")
    query = urlencode({**answer, **({"state": state} if state is not None else {})})
    return redirect(f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{query}")


def _values(of: Request) -> dict[str, str]:
    return (of.form if of.method == "POST" else of.args).to_dict()
