"""Deprecated name, for the tests of projects made from 0.1.0. Removed in 0.3.0."""

from cognises.web.routes import PermissionGuard as PermissionGuard
