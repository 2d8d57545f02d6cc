"""Guards and openings by path: whole segments, never looser than a view's own guard."""

from __future__ import annotations

import pytest
from flask import Blueprint, Flask
from request_side import manifest

from cognises import SettingsError, current_user, login_check, permission_required, protect, public
from cognises.web.extension import check

GROUPS = manifest(editors=["panel"])
both_ways = pytest.mark.parametrize("extension", [True, False], ids=["extension", "decorators"])

PATHS = {
    "/a": 401,
    "/a/": 401,
    "/a/b": 401,
    "/a/b/c": 401,
    "/ab": 200,
    "/A": 200,
    "/b/a": 200,
    "/": 200,
}


@pytest.mark.parametrize("prefix", ["/a", "/a/"])
@both_ways
def test_a_prefix_guards_whole_segments_and_what_is_below(prefix, extension, make_app, cognito):
    def views(app: Flask) -> None:
        for path in PATHS:
            open_view = (lambda: "x") if PATHS[path] == 401 else public(lambda: "x")
            app.add_url_rule(path, f"view{path}", open_view, strict_slashes=True)
        protect(app, paths=[prefix])

    client = make_app(views, extension=extension).test_client()

    for path, status in PATHS.items():
        assert client.get(path).status_code == status, path
        assert client.get(path, headers=cognito.bearer()).status_code == 200, path


@both_ways
def test_rules_that_are_added_later_and_patterns_that_match_a_path_are_guarded(
    extension, make_app, cognito
):
    def views(app: Flask) -> None:
        protect(app, permission_required(name="panel"), paths=("/panel/",))
        app.add_url_rule("/<path:anything>", "anything", public(lambda anything: anything))

    app = make_app(views, GROUPS, extension=extension)
    app.add_url_rule("/panel/late", "late", lambda: "late")
    client = app.test_client()

    for path in ("/panel/late", "/panel/caught", "/panel//late", "/panel"):
        answer = client.get(path, follow_redirects=True)
        assert answer.status_code == 401, path
        refused = client.get(path, headers=cognito.bearer(["x"]), follow_redirects=True)
        assert refused.status_code == 403, path
        answer = client.get(path, headers=cognito.bearer(["editors"]), follow_redirects=True)
        assert answer.status_code == 200, path
    assert client.get("/elsewhere").text == "elsewhere"


def test_a_public_path_opens_undeclared_views_there_and_no_catch_all_of_elsewhere(make_app):
    def views(app: Flask) -> None:
        app.add_url_rule("/docs/page", "page", lambda: "page")
        app.add_url_rule("/docs", "docs", lambda: "docs")
        app.add_url_rule("/docsecret", "secret", lambda: "never")
        app.add_url_rule("/<path:anything>", "anything", lambda anything: "never")
        public(app, paths=["/docs/"])

    client = make_app(views).test_client()

    assert [client.get(path).status_code for path in ("/docs", "/docs/page")] == [200, 200]
    for path in ("/docsecret", "/docs/unknown", "/other"):
        assert client.get(path).status_code == 401, path


def guarded_view(app: Flask) -> None:
    app.add_url_rule("/docs/page", "page", login_check(lambda: "never"))


def guarded_blueprint(app: Flask) -> None:
    bp = protect(Blueprint("bp", __name__))
    bp.add_url_rule("/docs/page", "page", lambda: "never")
    app.register_blueprint(bp)


def guarded_path(app: Flask) -> None:
    app.add_url_rule("/docs/page", "page", lambda: "never")
    protect(app, paths=["/docs/page"])


@pytest.mark.parametrize("views", [guarded_view, guarded_blueprint, guarded_path])
def test_a_guard_under_a_public_path_stops_the_start(views, make_app):
    def both(app: Flask) -> None:
        views(app)
        public(app, paths=["/docs"])

    app = make_app(both)

    with pytest.raises(SettingsError, match="public and a guard together"):
        check(app)
    with pytest.raises(SettingsError):
        app.test_client().get("/docs/page")


def test_a_public_view_under_a_guarded_path_stops_the_start(make_app):
    def views(app: Flask) -> None:
        app.add_url_rule("/a/open", "open", public(lambda: "never"))
        protect(app, paths=["/a"])

    with pytest.raises(SettingsError, match="public and a guard together"):
        check(make_app(views))


@both_ways
def test_a_guard_by_path_and_one_of_the_view_must_both_pass(extension, make_app, cognito):
    def views(app: Flask) -> None:
        protect(app, permission_required(name="panel"), paths=["/a"])
        app.add_url_rule("/a/b", "b", login_check(lambda response: response.sub))

    client = make_app(views, GROUPS, extension=extension).test_client()

    assert client.get("/a/b", headers=cognito.bearer(["x"])).status_code == 403
    assert client.get("/a/b", headers=cognito.bearer(["editors"], sub="ada")).text == "ada"


@pytest.mark.parametrize(
    "paths", [[], [""], ["dash"], ["/a/<b>"], ["//a"], [7], "", None, ["/a", "b"],
              ["/dash*"], ["/dash/%20/"], ["/dash?page"], ["/a/../dash/"]],
    ids=["none", "empty", "relative", "pattern", "slashes", "number", "text", "left out", "one",
         "star", "encoded", "query", "dots"],
)  # fmt: skip
@pytest.mark.parametrize("declare", [protect, public])
def test_a_path_that_is_not_an_absolute_prefix_is_an_error_at_once(declare, paths):
    app = Flask("service")

    with pytest.raises((SettingsError, TypeError)):
        declare(app, paths=paths) if paths is not None else declare(app)


@both_ways
def test_the_apps_own_static_files_can_be_guarded_by_path(extension, make_app, tmp_path, cognito):
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "style.css").write_text("body {}")

    client = make_app(
        lambda app: protect(app, paths=["/static"]), extension=extension
    ).test_client()

    assert client.get("/static/style.css").status_code == 401
    assert client.get("/static/style.css", headers=cognito.bearer()).status_code == 200


SPELLINGS = [
    "/static/private/file",
    "/static/./private/file",
    "/static/%2e/private/file",
    "/static/x/../private/file",
    "/static/x/%2e%2e/private/file",
    "/static/private/../private/file",
]


@pytest.mark.parametrize("path", SPELLINGS)
@both_ways
def test_no_spelling_of_a_path_avoids_its_guard(path, extension, make_app, tmp_path, cognito):
    """`send_from_directory` resolves dot segments, which neither clients nor routing remove."""
    (tmp_path / "static" / "private").mkdir(parents=True)
    (tmp_path / "static" / "private" / "file").write_text("for users")
    app = make_app(lambda app: protect(app, paths=["/static/private"]), extension=extension)
    client = app.test_client()

    assert client.get(path).status_code == 401
    assert client.get(path, headers=cognito.bearer()).text == "for users"


@pytest.mark.parametrize("nested", [False, True])
@both_ways
def test_a_blueprint_may_be_protected_after_it_was_registered(nested, extension, make_app, cognito):
    def views(app: Flask) -> None:
        bp, parent = Blueprint("bp", __name__), Blueprint("parent", __name__)
        bp.get("/thing")(lambda: str(current_user.sub))
        if nested:
            parent.register_blueprint(bp)
        app.register_blueprint(parent if nested else bp)
        app.get("/beside", endpoint="beside")(public(lambda: "beside"))
        protect(bp, login_check)

    client = make_app(views, extension=extension).test_client()

    assert client.get("/thing").json["reason"] == "missing_token"
    assert client.get("/thing", headers=cognito.bearer(sub="ada")).text == "ada"
    assert client.get("/beside").text == "beside"
    assert client.options("/thing").status_code == 200


@pytest.mark.parametrize("nested", [False, True])
@both_ways
def test_what_is_declared_after_a_request_counts_from_the_next_one(
    nested, extension, make_app, cognito
):
    bp, parent, opened = (Blueprint(name, __name__) for name in ("bp", "parent", "opened"))

    def views(app: Flask) -> None:
        bp.get("/thing")(login_check(lambda: "thing"))
        opened.get("/opened")(lambda: "opened")
        if nested:
            parent.register_blueprint(bp)
        for each in (parent if nested else bp, opened):
            app.register_blueprint(each)

    client = make_app(views, GROUPS, extension=extension).test_client()
    editor, other = cognito.bearer(["editors"]), cognito.bearer(["x"])
    assert client.get("/thing", headers=other).text == "thing"
    assert client.get("/opened").status_code == (401 if extension else 200)

    protect(bp, permission_required(name="panel"))
    public(opened)

    assert client.get("/thing", headers=other).status_code == 403
    assert client.get("/thing", headers=editor).text == "thing"
    assert client.get("/opened").text == "opened"


def test_protect_and_public_with_neither_view_blueprint_nor_app_are_errors():
    for target in (None, "view", 7):
        with pytest.raises((SettingsError, AttributeError, TypeError)):
            protect(target)
