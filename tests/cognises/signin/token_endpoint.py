"""A token endpoint on loopback that signs with real keys, and a browser's way through sign-in."""

from __future__ import annotations

import json
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask.testing import FlaskClient

from cognises.testing import FakePool

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SAME = {"Sec-Fetch-Site": "same-origin", **HTML}
PUBLIC_URL = "http://localhost"

GROUPS = [
    {
        "group_name": "editors",
        "allowed_functions": ["page", "search"],
        "group_policy": {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
        },
    },
    {"group_name": "owners", "allowed_functions": ["closed"]},
]


class TokenEndpoint:
    """Answers with what `answer` makes of each form; `forms` lists them by path."""

    def __init__(self, pool: FakePool) -> None:
        self.pool = pool
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.authorizations: list[str | None] = []
        self.nonce = ""
        self.extra: dict[str, Any] = {}
        self.sub = "sub-of-ada"
        self.change: Callable[[dict[str, Any]], tuple[int, object]] = lambda body: (200, body)
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                fields = {name: values[0] for name, values in parse_qs(form).items()}
                endpoint.forms.append((self.path, fields))
                endpoint.authorizations.append(self.headers["Authorization"])
                status, body = endpoint.change(endpoint.tokens())
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def tokens(self, **changes: Any) -> dict[str, Any]:
        access = self.pool.token(["editors"], token_use="access", sub=self.sub)
        changes = (
            {"sub": self.sub, "nonce": self.nonce, "at_hash": at_hash(access)}
            | self.extra
            | changes
        )
        return {
            "id_token": self.pool.token(["editors"], **changes),
            "access_token": access,
            "refresh_token": "the-refresh-token",
            "token_type": "Bearer",
            "expires_in": 3600,
        }

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def at_hash(access_token: str) -> str:
    half = sha256(access_token.encode()).digest()[:16]
    return urlsafe_b64encode(half).rstrip(b"=").decode()


def begin(browser: FlaskClient, endpoint: TokenEndpoint, target: str = "/page") -> dict[str, str]:
    """Open /login; the parameters that managed login would see."""
    answer = browser.get("/login", query_string={"next": target}, headers=HTML)
    assert answer.status_code == 302
    sent = {n: v[0] for n, v in parse_qs(urlsplit(answer.location).query).items()}
    endpoint.nonce = sent["nonce"]
    return sent


def signed_in(browser: FlaskClient, endpoint: TokenEndpoint) -> FlaskClient:
    sent = begin(browser, endpoint)
    answer = browser.get("/callback", query_string={"code": "c", "state": sent["state"]})
    assert answer.status_code == 302, answer.text
    return browser


def cookie_names(browser: FlaskClient) -> set[str]:
    return {cookie.key for cookie in browser._cookies.values()}
