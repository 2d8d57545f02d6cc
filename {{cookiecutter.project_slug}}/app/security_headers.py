"""Response headers that restrict what a browser does with the responses of this service.

Source: OWASP HTTP Headers cheat sheet; Content Security Policy Level 3.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response, request

from cognises import SettingsError, settings_of

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
    """Add these headers to every response of `app`, unless a view has set its own."""

    @app.after_request
    def add_headers(response: Response) -> Response:
        domain, public_url = _addresses(app)
        for name, value in _ALWAYS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Content-Security-Policy", policy(domain))
        if request.is_secure or (public_url or "").startswith("https://"):
            response.headers.setdefault("Strict-Transport-Security", _HSTS)
        return response


def _addresses(app: Flask) -> tuple[str | None, str | None]:
    """The addresses of managed login and of the service itself, as far as they are set."""
    try:
        settings = settings_of(app)
    except SettingsError:  # the request has failed with it, and its error page needs neither
        return None, None
    return settings.domain, settings.public_url


def policy(domain: str | None) -> str:
    """The Content-Security-Policy: files of this service only, nothing inline.

    Without JavaScript, the sign-out form is redirected to managed login, to which `form-action`
    applies too.
    """
    targets = "'self' {0.scheme}://{0.netloc}".format(urlsplit(domain)) if domain else "'self'"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src 'self'; form-action {targets}; base-uri 'none'; frame-ancestors 'none'"
    )
