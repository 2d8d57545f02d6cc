"""What everybody may see."""

from __future__ import annotations

from flask import Blueprint, render_template

from cognises import public

bp = Blueprint("pages", __name__)


@bp.get("/")
@public
def home() -> str:
    """The front page."""
    return render_template("home.html")


@bp.get("/health")
@public
def health() -> dict[str, str]:
    """For load balancers: the process is up."""
    return {"status": "ok"}
