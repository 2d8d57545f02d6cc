"""The app under load: the same in every project, with an open view beside a guarded one."""

from __future__ import annotations

import os
import time
from pathlib import Path

from flask import Flask, request

from cognises import Cognises, permission_required, public
from cognises.operation import operate

# Shorter times for slow clients than a service gives them, for tests that wait for their end.
for name in ("HEAD_SECONDS", "BODY_SECONDS"):
    if f"LOAD_{name}" in os.environ:
        from server import worker as gunicorn_worker

        setattr(gunicorn_worker, name, float(os.environ[f"LOAD_{name}"]))

app = Flask("load", root_path=str(Path(__file__).parent))


@app.get("/open")
@public
def open_view() -> str:
    return "ok"


@app.get("/guarded")
@permission_required
def guarded(response: object) -> str:
    return "ok"


@app.post("/body")
@public
def body() -> str:
    return str(len(request.get_data()))


@app.get("/slow")
@public
def slow() -> str:
    time.sleep(1)
    return "ok"


@app.get("/worker")
@public
def worker() -> str:
    """Which process answers, so that it can be killed."""
    return str(os.getpid())


operate(app)
Cognises(app)
