"""The access pages: who am I, which routes may I call, and which routes may each group call."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from flask import Blueprint, Flask, Response, current_app, render_template, send_from_directory

from cognises.access.route_report import Row, groups_may_call, may_call, report
from cognises.web.decorators import permission_required, public
from cognises.web.principal import Principal

bp = Blueprint("access", __name__, template_folder="templates")

_STATIC = Path(__file__).with_name("static")
_VARIABLE = re.compile(r"<(?:[^<>:]+:)?([^<>]+)>")


def init_access_pages(app: Flask) -> None:
    """Add `/access` and `/access/matrix` to `app`, before `Cognises(app)`.

    groups.json grants them by the names `access` and `access_matrix`. The page extends the app's
    own `layout.html` where there is one, and uses the style of the app.
    """
    app.register_blueprint(bp)


class Line(NamedTuple):
    """A route as one user sees it."""

    row: Row
    allowed: bool
    reason: str
    variables: list[str]

    @property
    def can_be_tried(self) -> bool:
        """Whether the page offers a button; the routes of sign-in only work as navigations."""
        return not self.row.endpoint.startswith("signin.")


class Matrix(NamedTuple):
    """Every route by every group: each cell is a row and, for each group, whether it may call."""

    groups: list[str]
    cells: list[tuple[Row, list[bool]]]


@bp.get("/access")
@permission_required
def access(response: Principal) -> str:
    """Who you are, and what you may do here."""
    rows = _rows(current_app)
    decisions = [may_call(current_app, row, response) for row in rows]
    lines = [
        Line(row, decision.allowed, decision.reason, _VARIABLE.findall(row.path))
        for row, decision in zip(rows, decisions, strict=True)
    ]
    may_see_all = any(line.allowed for line in lines if line.row.endpoint == "access.access_matrix")
    return render_template(
        "access/access.html",
        layout=current_app.jinja_env.select_template(["layout.html", "access/layout.html"]),
        guarded=[line for line in lines if not line.row.is_public],
        unguarded=[line for line in lines if line.row.is_public],
        matrix=_matrix(rows) if may_see_all else None,
    )


@bp.get("/access/matrix")
@permission_required
def access_matrix(response: Principal) -> dict[str, object]:
    """Every route by every group, as JSON."""
    matrix = _matrix(_rows(current_app))
    return {
        "groups": matrix.groups,
        "routes": [
            {
                "method": row.method,
                "path": row.path,
                "function": row.name,
                "open_to": list(row.open_to),
            }
            for row, _ in matrix.cells
        ],
    }


@bp.get("/access/static/<path:filename>")
@public
def static(filename: str) -> Response:
    """The script of the access page."""
    return send_from_directory(_STATIC, filename)


def _rows(app: Flask) -> list[Row]:
    """Every route but those of static files."""
    return [row for row in report(app).rows if row.endpoint.split(".")[-1] != "static"]


def _matrix(rows: list[Row]) -> Matrix:
    groups = sorted({group for row in rows for needed in row.needs for group in needed})
    users = [Principal({"cognito:groups": [group]}) for group in groups]
    cells = [(row, [groups_may_call(row, user).allowed for user in users]) for row in rows]
    return Matrix(groups, cells)
