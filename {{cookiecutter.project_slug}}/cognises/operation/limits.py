"""How much of a request is read at most. What a view asks for beyond that is a 413."""

from __future__ import annotations

from flask import Flask

MAX_FORM_PARTS = 100


def install(app: Flask, max_body_bytes: int) -> None:
    """Bound what views read of a body; limits that the app has set itself stay.

    The server's own limits on addresses and headers are in gunicorn.conf.py.
    """
    if app.config.get("MAX_CONTENT_LENGTH") is None:
        app.config["MAX_CONTENT_LENGTH"] = max_body_bytes
    bound = min(max_body_bytes, app.config["MAX_FORM_MEMORY_SIZE"] or max_body_bytes)
    app.config["MAX_FORM_MEMORY_SIZE"] = bound
    parts = app.config["MAX_FORM_PARTS"] or MAX_FORM_PARTS
    app.config["MAX_FORM_PARTS"] = min(MAX_FORM_PARTS, parts)
