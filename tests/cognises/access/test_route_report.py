"""`flask cognises access`: who may call which route, and every problem."""

from __future__ import annotations

import functools
import json

import pytest
from flask import Blueprint, Flask
from flask_caching import Cache
from request_side import manifest

from cognises import (
    Cognises,
    Principal,
    current_user,
    login_check,
    permission_required,
    protect,
    public,
)
from cognises.access import as_markdown, as_text, groups_may_call, may_call, report
from cognises.testing import FakePool
from cognises.web.routes import declaration_at
from cognises.web.state import state_of


@pytest.fixture(autouse=True)
def _no_settings_of_this_project(tmp_path, monkeypatch) -> None:
    """Without a package, the current folder is the app's: not this one, with its `.flaskenv`."""
    monkeypatch.chdir(tmp_path)


def make_app(*groups: dict[str, object]) -> Flask:
    app = Flask("service", static_folder=None)
    details = list(groups) or manifest(editors=["edit"], readers=["read"])

    @app.get("/")
    @public
    def home() -> str:
        return ""

    @app.get("/me")
    @login_check
    def me(response: object) -> str:
        return ""

    @app.get("/edit")
    @permission_required(details)
    def edit(response: object) -> str:
        return ""

    @app.get("/read")
    @permission_required(details)
    def read(response: object) -> str:
        return ""

    return app


def run(app: Flask, *arguments: str) -> tuple[int, str]:
    if "cognises" not in app.cli.commands:
        Cognises(app)
    result = app.test_cli_runner().invoke(args=["cognises", "access", *arguments])
    return result.exit_code, result.output


def test_every_route_is_listed_with_who_may_call_it():
    found = report(make_app())

    assert [(row.method, row.path, row.open_to) for row in found.rows] == [
        ("GET", "/", ("everybody",)),
        ("GET", "/edit", ("editors",)),
        ("GET", "/me", ("signed in",)),
        ("GET", "/read", ("readers",)),
    ]
    assert found.problems == ()


def test_a_row_names_the_groups_that_have_each_permission():
    """`needs` is public: pages of projects of 0.1.0 read it."""
    needs = {row.path: row.needs for row in report(make_app()).rows}

    assert needs["/edit"] == (frozenset({"editors"}),)
    assert needs["/me"] == ()


def test_a_clean_app_passes_the_check():
    assert run(make_app(), "--check")[0] == 0


def add_unguarded(app: Flask) -> None:
    app.add_url_rule("/forgotten", view_func=lambda: "", endpoint="forgotten")


def add_unlisted(app: Flask) -> None:
    view = permission_required(manifest(editors=["edit"]))(lambda response: "")
    app.add_url_rule("/closed", view_func=view, endpoint="closed")


def add_unlisted_pair(app: Flask) -> None:
    guard, other = (
        permission_required(manifest(editors=[]), name=name) for name in ("edit", "sign")
    )
    app.add_url_rule("/pair", "pair", guard(other(lambda response: "")))


def add_contradiction(app: Flask) -> None:
    blueprint = Blueprint("area", __name__)
    blueprint.add_url_rule("/area", view_func=public(lambda: ""), endpoint="page")
    app.register_blueprint(protect(blueprint))


def add_namesake(app: Flask) -> None:
    def edit(response: object) -> str:
        return ""

    view = permission_required(manifest(editors=["edit"]))(edit)
    app.add_url_rule("/other", view_func=view, endpoint="other")


def add_misspelling(app: Flask) -> None:
    view = permission_required(manifest(editors=["edit", "editt"]))(lambda response: "")
    app.add_url_rule("/edit2", view_func=view, endpoint="edit2")


@pytest.mark.parametrize(
    ("add", "expected"),
    [
        (add_unlisted_pair, "GET /pair (pair): no group may call it; list 'edit' and 'sign' for a"),
        (add_unguarded, "GET /forgotten (forgotten): unguarded"),
        (add_unlisted, "GET /closed (closed): no group may call it"),
        (add_contradiction, "GET /area (area.page): public and a guard together"),
        (add_namesake, "edit: two endpoints carry this name"),
        (add_misspelling, "editt: no route has this name"),
    ],
)
def test_a_problem_is_named_and_fails_the_check(add, expected):
    app = make_app()
    add(app)

    code, output = run(app, "--check")

    assert code == 1
    assert expected in output
    assert run(app)[0] == 0


def stacked(app: Flask) -> None:
    details = manifest(writers=["write"], auditors=["audit"], both=["write", "audit"])
    guard = permission_required(details, name="write")
    other = permission_required(details, name="audit")
    app.add_url_rule("/both", "both", guard(other(lambda response: "")))


def test_where_two_permissions_are_required_a_user_in_a_group_of_each_may_call():
    app = Flask("service", static_folder=None)
    stacked(app)
    (row,) = report(app).rows

    assert row.open_to == ("(both or writers) and (auditors or both)",)
    assert (row.by_group, row.name, row.names) == (True, "write", ("write", "audit"))
    assert "/both  write, audit  (both or" in run(app)[1]
    for groups, allowed in (
        (["writers"], False),
        (["auditors"], False),
        (["writers", "auditors"], True),
        (["both"], True),
        ([], False),
    ):
        user = Principal({"cognito:groups": groups})
        assert groups_may_call(row, user).allowed is allowed
    assert run(app, "--check")[0] == 0


def test_where_one_permission_includes_the_other_the_stricter_one_is_reported():
    app = Flask("service", static_folder=None)
    details = manifest(admins=["*"], writers=["write"])
    guard = permission_required(details, name="write")
    app.add_url_rule("/w", "w", guard(permission_required(details, name="x")(lambda response: "")))

    assert report(app).rows[0].open_to == ("admins",)


def test_static_files_that_are_not_public_are_reported_as_closed(tmp_path):
    (tmp_path / "static").mkdir()
    app = Flask("service", root_path=str(tmp_path))
    Cognises(app, public_static=False)

    assert report(app).rows[0].open_to == ("nobody",)
    assert "(static): unguarded" in run(app, "--check")[1]


def test_a_route_of_another_pool_that_uses_the_apps_manifest_is_reported_as_closed(tmp_path):
    app = Flask("service", root_path=str(tmp_path), static_folder=None)
    app.config["COGNITO_USER_POOL_ID"] = "us-east-1_Own"
    (tmp_path / "groups.json").write_text(json.dumps(manifest(editors=["foreign"])))
    guard = login_check("us-east-1", "us-east-1_Other")
    app.add_url_rule("/f", "foreign", guard(permission_required(lambda response: "")))

    code, output = run(app, "--check")

    assert report(app).rows[0].open_to == ("nobody",)
    assert code == 1
    assert "needs client_ids of its own" in output
    assert "needs group_details of its own" in output


def test_a_named_manifest_is_read_even_where_no_route_requires_a_group(tmp_path):
    app = Flask("service", root_path=str(tmp_path), static_folder=None)
    app.config["COGNISES_GROUPS_FILE"] = "groups.json"
    app.add_url_rule("/me", "me", login_check(lambda response: ""))

    assert run(app)[0] == 1  # there is no such file
    (tmp_path / "groups.json").write_text(json.dumps(manifest(editors=["misspelt"])))
    state_of(app).reset()
    code, output = run(app, "--check")

    assert code == 1
    assert "misspelt: no route has this name" in output


def test_a_report_walks_over_the_routes_a_few_times_and_not_once_a_route(monkeypatch):
    def walks(amount: int) -> int:
        app = Flask("service", static_folder=None)
        details = manifest(editors=["*"])
        for number in range(amount):
            view = permission_required(details)(lambda response: "")
            app.add_url_rule(f"/{number}", f"view{number}", view)
        seen: list[str] = []

        def counted(app: Flask, endpoint: str, *arguments: object) -> object:
            seen.append(endpoint)
            return declaration_at(app, endpoint, *arguments)

        monkeypatch.setattr("cognises.web.routes.declaration_at", counted)
        report(app)
        return len(seen) // amount

    assert walks(10) == walks(40)


def test_a_group_called_nobody_is_a_group():
    app = Flask("service", static_folder=None)
    guard = permission_required(manifest(nobody=["v"]))
    app.add_url_rule("/v", "v", guard(lambda response: ""))
    found = report(app)

    assert found.problems == ()
    assert found.rows[0].open_to == ("nobody",)
    assert groups_may_call(found.rows[0], Principal({"cognito:groups": ["nobody"]})).allowed


def test_a_token_that_an_optional_login_refuses_may_not_call(tmp_path):
    pool = FakePool()
    app = Flask("service", root_path=str(tmp_path), static_folder=None)
    app.testing = True
    guard = login_check(optional=True, token_use="access")
    app.add_url_rule("/", "home", guard(lambda response: ""))
    Cognises(app)
    pool.attach(app)
    (row,) = report(app).rows
    client = app.test_client()

    for token_use in ("id", "access"):
        allowed = may_call(app, row, Principal(pool.claims(token_use=token_use))).allowed
        answer = client.get("/", headers=pool.bearer(token_use=token_use))
        assert allowed is (answer.status_code == 200)
    assert may_call(app, row, Principal()).allowed


def test_a_blueprint_entry_of_a_blueprint_that_exists_is_no_problem():
    app = Flask("service", static_folder=None)
    reports = Blueprint("reports", __name__)
    details = manifest(editors=["reports.*"])
    view = permission_required(details)(lambda response: "")
    reports.add_url_rule("/monthly", view_func=view, endpoint="monthly")
    app.register_blueprint(reports)

    found = report(app)

    assert found.problems == ()
    assert found.rows[0].open_to == ("editors",)


def test_a_view_for_signed_in_and_anonymous_users_is_open_to_everybody():
    app = Flask("service", static_folder=None)
    app.add_url_rule("/", "home", login_check(optional=True)(lambda response: ""))

    assert report(app).rows[0].open_to == ("everybody",)


def test_json_is_one_object_with_routes_and_problems():
    found = json.loads(run(make_app(), "--format", "json")[1])

    assert found["problems"] == []
    assert found["routes"][1] == {
        "method": "GET",
        "path": "/edit",
        "endpoint": "edit",
        "name": "edit",
        "open_to": ["editors"],
        "does": "",
        "by_group": True,
        "names": ["edit"],
        "needs": [["editors"]],
    }


def test_text_and_markdown_show_the_same_cells():
    found = report(make_app())

    assert as_text(found).splitlines()[2].split() == ["GET", "/edit", "edit", "editors"]
    assert as_markdown(found).splitlines()[3] == "| GET | /edit | edit | editors |"


def test_markdown_shows_a_path_with_a_parameter_as_it_is():
    app = Flask("service", static_folder=None)
    guard = permission_required(manifest(readers=["read"]), name="read")
    app.add_url_rule("/a/<b>|*", "read", guard(lambda response: ""))

    assert "| GET | /a/\\<b>\\|\\* | read |" in as_markdown(report(app))


def test_a_broken_manifest_is_one_message_and_no_traceback(tmp_path, monkeypatch):
    app = Flask("service", root_path=str(tmp_path), static_folder=None)
    (tmp_path / "groups.json").write_text("[{]")
    app.add_url_rule("/edit", "edit", permission_required(lambda response: ""))

    code, output = run(app)

    assert code == 1
    assert output.startswith("Error:")
    assert "Traceback" not in output


def test_settings_of_the_pool_are_not_needed(monkeypatch):
    monkeypatch.delenv("COGNITO_USER_POOL_ID", raising=False)

    assert run(make_app(), "--check")[0] == 0


def test_path_rules_are_listed_in_every_format():
    app = make_app()
    protect(app, paths=["/dash/"])
    public(app, paths=["/docs"])

    assert report(app).path_rules == ("protect /dash/", "public /docs/")
    assert json.loads(run(app, "--format", "json")[1])["path_rules"] == [
        "protect /dash/",
        "public /docs/",
    ]
    for kind in ("text", "markdown"):
        output = run(app, "--format", kind)[1]
        assert "protect /dash/" in output
        assert "public /docs/" in output
    assert run(app, "--check")[0] == 0


def by_user(*args, **kwargs):
    return f"page/{current_user.sub}"


def no_arguments():
    return "x"


def with_response(response):
    return "x"


CACHED = {
    "cached by path": (lambda cache: cache.cached(), no_arguments, True),
    "cached by path, the response among arguments": (
        lambda cache: cache.cached(), with_response, True),
    "cached by a fixed key": (lambda cache: cache.cached(key_prefix="all"), no_arguments, True),
    "cached by a key of the user": (
        lambda cache: cache.cached(make_cache_key=by_user), no_arguments, False),
    "cached by a prefix of the user": (
        lambda cache: cache.cached(key_prefix=by_user), no_arguments, False),
    "memoized without arguments": (lambda cache: cache.memoize(), no_arguments, True),
    "memoized by the response": (lambda cache: cache.memoize(), with_response, False),
    "lru_cache without arguments": (lambda cache: functools.lru_cache, no_arguments, True),
    "lru_cache by the response": (lambda cache: functools.lru_cache, with_response, False),
    "no cache": (lambda cache: lambda view: view, no_arguments, False),
}  # fmt: skip


@pytest.mark.parametrize(("decorator", "view", "reported"), CACHED.values(), ids=CACHED.keys())
@pytest.mark.parametrize("above", [True, False], ids=["above the guard", "below the guard"])
def test_a_guarded_view_whose_cache_users_share_is_reported(decorator, view, reported, above):
    app = Flask("service", static_folder=None)
    cached = decorator(Cache(app, config={"CACHE_TYPE": "SimpleCache"}))
    guarded = cached(login_check(view)) if above else login_check(cached(view))
    app.add_url_rule("/page", "page", guarded)
    app.add_url_rule("/open", "open", public(cached(lambda: "open")))

    code, output = run(app, "--check")

    assert (code, "GET /page (page): guarded, and cached" in output) == (int(reported), reported)
    assert "(open)" not in output


def test_a_name_that_a_guard_by_path_requires_is_known(tmp_path):
    app = Flask("service", root_path=str(tmp_path), static_folder=None)
    (tmp_path / "groups.json").write_text(json.dumps(manifest(admins=["secret_files"])))
    app.add_url_rule("/files/<path:name>", "files", login_check(lambda response, name: ""))
    protect(app, permission_required(name="secret_files"), paths=["/files/secret"])

    assert run(app, "--check")[0] == 0


@pytest.mark.parametrize(
    ("extension", "open_to", "result"),
    [(Cognises, "nobody", "it is denied"), (None, "everybody", "everybody may call it")],
    ids=["denied by the extension", "without the extension"],
)
def test_a_view_without_a_declaration_is_a_problem(extension, open_to, result) -> None:
    app = make_app()
    app.add_url_rule("/new", "new", lambda: "")
    if extension:
        extension(app)

    found = report(app)
    assert [row.open_to for row in found.rows if row.path == "/new"] == [(open_to,)]
    assert [each for each in found.problems if "/new" in each] == [
        f"GET /new (new): unguarded, so {result}; add @public, a guard or protect()"
    ]
