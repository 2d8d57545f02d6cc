"""gunicorn's logger, silent about requests: the app writes a line for each."""

from __future__ import annotations

from gunicorn.glogging import Logger as GunicornLogger  # type: ignore[import-untyped,import-not-found,unused-ignore]


class Logger(GunicornLogger):  # type: ignore[misc]
    """gunicorn takes a `logconfig_dict` for the wish to log requests; here it takes `accesslog`."""

    @property
    def access_log_enabled(self) -> bool:
        return bool(self.cfg.accesslog)
