"""Who may call which route: `report(app)`, and the pages `/access` and `/access/matrix`."""

from cognises.access.pages import init_access_pages
from cognises.access.route_report import Report, Row, groups_may_call, may_call, report

__all__ = ["Report", "Row", "groups_may_call", "init_access_pages", "may_call", "report"]
