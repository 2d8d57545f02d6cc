"""Front ends of other origins, by flask-cors: exactly those named, with a token, never a cookie."""

from __future__ import annotations

from flask import Flask
from flask_cors import CORS


def install(app: Flask, origins: tuple[str, ...]) -> None:
    """Let scripts of these origins call the service and read its answers.

    A preflight is Flask's own automatic OPTIONS, which no guard stands before; the call that
    follows it passes every guard. No `Access-Control-Allow-Credentials`: a browser keeps cookies
    out of these calls.
    """
    CORS(
        app,
        origins=list(origins),
        supports_credentials=False,
        methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "X-Request-Id"],
        expose_headers=["X-Request-Id", "WWW-Authenticate", "Retry-After"],
        max_age=600,
        always_send=False,
    )
