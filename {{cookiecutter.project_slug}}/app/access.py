"""The access page: who am I, what may I call, and for those allowed to see it, who may what."""

from __future__ import annotations

import re
from typing import NamedTuple

from flask import Blueprint, Flask, current_app, render_template

from cognises import Principal, permission_required
from cognises.access.report import Row, groups_may_call, may_call, report

bp = Blueprint("access", __name__)

_VARIABLE = re.compile(r"<(?:[^<>:]+:)?([^<>]+)>")


class Line(NamedTuple):
    """A route as one person sees it."""

    row: Row
    allowed: bool
    why: str
    variables: list[str]

    @property
    def can_be_tried(self) -> bool:
        """Whether a button makes sense: the doors of sign-in are for browsers to walk through."""
        return not self.row.endpoint.startswith("signin.")


class Matrix(NamedTuple):
    """Every route by every group: `cells` are (row, one verdict a group)."""

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
        "access.html",
        guarded=[line for line in lines if not line.row.is_public],
        unguarded=[line for line in lines if line.row.is_public],
        matrix=_matrix(rows) if may_see_all else None,
    )


@bp.get("/access/matrix")
@permission_required
def access_matrix(response: Principal) -> dict[str, object]:
    """Every route by every group, for programs."""
    found = _matrix(_rows(current_app))
    return {
        "groups": found.groups,
        "routes": [
            {
                "method": row.method,
                "path": row.path,
                "function": row.name,
                "open_to": list(row.open_to),
            }
            for row, _ in found.cells
        ],
    }


def _rows(app: Flask) -> list[Row]:
    return [row for row in report(app).rows if row.endpoint != "static"]


def _matrix(rows: list[Row]) -> Matrix:
    groups = sorted({group for row in rows for needed in row.needs for group in needed})
    users = [Principal({"cognito:groups": [group]}) for group in groups]
    cells = [(row, [groups_may_call(row, user).allowed for user in users]) for row in rows]
    return Matrix(groups, cells)
