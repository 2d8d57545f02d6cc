"""Response headers that narrow what a browser does with this service's answers.

Source: OWASP HTTP Headers cheat sheet; Content Security Policy Level 3.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response, request

from cognises.web.state import state_of

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_HSTS = "max-age=31536000"


def install(app: Flask) -> None:
    """Give every answer of `app` these headers, unless a view has set its own."""

    @app.after_request
    def add_headers(response: Response) -> Response:
        settings, _ = state_of(app).reading
        for name, value in _ALWAYS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Content-Security-Policy", policy(settings.domain))
        if request.is_secure or (settings.public_url or "").startswith("https://"):
            response.headers.setdefault("Strict-Transport-Security", _HSTS)
        return response


def policy(domain: str | None) -> str:
    """The Content-Security-Policy: this service's own files only, nothing inline.

    Where no script runs the sign-out form is answered by a redirect to managed login, which
    `form-action` counts.
    """
    targets = "'self' {0.scheme}://{0.netloc}".format(urlsplit(domain)) if domain else "'self'"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src 'self'; form-action {targets}; base-uri 'none'; frame-ancestors 'none'"
    )
