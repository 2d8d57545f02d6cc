"""Views that others wrote: Dash, GraphQL, admin pages, WebSockets, caches, tracing."""

from __future__ import annotations

import logging

import pytest
import strawberry
from flask import Flask, g
from flask_admin import Admin, BaseView, expose
from flask_caching import Cache
from flask_sock import Sock
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from request_side import manifest
from strawberry.flask.views import GraphQLView

from cognises import current_user, login_check, permission_required, protect

both_ways = pytest.mark.parametrize("extension", [True, False], ids=["extension", "decorators"])


@strawberry.type
class Query:
    @strawberry.field
    def user(self) -> str:
        return str(current_user.sub)


def graphql_view():
    return GraphQLView.as_view("graphql", schema=strawberry.Schema(Query))


def graphql_decorated(app: Flask) -> None:
    app.add_url_rule("/graphql", view_func=login_check(graphql_view()))


def graphql_by_path(app: Flask) -> None:
    app.add_url_rule("/graphql", view_func=graphql_view())
    protect(app, paths=["/graphql/"])


def graphql_by_path_before_its_rule(app: Flask) -> None:
    protect(app, login_check, paths=["/graphql"])
    app.add_url_rule("/graphql", view_func=graphql_view())


@pytest.mark.parametrize(
    "views",
    [graphql_decorated, graphql_by_path, graphql_by_path_before_its_rule],
    ids=lambda views: views.__name__,
)
@both_ways
def test_a_graphql_view_is_called_without_a_response(views, extension, make_app, cognito):
    client = make_app(views, extension=extension).test_client()
    query = {"query": "{ user }"}

    assert client.post("/graphql", json=query).json["reason"] == "missing_token"
    answer = client.post("/graphql", json=query, headers=cognito.bearer(sub="ada"))
    assert answer.json["data"] == {"user": "ada"}


@both_ways
def test_a_dash_app_is_guarded_below_its_path_and_nothing_else_is(extension, make_app, cognito):
    from dash import Dash, html

    def views(app: Flask) -> None:
        app.get("/dashed")(login_check(lambda: "beside"))
        protect(app, permission_required(name="dashboard"), paths=["/dash/"])
        dash = Dash(server=app, url_base_pathname="/dash/")
        dash.layout = html.Div("numbers")

    client = make_app(views, manifest(editors=["dashboard"]), extension=extension).test_client()
    paths = ("/dash/", "/dash/_dash-layout", "/dash/_dash-dependencies", "/dash/anything/below")

    for path in paths:
        assert client.get(path).status_code == 401, path
        assert client.get(path, headers=cognito.bearer(["others"])).status_code == 403, path
        assert client.get(path, headers=cognito.bearer(["editors"])).status_code == 200, path
    assert client.get("/dashed", headers=cognito.bearer(["others"])).text == "beside"


@both_ways
def test_an_admin_panel_is_guarded_below_its_path(extension, make_app, cognito):
    class Page(BaseView):
        @expose("/")
        def index(self):
            return f"page of {current_user.sub}"

    def views(app: Flask) -> None:
        admin = Admin(app)
        admin.add_view(Page(endpoint="page"))
        protect(app, paths=["/admin"])

    client = make_app(views, extension=extension, SECRET_KEY="x").test_client()

    assert client.get("/admin/page/").status_code == 401
    assert client.get("/admin/page/", headers=cognito.bearer(sub="ada")).text == "page of ada"


def test_a_registered_blueprint_of_others_is_guarded_afterwards(make_app, cognito):
    def views(app: Flask) -> None:
        Admin(app)
        protect(app.blueprints["admin"])

    for extension in (True, False):
        client = make_app(views, extension=extension, SECRET_KEY="x").test_client()
        assert client.get("/admin/").status_code == 401
        assert client.get("/admin/", headers=cognito.bearer()).status_code == 200


@pytest.mark.parametrize("takes", ["socket", "response and socket"])
@both_ways
def test_a_websocket_view_is_refused_before_it_opens_and_takes_its_socket(
    takes, extension, make_app, cognito, monkeypatch
):
    seen: list[tuple[object, ...]] = []
    monkeypatch.setattr("flask_sock.Server", lambda environ, **options: FakeSocket())

    def views(app: Flask) -> None:
        def alone(ws):
            seen.append((current_user.sub, type(ws)))

        def both(response, ws):
            seen.append((response.sub, type(ws)))

        view = alone if takes == "socket" else both
        Sock(app).route("/ws")(login_check(view))

    client = make_app(views, extension=extension).test_client()
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}

    assert client.get("/ws", headers=upgrade).status_code == 401
    assert not seen
    client.get("/ws", headers=upgrade | cognito.bearer(sub="ada"))
    assert seen == [("ada", FakeSocket)]


class FakeSocket:
    mode = "werkzeug"

    def close(self) -> None:
        pass


# Caches


@pytest.fixture
def cache() -> Cache:
    return Cache(config={"CACHE_TYPE": "SimpleCache", "CACHE_DEFAULT_TIMEOUT": 60})


@both_ways
def test_what_is_memoized_by_its_user_is_each_users_own(extension, make_app, cognito, cache):
    def views(app: Flask) -> None:
        cache.init_app(app)

        @cache.memoize()
        def profile(user):
            return f"profile of {user.sub}"

        app.get("/proxy", endpoint="proxy")(login_check(lambda: profile(current_user)))
        app.get("/response", endpoint="response")(login_check(lambda response: profile(response)))

        @app.get("/view")
        @login_check
        @cache.memoize()
        def view(response):
            return f"profile of {response.sub}"

    client = make_app(views, extension=extension).test_client()

    for path in ("/proxy", "/response", "/view"):
        tokens = {name: cognito.bearer(sub=name) for name in ("alice", "bob")}
        for name in ("alice", "bob", "alice", "bob"):
            assert client.get(path, headers=tokens[name]).text == f"profile of {name}"


@both_ways
def test_a_response_cache_below_the_guard_with_a_key_of_the_user_keeps_users_apart(
    extension, make_app, cognito, cache
):
    def views(app: Flask) -> None:
        cache.init_app(app)

        @app.get("/mine")
        @login_check
        @cache.cached(make_cache_key=lambda *args, **kwargs: f"mine/{current_user.sub}")
        def mine():
            return f"page of {current_user.sub}"

    client = make_app(views, extension=extension).test_client()

    for name in ("alice", "bob"):
        assert client.get("/mine", headers=cognito.bearer(sub=name)).text == f"page of {name}"
    assert client.get("/mine").status_code == 401


# Tracing


def test_a_refused_request_has_its_span_like_any_other(make_app, cognito):
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    def views(app: Flask) -> None:
        FlaskInstrumentor().instrument_app(app, tracer_provider=provider)
        app.get("/thing", endpoint="thing")(login_check(lambda: "thing"))

    app = make_app(views)
    try:
        client = app.test_client()
        assert client.get("/thing").status_code == 401
        assert client.get("/thing", headers=cognito.bearer()).status_code == 200
    finally:
        FlaskInstrumentor.uninstrument_app(app)

    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["GET /thing"] * 2
    statuses = [span.attributes["http.status_code"] for span in spans]
    assert statuses == [401, 200]


@both_ways
def test_a_timer_that_starts_before_and_stops_after_counts_refusals_too(
    extension, make_app, cognito, caplog
):
    caplog.set_level(logging.ERROR)

    def views(app: Flask) -> None:
        @app.before_request
        def start():
            g.started = 1

        app.after_request(lambda response: response if g.started else None)
        app.get("/thing", endpoint="thing")(login_check(lambda: "thing"))

    client = make_app(views, extension=extension).test_client()

    assert client.get("/thing").status_code == 401
    assert not caplog.records
