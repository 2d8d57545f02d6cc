"""An app that is operated: one public view, one guarded, one that reads a body, one that breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from request_side import manifest

from cognises import permission_required, public
from cognises.operation import operate
from load.server import CONFIGURATIONS


class Finished(FlaskClient):
    """Reads every answer to its end, as a server does: the log waits for that."""

    def open(self, *args: Any, **options: Any) -> Any:
        return super().open(*args, **options | {"buffered": True})


def _views(app: Flask) -> None:
    def guarded(response: object) -> str:
        return "guarded"

    def broken() -> str:
        raise RuntimeError("for ada@secret.example")

    app.get("/open")(public(lambda: "open"))
    app.get("/guarded", endpoint="guarded")(permission_required(guarded))
    app.post("/body", endpoint="body")(public(lambda: str(len(request.get_data()))))
    app.post("/lines", endpoint="lines")(public(lambda: str(len(b"".join(request.stream)))))
    app.post("/form", endpoint="form")(public(lambda: str(len(request.form))))
    app.get("/broken", endpoint="broken")(public(broken))
    app.get("/peer", endpoint="peer")(
        public(lambda: {"for": request.remote_addr, "scheme": request.scheme, "host": request.host})
    )


@pytest.fixture
def operated(make_app: Callable[..., Flask]) -> Callable[..., Flask]:
    """`operated(NAME="value")`: the app with those settings, trusting the pool of the run."""

    def make(middleware: Callable[..., Any] | None = None, **config: Any) -> Flask:
        def views(app: Flask) -> None:
            _views(app)
            if middleware is not None:
                app.wsgi_app = middleware(app.wsgi_app)  # type: ignore[method-assign]
            operate(app)

        config.setdefault("PROPAGATE_EXCEPTIONS", False)
        app = make_app(views, manifest(editors=["guarded"]), **config)
        app.test_client_class = Finished
        return app

    return make


# Where another server is chosen there is no gunicorn to test.
if not CONFIGURATIONS:
    collect_ignore = ["test_gunicorn_worker.py", "test_hostile_clients.py", "test_under_load.py"]
