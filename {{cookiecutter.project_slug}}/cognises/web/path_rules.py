"""Guards and openings by path, for views that others wrote: `protect(app, paths=…)`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from werkzeug.routing import Rule

from cognises.errors import SettingsError
from cognises.web.route_metadata import Declaration, Guard

# Segments as request.path has them: decoded, without a query, a pattern or a variable.
_PREFIX = re.compile(r"(/(?!\.\.?(/|$))[^/<>?#%*]+)*/?(?<=.)")


class PathRule(NamedTuple):
    """A prefix, whole segments only, and the guards of everything below it; none: public."""

    prefix: str
    guards: tuple[Guard, ...]

    @property
    def declaration(self) -> Declaration:
        """What a view under the prefix declares by it."""
        return Declaration(self.guards, is_public=not self.guards)

    @property
    def text(self) -> str:
        """How a report names the rule."""
        return f"{'protect' if self.guards else 'public'} {self.prefix}/"

    def covers(self, path: str) -> bool:
        """Whether a path, or the pattern of a URL rule, is the prefix or below it."""
        return path == self.prefix or path.startswith(f"{self.prefix}/")

    def applies(self, rule: Rule, path: str | None) -> bool:
        """Whether it counts for a request: a guard by the path too, an opening by the rule alone.

        A catch-all route that was written for other paths is guarded below the prefix, and never
        opened by it.
        """
        return self.covers(rule.rule) or (
            bool(self.guards) and path is not None and self.covers(path)
        )


def path_rules(paths: Iterable[str], guards: tuple[Guard, ...]) -> list[PathRule]:
    """One rule for each path. Raises SettingsError where a path is not an absolute prefix."""
    given = [paths] if isinstance(paths, str) else list(paths)
    for path in given:
        if not isinstance(path, str) or not _PREFIX.fullmatch(path):
            raise SettingsError([f"paths: {path!r} is not a path prefix such as '/dash/'"])
    return [PathRule(path.rstrip("/"), guards) for path in given]
