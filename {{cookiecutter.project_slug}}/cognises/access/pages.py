"""The pages `/access` and `/access/matrix`, and the document `/openapi.json`."""

from collections.abc import Iterable
from pathlib import Path

from flask import Blueprint, Flask, Response, current_app, send_from_directory

from cognises.access.api_document import openapi
from cognises.access.route_report import Row, groups_may_call, may_call, report, rows_of
from cognises.web.decorators import permission_required, public
from cognises.web.principal import Principal
from cognises.web.responses import page

bp = Blueprint("access", __name__, template_folder="../templates")


def init_access_pages(app: Flask) -> None:
    """Add `/access` and `/access/matrix` to `app`, before `Cognises(app)`.
    groups.json grants them by the names `access` and `access_matrix`. The page extends the app's
    own `layout.html` where there is one, and uses the style of the app.
    """
    app.register_blueprint(bp)


def init_openapi(app: Flask) -> None:
    """Add `/openapi.json` to `app`; groups.json grants it by the name `openapi_json`. Users get
    the operations that they may call, those who may call `/access/matrix` all, with the groups.
    """
    app.add_url_rule("/openapi.json", view_func=openapi_json)


@permission_required
def openapi_json(response: Principal) -> dict[str, object]:
    """The operations that you may call, as an OpenAPI document."""
    rows = (row for _, row in rows_of(current_app))
    return openapi(current_app, None if _shows_matrix(rows, response) else response)


@bp.get("/access")
@permission_required
def access(response: Principal) -> str:
    """Who you are, and what you may do here."""
    rows, groups = _rows_and_groups()
    decided = [(row, may_call(current_app, row, response)) for row in rows]
    users = [Principal({"cognito:groups": [group]}) for group in groups]
    return page(
        "cognises/access.html",
        guarded=[(row, decision) for row, decision in decided if not row.is_public],
        unguarded=[(row, decision) for row, decision in decided if row.is_public],
        shows_matrix=_shows_matrix(rows, response),
        groups=groups,
        cells=[(row, [groups_may_call(row, user).allowed for user in users]) for row in rows],
    )


@bp.get("/access/matrix")
@permission_required
def access_matrix(response: Principal) -> dict[str, object]:
    """Every route by every group, as JSON."""
    rows, groups = _rows_and_groups()
    routes = [{"method": row.method, "path": row.path, "function": row.name, "open_to": row.open_to}
              for row in rows]  # fmt: skip
    return {"groups": groups, "routes": routes}


@bp.get("/access/static/<path:filename>")
@public
def static(filename: str) -> Response:
    """The script of the access page."""
    return send_from_directory(Path(__file__).with_name("static"), filename)


def _shows_matrix(rows: Iterable[Row], user: Principal) -> bool:
    matrix = (row for row in rows if row.endpoint == "access.access_matrix")
    return any(may_call(current_app, row, user).allowed for row in matrix)


def _rows_and_groups() -> tuple[list[Row], list[str]]:
    rows = [row for row in report(current_app).rows if row.endpoint.split(".")[-1] != "static"]
    return rows, sorted({group for row in rows for groups in row.needs for group in groups})
