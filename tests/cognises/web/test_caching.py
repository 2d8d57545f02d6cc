"""One user's answer is never another's: the headers, on every kind of answer there is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import (
    Flask,
    Response,
    abort,
    jsonify,
    redirect,
    request,
    send_from_directory,
    stream_with_context,
)
from werkzeug.datastructures import Headers
from werkzeug.test import Client
from werkzeug.wrappers import Response as WerkzeugResponse

from cognises import login_check, protect, public
from cognises.web.responses import forbid_shared_caching

NO_STORE = "private, no-store"
OURS = ("Cache-Control", "private, no-store")
VARY = ("Vary", "Authorization, Cookie")

HEADERS = {
    "none": ([], [OURS, VARY]),
    "others": ([("Content-Type", "a")], [("Content-Type", "a"), OURS, VARY]),
    "a name that ends alike": ([("X-Vary", "a")], [("X-Vary", "a"), OURS, VARY]),
    "the app's own": ([("Cache-Control", "max-age=1")], [("Cache-Control", "max-age=1"), VARY]),
    "in small letters": ([("cache-control", "max-age=1")], [("cache-control", "max-age=1"), VARY]),
    "Vary in small letters": ([("vary", "Accept")], [("Vary", "Accept, " + VARY[1]), OURS]),
    "ours already": ([OURS, VARY], [OURS, VARY]),
    "one of ours": ([("Vary", "cookie")], [OURS, ("Vary", "cookie, Authorization")]),
    "two lines": ([("Vary", "A"), ("Vary", "B,C")], [OURS, ("Vary", "A, B, C, " + VARY[1])]),
    "an empty line": ([("Vary", "")], [OURS, VARY]),
    "a star": ([("Vary", "*")], [OURS, ("Vary", "*")]),
}


@pytest.mark.parametrize(("headers", "expected"), HEADERS.values(), ids=HEADERS.keys())
def test_headers_keep_what_the_app_says_and_get_what_it_does_not(headers, expected):
    found = Headers(headers)

    forbid_shared_caching(found)

    assert sorted(found) == sorted(expected)


ANSWERS: dict[str, Callable[[], object]] = {
    "a text": lambda: "x",
    "an object": lambda: {"x": 1},
    "a tuple": lambda: ("x", 201, {"X-Own": "1"}),
    "a Flask response": lambda: Response("x"),
    "a werkzeug response": lambda: WerkzeugResponse("x"),
    "a redirect": lambda: redirect("/elsewhere"),
    "a stream": lambda: Response(stream_with_context(iter(["a", "b"]))),
    "a WSGI application": lambda: lambda environ, start: (start("200 OK", []) and ()) or [b"x"],
    "no content": lambda: ("", 204),
    "not modified": lambda: ("", 304),
    "an abort": lambda: abort(409),
}


@pytest.mark.parametrize("extension", [True, False])
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_every_kind_of_answer_is_kept_from_shared_caches(answer, extension, make_app, cognito):
    def views(app: Flask) -> None:
        app.get("/mine", endpoint="mine")(login_check(lambda response: answer()))
        app.get("/open", endpoint="open")(public(lambda: answer()))

    client = make_app(views, extension=extension).test_client()

    mine = client.get("/mine", headers=cognito.bearer()).headers
    assert (mine["Cache-Control"], mine["Vary"]) == (NO_STORE, VARY[1])
    assert NO_STORE not in client.get("/open").headers.values()


@pytest.mark.parametrize("extension", [True, False])
def test_a_response_of_a_class_of_its_own_stays_what_it_is(extension, make_app, cognito):
    class Own(Response):
        def get_wsgi_headers(self, environ):
            headers = super().get_wsgi_headers(environ)
            headers["X-Own"] = "1"
            return headers

    def views(app: Flask) -> None:
        app.get("/mine", endpoint="mine")(login_check(lambda response: Own("x")))

    answer = (
        make_app(views, extension=extension).test_client().get("/mine", headers=cognito.bearer())
    )

    assert answer.headers["X-Own"] == "1"
    assert answer.headers["Vary"] == VARY[1]


def test_an_app_is_wrapped_once_however_many_requests_come(make_app, cognito):
    app = make_app(lambda app: app.get("/mine")(login_check(lambda r: "x")), extension=False)
    client = app.test_client()
    client.get("/mine", headers=cognito.bearer())
    wrapped = app.finalize_request

    client.get("/mine", headers=cognito.bearer())

    assert app.finalize_request is wrapped


def test_an_app_that_cannot_be_wrapped_never_answers_without_the_headers(make_app, cognito):
    class Stubborn(Flask):
        def __setattr__(self, name, value):
            if name == "finalize_request":
                raise AttributeError(name)
            super().__setattr__(name, value)

    app = Stubborn("stubborn")
    app.testing = True
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.get("/mine")(login_check(lambda response: "secret"))
    cognito.attach(app)

    for _ in range(3):
        assert app.test_client().get("/mine", headers=cognito.bearer()).status_code == 500


# In an app


def caching_views(app: Flask) -> None:
    def answer(**headers: str) -> Response:
        response = jsonify(1)
        for name, value in headers.items():
            response.headers[name.replace("_", "-")] = value
        return response

    app.get("/own", endpoint="own")(
        login_check(lambda r: answer(Cache_Control="private, max-age=60"))
    )
    app.get("/vary", endpoint="vary")(login_check(lambda r: answer(Vary="Accept, authorization")))
    app.get("/star", endpoint="star")(login_check(lambda r: answer(Vary="*")))
    app.get("/open", endpoint="open")(public(lambda: answer()))
    app.get("/broken", endpoint="broken")(login_check(lambda r: 1 / 0))  # fmt: skip


def test_a_view_keeps_its_own_cache_control_and_always_varies(make_app, cognito):
    for extension in (True, False):
        app = make_app(caching_views, extension=extension, PROPAGATE_EXCEPTIONS=False)
        client = app.test_client()

        def headers_of(path: str, client=client):
            return client.get(path, headers=cognito.bearer()).headers

        assert headers_of("/own")["Cache-Control"] == "private, max-age=60"
        assert headers_of("/own")["Vary"] == "Authorization, Cookie"
        assert headers_of("/vary")["Vary"] == "Accept, authorization, Cookie"
        assert headers_of("/star")["Vary"] == "*"
        assert headers_of("/broken")["Cache-Control"] == "private, no-store"
        assert "Cache-Control" not in headers_of("/open")


def test_an_after_request_function_cannot_take_the_vary_header_away(make_app, cognito):
    def views(app: Flask) -> None:
        app.get("/me", endpoint="me")(login_check(lambda response: response.sub))

        @app.after_request
        def strip(response):
            response.headers.pop("Vary", None)
            response.headers.pop("Cache-Control", None)
            return response

    headers = make_app(views).test_client().get("/me").headers

    assert headers["Vary"] == "Authorization, Cookie"
    assert headers["Cache-Control"] == "private, no-store"


class SharedCache:
    """A middleware as there are many: it keeps what it is not forbidden to keep, by address."""

    def __init__(self, app) -> None:
        self.app, self.kept = app, {}

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        if path not in self.kept:
            said = []
            body = b"".join(self.app(environ, lambda *start: said.append(start)))
            (status, headers) = said[0][:2]
            if "private" in dict(headers).get("Cache-Control", "") or status != "200 OK":
                start_response(status, headers)
                return [body]
            self.kept[path] = (status, headers, body)
        status, headers, body = self.kept[path]
        start_response(status, headers)
        return [body]


@pytest.mark.parametrize("extension", [True, False])
@pytest.mark.parametrize("cache_first", [True, False])
def test_a_cache_around_the_app_keeps_no_answer_of_a_user(
    extension, cache_first, make_app, cognito
):
    def views(app: Flask) -> None:
        app.get("/me", endpoint="me")(login_check(lambda response: response.sub))
        if cache_first:
            app.wsgi_app = SharedCache(app.wsgi_app)

    app = make_app(views, extension=extension)
    if not cache_first:
        app.wsgi_app = SharedCache(app.wsgi_app)
    client = app.test_client()

    for name in ("ada", "eve", "mallory"):
        assert client.get("/me", headers=cognito.bearer(sub=name)).text == name
    assert client.get("/me").status_code == 401


@pytest.mark.parametrize("extension", [True, False])
def test_a_cache_inside_the_app_keeps_no_answer_of_a_user(extension, make_app, cognito):
    def views(app: Flask) -> None:
        app.get("/me", endpoint="me")(login_check(lambda response: response.sub))

    app = make_app(views, extension=extension)
    dispatch, kept = app.full_dispatch_request, {}

    def cached(*args):
        if request.path not in kept:
            response = dispatch(*args)
            if response.cache_control.private:
                return response
            kept[request.path] = response
        return kept[request.path]

    app.full_dispatch_request = cached
    client = app.test_client()

    for name in ("ada", "eve"):
        assert client.get("/me", headers=cognito.bearer(sub=name)).text == name
    assert client.get("/me").status_code == 401


@pytest.mark.parametrize("extension", [True, False])
def test_the_headers_are_there_from_the_first_request_on_whatever_the_app_does(
    extension, make_app, cognito
):
    def views(app: Flask) -> None:
        app.get("/me", endpoint="me")(login_check(lambda response: response.sub))

        @app.after_request
        def own(response):
            if "fail" in request.args:
                raise RuntimeError
            response.headers["Vary"] = "Accept-Encoding"
            return response

    app = make_app(views, extension=extension, PROPAGATE_EXCEPTIONS=False)
    headers = cognito.bearer()
    inside = app.wsgi_app  # as a server, or a middleware, may have taken it before any request

    for path in ("/me", "/me", "/me?fail"):
        answer = Client(inside, Response).get(path, headers=headers)
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert {"Authorization", "Cookie"} <= set(answer.headers["Vary"].split(", "))
    with app.test_request_context("/me", headers=headers):
        assert "Cookie" in app.full_dispatch_request().headers["Vary"]


def test_a_guarded_file_is_private_even_where_flask_would_cache_it(make_app, tmp_path, cognito):
    (tmp_path / "file.txt").write_text("secret")

    def views(app: Flask) -> None:
        app.get("/file")(login_check(lambda r: send_from_directory(tmp_path, "file.txt")))

    answer = make_app(views).test_client().get("/file", headers=cognito.bearer())

    assert "public" not in answer.headers["Cache-Control"]
    assert {"Authorization", "Cookie"} <= set(answer.headers["Vary"].split(", "))


def test_a_guarded_path_leaves_the_answers_of_other_paths_to_shared_caches(make_app):
    def views(app: Flask) -> None:
        app.add_url_rule("/open", "open", public(lambda: "open"))
        protect(app, paths=("/inside/",))

    response = make_app(views, extension=False).test_client().get("/open")

    assert response.text == "open"
    assert "Cache-Control" not in response.headers
