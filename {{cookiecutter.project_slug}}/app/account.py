"""A guarded page: groups.json lists `protected`."""

from __future__ import annotations

from flask import Blueprint

from cognises import Principal, login_check, permission_required

bp = Blueprint("account", __name__)


@bp.get("/protected")
@login_check
@permission_required
def protected(response: Principal) -> dict[str, object]:
    """The user's e-mail address and groups."""
    return {"user": response["user_email"], "groups": response["user_group"]}
