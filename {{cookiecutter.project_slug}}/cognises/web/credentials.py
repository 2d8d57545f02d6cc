"""The one credential of a request: a bearer header, else a cookie. RFC 6750 section 2.1.

Pure but for reading the request it is given.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from flask import Request

from cognises.errors import CognisesError
from cognises.tokens.jws import MAX_TOKEN
from cognises.web.token_cookies import join_token

_MAX_HEADER = MAX_TOKEN + len("Bearer ")
# More than any browser sends to one host: what it takes to read them stays small.
_MAX_COOKIES, _MAX_COOKIE_COUNT = 64 * 1024, 300
_MAX_ORIGIN = 300
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


# For the log: what a proxy in front may use of the header.
_OTHER_SCHEMES = frozenset({"basic", "digest", "negotiate", "ntlm", "aws4-hmac-sha256"})
_SITES = frozenset({"cross-site", "same-site", "none"})


class CookieRules(NamedTuple):
    """The cookie that may carry a token, and the origin that may send it on unsafe methods."""

    name: str
    public_origin: str | None


def read_token(request: Request, rules: CookieRules) -> str | None:
    """The token text, or None where the request carries no credential at all.

    A header wins over the cookie and a bad header never falls back to it. Raises CognisesError:
    `invalid_request`, `cross_site`, or `invalid_token` for text past any token's length.
    """
    header: str | None = request.environ.get("HTTP_AUTHORIZATION")
    if header is None:
        cookies = request.environ.get("HTTP_COOKIE")
        return _cookie(request, cookies, rules) if cookies else None
    if len(header) > _MAX_HEADER:
        raise CognisesError("invalid_token", "header too long")
    scheme, _, token = header.partition(" ")
    token = token.lstrip(" ")  # one or more spaces (RFC 9110 section 11.4)
    # A comma joins repeated headers: two credentials, of which none is accepted. White space is
    # HTTP's (RFC 9110 section 5.6.3); the verifier accepts no other in a token either.
    if not token or " " in token or "," in token or "\t" in token or scheme.lower() != "bearer":
        named = f"; its scheme is {scheme.lower()}" if scheme.lower() in _OTHER_SCHEMES else ""
        raise CognisesError("invalid_request", f"Authorization is not one Bearer credential{named}")
    return token


def _cookie(request: Request, cookies: str, rules: CookieRules) -> str | None:
    if len(cookies) > _MAX_COOKIES or cookies.count(";") > _MAX_COOKIE_COUNT:
        raise CognisesError("invalid_request", "too many or too long cookies")
    if rules.name not in cookies:
        return None
    token = join_token(request.cookies, rules.name)
    if token is None:
        return None
    if request.method not in _SAFE_METHODS and not is_same_origin(request, rules.public_origin):
        received = _proof_of_origin(request)
        raise CognisesError("cross_site", f"cookie on an unsafe method: {received}")
    return token


def is_same_origin(request: Request, public_origin: str | None) -> bool:
    """Whether a browser says that the service's own pages sent this request.

    By `Sec-Fetch-Site` (Fetch Metadata), else by `Origin` (RFC 6454) against the service's own
    address, else against Host; with neither header there is no proof, and the answer is no.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    own = [public_origin] if public_origin else [f"{s}://{request.host}" for s in _PORTS]
    sender = _normal(origin)
    return sender is not None and any(sender == _normal(address) for address in own)


def _proof_of_origin(request: Request) -> str:
    """What a request said about its origin, for the log, in fixed words."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return f"Sec-Fetch-Site is {site if site in _SITES else 'not a known value'}"
    if "Origin" in request.headers:
        return "Origin is not the address of this service"
    return "neither Sec-Fetch-Site nor Origin was received"


_PORTS = {"http": 80, "https": 443}


def _normal(origin: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an origin, defaults filled in; None for `null` and other text."""
    if len(origin) > _MAX_ORIGIN:
        return None
    try:
        url = urlsplit(origin)
        port = url.port
    except ValueError:
        return None
    if url.scheme not in _PORTS or not url.hostname or url.path or url.query or url.fragment:
        return None
    return url.scheme, url.hostname, port or _PORTS[url.scheme]
