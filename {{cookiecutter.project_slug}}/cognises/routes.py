"""Deprecated names, for the tests of projects made from 0.1.0. Removed in 0.3.0."""

from cognises.web.routes import function_name as function_name
from cognises.web.routes import own_static_view as own_static_view
from cognises.web.routes import routes as routes
