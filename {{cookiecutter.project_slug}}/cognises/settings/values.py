"""What the text of one setting must look like. Pure; a wrong text raises ValueError."""

import re
from collections.abc import Callable
from functools import lru_cache, partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cognises.user_pool import REGION as REGION

Pattern = str | re.Pattern[str]
Make = Callable[[Any], Any]
TOKEN_USES = frozenset({"id", "access"})
CLIENT_ID = re.compile(r"[\w+]{1,128}", re.ASCII)
SCOPE = re.compile(r"[!#-\[\]-~]{1,256}")  # RFC 6749 section 3.3
DEFAULT_SCOPES = ("openid", "email", "profile")
AUDIENCE = re.compile(r"[!#-+\--~]{1,512}")
# Source: IAM API reference, CreateRole; narrower, so that no path is a pattern in an ARN.
ROLE_PATH = re.compile(r"/(?:[\w+=,.@-]{1,64}/){0,7}", re.ASCII)
IDENTITY_POOL_ID = re.compile(rf"(?P<region>{REGION.pattern}):[0-9a-f-]{{1,55}}")
_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[\w.~-]+)*", re.ASCII)
_HOST = re.compile(r"[0-9a-z](?:[0-9a-z.-]{0,252}[0-9a-z])?|[0-9a-f:]{2,39}")
_ORIGIN = re.compile(r"https?://[0-9A-Za-z.-]{1,253}(?::[0-9]{1,5})?")
# Claims with a meaning of their own, and those that users write about themselves.
# Source: RFC 7519 section 4.1, OpenID Connect Core 1.0 section 5.1, Cognito's tokens.
_NOT_GROUPS = re.compile(
    r"iss|sub|aud|exp|nbf|iat|jti|auth_time|nonce|at_hash|origin_jti|event_id|version|token_use"
    r"|client_id|(cognito:)?username|cognito:roles|cognito:preferred_role|scope|identities|name"
    r"|(given|family|middle)_name|nickname|preferred_username|profile|picture|website|gender"
    r"|(email|phone_number)(_verified)?|birthdate|zoneinfo|locale|address|updated_at"
)


class Secret:
    """A text that neither `repr` nor `str` shows; `reveal()` returns it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"


def matching(pattern: Pattern, problem: str = "", make: Make = str) -> Callable[[str], Any]:
    """What reads a text that matches `pattern` as a whole."""
    compiled = re.compile(pattern)

    def read(text: str) -> Any:
        if not compiled.fullmatch(text):
            raise ValueError(problem or f"must match {compiled.pattern}")
        return make(text)

    return read


cookie_name = matching(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
secret = matching("[!-~]{1,256}", "must be printable ASCII without spaces", Secret)
flag = matching("[01]", "must be 1 or 0", "1".__eq__)
count = matching("[0-9]{1,7}", "must be a whole number, 0 or more", int)
size = matching("[1-9][0-9]{0,9}", "must be a whole number of bytes, 1 or more", int)


def items(
    pattern: Pattern, make: Make = tuple, *, separator: str = r"\s*,\s*", unique: bool = False
) -> Callable[[str], Any]:
    """What reads items, separated by commas; an empty item is an error."""
    compiled = re.compile(pattern)

    def read(text: str) -> Any:
        found = re.split(separator, text.strip())
        if not all(found):
            raise ValueError("has an empty item; separate items by single commas")
        if not all(map(compiled.fullmatch, found)):
            raise ValueError(f"each item must match {compiled.pattern}")
        if unique and len(set(found)) < len(found):
            raise ValueError("names an item twice")
        return make(found)

    return read


item_set = partial(items, make=frozenset)
token_use = item_set("|".join(TOKEN_USES), unique=True)


def sign_in_scopes(text: str) -> tuple[str, ...]:
    """Scopes, separated by spaces or commas; managed login returns an ID token for `openid`."""
    scopes: tuple[str, ...] = items(SCOPE, separator=" *, *| +", unique=True)(text)
    if "openid" not in scopes:
        raise ValueError("must contain openid")
    return scopes


def claim_name(text: str) -> str:
    if _NOT_GROUPS.fullmatch(text):
        raise ValueError("cannot hold groups; name a claim that users cannot write themselves")
    return str(matching(r"[!-~]{1,128}")(text))


def web_origins(text: str, local: bool) -> tuple[str, ...]:
    """Origins as a browser sends them, exactly: no star, no pattern, no `null`."""
    found = [origin(item, local) for item in items(_ORIGIN)(text)]
    return tuple(items(_ORIGIN, unique=True)(",".join(found)))


def socket_address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    try:
        if re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65536:
            return str(ip_address(host.strip("[]"))), int(port)
    except ValueError:
        pass
    raise ValueError("must be address:port, as in 127.0.0.1:9464")


def existing_file(path: Path) -> Path:
    if not path.is_file():
        raise ValueError("there is no such file (a relative path starts beside wsgi.py)")
    return path


def origin(text: str, local: bool) -> str:
    """Scheme, host and port alone; https, or http on loopback in local mode."""
    url = urlsplit(text)
    name = url.hostname or ""
    is_plain = not (url.path.strip("/") or url.query or url.fragment or url.username)
    if not is_plain or not _HOST.fullmatch(name) or url.port == 0:
        raise ValueError("must be scheme and host alone, as in https://app.example.org")
    if url.scheme != "https" and not (local and url.scheme == "http" and is_loopback(name)):
        raise ValueError("must start with https:// (http on loopback in local mode only)")
    host = f"[{name}]" if ":" in name else name
    is_default = url.port in (None, {"https": 443, "http": 80}[url.scheme])
    return f"{url.scheme}://{host}{'' if is_default else f':{url.port}'}"


def public_address(text: str, local: bool) -> str:
    """The service's own address: an origin, and the path below which the service is mounted."""
    path = urlsplit(text).path.rstrip("/")
    if not _PATH.fullmatch(path):
        raise ValueError("has a path with other characters than letters, digits and ._~-")
    return origin(text.rstrip("/").removesuffix(path), local) + path


def login_address(text: str, local: bool) -> str:
    """Managed login's address: an origin; in local mode a path may follow, as emulators have it."""
    return public_address(text, local) if local else origin(text, local)


def loopback_url(text: str) -> str:
    url = urlsplit(text)
    if url.scheme not in {"http", "https"} or url.username or not is_loopback(url.hostname or ""):
        raise ValueError("must be an http address on loopback")
    return text


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Whether a host name or address, without port, is this machine alone."""
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return host == "localhost"
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
