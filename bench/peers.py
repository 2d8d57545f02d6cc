"""The same job done with other libraries, as their own pages show it. Installed for this only."""

from __future__ import annotations

import json
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jwt as pyjwt
from jose import jwk as jose_jwk
from jose import jwt as jose_jwt
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet as JoserfcKeySet

from cognises.testing import FakePool

Verify = Callable[[str], Any]


@contextmanager
def jwks_server(pool: FakePool) -> Iterator[str]:
    """The pool's key set on loopback, for libraries that fetch it themselves."""
    body = json.dumps(pool.jwks).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def pyjwt_with_key_client(pool: FakePool, url: str) -> Verify:
    client = pyjwt.PyJWKClient(url, cache_keys=True)

    def verify(token: str) -> Any:
        key = client.get_signing_key_from_jwt(token)
        return pyjwt.decode(
            token, key, algorithms=["RS256"], audience=pool.client_id, issuer=pool.issuer
        )

    return verify


def joserfc(pool: FakePool) -> Verify:
    keys = JoserfcKeySet.import_key_set(pool.jwks)  # type: ignore[arg-type]
    claims = joserfc_jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": pool.issuer},
        aud={"essential": True, "value": pool.client_id},
        exp={"essential": True},
    )

    def verify(token: str) -> Any:
        decoded = joserfc_jwt.decode(token, keys, algorithms=["RS256"])
        claims.validate(decoded.claims)
        return decoded.claims

    return verify


def least(pool: FakePool) -> Verify:
    """The least that looks at all: what it costs to read a token, and no malformed one is caught.

    It is not advice. It shows what part of our cost is reading and the signature.
    """
    keys = {key["kid"]: jose_jwk.construct(key, "RS256") for key in pool.jwks["keys"]}

    def verify(token: str) -> Any:
        signed, _, signature = token.encode().rpartition(b".")
        header, _, payload = signed.partition(b".")
        key = keys[json.loads(urlsafe_b64decode(header + b"=="))["kid"]]
        assert key.verify(signed, urlsafe_b64decode(signature + b"=="))
        claims = json.loads(urlsafe_b64decode(payload + b"=="))
        assert claims["exp"] > time.time()
        assert (claims["iss"], claims["aud"]) == (pool.issuer, pool.client_id)
        return claims

    return verify


def by_name(pool: FakePool, url: str) -> dict[str, Verify]:
    """All of them, in the order of the tables."""
    return {
        "the least by hand, unsafe": least(pool),
        "joserfc by hand": joserfc(pool),
        "PyJWT with its key client": pyjwt_with_key_client(pool, url),
        "python-jose by hand": python_jose(pool),
    }


def python_jose(pool: FakePool) -> Verify:
    keys = {key["kid"]: key for key in pool.jwks["keys"]}

    def verify(token: str) -> Any:
        key = keys[jose_jwt.get_unverified_header(token)["kid"]]
        return jose_jwt.decode(
            token, key, algorithms=["RS256"], audience=pool.client_id, issuer=pool.issuer,
            options={"verify_at_hash": False},
        )  # fmt: skip

    return verify
