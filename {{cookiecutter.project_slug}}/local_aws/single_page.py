"""What OAuth clients in a browser need of the stand-in: discovery, keys, userInfo and CORS.

Only for the origins that the service itself answers (COGNISES_CORS_ORIGINS). Sources: OpenID
Connect Discovery section 3; Fetch standard, "CORS protocol".
"""

import re
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, jsonify, request, url_for

from cognises import CognisesError, Verifier
from cognises.tokens.verifier import pool_key_set
from cognises.user_pool import UserPool
from local_aws.issuer import moto_keys, pool_clients, user_claims

_DISCOVERY = re.compile(r"/[\w-]+_[0-9A-Za-z]+/\.well-known/(?:jwks\.json|openid-configuration)")
_SHARED = frozenset({"token", "revoke", "user_info", "configuration", "keys"})


def install(app: Flask) -> None:
    """Add the routes to the stand-in, and CORS for the configured origins."""
    app.get("/<pool_id>/.well-known/openid-configuration", endpoint="configuration")(configuration)
    app.get("/<pool_id>/.well-known/jwks.json", endpoint="keys")(lambda pool_id: moto_keys())
    app.route("/oauth2/userInfo", methods=["GET", "POST"], endpoint="user_info")(user_info)
    app.after_request(_allow_origin)


def is_discovery(path: str) -> bool:
    return _DISCOVERY.fullmatch(path) is not None


def is_of_single_page_app(address: str) -> bool:
    """Whether an address is a page of one of the configured origins."""
    url = urlsplit(address)
    return f"{url.scheme}://{url.netloc}" in current_app.config["ORIGINS"]


def configuration(pool_id: str) -> dict[str, object]:
    """The discovery document, with the endpoints of managed login."""
    own = request.host_url.rstrip("/")
    return {
        "issuer": UserPool.parse(pool_id).issuers[0],
        "authorization_endpoint": own + url_for("authorize"),
        "token_endpoint": own + url_for("token"),
        "userinfo_endpoint": own + url_for("user_info"),
        "revocation_endpoint": own + url_for("revoke"),
        "end_session_endpoint": own + url_for("logout"),
        "jwks_uri": own + url_for("keys", pool_id=pool_id),
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["openid", "email", "profile"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": [
            "none",
            "client_secret_basic",
            "client_secret_post",
        ],
    }


def user_info() -> tuple[Response, int]:
    """The claims of the user of an access token (OpenID Connect Core section 5.3)."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    for pool_id, clients in pool_clients().items():
        keys = pool_key_set(UserPool.parse(pool_id), load=lambda kid: moto_keys(), local=True)
        verifier = Verifier(pool_id, clients, token_use="access", scopes=["openid"], key_set=keys)
        try:
            claims = verifier.verify(token if scheme.lower() == "bearer" else "")
        except CognisesError:
            continue
        return jsonify(user_claims(pool_id, str(claims["username"]))), 200
    return jsonify(error="invalid_token"), 401


def _allow_origin(response: Response) -> Response:
    """CORS for what a single-page app calls; the page to pick a user is never shared."""
    response.vary.add("Origin")
    origin = request.headers.get("Origin")
    if origin in current_app.config["ORIGINS"] and request.endpoint in _SHARED:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
        response.headers["Access-Control-Allow-Methods"] = "GET, POST"
    return response
