"""Public routes."""

from __future__ import annotations

from flask import Blueprint, current_app, render_template

from cognises import public, settings_of

bp = Blueprint("pages", __name__)


@bp.get("/")
@public
def home() -> str:
    """The front page."""
    address = settings_of(current_app).public_url or "https://YOUR-SERVICE"
    return render_template("home.html", address=address)


@bp.get("/health")
@public
def health() -> dict[str, str]:
    """For load balancers: the process is up."""
    return {"status": "ok"}
