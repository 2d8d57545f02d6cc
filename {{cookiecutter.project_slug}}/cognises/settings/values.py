"""What the text of one setting must look like. Pure; a wrong text raises ValueError."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from cognises.user_pool import REGION as REGION

TOKEN_USES = frozenset({"id", "access"})
CLIENT_ID = re.compile(r"[\w+]{1,128}", re.ASCII)
COOKIE_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
SCOPE = re.compile(r"[!#-\[\]-~]{1,256}")  # RFC 6749 section 3.3
AUDIENCE = re.compile(r"[!#-+\--~]{1,512}")
_PATH = re.compile(r"(?:/[\w.~-]+)*", re.ASCII)
_HOST = re.compile(r"[0-9a-z](?:[0-9a-z.-]{0,252}[0-9a-z])?|[0-9a-f:]{2,39}")
ORIGIN = re.compile(r"https?://[0-9A-Za-z.-]{1,253}(?::[0-9]{1,5})?")
REALM = re.compile(r"[ !#-\[\]-~]{1,64}")


def flag(text: str) -> bool:
    if text not in {"0", "1"}:
        raise ValueError("must be 1 or 0")
    return text == "1"


def count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,7}", text):
        raise ValueError("must be a whole number, 0 or more")
    return int(text)


def size(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,9}", text):
        raise ValueError("must be a whole number of bytes, 1 or more")
    return int(text)


def one_of(*texts: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in texts:
            raise ValueError(f"must be one of {', '.join(texts)}")
        return text

    return read


def web_origins(local: bool) -> Callable[[str], tuple[str, ...]]:
    """Origins as a browser sends them, exactly: no star, no pattern, no `null`."""

    def read(text: str) -> tuple[str, ...]:
        found = tuple(origin(item, local) for item in items(ORIGIN)(text))
        if len(set(found)) != len(found):
            raise ValueError("names an origin twice")
        return found

    return read


def socket_address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    try:
        address = ip_address(host.strip("[]"))
        if re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) and 0 < int(port) < 65536:
            return str(address), int(port)
    except ValueError:
        pass
    raise ValueError("must be address:port, as in 127.0.0.1:9464")


def matching(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"must match {pattern.pattern}")
        return text

    return read


def items(pattern: re.Pattern[str]) -> Callable[[str], tuple[str, ...]]:
    """Comma-separated items, each matching `pattern`; an empty item is an error."""

    def read(text: str) -> tuple[str, ...]:
        items = tuple(item.strip() for item in text.split(","))
        if not all(items):
            raise ValueError("has an empty item; separate items by single commas")
        if not all(pattern.fullmatch(item) for item in items):
            raise ValueError(f"each item must match {pattern.pattern}")
        return items

    return read


def token_use(text: str) -> frozenset[str]:
    items = [item.strip() for item in text.split(",")]
    if not set(items) <= TOKEN_USES or len(set(items)) != len(items):
        raise ValueError("must be id, access, or id,access")
    return frozenset(items)


def existing_file(folder: Path, text: str) -> Path:
    path = folder / text
    if not path.is_file():
        raise ValueError("there is no such file (a relative path starts beside wsgi.py)")
    return path


def origin(text: str, local: bool) -> str:
    """Scheme, host and port alone; https, or http on loopback in local mode."""
    url = urlsplit(text)
    is_plain = not (url.path.strip("/") or url.query or url.fragment or url.username)
    if not is_plain or not _HOST.fullmatch(url.hostname or "") or url.port == 0:
        raise ValueError("must be scheme and host alone, as in https://app.example.org")
    if url.scheme != "https" and not (
        local and url.scheme == "http" and is_loopback(url.hostname or "")
    ):
        raise ValueError("must start with https:// (http on loopback in local mode only)")
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    is_default = url.port in (None, {"https": 443, "http": 80}[url.scheme])
    return f"{url.scheme}://{host}{'' if is_default else f':{url.port}'}"


def login_address(text: str, local: bool) -> str:
    """Managed login's address: an origin; in local mode a path may follow, as emulators have it."""
    path = urlsplit(text).path.rstrip("/") if local else ""
    if not _PATH.fullmatch(path):
        raise ValueError("has a path that is none; see docs/signin.md")
    return origin(text.rstrip("/").removesuffix(path), local) + path


def loopback_url(text: str) -> str:
    url = urlsplit(text)
    if url.scheme not in {"http", "https"} or url.username or not is_loopback(url.hostname or ""):
        raise ValueError("must be an http address on loopback")
    return text


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Whether a host name or address, without port, is this machine alone."""
    if host == "localhost":
        return True
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
