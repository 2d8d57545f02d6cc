"""Response headers that restrict what a browser does with this service's responses.

Source: OWASP HTTP Headers cheat sheet; Content Security Policy Level 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Flask

from cognises import SettingsError, settings_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

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
    """Add these headers to every response of `app`; a header that a view has set stays."""
    try:
        settings = settings_of(app)
        domain, is_https = settings.domain, (settings.public_url or "").startswith("https://")
    except SettingsError:  # reported when the service starts
        domain, is_https = None, False
    plain = {**_ALWAYS, "Content-Security-Policy": policy(domain)}
    secure = {**plain, "Strict-Transport-Security": _HSTS}
    app.wsgi_app = _AddHeaders(  # type: ignore[method-assign]
        app.wsgi_app, http=secure if is_https else plain, https=secure
    )


class _AddHeaders:
    """WSGI middleware: behind everything in Flask that sets or copies headers."""

    def __init__(
        self, app: WSGIApplication, *, http: Mapping[str, str], https: Mapping[str, str]
    ) -> None:
        self._app = app
        self._http = [(name.lower(), (name, value)) for name, value in http.items()]
        self._https = [(name.lower(), (name, value)) for name, value in https.items()]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            # The scheme as ProxyFix has corrected it by now.
            ours = self._https if environ["wsgi.url_scheme"] == "https" else self._http
            present = {name.lower() for name, _ in headers}
            headers += [header for name, header in ours if name not in present]
            return start_response(status, headers, *exc_info)

        return self._app(environ, start)


def policy(domain: str | None) -> str:
    """The Content-Security-Policy: this service's own files only, nothing inline.

    `form-action` includes managed login: without scripts, the sign-out form redirects there.
    """
    targets = "'self' {0.scheme}://{0.netloc}".format(urlsplit(domain)) if domain else "'self'"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src 'self'; form-action {targets}; base-uri 'none'; frame-ancestors 'none'"
    )
