"""Every example of the page on guards runs, and every request below it gets its status."""

from __future__ import annotations

import functools
import re

import flask
import pytest
from flask import Flask
from flask.views import MethodView

import cognises
from cognises import Cognises
from cognises.settings.sources import PROJECT_FOLDER
from cognises.web.extension import check

PAGE = (PROJECT_FOLDER / "docs" / "guards.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```\n```text\n(.*?)^```", PAGE, re.S | re.M)
REQUEST = re.compile(r"(GET|POST) (\S+)(?: (as machine|as|by) (\S+))? -> (\d+)")

GROUPS = [
    {"group_name": "viewers", "allowed_functions": ["report"]},
    {"group_name": "editors", "allowed_functions": ["*"]},
    {"group_name": "orders-service", "scopes": ["orders/read"], "allowed_functions": ["orders"]},
]


def headers_of(kind: str, who: str, pool) -> dict[str, str]:
    if kind == "as machine":
        return pool.bearer(token_use="access", sub=pool.client_id, username=None, scope=who)
    if kind == "by":
        return pool.bearer(["viewers"], sub=who)
    return pool.bearer([who]) if who else {}


@pytest.mark.parametrize(("code", "requests"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_does_what_the_page_says(code, requests, make_app, cognito):
    def views(app: Flask) -> None:
        public_names = {name: getattr(cognises, name) for name in cognises.__all__}
        names = {name: getattr(flask, name) for name in ("Blueprint", "abort", "request")}
        names |= public_names | {"app": app, "functools": functools, "MethodView": MethodView}
        names["__name__"] = __name__
        exec(code, names)

    app = make_app(views, GROUPS, extension=False)
    if "Cognises(app" not in code:
        Cognises(app)
    check(app)
    lines = [REQUEST.fullmatch(line) for line in requests.splitlines()]

    assert all(lines)
    for line in lines:
        method, path, kind, who, status = line.groups()
        headers = headers_of(kind, who, cognito)
        answer = app.test_client().open(path, method=method, headers=headers)
        assert (line.group(), answer.status_code) == (line.group(), int(status))


def test_every_example_is_followed_by_its_requests():
    assert len(EXAMPLES) == len(re.findall(r"^```python$", PAGE, re.M)) >= 6
