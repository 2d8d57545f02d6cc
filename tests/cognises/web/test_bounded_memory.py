"""Nothing that the module keeps grows with the number of requests, whatever clients send."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import flask_restful
import pytest
from flask import Blueprint, Flask
from flask.views import View
from request_side import manifest
from werkzeug.local import LocalProxy
from werkzeug.routing import Rule

from cognises import login_check, permission_required, protect, public
from cognises.web.state import state_of

GROUPS = manifest(editors=["thing", "dynamic", "any", "_private"])
CONTAINERS = (dict, list, set, tuple, frozenset)


def stores(app: Flask) -> dict[str, int]:
    """The size of every container that the module's objects and modules reach."""
    roots: dict[str, object] = {"state": state_of(app), "extensions": app.extensions}
    for name, module in list(sys.modules.items()):
        if name.startswith("cognises") and "testing" not in name:
            for key, value in list(vars(module).items()):
                roots[f"{name}.{key}"] = value
    found: dict[str, int] = {}
    seen: set[int] = set()
    pending = list(roots.items())
    while pending:
        path, value = pending.pop()
        if id(value) in seen or issubclass(type(value), LocalProxy):
            continue
        seen.add(id(value))
        if hasattr(value, "cache_info") and value.__module__.startswith("cognises"):
            found[path] = value.cache_info().currsize
        if isinstance(value, CONTAINERS):
            found[path] = len(value)
        pending += parts(path, value)
    return found


def parts(path: str, value: Any) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        yield from ((f"{path}[{key!r}]", each) for key, each in list(value.items()))
    elif isinstance(value, CONTAINERS):
        yield from ((f"{path}[{n}]", each) for n, each in enumerate(list(value)))
    elif type(value).__module__.startswith("cognises"):
        slots = [slot for cls in type(value).__mro__ for slot in getattr(cls, "__slots__", ())]
        names = [*getattr(value, "__dict__", ()), *slots]
        yield from ((f"{path}.{name}", getattr(value, name, None)) for name in names)


def views(app: Flask) -> None:
    @app.get("/thing")
    @permission_required(name="thing")
    def thing(response):
        return "thing"

    class Resource(flask_restful.Resource):
        method_decorators = [login_check, permission_required(name="thing")]  # noqa: RUF012

        def get(self):
            return "got"

    flask_restful.Api(app).add_resource(Resource, "/resource")

    @app.get("/dynamic")
    @login_check
    def dynamic():
        return permission_required(manifest(editors=["inner"]), name="inner")(lambda: "inner")()

    class ByMethod(View):
        @login_check
        def dispatch_request(self):
            return "any"

    app.url_map.add(Rule("/any", endpoint="any"))
    app.view_functions["any"] = login_check(lambda: "any")
    app.url_map.add(Rule("/any-class", endpoint="any_class"))
    app.view_functions["any_class"] = ByMethod.as_view("any_class")
    app.get("/open", endpoint="open")(public(lambda: "open"))
    app.get("/item/<path:key>", endpoint="item")(login_check(lambda key: key))
    protect(app, paths=["/item/guarded"])
    bp = protect(Blueprint("bp", __name__), permission_required(name="thing"))
    bp.get("/in-bp", endpoint="in_bp")(lambda: "bp")
    app.register_blueprint(bp)


@pytest.mark.parametrize("extension", [True, False], ids=["extension", "decorators"])
def test_after_many_requests_of_every_kind_every_store_has_the_size_it_had(
    extension, make_app, cognito
):
    app = make_app(
        views,
        GROUPS,
        extension=extension,
        COGNISES_TOKEN_CACHE_SIZE="8",
    )
    client = app.test_client()
    tokens = [cognito.bearer(["editors"], sub=f"user{n}") for n in range(40)]

    def send(number: int) -> None:
        headers = tokens[number % len(tokens)]
        paths = ("/thing", "/resource", "/dynamic", "/in-bp", "/open", f"/item/{number}",
                 f"/item/guarded/{number}", f"/missing/{number}")  # fmt: skip
        path = paths[number % len(paths)]
        client.get(path)
        client.get(path, headers=headers)
        client.get(path, headers={"Authorization": f"Bearer a{number}.b.c"})
        client.get(path, headers={"Cookie": f"token_cookie={number}; x{number}=y"})
        client.get(path, headers={"Host": f"host{number}.example", "Origin": f"http://{number}"})
        made_up = f"A{number}" if number % 2 else f"get{number}"
        for rule in ("/any", "/any-class", "/thing"):
            client.open(rule, method=made_up, headers=headers)
            client.open(rule, method=made_up)

    for number in range(20):
        send(number)
    before = stores(app)
    for number in range(20, 100):
        send(number)
    after = stores(app)

    grown = {path: (before.get(path, 0), size) for path, size in after.items()
             if size > max(before.get(path, 0), 8)}  # fmt: skip
    assert not grown
    assert len(state_of(app).policies) < 30


def test_guards_that_are_each_different_are_kept_up_to_a_bound(make_app, cognito, monkeypatch):
    monkeypatch.setattr("cognises.web.state.MAX_POLICIES", 50)
    monkeypatch.setattr("cognises.web.state.MAX_VERIFIERS", 20)

    def views(app: Flask) -> None:
        @app.get("/<scope>")
        @login_check(token_use="access")
        def scoped(scope):
            return login_check(token_use="access", scopes=scope)(lambda: scope)()

    app = make_app(views)
    client = app.test_client()
    headers = cognito.bearer(token_use="access", scope=" ".join(f"s{n}" for n in range(200)))

    for number in range(200):
        assert client.get(f"/s{number}", headers=headers).text == f"s{number}"
        assert client.get(f"/t{number}", headers=headers).status_code == 403
    assert len(state_of(app).policies) <= 50
    assert len(state_of(app)._verifiers) <= 20
