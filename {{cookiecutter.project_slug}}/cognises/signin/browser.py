"""Who asks: a person in a browser, who is shown a page, or a program, which is told in JSON."""

from __future__ import annotations

from flask import Request, Response


def is_page_view(request: Request) -> bool:
    """Whether a person has opened this address in a browser."""
    mode = request.headers.get("Sec-Fetch-Mode", "navigate")
    return request.method in {"GET", "HEAD"} and mode == "navigate" and prefers_html(request)


def prefers_html(request: Request) -> bool:
    """Whether `Accept` names HTML, and likes nothing that a program reads better."""
    accept = request.accept_mimetypes
    html = max((quality for kind, quality in accept if kind == "text/html"), default=0)
    return html > 0 and html >= accept["application/json"]


def vary_by_accept(response: Response) -> Response:
    """Keep a cache from showing a page to a program."""
    response.vary.update(["Accept", "Sec-Fetch-Mode"])
    return response
