"""Flask-RESTful, Flask-RESTX, flask-smorest and connexion: guards and refusals survive them."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import flask_restful
import flask_restx
import pytest
from flask import Blueprint, Flask
from flask.views import MethodView
from flask_smorest import Api as SmorestApi
from flask_smorest import Blueprint as SmorestBlueprint
from marshmallow import Schema, fields
from request_side import manifest

from cognises import Cognises, current_user, login_check, permission_required, protect, public
from cognises.signin import sign_in
from cognises.tokens.http import FetchError
from cognises.web.state import state_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import connexion

GROUPS = manifest(editors=["thing"])
SMOREST = {"API_TITLE": "t", "API_VERSION": "1", "OPENAPI_VERSION": "3.0.3"}
both_ways = pytest.mark.parametrize("extension", [True, False], ids=["extension", "decorators"])


class Name(Schema):
    name = fields.String(required=True)


def restful_methods(app: Flask) -> None:
    class Thing(flask_restful.Resource):
        @login_check
        def get(self):
            return {"user": current_user.sub}

    flask_restful.Api(app).add_resource(Thing, "/thing")


def restful_methods_with_a_response(app: Flask) -> None:
    class Thing(flask_restful.Resource):
        @login_check
        def get(self, response):
            return {"user": response.sub}

    flask_restful.Api(app).add_resource(Thing, "/thing")


def restful_method_decorators(app: Flask) -> None:
    class Thing(flask_restful.Resource):
        method_decorators = [login_check]  # noqa: RUF012

        def get(self):
            return {"user": current_user.sub}

    flask_restful.Api(app).add_resource(Thing, "/thing")


def restful_method_decorators_by_method(app: Flask) -> None:
    class Thing(flask_restful.Resource):
        method_decorators = {"get": [login_check]}  # noqa: RUF012

        def get(self, response):
            return {"user": response.sub}

    flask_restful.Api(app).add_resource(Thing, "/thing")


def restful_api_decorators(app: Flask) -> None:
    class Thing(flask_restful.Resource):
        def get(self):
            return {"user": current_user.sub}

    flask_restful.Api(app, decorators=[login_check]).add_resource(Thing, "/thing")


def restful_on_a_blueprint(app: Flask) -> None:
    class Thing(flask_restful.Resource):
        method_decorators = [login_check()]  # noqa: RUF012

        def get(self):
            return {"user": current_user.sub}

    bp = Blueprint("api", __name__)
    flask_restful.Api(bp).add_resource(Thing, "/thing")
    app.register_blueprint(bp)


def restx_methods(app: Flask) -> None:
    class Thing(flask_restx.Resource):
        @login_check
        def get(self):
            return {"user": current_user.sub}

    flask_restx.Api(app, doc=False).add_resource(Thing, "/thing")


def restx_method_decorators(app: Flask) -> None:
    class Thing(flask_restx.Resource):
        method_decorators = [login_check]  # noqa: RUF012

        def get(self):
            return {"user": current_user.sub}

    flask_restx.Api(app, doc=False).add_resource(Thing, "/thing")


def restx_namespace_decorators(app: Flask) -> None:
    api = flask_restx.Api(app, doc=False)
    space = flask_restx.Namespace("things", path="/thing", decorators=[login_check])

    @space.route("")
    class Thing(flask_restx.Resource):
        @space.marshal_with({"user": flask_restx.fields.String})
        def get(self):
            return {"user": current_user.sub}

    api.add_namespace(space)


def smorest_methods(app: Flask) -> None:
    app.config.update(SMOREST)
    api, bp = SmorestApi(app), SmorestBlueprint("things", __name__)

    @bp.route("/thing")
    class Thing(MethodView):
        @login_check
        @bp.response(200)
        def get(self):
            return {"user": current_user.sub}

    api.register_blueprint(bp)


def smorest_function(app: Flask) -> None:
    app.config.update(SMOREST)
    api, bp = SmorestApi(app), SmorestBlueprint("things", __name__)

    @bp.route("/thing")
    @bp.response(200)
    @login_check
    def thing(response):
        return {"user": response.sub}

    api.register_blueprint(bp)


def smorest_elsewhere_in_the_app(app: Flask) -> None:
    app.config.update(SMOREST)
    SmorestApi(app)

    @app.get("/thing")
    @login_check
    def thing():
        return {"user": current_user.sub}


def protected_by_path(app: Flask) -> None:
    class Thing(flask_restx.Resource):
        def get(self):
            return {"user": current_user.sub}

    flask_restx.Api(app, doc=False).add_resource(Thing, "/thing")
    protect(app, paths=["/thing"])


SHAPES = (
    restful_methods,
    restful_methods_with_a_response,
    restful_method_decorators,
    restful_method_decorators_by_method,
    restful_api_decorators,
    restful_on_a_blueprint,
    restx_methods,
    restx_method_decorators,
    restx_namespace_decorators,
    smorest_methods,
    smorest_function,
    smorest_elsewhere_in_the_app,
    protected_by_path,
)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)


@every_shape
@both_ways
def test_a_refusal_keeps_its_status_body_and_challenge_and_a_user_gets_in(
    shape: Callable[[Flask], None], extension, make_app, cognito
):
    client = make_app(shape, extension=extension).test_client()

    for headers, status, reason, challenge in (
        ({}, 401, "missing_token", 'Bearer realm="cognises"'),
        (cognito.bearer(exp=1), 401, "token_expired",
         'Bearer realm="cognises", error="invalid_token"'),
        ({"Authorization": "Bearer"}, 400, "invalid_request",
         'Bearer realm="cognises", error="invalid_request"'),
    ):  # fmt: skip
        answer = client.get("/thing", headers=headers)
        assert answer.status_code == status
        assert {*answer.json} == {"status", "message", "reason"}
        assert (answer.json["reason"], answer.json["status"]) == (reason, status)
        assert answer.headers["WWW-Authenticate"] == challenge
    assert client.get("/thing", headers=cognito.bearer(sub="ada")).json == {"user": "ada"}


@every_shape
@both_ways
def test_unavailable_keys_keep_their_retry_after(shape, extension, make_app, cognito):
    def down(kid):
        raise FetchError("down")

    app = make_app(shape, extension=extension)
    state_of(app).set_test_keys(cognito.id, down)
    answer = app.test_client().get("/thing", headers=cognito.bearer())

    assert (answer.status_code, answer.json["reason"]) == (503, "keys_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1


@every_shape
def test_a_browser_is_sent_to_sign_in_from_any_route(shape, make_app):
    def views(app: Flask) -> None:
        sign_in(app)
        shape(app)

    client = make_app(
        views, COGNITO_DOMAIN="https://login.example.org", COGNISES_PUBLIC_URL="https://a.example",
        COGNITO_COOKIE_NAME="__Host-token",
    ).test_client()  # fmt: skip

    answer = client.get("/thing", headers={"Accept": "text/html"}, base_url="https://a.example")

    assert answer.status_code == 302
    assert answer.location.endswith("/login?next=/thing")


@pytest.mark.parametrize("above", [True, False], ids=["above arguments", "below arguments"])
@pytest.mark.parametrize("takes", ["data", "response and data"])
def test_smorest_arguments_and_the_response_reach_their_parameters(above, takes, make_app, cognito):
    def views(app: Flask) -> None:
        app.config.update(SMOREST)
        api, bp = SmorestApi(app), SmorestBlueprint("things", __name__)

        def data_alone(self, data):
            return {"data": data, "user": current_user.sub}

        def both(self, response, data):
            return {"data": data, "user": response.sub}

        post = data_alone if takes == "data" else both
        given = bp.arguments(Name)
        method = login_check(given(post)) if above else given(login_check(post))
        bp.route("/thing")(type("Thing", (MethodView,), {"post": method}))
        api.register_blueprint(bp)

    for extension in (True, False):
        client = make_app(views, extension=extension).test_client()
        answer = client.post("/thing", json={"name": "x"}, headers=cognito.bearer(sub="ada"))
        assert answer.json == {"data": {"name": "x"}, "user": "ada"}
        # Without the extension the outermost decorator comes first.
        refused = 401 if extension or above else 422
        assert client.post("/thing", json={}).status_code == refused


def test_the_documentation_pages_of_restx_and_smorest_open_and_close_by_path(make_app, cognito):
    def views(app: Flask) -> None:
        app.config.update(
            SMOREST,
            OPENAPI_URL_PREFIX="/smorest",
            OPENAPI_SWAGGER_UI_PATH="/ui",
            OPENAPI_SWAGGER_UI_URL="https://cdn.example/",
        )
        SmorestApi(app)
        flask_restx.Api(app, doc="/restx/doc")
        protect(app, paths=["/smorest"])
        public(app, paths=["/restx", "/swaggerui", "/swagger.json"])

    client = make_app(views).test_client()

    assert client.get("/smorest/ui").status_code == 401
    assert client.get("/smorest/openapi.json").status_code == 401
    assert client.get("/smorest/openapi.json", headers=cognito.bearer()).status_code == 200
    assert client.get("/restx/doc").status_code == 200
    assert client.get("/swagger.json").status_code == 200


@both_ways
def test_a_guard_for_the_manifest_counts_by_class_in_method_decorators(
    extension, make_app, cognito
):
    def views(app: Flask) -> None:
        class Thing(flask_restful.Resource):
            method_decorators = [permission_required]  # noqa: RUF012

            def get(self):
                return "got"

        flask_restful.Api(app).add_resource(Thing, "/thing", endpoint="thing")

    client = make_app(views, GROUPS, extension=extension).test_client()

    assert client.get("/thing", headers=cognito.bearer(["editors"])).status_code == 200
    assert client.get("/thing", headers=cognito.bearer(["others"])).json["reason"] == "forbidden"


SPEC = """
openapi: 3.0.0
info: {title: t, version: "1"}
paths:
  /thing/{number}:
    get:
      operationId: %s.of_connexion
      parameters: [{in: path, name: number, required: true, schema: {type: integer}}]
      responses: {"200": {description: ok}}
"""


@login_check
def of_connexion(response, number):
    return {"user": response.sub, "number": number}


@pytest.mark.parametrize("extension", [True, False])
def test_connexion_keeps_refusals_and_hands_over_its_own_parameters(extension, tmp_path, cognito):
    (tmp_path / "api.yaml").write_text(SPEC % __name__)
    outer = connexion.FlaskApp(__name__, specification_dir=str(tmp_path),
                               server_args={"root_path": str(tmp_path)})  # fmt: skip
    outer.add_api("api.yaml")
    app = outer.app
    app.testing = True
    if extension:
        protect(app, paths=["/thing"])
        Cognises(app)
    cognito.attach(app)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = outer.test_client()

    answer = client.get("/thing/7")
    assert (answer.status_code, answer.json()["reason"]) == (401, "missing_token")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="cognises"'
    answer = client.get("/thing/7", headers=cognito.bearer(sub="ada"))
    assert answer.json() == {"user": "ada", "number": 7}


def test_a_handler_of_the_app_for_every_exception_still_answers_beside_an_extension(make_app):
    def views(app: Flask) -> None:
        restful_methods(app)
        app.register_error_handler(Exception, lambda error: ("of the app", 401))

    answer = make_app(views).test_client().get("/thing")

    assert (answer.status_code, answer.text) == (401, "of the app")
