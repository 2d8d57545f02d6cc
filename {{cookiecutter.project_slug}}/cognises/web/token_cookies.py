"""A token in one cookie or, where it is too large for that, in up to four. Pure.

Browsers keep 4,096 bytes of one cookie (RFC 6265 section 6.1). The pieces of `token` are called
`token`, `token-2`, `token-3` and `token-4`, so that all carry the name's `__Host-` prefix; the
first starts with their number, as in `3:eyJ…`, which no token does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cognises.errors import CognisesError

if TYPE_CHECKING:
    from werkzeug.datastructures import MultiDict

MAX_PIECES = 4
MAX_TOKEN_IN_COOKIES = 12 * 1024
_MAX_COOKIE = 4096
_ATTRIBUTES = len("=; Secure; HttpOnly; Path=/; SameSite=Lax; Max-Age=2592000")
_NUMBERED = re.compile(r"([2-4]):(.*)", re.DOTALL)


def cookie_names(name: str) -> tuple[str, ...]:
    """The names of all pieces that a token in cookies of that name may have."""
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
    """The token that a request's cookies carry.

    A missing or surplus piece is no credential: None. Two cookies of one name are
    `invalid_request`, raised as CognisesError.
    """
    found = [cookies.getlist(each) for each in cookie_names(name)]
    if any(len(values) > 1 for values in found):
        raise CognisesError("invalid_request", "two cookies of the name")
    if not found[0]:
        return None
    numbered = _NUMBERED.fullmatch(found[0][0])
    count = int(numbered[1]) if numbered else 1
    if [bool(values) for values in found] != [number < count for number in range(MAX_PIECES)]:
        return None
    first = numbered[2] if numbered else found[0][0]
    return "".join([first, *(values[0] for values in found[1:count])])
