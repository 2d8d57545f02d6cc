"""Errors of the app itself: a page for browsers, JSON for programs.

Refusals (401, 403) have their own pages, in `cognises.signin`.
"""

from __future__ import annotations

from flask import Flask, json, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from cognises.web import prefers_html


def install(app: Flask) -> None:
    """Render every HTTP error of `app` as HTML or JSON, by the `Accept` header."""
    app.register_error_handler(HTTPException, _render)


def _render(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None or error.code is None or error.code < 400:
        return error  # a redirect, or an error that brings its own response
    response = error.get_response()
    if prefers_html(request):
        response.data = render_template("error.html", error=error)
        response.content_type = "text/html; charset=utf-8"
    else:
        message = error.description or error.name
        response.data = json.dumps({"status": error.code, "message": message})
        response.content_type = "application/json"
    response.headers.add("Vary", "Accept")
    return response
