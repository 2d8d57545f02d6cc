"""Response headers that keep one user's answer from another: RFC 9111, sections 3.5 and 4.1."""

from __future__ import annotations

from flask import Response

_VARY = ("Authorization", "Cookie")


def forbid_shared_caching(response: Response) -> Response:
    """`Cache-Control: private, no-store` unless the view set its own, and always `Vary`."""
    headers = response.headers
    if "Cache-Control" not in headers:
        headers["Cache-Control"] = "private, no-store"
    vary = headers.get("Vary")
    if vary is None:
        headers["Vary"] = "Authorization, Cookie"
    elif vary.strip() != "*":
        present = {name.strip().lower() for name in ",".join(headers.getlist("Vary")).split(",")}
        missing = [name for name in _VARY if name.lower() not in present]
        headers["Vary"] = ", ".join([*headers.getlist("Vary"), *missing])
    return response
