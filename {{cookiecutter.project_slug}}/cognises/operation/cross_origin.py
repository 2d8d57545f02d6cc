"""Front ends of other origins, by flask-cors: exactly those named, with a token, no cookies."""

from __future__ import annotations

from flask import Flask, Response
from flask_cors import CORS


def install(app: Flask, origins: tuple[str, ...]) -> None:
    """Let scripts of these origins call the service and read its responses.

    A preflight is Flask's automatic OPTIONS, which has no guard; the call that follows has all of
    them. Without `Access-Control-Allow-Credentials` a browser sends no cookies in these calls.
    Every response has `Vary: Origin`, or a cache could serve a response without the headers of
    CORS to an origin that needs them (Fetch standard, "CORS protocol and HTTP caches").
    """

    @app.after_request
    def vary_by_origin(response: Response) -> Response:
        names = [n.strip() for line in response.headers.getlist("Vary") for n in line.split(",")]
        if not {"*", "origin"} & {name.lower() for name in names}:
            response.headers["Vary"] = ", ".join([*filter(None, names), "Origin"])
        return response

    CORS(
        app,
        origins=list(origins),
        supports_credentials=False,
        methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "X-Request-Id"],
        expose_headers=["X-Request-Id", "WWW-Authenticate", "Retry-After"],
        max_age=600,
        always_send=False,
        vary_header=False,
    )
