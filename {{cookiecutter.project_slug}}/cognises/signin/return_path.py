"""Where a person goes after signing in: a page of this app, or the front page."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from flask import Flask
from werkzeug.exceptions import HTTPException

_MAX_LENGTH = 512  # it travels in a cookie
# One leading slash; nothing that a browser, a proxy or a router could read as another address.
_SAFE = re.compile(r"/(?![/\\])[!-\[\]-~]*")
_ENCODED_SLASH = re.compile(r"%(?:2f|5c|0[0-9a-f]|1[0-9a-f]|7f)", re.IGNORECASE)
# What a browser takes out of a path before it asks for it: the route would be another one.
_DOTS = re.compile(r"/\.\.?(?:/|$)")


def return_path(app: Flask, text: str | None, root: str = "") -> str:
    """`text` if it is the path (and query) of a GET route of `app`, else the front page.

    `root` is the path below which the app is served; `text` includes it.
    """
    home = f"{root}/"
    if not text or len(text) > _MAX_LENGTH or not _SAFE.fullmatch(text):
        return home
    path = urlsplit(text).path
    if "//" in path or _ENCODED_SLASH.search(path) or not path.startswith(home):
        return home
    plain = unquote(path)
    try:
        endpoint, _ = app.url_map.bind("localhost").match(plain[len(root) :], method="GET")
    except HTTPException:  # RequestRedirect included
        return home
    return home if _DOTS.search(plain) or str(endpoint).startswith("signin.") else text
