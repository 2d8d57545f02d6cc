"""The one credential of a request: a bearer header, else a cookie. RFC 6750 section 2.1.
A token too large for one cookie (4,096 bytes, RFC 6265 section 6.1) is in up to four: `token`,
`token-2` … `token-4`. The first starts with their number, as in `3:eyJ…`, which no token does.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from flask import Request
from werkzeug.datastructures import MultiDict

from cognises.errors import CognisesError
from cognises.settings.model import Settings
from cognises.tokens.jws import MAX_TOKEN

MAX_PIECES, MAX_TOKEN_IN_COOKIES, _MAX_COOKIE = 4, 12 * 1024, 4096
_ATTRIBUTES = len("=; Secure; HttpOnly; Path=/; SameSite=Lax; Max-Age=2592000")
_NUMBERED = re.compile(r"([2-4]):(.*)", re.DOTALL)
_MAX_HEADER = MAX_TOKEN + len("Bearer ")
# More than any browser sends to one host: what it takes to read them stays small.
_MAX_COOKIES, _MAX_COOKIE_COUNT, _MAX_ORIGIN = 64 * 1024, 300, 300
_PORTS = {"http": 80, "https": 443}
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OTHER_SCHEMES = frozenset({"basic", "digest", "negotiate", "ntlm", "aws4-hmac-sha256"})
_SITES = frozenset({"cross-site", "same-site", "none"})


def read_token(request: Request, settings: Settings) -> str | None:
    """The token text; None without a credential. A bad header never falls back to the cookie.
    Raises CognisesError: `invalid_request`, `cross_site`, or `invalid_token` where it is too long.
    """
    header: str | None = request.environ.get("HTTP_AUTHORIZATION")
    if header is None:
        cookies = request.environ.get("HTTP_COOKIE")
        return _token_in_cookies(request, cookies, settings) if cookies else None
    if len(header) > _MAX_HEADER:
        raise CognisesError("invalid_token", "header too long")
    scheme, _, token = header.partition(" ")
    token = token.lstrip(" ")  # one or more spaces (RFC 9110 section 11.4)
    # A comma joins repeated headers. White space is HTTP's (RFC 9110 section 5.6.3).
    if not token or " " in token or "," in token or "\t" in token or scheme.lower() != "bearer":
        named = f"; its scheme is {scheme.lower()}" if scheme.lower() in _OTHER_SCHEMES else ""
        raise CognisesError("invalid_request", f"Authorization is not one Bearer credential{named}")
    return token


def _token_in_cookies(request: Request, cookies: str, settings: Settings) -> str | None:
    if len(cookies) > _MAX_COOKIES or cookies.count(";") > _MAX_COOKIE_COUNT:
        raise CognisesError("invalid_request", "too many or too long cookies")
    if settings.cookie_name not in cookies:
        return None
    token = join_token(request.cookies, settings.cookie_name)
    if token is None or request.method in _SAFE_METHODS:
        return token
    if why := _origin_problem(request, settings.public_origin):
        raise CognisesError("cross_site", f"cookie on an unsafe method: {why}")
    return token


def is_same_origin(request: Request, public_origin: str | None) -> bool:
    """By `Sec-Fetch-Site` (Fetch Metadata), else by `Origin` (RFC 6454); with neither: no."""
    return _origin_problem(request, public_origin) is None


def _origin_problem(request: Request, public_origin: str | None) -> str | None:
    """Why it is not same-origin, in fixed words for the log; None where it is."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        named = site if site in _SITES else "not a known value"
        return None if site == "same-origin" else f"Sec-Fetch-Site is {named}"
    if origin is None:
        return "neither Sec-Fetch-Site nor Origin was received"
    sender = _normal(origin)
    own = [public_origin] if public_origin else [f"{s}://{request.host}" for s in _PORTS]
    is_own = sender is not None and sender in map(_normal, own)
    return None if is_own else "Origin is not the address of this service"


def _normal(origin: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an origin, defaults filled in; None for `null` and other text."""
    if len(origin) > _MAX_ORIGIN:
        return None
    try:
        url = urlsplit(origin)
        port = url.port or _PORTS[url.scheme]
    except (ValueError, KeyError):
        return None
    if not url.hostname or url.scheme not in _PORTS or url.path or url.query or url.fragment:
        return None
    return url.scheme, url.hostname, port


def cookie_names(name: str) -> tuple[str, ...]:
    return (name, *(f"{name}-{number}" for number in range(2, MAX_PIECES + 1)))


def fits_one_cookie(name: str, value: str) -> bool:
    return len(name) + len(value) + _ATTRIBUTES <= _MAX_COOKIE


def split_token(name: str, token: str) -> Mapping[str, str] | None:
    """The cookies that carry a token, by name; None where it is too large for cookies."""
    if fits_one_cookie(name, token):
        return {name: token}
    room = _MAX_COOKIE - _ATTRIBUTES - len(f"{name}-4=2:")
    pieces = [token[start : start + room] for start in range(0, len(token), room)]
    if len(token) > MAX_TOKEN_IN_COOKIES or len(pieces) > MAX_PIECES:
        return None
    pieces[0] = f"{len(pieces)}:{pieces[0]}"
    return dict(zip(cookie_names(name), pieces, strict=False))


def join_token(cookies: MultiDict[str, str], name: str) -> str | None:
    """The token in a request's cookies; None if a piece is missing or surplus. CognisesError."""
    found = [cookies.getlist(each) for each in cookie_names(name)]
    if any(len(values) > 1 for values in found):
        raise CognisesError("invalid_request", "two cookies of the name")
    if not found[0]:
        return None
    numbered = _NUMBERED.fullmatch(found[0][0])
    count, first = (int(numbered[1]), numbered[2]) if numbered else (1, found[0][0])
    if [bool(values) for values in found] != [number < count for number in range(MAX_PIECES)]:
        return None
    return "".join([first, *(values[0] for values in found[1:count])])
