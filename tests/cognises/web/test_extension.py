"""`Cognises(app)`: nothing runs before it, nothing undeclared is served, no half-set app starts."""

from __future__ import annotations

import functools
import logging

import click
import flask.cli  # noqa: F401  (flask run is told by it)
import pytest
from flask import Blueprint, Flask, abort, g, redirect, render_template_string, request
from flask.views import MethodView
from request_side import manifest
from werkzeug.exceptions import HTTPException, Unauthorized

from cognises import (
    Cognises,
    CognisesError,
    SettingsError,
    current_user,
    login_check,
    permission_required,
    protect,
    public,
)
from cognises.testing import FakePool
from cognises.web.extension import check, problems

GROUPS = manifest(editors=["thing"])


def guarded_thing(app: Flask) -> None:
    @app.get("/thing")
    @permission_required
    def thing(response):
        return "thing"


# Deny by default


def test_a_route_without_decorator_is_denied_to_everybody(make_app, cognito: FakePool):
    client = make_app(lambda app: app.get("/bare")(lambda: "never")).test_client()

    assert client.get("/bare").status_code == 401
    answer = client.get("/bare", headers=cognito.bearer(["admins"]))
    assert (answer.status_code, answer.json["reason"]) == (403, "forbidden")


def test_a_route_that_is_registered_after_the_guard_is_guarded_too(make_app):
    app = make_app()
    app.add_url_rule("/late", "late", lambda: "never")

    assert app.test_client().get("/late").status_code == 401


def test_a_view_that_is_replaced_after_the_first_request_is_authorized_again(make_app, cognito):
    app = make_app(lambda app: app.get("/thing", endpoint="thing")(public(lambda: "open")))
    client = app.test_client()
    assert client.get("/thing").text == "open"

    app.view_functions["thing"] = lambda: "never"

    assert client.get("/thing").status_code == 401


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "TRACE"])
def test_an_undeclared_view_is_denied_under_every_method(method, make_app):
    app = make_app()
    app.add_url_rule("/bare", "bare", lambda: "never", methods=[method])

    assert app.test_client().open("/bare", method=method).status_code == 401


def test_a_blueprint_that_is_public_opens_all_of_its_views_and_no_others(make_app):
    def views(app: Flask) -> None:
        bp = public(Blueprint("pages", __name__))
        bp.get("/one")(lambda: "open")
        app.register_blueprint(bp)
        bare = Blueprint("bare", __name__)
        bare.get("/two", endpoint="two")(lambda: "never")
        app.register_blueprint(bare)

    client = make_app(views).test_client()

    assert client.get("/one").status_code == 200
    assert client.get("/two").status_code == 401


# Exemptions


def test_a_path_that_is_not_there_is_404_and_a_wrong_method_405(make_app):
    client = make_app(guarded_thing, GROUPS).test_client()

    assert client.get("/nowhere").status_code == 404
    assert client.post("/thing").status_code == 405
    assert client.post("/thing", headers={"Authorization": "Bearer x"}).status_code == 405


def test_a_redirect_to_the_trailing_slash_does_not_reveal_a_route(make_app):
    def views(app: Flask) -> None:
        app.get("/folder/")(login_check(lambda response: "never"))

    client = make_app(views).test_client()

    assert client.get("/folder").status_code == 308
    assert client.get("/folder", follow_redirects=True).status_code == 401


@pytest.fixture
def with_static(make_app, tmp_path):
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "style.css").write_text("body {}")
    return make_app


def test_the_apps_own_static_files_are_open(with_static):
    app = with_static()

    assert app.test_client().get("/static/style.css").status_code == 200


def test_the_apps_own_static_files_can_be_closed(with_static, cognito):
    def close(app: Flask) -> None:
        Cognises(app, public_static=False)

    client = with_static(close, extension=False).test_client()

    assert client.get("/static/style.css").status_code == 401
    assert client.get("/static/style.css", headers=cognito.bearer(["x"])).status_code == 403


def test_a_view_that_takes_the_name_static_is_not_the_apps_static_view(make_app, tmp_path):
    app = Flask("service", root_path=str(tmp_path), static_folder=None)
    app.config.update(
        TESTING=True, COGNITO_USER_POOL_ID="us-east-1_Abc", COGNITO_CLIENT_ID="client"
    )
    app.add_url_rule("/static/<path:filename>", "static", lambda filename: "never")
    Cognises(app)

    assert app.test_client().get("/static/x").status_code == 401


def test_a_view_put_in_the_place_of_the_static_one_is_denied(with_static):
    app = with_static()
    app.view_functions["static"] = lambda filename: "never"

    assert app.test_client().get("/static/style.css").status_code == 401


def test_a_blueprints_static_files_follow_their_blueprint(with_static, tmp_path, cognito):
    def views(app: Flask) -> None:
        for name, declare in (
            ("closed", protect),
            ("open", public),
            ("bare", lambda bp: bp),
        ):
            bp = Blueprint(name, __name__, static_folder=str(tmp_path / "static"),
                           static_url_path=f"/{name}")  # fmt: skip
            app.register_blueprint(declare(bp))

    client = with_static(views).test_client()
    statuses = {
        name: (client.get(f"/{name}/style.css").status_code,
               client.get(f"/{name}/style.css", headers=cognito.bearer()).status_code)
        for name in ("closed", "open", "bare")
    }  # fmt: skip

    assert statuses == {"closed": (401, 200), "open": (200, 200), "bare": (401, 403)}


def test_automatic_options_of_an_undeclared_view_tells_methods_and_runs_nothing(make_app):
    app = make_app()
    app.add_url_rule("/bare", "bare", lambda: 1 / 0, methods=["GET", "PUT"])

    answer = app.test_client().options("/bare")

    assert answer.status_code == 200
    assert set(answer.allow) == {"GET", "HEAD", "PUT", "OPTIONS"}


# The decision comes first; what other code relies on runs all the same


def test_every_before_request_function_runs_whether_a_request_is_refused_or_not(make_app, cognito):
    ran: list[str] = []

    def views(app: Flask) -> None:
        app.before_request(lambda: ran.append("app, before"))
        bp = Blueprint("bp", __name__)
        bp.before_request(lambda: ran.append("blueprint"))
        bp.before_app_request(lambda: ran.append("blueprint, for the app"))
        app.url_value_preprocessor(lambda endpoint, values: ran.append("values"))
        bp.url_value_preprocessor(lambda endpoint, values: ran.append("blueprint values"))
        bp.get("/thing")(login_check(lambda response: "thing"))
        app.register_blueprint(bp)

    app = make_app(views)
    app.before_request(lambda: ran.append("app, after"))
    app.before_request_funcs[None].insert(0, lambda: ran.append("app, first"))
    client = app.test_client()

    for headers, status in (({}, 401), ({"Authorization": "Bearer a.b.c"}, 401),
                            (cognito.bearer(), 200)):  # fmt: skip
        ran.clear()
        assert client.get("/thing", headers=headers).status_code == status
        assert sorted(ran) == [
            "app, after",
            "app, before",
            "app, first",
            "blueprint",
            "blueprint values",
            "blueprint, for the app",
            "values",
        ]


def test_a_before_request_function_that_answers_by_itself_cannot_serve_past_the_guard(
    make_app, cognito
):
    def views(app: Flask) -> None:
        app.before_request(lambda: "from a cache")
        guarded_thing(app)

    client = make_app(views, GROUPS).test_client()

    assert client.get("/thing").status_code == 401
    assert client.get("/thing", headers=cognito.bearer(["editors"])).text == "from a cache"


ANSWERING = {
    "returns a text": lambda: "served",
    "returns a response": lambda: ({"served": True}, 200),
    "aborts": lambda: abort(404),
    "redirects": lambda: abort(redirect("/elsewhere")),
    "raises": lambda: 1 / 0,
    "is async": None,
}


@pytest.mark.parametrize("answer", ANSWERING.values(), ids=ANSWERING.keys())
def test_whatever_a_before_request_function_does_the_refusal_stands_and_all_others_run(
    answer, make_app
):
    async def served():
        return "served"

    ran: list[str] = []

    def views(app: Flask) -> None:
        app.before_request(answer or served)
        app.before_request(lambda: ran.append("before"))
        app.url_value_preprocessor(lambda endpoint, values: 1 / 0)
        app.after_request(lambda response: ran.append("after") or response)
        app.teardown_request(lambda error: ran.append("teardown"))
        guarded_thing(app)

    answered = make_app(views, GROUPS).test_client().get("/thing")

    assert (answered.status_code, answered.json["reason"]) == (401, "missing_token")
    assert answered.headers["WWW-Authenticate"] == 'Bearer realm="cognises"'
    assert ran == ["before", "after", "teardown"]


def test_what_a_before_request_function_sets_is_there_after_a_refusal_and_on_its_page(make_app):
    def views(app: Flask) -> None:
        @app.before_request
        def start():
            g.started, g.tenant = 1.5, "acme"

        @app.after_request
        def stop(response):
            response.headers["X-Started"] = str(g.started)
            return response

        app.context_processor(lambda: {"tenant": g.tenant})
        app.register_error_handler(401, lambda e: (render_template_string("{{ tenant }}"), 401))
        guarded_thing(app)

    answer = make_app(views, GROUPS).test_client().get("/thing")

    assert (answer.status_code, answer.text, answer.headers["X-Started"]) == (401, "acme", "1.5")


def test_a_refused_request_is_anonymous_to_its_before_request_functions(make_app, cognito):
    seen: list[bool] = []

    def views(app: Flask) -> None:
        app.before_request(lambda: seen.append(current_user.is_authenticated))
        guarded_thing(app)

    client = make_app(views, GROUPS).test_client()

    assert client.get("/thing", headers=cognito.bearer(["others"])).status_code == 403
    assert seen == [False]


def test_a_subclass_that_prepares_requests_in_its_own_way_still_does(tmp_path, cognito):
    ran: list[str] = []

    class Own(Flask):
        def preprocess_request(self):
            ran.append("own")
            return super().preprocess_request() or "served"

    app = Own("service", root_path=str(tmp_path))
    app.testing = True
    app.get("/thing")(login_check(lambda: "thing"))
    Cognises(app)
    cognito.attach(app)

    assert app.test_client().get("/thing").status_code == 401
    assert ran == ["own"]


def test_a_before_request_function_may_ask_who_it_is(make_app, cognito):
    seen: list[object] = []

    def views(app: Flask) -> None:
        app.before_request(lambda: seen.append(current_user.username))
        guarded_thing(app)

    make_app(views, GROUPS).test_client().get("/thing", headers=cognito.bearer(["editors"]))

    assert seen == ["ada"]


def cached(view):
    """A response cache as many apps have one: by path, above whatever is below."""
    answers: dict[str, object] = {}

    @functools.wraps(view)
    def wrapper(*args, **kwargs):
        if request.path not in answers:
            answers[request.path] = view(*args, **kwargs)
        return answers[request.path]

    return wrapper


def test_a_cache_above_a_guard_cannot_serve_past_it(make_app, cognito):
    def views(app: Flask) -> None:
        @app.get("/thing")
        @cached
        @permission_required
        def thing(response):
            return "secret"

    client = make_app(views, GROUPS).test_client()

    assert client.get("/thing", headers=cognito.bearer(["editors"])).text == "secret"
    assert client.get("/thing").status_code == 401
    assert client.get("/thing", headers=cognito.bearer(["others"])).status_code == 403


def test_a_cache_that_hides_the_guard_below_it_is_denied(make_app, cognito):
    def views(app: Flask) -> None:
        guarded = permission_required(lambda response: "never")
        app.add_url_rule("/thing", "thing", lambda: guarded())

    client = make_app(views, GROUPS).test_client()

    assert client.get("/thing", headers=cognito.bearer(["editors"])).status_code == 403


def test_a_session_opened_by_a_refused_request_holds_nothing(make_app):
    app = make_app(guarded_thing, GROUPS, SECRET_KEY="test")

    assert "Set-Cookie" not in app.test_client().get("/thing").headers


# Names


def views_named(*names_and_endpoints: tuple[str, str]):
    def views(app: Flask) -> None:
        for name, endpoint in names_and_endpoints:

            def view(response):
                return "served"

            view.__name__ = name
            blueprint, _, last = endpoint.rpartition(".")
            guarded = permission_required(view)
            if not blueprint:
                app.add_url_rule(f"/{endpoint}", endpoint, guarded)
                continue
            bp = app.blueprints.get(blueprint) or Blueprint(blueprint, __name__)
            bp.add_url_rule(f"/{endpoint}", last, guarded)
            app.register_blueprint(bp)

    return views


def test_a_name_that_two_endpoints_carry_stops_the_start(make_app, cognito):
    app = make_app(views_named(("report", "one.report"), ("report", "two.report")),
                   manifest(editors=["report"]))  # fmt: skip

    with pytest.raises(SettingsError, match="report: two endpoints carry this name"):
        app.test_client().get("/one.report", headers=cognito.bearer(["editors"]))


def test_a_name_that_two_endpoints_carry_opens_neither_without_the_extension(make_app, cognito):
    app = make_app(views_named(("report", "one.report"), ("report", "two.report")),
                   manifest(editors=["report"], exact=["one.report"]), extension=False)  # fmt: skip
    client = app.test_client()

    assert client.get("/one.report", headers=cognito.bearer(["editors"])).status_code == 403
    assert client.get("/two.report", headers=cognito.bearer(["editors"])).status_code == 403
    assert client.get("/one.report", headers=cognito.bearer(["exact"])).status_code == 200
    assert client.get("/two.report", headers=cognito.bearer(["exact"])).status_code == 403


def test_an_endpoint_that_is_another_views_name_opens_neither(make_app, cognito):
    app = make_app(views_named(("report", "report"), ("report", "two.report")),
                   manifest(editors=["report"]), extension=False)  # fmt: skip
    client = app.test_client()

    assert client.get("/report", headers=cognito.bearer(["editors"])).status_code == 403
    assert client.get("/two.report", headers=cognito.bearer(["editors"])).status_code == 403


def test_a_name_that_two_endpoints_carry_is_fine_where_the_manifest_does_not_use_it(
    make_app, cognito
):
    app = make_app(views_named(("report", "one.report"), ("report", "two.report")),
                   manifest(editors=["one.report"], all=["*"]))  # fmt: skip
    client = app.test_client()

    assert client.get("/one.report", headers=cognito.bearer(["editors"])).status_code == 200
    assert client.get("/two.report", headers=cognito.bearer(["editors"])).status_code == 403
    assert client.get("/two.report", headers=cognito.bearer(["all"])).status_code == 200


@pytest.mark.parametrize(("second", "starts"), [("shared", True), (None, False)])
def test_two_views_share_a_name_only_if_both_state_it(second, starts, make_app, cognito):
    def views(app: Flask) -> None:
        @app.get("/one", endpoint="one")
        @permission_required(name="shared")
        def one(response):
            return "one"

        @app.get("/two", endpoint="two")
        @permission_required(name=second)
        def shared(response):
            return "two"

    client = make_app(views, manifest(editors=["shared"])).test_client()

    if starts:
        for path in ("/one", "/two"):
            assert client.get(path, headers=cognito.bearer(["editors"])).status_code == 200
    else:
        with pytest.raises(SettingsError, match="two endpoints carry this name"):
            client.get("/one")


def test_one_view_under_two_addresses_is_one_name(make_app, cognito):
    def views(app: Flask) -> None:
        @app.get("/one")
        @app.get("/two")
        @permission_required
        def thing(response):
            return "served"

    client = make_app(views, GROUPS).test_client()

    for path in ("/one", "/two"):
        assert client.get(path, headers=cognito.bearer(["editors"])).status_code == 200


def test_a_stated_name_replaces_the_functions_name(make_app, cognito):
    def views(app: Flask) -> None:
        @app.get("/thing", endpoint="elsewhere")
        @permission_required(name="stated")
        def thing(response):
            return "served"

    client = make_app(views, manifest(new=["stated"], old=["thing"])).test_client()

    assert client.get("/thing", headers=cognito.bearer(["new"])).status_code == 200
    assert client.get("/thing", headers=cognito.bearer(["old"])).status_code == 403


def test_a_blueprints_entry_opens_whole_segments_and_nested_blueprints(make_app, cognito):
    def views(app: Flask) -> None:
        def view_of(name: str):
            def view(response):
                return name

            view.__name__ = name
            return permission_required(view)

        reports, monthly = Blueprint("reports", __name__), Blueprint("monthly", __name__)
        longer = Blueprint("reports2", __name__)
        monthly.add_url_rule("/nested", view_func=view_of("nested"))
        reports.add_url_rule("/report", view_func=view_of("report"))
        longer.add_url_rule("/longer", view_func=view_of("longer"))
        reports.register_blueprint(monthly)
        for bp in (reports, longer):
            app.register_blueprint(bp)
        app.add_url_rule("/reports", view_func=view_of("reports"))

    groups = manifest(blueprint=["reports.*"], nested=["reports.monthly.*"], tail=["monthly.*"],
                      exact=["reports.report"], all=["*"])  # fmt: skip
    client = make_app(views, groups).test_client()
    paths = ("/report", "/nested", "/longer", "/reports")

    opened = {
        group["group_name"]: [
            path for path in paths
            if client.get(path, headers=cognito.bearer([group["group_name"]])).status_code == 200
        ]
        for group in groups
    }  # fmt: skip

    assert opened == {
        "blueprint": ["/report", "/nested"],
        "nested": ["/nested"],
        "tail": [],
        "exact": ["/report"],
        "all": list(paths),
    }


# Start


def incomplete(tmp_path, **config: object) -> Flask:
    app = Flask("service", root_path=str(tmp_path))
    app.config.update(config)
    guarded_thing(app)
    Cognises(app)
    return app


def test_everything_that_is_missing_is_reported_at_once(tmp_path):
    app = incomplete(tmp_path, DEBUG=True)

    with pytest.raises(SettingsError) as caught:
        check(app)

    told = "\n".join(caught.value.problems)
    for name in ("COGNITO_USER_POOL_ID", "COGNITO_CLIENT_ID", "FLASK_DEBUG", "groups.json"):
        assert name in told


def test_what_is_wrong_in_settings_hides_nothing_else_that_is(tmp_path):
    (tmp_path / ".flaskenv").write_text("COGNISES_LOCAL=1\n")
    (tmp_path / "keys.json").write_text("{}")
    app = incomplete(
        tmp_path, COGNITO_TOKEN_USE="bogus", COGNITO_JWKS_FILE="keys.json", COGNITO_ISSUER="x"
    )
    app.get("/both", endpoint="both")(public(lambda: ""))
    protect(blueprint := Blueprint("area", __name__))
    blueprint.get("/open", endpoint="open")(public(lambda: ""))
    app.register_blueprint(blueprint)

    with pytest.raises(SettingsError) as caught:
        check(app)

    told = "\n".join(caught.value.problems)
    for name in (
        ".flaskenv: COGNISES_LOCAL must not be committed",
        "COGNITO_TOKEN_USE: ",
        "COGNITO_USER_POOL_ID: missing",
        "COGNITO_CLIENT_ID: missing",
        "COGNITO_JWKS_FILE: has no usable key",
        "COGNITO_ISSUER: must be",
        "area.open): public and a guard together",
        "groups.json: ",
    ):
        assert name in told, told


def test_a_misconfigured_app_is_looked_at_once_and_not_at_every_request(tmp_path, monkeypatch):
    app = incomplete(tmp_path)
    looks: list[Flask] = []

    def counted(app: Flask) -> list[str]:
        looks.append(app)
        return problems(app)

    monkeypatch.setattr("cognises.web.extension.problems", counted)
    client = app.test_client()

    assert [client.get("/thing").status_code for _ in range(3)] == [500, 500, 500]
    assert len(looks) == 1


def test_a_first_request_looks_again_only_where_routes_came_after_the_check(make_app, cognito):
    for adds_later in (False, True):
        app = make_app(guarded_thing, GROUPS)
        check(app)
        if adds_later:
            protect(blueprint := Blueprint("area", __name__))
            blueprint.get("/open", endpoint="open")(public(lambda: ""))
            app.register_blueprint(blueprint)
        headers = cognito.bearer(["editors"])
        if adds_later:
            with pytest.raises(SettingsError, match="public and a guard together"):
                app.test_client().get("/thing", headers=headers)
        else:
            assert app.test_client().get("/thing", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"COGNITO_USER_POOL_ID": "us-east-1_Abc"},
        {"COGNITO_CLIENT_ID": "client"},
        {"COGNITO_USER_POOL_ID": "us-east-1_Abc", "COGNITO_CLIENT_ID": ""},
        {"COGNITO_USER_POOL_ID": "us-east-1_Abc", "COGNITO_CLIENT_ID": "a,,b"},
    ],
)
def test_a_half_configured_app_serves_no_request_not_even_of_public_routes(config, tmp_path):
    app = incomplete(tmp_path, **config)
    app.get("/open")(public(lambda: "open"))
    client = app.test_client()

    for path in ("/thing", "/open", "/static/x"):
        assert client.get(path).status_code == 500


def test_debug_outside_local_mode_does_not_start(make_app, cognito):
    app = make_app(guarded_thing, GROUPS)
    app.debug = True

    with pytest.raises(SettingsError, match="FLASK_DEBUG"):
        app.test_client().get("/thing", headers=cognito.bearer(["editors"]))


def test_debug_in_local_mode_starts(make_app, cognito):
    app = make_app(guarded_thing, GROUPS, COGNISES_LOCAL=True)
    app.debug = True

    answer = app.test_client().get("/thing", headers=cognito.bearer(["editors"]))

    assert answer.status_code == 200


def test_a_manifest_that_is_broken_stops_the_start(make_app, tmp_path, cognito):
    app = make_app(guarded_thing)
    for text in ("", "[", "{}", '[{"group_name": "a"}]'):
        (tmp_path / "groups.json").write_text(text)
        with pytest.raises(CognisesError, match=r"groups\.json"):
            check(app)


def test_a_manifest_that_is_named_must_be_there_even_if_no_view_asks_it(make_app):
    app = make_app(COGNISES_GROUPS_FILE="elsewhere.json")

    with pytest.raises(SettingsError, match=r"elsewhere\.json"):
        check(app)


def test_an_app_without_permissions_needs_no_manifest(make_app, cognito):
    client = make_app(lambda app: app.get("/me")(login_check(lambda r: r.sub))).test_client()

    assert client.get("/me", headers=cognito.bearer(sub="ada")).text == "ada"


def test_the_manifest_is_read_beside_wsgi_and_not_in_the_current_folder(
    make_app, tmp_path, monkeypatch, cognito
):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "groups.json").write_text("[]")
    monkeypatch.chdir(elsewhere)
    client = make_app(guarded_thing, GROUPS).test_client()

    assert client.get("/thing", headers=cognito.bearer(["editors"])).status_code == 200


def test_init_app_does_what_the_constructor_does(make_app, cognito):
    def late(app: Flask) -> None:
        guarded_thing(app)
        Cognises().init_app(app)

    client = make_app(late, GROUPS, extension=False).test_client()

    assert client.get("/thing").status_code == 401
    assert client.get("/thing", headers=cognito.bearer(["editors"])).status_code == 200


def test_flask_run_tells_a_misconfiguration_in_one_message(tmp_path, monkeypatch):
    app = Flask("service", root_path=str(tmp_path))
    guarded_thing(app)
    run = click.Context(click.Command("run"), info_name="run")
    with run, pytest.raises(click.ClickException) as caught:
        Cognises(app)

    assert caught.value.message.startswith("cannot start:\n")
    assert "COGNITO_CLIENT_ID" in caught.value.message


# Local mode


LOCAL = [
    ({}, {}, 200),
    ({}, {"Host": "localhost:5000"}, 200),
    ({}, {"Host": "127.0.0.1:5000"}, 200),
    ({}, {"Host": "[::1]:5000"}, 200),
    ({}, {"Host": "[::1]"}, 200),
    ({"REMOTE_ADDR": "::1"}, {}, 200),
    ({"REMOTE_ADDR": "127.8.9.1"}, {}, 200),
    ({"REMOTE_ADDR": "::ffff:127.0.0.1"}, {}, 200),
    ({"REMOTE_ADDR": "10.0.0.7"}, {}, 403),
    ({"REMOTE_ADDR": "::ffff:10.0.0.7"}, {}, 403),
    ({"REMOTE_ADDR": "0.0.0.0"}, {}, 403),
    ({"REMOTE_ADDR": ""}, {}, 403),
    ({"REMOTE_ADDR": "localhost.evil.example"}, {}, 403),
    ({}, {"Host": "evil.example"}, 403),
    ({}, {"Host": "evil.example:5000"}, 403),
    ({}, {"Host": "localhost.evil.example"}, 403),
    ({}, {"Host": "127.0.0.1.evil.example"}, 403),
    ({}, {"Host": "2130706433"}, 403),
    ({}, {"Host": "192.168.1.2"}, 403),
    ({}, {"Host": "0.0.0.0:5000"}, 403),
    ({}, {"Forwarded": "for=127.0.0.1"}, 403),
    ({}, {"X-Forwarded-For": "127.0.0.1"}, 403),
    ({}, {"X-Forwarded-Host": "localhost"}, 403),
    ({}, {"X-Forwarded-Proto": "http"}, 403),
    ({}, {"X-Real-IP": "127.0.0.1"}, 403),
]


@pytest.mark.parametrize(("environ", "headers", "status"), LOCAL)
def test_local_mode_answers_this_machine_alone(environ, headers, status, make_app, cognito):
    app = make_app(guarded_thing, GROUPS, COGNISES_LOCAL="1")
    app.get("/open")(public(lambda: "open"))
    token = cognito.bearer(["editors"])

    for path in ("/thing", "/open"):
        answer = app.test_client().get(path, headers=headers | token, environ_overrides=environ)
        assert answer.status_code == status


def test_local_mode_refuses_a_stranger_before_it_looks_at_what_was_asked_for(make_app, cognito):
    app = make_app(guarded_thing, GROUPS, COGNISES_LOCAL="1")
    app.url_map.add(app.url_rule_class("/no-view", endpoint="no-view"))
    client = app.test_client()

    for method in ("GET", "POST", "OPTIONS", "HEAD"):
        for path in ("/no-view", "/missing", "/thing", "/static/x"):
            answer = client.open(path, method=method, environ_overrides={"REMOTE_ADDR": "10.0.0.7"})
            assert answer.status_code == 403, (method, path)


@pytest.mark.parametrize(("environ", "headers", "status"), LOCAL)
def test_local_mode_without_the_extension_guards_its_decorated_views_alike(
    environ, headers, status, make_app, cognito
):
    app = make_app(guarded_thing, GROUPS, extension=False, COGNISES_LOCAL="1")
    token = cognito.bearer(["editors"])

    answer = app.test_client().get("/thing", headers=headers | token, environ_overrides=environ)

    assert answer.status_code == status


# Refusals as the app sees them


def test_the_apps_own_error_handlers_see_the_refusal(make_app, cognito):
    seen: list[HTTPException] = []

    def views(app: Flask) -> None:
        guarded_thing(app)

        @app.errorhandler(401)
        def sign_in(error):
            seen.append(error)
            return "please sign in", 401

        @app.errorhandler(HTTPException)
        def anything(error):
            seen.append(error)
            return "custom", error.code

    for extension in (True, False):
        seen.clear()
        client = make_app(views, GROUPS, extension=extension).test_client()
        answer = client.get("/thing")
        assert (answer.status_code, answer.text) == (401, "please sign in")
        answer = client.get("/thing", headers=cognito.bearer(["others"]))
        assert (answer.status_code, answer.text) == (403, "custom")
        assert [error.error.reason for error in seen] == ["missing_token", "forbidden"]
        assert isinstance(seen[0], Unauthorized)


def test_an_answer_of_the_apps_own_handler_is_kept_out_of_caches_too(make_app):
    def views(app: Flask) -> None:
        guarded_thing(app)
        app.register_error_handler(401, lambda error: ("please sign in", 401))

    answer = make_app(views, GROUPS).test_client().get("/thing")

    assert answer.headers["Cache-Control"] == "private, no-store"
    assert "Cookie" in answer.headers["Vary"]


def test_a_401_of_the_apps_own_is_left_alone(make_app, cognito):
    def views(app: Flask) -> None:
        app.get("/open")(public(lambda: abort(401)))

    answer = make_app(views).test_client().get("/open")

    assert answer.status_code == 401
    assert "WWW-Authenticate" not in answer.headers


# Logs


def test_no_log_holds_a_token_a_claim_or_an_address(make_app, cognito, caplog):
    caplog.set_level(logging.DEBUG)
    client = make_app(guarded_thing, GROUPS).test_client()
    tokens = []
    for options in (
        {"groups": ["editors"]},
        {"groups": ["secret-group"]},
        {"groups": ["editors"], "exp": 1},
        {"groups": ["editors"], "aud": "secret-client"},
        {"groups": ["editors"], "header": {"kid": "secret-kid", "alg": "RS256"}},
    ):
        tokens.append(cognito.token(email="ada@secret.example", sub="secret-sub", **options))
        client.get(f"/thing?token={tokens[-1]}", headers={"Authorization": f"Bearer {tokens[-1]}"})
    logged = "\n".join(f"{r.getMessage()} {r.args} {r.exc_info}" for r in caplog.records)

    assert "allowed GET thing" in logged
    assert "refused GET thing: forbidden" in logged
    assert "secret" not in logged
    assert "ada" not in logged
    assert not [token for token in tokens if token in logged or token.split(".")[2] in logged]


def test_a_class_that_declares_nothing_is_denied_under_each_method(make_app, cognito):
    class Bare(MethodView):
        def get(self):
            return "never"

        def post(self):
            return "never"

    client = make_app(
        lambda app: app.add_url_rule("/bare", view_func=Bare.as_view("bare"))
    ).test_client()

    for method in ("GET", "HEAD", "POST"):
        assert client.open("/bare", method=method).status_code == 401
        answer = client.open("/bare", method=method, headers=cognito.bearer(["x"]))
        assert answer.status_code == 403


# The app's own check


def checked(make_app, check, **options):
    def views(app: Flask) -> None:
        guarded_thing(app)
        app.get("/open", endpoint="open")(public(lambda: "open"))
        app.get("/maybe", endpoint="maybe")(login_check(optional=True)(lambda: "maybe"))
        Cognises(app, check=check)

    return make_app(views, GROUPS, extension=False, **options).test_client()


NOT_TRUE = {
    "False": lambda principal: False,
    "None": lambda principal: None,
    "0": lambda principal: 0,
    "1": lambda principal: 1,
    "an empty text": lambda principal: "",
    "a text": lambda principal: "revoked",
    "an empty list": lambda principal: [],
    "a reason in a tuple": lambda principal: (False, "left the company"),
    "a generator": lambda principal: (each for each in [False]),
    "a lambda": lambda principal: lambda: False,
    "the principal": lambda principal: principal,
}


@pytest.mark.parametrize("check", NOT_TRUE.values(), ids=NOT_TRUE.keys())
def test_a_check_with_any_answer_but_true_revokes(check, make_app, cognito):
    client = checked(make_app, check)

    refused = client.get("/thing", headers=cognito.bearer(["editors"]))

    assert (refused.status_code, refused.json["reason"]) == (401, "revoked")
    assert refused.headers["WWW-Authenticate"].endswith('error="invalid_token"')
    assert client.get("/open", headers=cognito.bearer()).text == "open"
    assert client.get("/maybe").text == "maybe"
    assert client.get("/maybe", headers=cognito.bearer()).json["reason"] == "revoked"


def test_a_check_is_asked_once_a_request_after_the_token_and_before_the_groups(make_app, cognito):
    asked: list[str | None] = []
    client = checked(make_app, lambda principal: asked.append(principal.sub) or True)

    assert client.get("/thing").status_code == 401
    assert client.get("/thing", headers=cognito.bearer(["editors"], exp=1)).status_code == 401
    assert asked == []
    assert client.get("/thing", headers=cognito.bearer(["editors"], sub="ada")).status_code == 200
    assert client.get("/thing", headers=cognito.bearer(["x"], sub="eve")).status_code == 403
    assert asked == ["ada", "eve"]


def test_a_check_may_be_async_and_one_that_forgets_to_be_is_an_error(make_app, cognito):
    async def sees(principal):
        return principal.sub == "ada"

    client = checked(make_app, sees)
    assert client.get("/thing", headers=cognito.bearer(["editors"], sub="ada")).status_code == 200
    assert client.get("/thing", headers=cognito.bearer(["editors"])).status_code == 401

    client = checked(make_app, lambda principal: sees(principal))
    with pytest.raises(SettingsError, match="awaitable"):
        client.get("/thing", headers=cognito.bearer(["editors"], sub="ada"))


def test_a_check_that_fails_serves_nothing(make_app, cognito):
    client = checked(make_app, lambda principal: 1 / 0, PROPAGATE_EXCEPTIONS=False)

    assert client.get("/thing", headers=cognito.bearer(["editors"])).status_code == 500


def test_what_error_trackers_print_of_a_failed_request_shows_no_credential(make_app, cognito):
    client = checked(make_app, lambda principal: 1 / 0)
    client.set_cookie("refresh", secret := "refresh-token-of-ada")
    headers = cognito.bearer(["editors"])

    with pytest.raises(ZeroDivisionError) as failed:
        client.get("/thing", headers=headers)

    # Trackers redact texts by the variable's name, such as `token`; of objects they print the repr.
    frames = [entry.frame.f_locals for entry in failed.traceback if "authorize" in str(entry.path)]
    printed = [f"{name}={value!r}" for each in frames for name, value in each.items()
               if not isinstance(value, str)]  # fmt: skip
    assert any("AuthResult" in text for text in printed)
    assert [text for text in printed if headers["Authorization"] in text or secret in text] == []


def test_a_check_that_cannot_be_called_is_an_error_at_once():
    with pytest.raises(SettingsError, match="check"):
        Cognises(check=True)


# Machines


MACHINES = [
    {"group_name": "orders-service", "allowed_functions": ["thing"], "scopes": ["orders/read"]},
    {"group_name": "editors", "allowed_functions": ["thing"]},
]


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"scope": "orders/read"}, 200),
        ({"scope": "other orders/read"}, 200),
        ({"scope": "orders/write"}, 403),
        ({"scope": "orders/rea"}, 403),
        ({"scope": "ORDERS/READ"}, 403),
        ({"scope": ["orders/read"]}, 403),
        ({"scope": None}, 403),
        ({"scope": "orders/read", "username": "ada"}, 403),
        ({"scope": "orders/read", "sub": "ada"}, 403),
    ],
)
@pytest.mark.parametrize("extension", [True, False], ids=["extension", "decorators"])
def test_a_machine_is_a_member_of_the_entries_that_list_one_of_its_scopes(
    claims, status, extension, make_app, cognito
):
    def views(app: Flask) -> None:
        @app.get("/thing")
        @login_check(token_use=["id", "access"])
        @permission_required
        def thing(response):
            return {"can": response.can("thing"), "machine": response.is_machine}

    client = make_app(views, MACHINES, extension=extension).test_client()
    machine = {"token_use": "access", "sub": cognito.client_id, "username": None} | claims

    answer = client.get("/thing", headers=cognito.bearer(**machine))

    assert answer.status_code == status
    assert status == 403 or answer.json == {"can": True, "machine": True}
    assert client.get("/thing", headers=cognito.bearer(["editors"])).status_code == 200


def test_current_user_outside_a_request_is_anonymous(make_app):
    assert not current_user.can("thing")
    assert current_user.sub is None
    with make_app().app_context():
        assert not current_user.is_authenticated
