"""The OpenAPI document is valid, and describes the answers of every operation."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from flask import Blueprint, Flask
from flask.views import MethodView
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from request_side import manifest
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import status_code_conformance
from werkzeug.routing import BaseConverter

from app import create_app
from cognises import Cognises, login_check, permission_required, protect, public
from cognises.access import init_access_pages, init_openapi, openapi
from cognises.testing import FakePool, isolated

OTHER = FakePool("eu-west-1_Other", "otherclient")
GROUPS = manifest(
    readers=["read", "by_number", "by_name", "shop.Orders", "openapi_json", "check", "PURGE"],
    writers=["shop.*", "audit", "write", "openapi_json"],
    owners=["*"],
    nobody=[],
)


class Even(BaseConverter):
    regex = "[02468]+"


class Orders(MethodView):
    """Orders."""

    @permission_required
    def get(self, number: int) -> dict[str, int]:
        """An order.

        With its number.
        """
        return {"number": number}

    @login_check(token_use="access", scopes=["orders/write", "orders/read"])
    def put(self, number: int) -> dict[str, int]:
        return {"number": number}

    def delete(self, number: int) -> str:
        """Declared nowhere, so it is denied."""
        return ""


def answer(**variables: object) -> dict[str, str]:
    return {name: str(value) for name, value in variables.items()}


def add(app: Flask, rule: str, name: str, guard: Any = permission_required, **options: Any) -> None:
    """A view of that name, with a guard of its own."""

    def view(**variables: object) -> dict[str, str]:
        return answer(**variables)

    view.__name__ = name
    app.add_url_rule(rule, name, guard(view), **options)


def service(cognito: FakePool, tmp_path: Any, **config: object) -> Flask:
    """An app with every kind of route that Flask and the guards know."""
    (tmp_path / "groups.json").write_text(json.dumps(GROUPS))
    app = Flask("service", root_path=str(tmp_path), subdomain_matching=True)
    app.config.update(isolated(**config), SERVER_NAME="localhost")
    app.url_map.converters["even"] = Even
    add(app, "/", "home", public)
    add(app, "/maybe", "maybe", login_check(optional=True))
    add(app, "/me/", "me", login_check)
    add(app, "/items/<int:number>", "by_number")
    add(app, "/items/<name>", "by_name")
    add(app, "/items/<other>", "unreachable", public)
    add(app, "/items/<name>", "write", methods=["POST"])
    add(app, "/read/<path:file>", "read", strict_slashes=False)
    add(app, "/kinds/<uuid:id>/<float:part>/<even:even>/<any(a, b):which>-<int(min=3, max=5):n>/"
        "<string(length=2):code>/<string(minlength=2, maxlength=4):word>/<int(fixed_digits=3):d>/"
        "<int(signed=True):s>", "kinds", login_check)  # fmt: skip
    add(app, "/both", "both", lambda view: permission_required(name="check")(
        permission_required(name="audit")(view)))  # fmt: skip
    add(
        app,
        "/foreign",
        "foreign",
        login_check(
            OTHER.region, OTHER.id, client_ids=OTHER.client_id, scopes="a/b", token_use="access"
        ),
    )
    add(app, "/area/page", "page", lambda view: view)
    add(app, "/purge", "PURGE", methods=["PURGE", "GET"])
    add(app, "/t", "tenant_root", login_check, subdomain="<tenant>")
    add(app, "/{odd}", "odd", login_check)
    app.add_url_rule("/forgotten", view_func=answer)
    app.add_url_rule("/moved", "moved", answer, redirect_to="/me/")
    shop = Blueprint("shop", __name__, url_prefix="/shop", static_folder="static")
    shop.add_url_rule("/orders/<int:number>", view_func=Orders.as_view("Orders"))
    app.register_blueprint(shop)
    admin = Blueprint("admin", __name__)
    admin.add_url_rule("/accounts", "accounts", answer, methods=["GET", "POST"])
    app.register_blueprint(protect(admin, permission_required), url_prefix="/admin")
    protect(app, permission_required, paths=("/area/",))
    init_access_pages(app)
    init_openapi(app)
    Cognises(app)
    OTHER.attach(app, own=False)
    cognito.attach(app)
    return app


@pytest.fixture
def app(cognito: FakePool, tmp_path: Any) -> Flask:
    return service(cognito, tmp_path)


@pytest.fixture
def generated(cognito: FakePool) -> Flask:
    app = create_app(isolated())
    cognito.attach(app)
    return app


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any], str]]:
    """Method, path with its variables filled in, operation, and server."""
    for path, item in document["paths"].items():
        server = item.get("servers", document["servers"])[0]["url"].replace("{tenant}", "acme")
        for method, operation in item.items():
            if method != "servers":
                filled = path.partition("#")[0]
                for each in operation.get("parameters", ()):
                    filled = filled.replace(f"{{{each['name']}}}", sample(each["schema"]))
                yield method.removeprefix("x-").upper(), filled, operation, server


def sample(schema: dict[str, Any]) -> str:
    """A text that a schema of a variable allows."""
    if "enum" in schema:
        return schema["enum"][-1]
    if schema.get("format") == "uuid":
        return "0b0e1c1c-6f0c-4d0a-9d0e-000000000001"
    if schema["type"] in ("integer", "number"):
        low = schema.get("minimum", -4)
        return str(low + 0.5 if schema["type"] == "number" else low)
    if "pattern" in schema:
        return "0" * int(re.findall(r"{(\d+)}", schema["pattern"])[0])
    return "02" if schema.get("minLength") != 1 else "2"


def expected(operation: dict[str, Any], groups: tuple[str, ...] | None, scopes: set[str]) -> int:
    """The status of a refusal by the document alone; 0: not refused."""
    security = operation["security"]
    if security == [] or (groups is None and {} in security):
        return 0
    if groups is None:
        return 401
    is_open = all(set(need["groups"]) & set(groups) for need in operation["x-open-to"])
    is_scoped = all(set(each["bearer"]) <= scopes for each in security if "bearer" in each)
    return 0 if is_open and is_scoped else 403


SETS = [None, (), ("readers",), ("writers",), ("owners",), ("nobody",), ("readers", "writers")]


@pytest.mark.parametrize("groups", SETS, ids=str)
def test_every_operation_answers_every_group_as_the_document_says(
    groups: tuple[str, ...] | None, app: Flask, cognito: FakePool
) -> None:
    client, seen = app.test_client(), set()
    for method, path, operation, server in operations(openapi(app)):
        uses, pool = operation.get("x-token-use", ["id"]), cognito
        if path == "/foreign":
            pool = OTHER
        for scope in ("", "orders/read", "orders/read orders/write a/b"):
            headers = {}
            if groups is not None:
                claims = {"scope": scope} if uses == ["access"] else {}
                headers = pool.bearer(groups, token_use=uses[0], **claims)
            base = server if "//" in server else None
            status = client.open(path, base, method=method, headers=headers).status_code
            assert (status if status in (401, 403) else 0) == expected(
                operation, groups, set(scope.split())
            ), (method, path, status)
            assert status in (200, 401, 403), (method, path)
        seen.add(operation["operationId"])
    assert len(seen) == 24


def test_every_operation_of_the_generated_service_answers_as_the_document_says(
    generated: Flask, cognito: FakePool
) -> None:
    for groups in (None, (), ("admins",), ("editors",), ("viewers",), ("others",)):
        client = generated.test_client()
        headers = {} if groups is None else cognito.bearer(groups)
        for method, path, operation, _ in operations(openapi(generated)):
            status = client.open(path, method=method, headers=headers, json={}).status_code
            assert (status if status in (401, 403) else 0) == expected(operation, groups, set()), (
                method, path, groups)  # fmt: skip


@pytest.mark.parametrize("name", ["app", "generated"])
def test_the_document_is_valid(name: str, request: pytest.FixtureRequest) -> None:
    document = openapi(request.getfixturevalue(name))

    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    ids = [operation["operationId"] for _, _, operation, _ in operations(document)]
    assert len(ids) == len(set(ids))
    assert json.loads(json.dumps(document)) == document


def test_the_kind_of_a_variable_becomes_its_schema(app: Flask) -> None:
    (path,) = (path for path in openapi(app)["paths"] if path.startswith("/kinds"))
    parameters = openapi(app)["paths"][path]["get"]["parameters"]

    assert path == "/kinds/{id}/{part}/{even}/{which}-{n}/{code}/{word}/{d}/{s}"
    assert {each["name"]: each["schema"] for each in parameters} == {
        "id": {"type": "string", "format": "uuid"},
        "part": {"type": "number", "minimum": 0},
        "even": {"type": "string", "minLength": 1},
        "which": {"type": "string", "enum": ["a", "b"]},
        "n": {"type": "integer", "minimum": 3, "maximum": 5},
        "code": {"type": "string", "minLength": 2, "maxLength": 2},
        "word": {"type": "string", "minLength": 2, "maxLength": 4},
        "d": {"type": "string", "pattern": "^[0-9]{3}$"},
        "s": {"type": "integer"},
    }


def test_rules_that_share_a_path_in_openapi_are_listed_and_unreachable_ones_are_not(
    app: Flask,
) -> None:
    paths = openapi(app)["paths"]

    assert {path: sorted(paths[path]) for path in paths if path.startswith("/items")} == {
        "/items/{number}": ["get"],
        "/items/{name}#2": ["get", "post"],
    }
    assert paths["/items/{name}#2"]["post"]["operationId"] == "write"
    assert not [path for path in paths if "moved" in path or "static" in path or "other" in path]
    assert set(paths["/purge"]) == {"get", "x-purge"}
    assert "/%7Bodd%7D" in paths
    assert paths["/t"]["servers"] == [{"url": "http://{tenant}.localhost",
                                       "variables": {"tenant": {"default": "tenant"}}}]  # fmt: skip


def test_an_operation_is_described_by_its_docstring_and_its_guards(app: Flask) -> None:
    orders = openapi(app)["paths"]["/shop/orders/{number}"]

    assert orders["get"]["summary"] == "An order."
    assert orders["get"]["description"] == "With its number."
    assert orders["get"]["tags"] == ["shop"]
    assert orders["get"]["x-open-to"] == [{"groups": ["owners", "readers", "writers"],
                                           "scopes": []}]  # fmt: skip
    scopes = ["orders/read", "orders/write"]
    assert orders["put"]["security"] == [{name: scopes} for name in ("openid", "bearer", "cookie")]
    assert orders["put"]["x-token-use"] == ["access"]
    assert orders["delete"]["x-open-to"] == [{"groups": [], "scopes": []}]
    for operation in orders.values():
        assert {"400", "401", "403", "503"} <= set(operation["responses"])


def test_the_servers_are_the_public_address(cognito: FakePool, tmp_path: Any) -> None:
    app = service(cognito, tmp_path, COGNISES_PUBLIC_URL="https://api.example.org/orders")

    assert openapi(app)["servers"] == [{"url": "https://api.example.org/orders"}]


def test_the_refusal_table_is_one_component_with_every_reason(app: Flask) -> None:
    components = openapi(app)["components"]

    assert set(components["responses"]) == {f"Refused{each}" for each in (400, 401, 403, 503)}
    refused = components["responses"]["Refused401"]
    assert "- `token_expired`: The token has expired." in refused["description"]
    assert set(refused["headers"]) == {"WWW-Authenticate"}
    reasons = components["schemas"]["Refusal"]["properties"]["reason"]["enum"]
    assert {"missing_token", "insufficient_scope", "keys_unavailable"} <= set(reasons)
    assert "misconfigured" not in reasons


def test_users_get_the_operations_that_they_may_call_and_no_group(
    app: Flask, cognito: FakePool
) -> None:
    complete = openapi(app)
    for groups in ("readers",), ("writers",), ("owners",):
        headers = cognito.bearer(groups)
        answer = app.test_client().get("/openapi.json", headers=headers)
        found = {each["operationId"] for _, _, each, _ in operations(answer.json)}
        may = {each["operationId"] for _, _, each, _ in operations(complete)
               if expected(each, groups, set()) == 0 and "x-token-use" not in each}  # fmt: skip
        if groups == ("owners",):
            assert answer.json == complete
        else:
            assert found == may
            assert "x-open-to" not in answer.text
            assert not [name for name in ("owners", "nobody", "readers") if name in answer.text]
        assert answer.headers["Cache-Control"] == "private, no-store"
    assert app.test_client().get("/openapi.json").status_code == 401


def test_the_command_prints_the_complete_document(app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=["cognises", "openapi"])

    assert result.exit_code == 0
    assert json.loads(result.output) == openapi(app)


def test_a_broken_manifest_is_one_message(app: Flask, tmp_path: Any, cognito: FakePool) -> None:
    (tmp_path / "groups.json").write_text("[{]")
    cognito.attach(app)

    result = app.test_cli_runner().invoke(args=["cognises", "openapi"])

    assert result.exit_code == 1
    assert result.output.startswith("Error: cannot describe the routes:\nerror: line 1")


@pytest.mark.parametrize("name", ["app", "generated"])
def test_random_requests_by_the_document_get_only_statuses_that_it_names(
    name: str, request: pytest.FixtureRequest, cognito: FakePool
) -> None:
    app = request.getfixturevalue(name)
    headers = cognito.bearer(["owners", "admins"])
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app, headers=headers)
    checks, statuses = [not_a_server_error, status_code_conformance], []
    for result in schema.get_all_operations():

        @given(case=result.ok().as_strategy())
        @settings(max_examples=6, derandomize=True, database=None, deadline=None,
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        def send(case: schemathesis.Case) -> None:
            response = case.call_and_validate(headers=headers, checks=checks)
            statuses.append(response.status_code)

        send()
    assert statuses.count(200) > 20  # of the generated app: without a bucket, /data answers 404


def test_a_path_is_numbered_among_those_that_a_user_may_call_and_a_docstring_is_text(
    app: Flask, cognito: FakePool, tmp_path: Any
) -> None:
    app.view_functions["by_name"].__doc__ = 1  # type: ignore[assignment]
    groups = manifest(some=["by_name", "openapi_json"], others=["by_number"])
    (tmp_path / "groups.json").write_text(json.dumps(groups))
    cognito.attach(app)
    headers = cognito.bearer(["some"])
    shown = app.test_client().get("/openapi.json", headers=headers).json["paths"]

    assert [each for each in shown if each.startswith("/items")] == ["/items/{name}"]
    assert "summary" not in openapi(app)["paths"]["/items/{name}#2"]["get"]


def test_parts_guarded_by_path_are_named_and_unusual_routes_are_listed(tmp_path) -> None:
    app = Flask("service", root_path=str(tmp_path), static_folder=None)
    app.config.update(isolated())
    app.add_url_rule("/live", "socket", public(lambda: ""), websocket=True)
    app.add_url_rule("/live", "live", public(lambda: ""))
    app.add_url_rule("/info", "static", public(lambda: ""))
    app.add_url_rule("/files/<path:name>", "files", public(lambda name: ""))
    protect(app, login_check, paths=["/files/secret"])
    Cognises(app)

    paths = openapi(app)["paths"]

    assert sorted(paths) == ["/files/{name}", "/info", "/live"]
    assert paths["/files/{name}"]["get"]["x-guarded-parts"] == ["/files/secret/"]
    assert "x-guarded-parts" not in paths["/info"]["get"]
