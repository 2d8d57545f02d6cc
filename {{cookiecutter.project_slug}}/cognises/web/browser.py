"""Who sends a request: a person's browser, which gets a page, or a program, which gets JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Request, Response


def is_navigation(request: Request) -> bool:
    """Whether a browser shows the answer to a person: an opened address, or a form that was sent.

    By `Sec-Fetch-Mode` (Fetch Metadata) where a browser sends it, and by `Accept`.
    """
    return request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate" and prefers_html(request)


def is_page_view(request: Request) -> bool:
    """Whether a person has opened this address in a browser."""
    return request.method in {"GET", "HEAD"} and is_navigation(request)


def prefers_html(request: Request) -> bool:
    """Whether `Accept` names `text/html` with at least the quality of JSON (RFC 9110, 12.5.1)."""
    accept = request.accept_mimetypes
    html = max((quality for kind, quality in accept if kind == "text/html"), default=0)
    return html > 0 and html >= accept["application/json"]


def vary_by_accept(response: Response) -> Response:
    """Keep caches from sending a page to a program."""
    response.vary.update(["Accept", "Sec-Fetch-Mode"])
    return response
