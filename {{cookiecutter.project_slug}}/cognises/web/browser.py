"""Who sends a request: a person's browser, which gets a page, or a program, which gets JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Request, Response


def is_page_view(request: Request) -> bool:
    """Whether a person has opened this address in a browser (Fetch Metadata, `Accept`)."""
    mode = request.headers.get("Sec-Fetch-Mode", "navigate")
    return request.method in {"GET", "HEAD"} and mode == "navigate" and prefers_html(request)


def prefers_html(request: Request) -> bool:
    """Whether `Accept` names `text/html` with at least the quality of JSON (RFC 9110, 12.5.1)."""
    accept = request.accept_mimetypes
    html = max((quality for kind, quality in accept if kind == "text/html"), default=0)
    return html > 0 and html >= accept["application/json"]


def vary_by_accept(response: Response) -> Response:
    """Keep caches from sending a page to a program."""
    response.vary.update(["Accept", "Sec-Fetch-Mode"])
    return response
