"""Two guarded pages: groups.json lists `protected` and `admin_panel`."""

from __future__ import annotations

from flask import Blueprint, render_template

from cognises import Principal, login_check, permission_required

bp = Blueprint("account", __name__)


@bp.get("/protected")
@login_check
@permission_required
def protected(response: Principal) -> dict[str, object]:
    """The user's e-mail address and groups."""
    return {"user": response["user_email"], "groups": response["user_group"]}


@bp.get("/admin")
@permission_required
def admin_panel(response: Principal) -> str:
    """A page for administrators."""
    # permission_required includes login_check: naming both, as above, changes nothing.
    return render_template("admin.html")
