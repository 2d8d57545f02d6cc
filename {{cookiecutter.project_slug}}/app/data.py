"""One path, two methods, two permissions: `view_data` and `update_data`."""

from __future__ import annotations

from flask import Blueprint, abort, request

from cognises import Principal, permission_required

bp = Blueprint("data", __name__)

_data: dict[str, object] = {"greeting": "hello"}


@bp.get("/data")
@permission_required
def view_data(response: Principal) -> dict[str, object]:
    """Read the data."""
    return _data


@bp.put("/data")
@permission_required
def update_data(response: Principal) -> dict[str, object]:
    """Change the data. It is kept in memory: put your database here."""
    body = request.get_json()
    if not isinstance(body, dict):
        abort(400, "Send a JSON object.")
    _data.update(body)
    return _data
