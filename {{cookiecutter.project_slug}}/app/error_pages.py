"""Errors of the app itself: a page for people, JSON for programs. Refusals have their own."""

from __future__ import annotations

from flask import Flask, json, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from cognises.web import prefers_html


def install(app: Flask) -> None:
    """Answer every HTTP error of `app` in the form that the client reads."""
    app.register_error_handler(HTTPException, _answer)


def _answer(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None or error.code is None or error.code < 400:
        return error  # a redirect, or an answer that somebody has made already
    answer = error.get_response()
    if prefers_html(request):
        answer.data = render_template("error.html", error=error)
        answer.content_type = "text/html; charset=utf-8"
    else:
        message = error.description or error.name
        answer.data = json.dumps({"status": error.code, "message": message})
        answer.content_type = "application/json"
    answer.headers.add("Vary", "Accept")
    return answer
