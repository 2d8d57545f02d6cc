"""What the URL map says: every endpoint, method and path, and what is declared for it."""

from __future__ import annotations

from flask import Blueprint, Flask
from flask.views import MethodView, View

from cognises import login_check, permission_required, protect, public
from cognises.web.routes import (
    Declaration,
    LoginGuard,
    PermissionGuard,
    ambiguous_names,
    declaration_at,
    declaration_of,
    function_name,
    own_static_view,
    routes,
)


def listed(app: Flask) -> set[tuple[str, str, str]]:
    return {(route.method, route.path, route.endpoint) for route in routes(app)}


def test_automatic_head_and_options_are_no_routes_but_declared_ones_are():
    app = Flask("service", static_folder=None)
    app.add_url_rule("/a", "a", lambda: "", methods=["GET", "POST"])
    app.add_url_rule("/b", "b", lambda: "", methods=["OPTIONS"])
    app.add_url_rule("/c", "c", lambda: "", methods=["HEAD"], provide_automatic_options=False)

    assert listed(app) == {("GET", "/a", "a"), ("POST", "/a", "a"), ("OPTIONS", "/b", "b"),
                           ("HEAD", "/c", "c")}  # fmt: skip


def test_a_rule_without_a_view_is_no_route():
    app = Flask("service", static_folder=None)
    app.add_url_rule("/ghost", "ghost")

    assert listed(app) == set()


def test_blueprint_view_and_method_are_taken_together():
    class Thing(MethodView):
        decorators = (login_check,)

        @permission_required
        def get(self, response):
            return ""

        def post(self, response):
            return ""

    bp = protect(Blueprint("bp", __name__), login_check(scopes="data/read"))
    bp.add_url_rule("/thing", view_func=Thing.as_view("thing"))
    app = Flask("service")
    app.register_blueprint(bp)

    get, post = (declaration_at(app, "bp.thing", method).guards for method in ("GET", "POST"))

    assert [type(guard) for guard in get] == [LoginGuard, LoginGuard, PermissionGuard]
    assert [type(guard) for guard in post] == [LoginGuard, LoginGuard]
    assert declaration_at(app, "bp.thing", "HEAD").guards == get
    assert declaration_at(app, "bp.thing", "TRACE").guards == post


def test_a_class_based_views_dispatcher_may_be_guarded():
    class Thing(View):
        @login_check
        def dispatch_request(self, response):
            return ""

    app = Flask("service")
    app.add_url_rule("/thing", view_func=Thing.as_view("thing"))

    assert len(declaration_at(app, "thing", "GET").guards) == 1


def test_the_own_static_view_is_recognized_by_identity():
    assert own_static_view(Flask("service", static_folder="static")) is not None
    assert own_static_view(Flask("service", static_folder=None)) is None
    app = Flask("service", static_folder="static")
    app.view_functions["static"] = lambda filename: ""
    assert own_static_view(app) is None


def test_a_view_without_a_name_has_none():
    class Callable:
        def __call__(self):
            return ""

    app = Flask("service")
    app.add_url_rule("/thing", "thing", Callable())

    assert function_name(app, "thing") is None
    assert function_name(app, "nowhere") is None


def test_a_view_without_permissions_carries_no_name():
    app = Flask("service")
    for endpoint in ("one", "two"):

        @login_check
        def same(response):
            return ""

        app.add_url_rule(f"/{endpoint}", endpoint, same)

    assert ambiguous_names(app) == frozenset()


def test_a_chain_of_wrappers_without_end_is_read_to_a_depth_only():
    def circle():
        return ""

    circle.__wrapped__ = circle  # type: ignore[attr-defined]

    assert declaration_of(circle).guards == ()
    assert not declaration_of(circle).is_public


def test_a_guard_that_was_reached_twice_is_still_a_guard():
    @login_check
    def view(response):
        return ""

    view.__wrapped__.__wrapped__ = view

    assert declaration_of(view).guards


def test_a_requirement_asks_who_it_is_before_what_they_may_do():
    login, permission = LoginGuard(), PermissionGuard()

    assert Declaration((permission, login)).logins == (login,)
    assert Declaration((permission,)).logins != ()
    assert not Declaration((permission, LoginGuard(optional=True))).admits_anonymous
    assert not Declaration((login, LoginGuard(optional=True))).admits_anonymous
    assert Declaration((LoginGuard(optional=True),)).admits_anonymous


def test_public_marks_the_function_and_hands_it_back():
    def view():
        return ""

    assert public(view) is view
    assert declaration_of(view).is_public
