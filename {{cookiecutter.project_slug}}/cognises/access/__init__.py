"""Who may call which route: the report, and its pages in the app."""

from cognises.access.api_document import openapi as openapi
from cognises.access.diff import AccessChange as AccessChange
from cognises.access.diff import access_diff as access_diff
from cognises.access.diff import access_side as access_side
from cognises.access.pages import init_access_pages as init_access_pages
from cognises.access.pages import init_openapi as init_openapi
from cognises.access.route_report import Report as Report
from cognises.access.route_report import Row as Row
from cognises.access.route_report import aligned as aligned
from cognises.access.route_report import as_markdown as as_markdown
from cognises.access.route_report import as_text as as_text
from cognises.access.route_report import groups_may_call as groups_may_call
from cognises.access.route_report import may_call as may_call
from cognises.access.route_report import report as report
