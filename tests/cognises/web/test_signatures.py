"""Signatures and decorators that Python refuses only at the call: served, or named at the start."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from flask import Flask, g, request
from flask.views import MethodView, View
from request_side import manifest
from test_views import shown
from werkzeug.routing import Rule

from cognises import SettingsError, current_user, login_check, permission_required
from cognises.web.extension import check

both_ways = pytest.mark.parametrize("extension", [True, False], ids=["extension", "decorators"])


def wrapping(call):
    """A decorator by what it does with its view."""

    def decorator(view):
        @functools.wraps(view)
        def wrapper(*args, **kwargs):
            return call(view, args, kwargs)

        return wrapper

    return decorator


def without_wraps(view):
    def wrapper(*args, **kwargs):
        return view(*args, **kwargs)

    return wrapper


class ByObject:
    """A decorator that is a class."""

    def __init__(self, view):
        functools.update_wrapper(self, view)
        self.view = view

    def __call__(self, *args, **kwargs):
        return self.view(*args, db="db", **kwargs)


FIRST = wrapping(lambda view, args, kwargs: view("db", *args, **kwargs))
LAST = wrapping(lambda view, args, kwargs: view(*args, "db", **kwargs))
BY_NAME = wrapping(lambda view, args, kwargs: view(*args, db="db", **kwargs))
BY_UPDATE = wrapping(lambda view, args, kwargs: view(*args, **(kwargs | {"db": "db"})))
TWO = wrapping(lambda view, args, kwargs: view(*args, db="db", cache="cache", **kwargs))
PLAIN = wrapping(lambda view, args, kwargs: view(*args, **kwargs))

DECORATED = {
    "first, and the response": (
        "/", FIRST, lambda db, user: shown(db=db, user=user), {"db": "db", "user": True}),
    "by name, only so": ("/", BY_NAME, lambda *, db: shown(db=db), {"db": "db"}),
    "by name, behind the response": (
        "/", BY_NAME, lambda user, db: shown(db=db, user=user), {"db": "db", "user": True}),
    "no wraps, and the response": ("/", without_wraps, lambda user: shown(user=user),
                                   {"user": True}),
}  # fmt: skip


@pytest.mark.parametrize("case", DECORATED.values(), ids=DECORATED.keys())
@both_ways
def test_a_decorator_below_the_guard_may_pass_arguments_of_its_own(
    case, extension, make_app, cognito
):
    rule, decorator, view, expected = case

    def views(app: Flask) -> None:
        app.add_url_rule(rule, "view", login_check(decorator(view)))

    app = make_app(views, extension=extension)
    if extension:
        check(app)
    client, path = app.test_client(), rule.replace("<int:key>", "7")

    for _ in range(2):
        answer = client.get(path, headers=cognito.bearer())
        assert (answer.status_code, answer.json) == (200, expected)
        assert client.get(path).status_code == 401


ABOVE = {
    "before the response": lambda db, response: shown(db=db, response=response),
    "behind the response": lambda response, db: shown(db=db, response=response),
    "beside a response by name": lambda db, *, response: shown(db=db, response=response),
    "before one with a default": lambda db, q="", *, response: shown(db=db, response=response),
}


@pytest.mark.parametrize("view", ABOVE.values(), ids=ABOVE.keys())
@both_ways
def test_a_decorator_above_the_guard_may_pass_arguments_of_its_own(
    view, extension, make_app, cognito
):
    app = make_app(
        lambda app: app.add_url_rule("/", "view", FIRST(login_check(view))), extension=extension
    )
    answer = app.test_client().get("/", headers=cognito.bearer())

    assert (answer.status_code, answer.json) == (200, {"db": "db", "response": True})


@pytest.mark.parametrize("view", [v for k, v in ABOVE.items() if not k.startswith("behind")])
@pytest.mark.parametrize("decorator", [FIRST, LAST, BY_NAME], ids=["first", "last", "by name"])
@both_ways
def test_a_decorator_between_two_guards_may_pass_an_argument_of_its_own(
    decorator, view, extension, make_app, cognito
):
    inner = decorator(login_check(token_use=["id", "access"])(view))
    app = make_app(
        lambda app: app.add_url_rule("/", "view", login_check(inner)), extension=extension
    )
    answer = app.test_client().get("/", headers=cognito.bearer())

    assert (answer.status_code, answer.json) == (200, {"db": "db", "response": True})


@pytest.mark.parametrize("view", ABOVE.values(), ids=ABOVE.keys())
@both_ways
def test_behind_a_decorators_argument_no_url_variable_is_taken_for_the_response(
    view, extension, make_app, cognito
):
    def views(app: Flask) -> None:
        app.add_url_rule("/<response>", "view", FIRST(login_check(view)))

    client = make_app(views, extension=extension).test_client()
    with pytest.raises(SettingsError, match="a URL variable is called response"):
        client.get("/client", headers=cognito.bearer())


# What the decorator passes takes the place of the response, so that the call fits no signature.
MISFITS = {
    "first, alone": (FIRST, lambda db: "never"),
    "last, alone": (LAST, lambda db: "never"),
    "by name, alone": (BY_NAME, lambda db: "never"),
    "by name, before the response": (BY_NAME, lambda db, user: "never"),
    "by an update": (BY_UPDATE, lambda db, response: "never"),
    "two by name": (TWO, lambda cache, db: "never"),
    "an object": (ByObject, lambda db: "never"),
    "two decorators": (lambda view: PLAIN(BY_NAME(view)), lambda db: "never"),
    "no wraps, no room": (without_wraps, lambda: "never"),
}


@pytest.mark.parametrize("case", MISFITS.values(), ids=MISFITS.keys())
@both_ways
def test_a_call_that_does_not_fit_is_an_error_and_is_not_repeated(
    case, extension, make_app, cognito
):
    """Not even without the response: what a decorator passes may come from the client."""
    decorator, view = case
    calls = []
    counting = wrapping(lambda view, args, kwargs: [calls.append(1), view(*args, **kwargs)][1])
    app = make_app(
        lambda app: app.add_url_rule("/", "view", login_check(counting(decorator(view)))),
        extension=extension,
    )

    for sent in (1, 2):
        with pytest.raises(TypeError):
            app.test_client().get("/", headers=cognito.bearer())
        assert len(calls) == sent


def with_query(view):
    @functools.wraps(view)
    def wrapper(*args, **kwargs):
        return view(*args, **kwargs, **request.args.to_dict())

    return wrapper


FROM_THE_CLIENT = {
    "the response": (lambda response, title="": response["user_email"], "response=x"),
    "the first parameter": (lambda user, title="": user["user_email"], "user=x&title=y"),
    "the only parameter": (lambda user_id, q="": user_id["user_email"], "user_id=victim"),
}


@pytest.mark.parametrize("case", FROM_THE_CLIENT.values(), ids=FROM_THE_CLIENT.keys())
@both_ways
def test_a_client_does_not_replace_the_response_for_anyone(case, extension, make_app, cognito):
    view, query = case
    app = make_app(
        lambda app: app.add_url_rule("/", "view", login_check(with_query(view))),
        extension=extension,
    )
    client = app.test_client()

    with pytest.raises(TypeError):
        client.get(f"/?{query}", headers=cognito.bearer())
    answer = client.get("/", headers=cognito.bearer(email="ada@example.org"))
    assert answer.text == "ada@example.org"


def test_an_unknown_name_from_a_client_changes_no_later_request(make_app, cognito):
    def find(q="", response=None):
        return response["user_email"]

    app = make_app(lambda app: app.add_url_rule("/", "find", login_check(with_query(find))))
    client, headers = app.test_client(), cognito.bearer(email="ada@example.org")

    assert client.get("/?q=1", headers=headers).text == "ada@example.org"
    with pytest.raises(TypeError):
        client.get("/?zz=1", headers=headers)
    assert client.get("/?q=1", headers=headers).text == "ada@example.org"


def test_an_unsafe_view_runs_once_when_a_call_inside_it_fails(make_app, cognito):
    ran = []

    def pay(response):
        ran.append(1)
        (lambda amount: amount)(**request.get_json())

    app = make_app(
        lambda app: app.add_url_rule("/", "pay", login_check(without_wraps(pay)), methods=["POST"])
    )

    with pytest.raises(TypeError):
        app.test_client().post("/", json={"x": 1}, headers=cognito.bearer())
    assert ran == [1]


def helper(first):
    """Takes one argument."""


FAILING = {
    "another function": lambda: helper(1, 2),
    "the view itself": lambda again=None: again(1, 2, 3) if again else FAILING["the view itself"](
        lambda: None),
    "not a call": lambda: 1 + "1",
}  # fmt: skip


@pytest.mark.parametrize("view", FAILING.values(), ids=FAILING.keys())
def test_a_type_error_of_a_view_that_ran_is_its_own_and_it_runs_once(view, make_app, cognito):
    ran = []

    def counted():
        ran.append(1)
        return view()

    app = make_app(lambda app: app.add_url_rule("/", "view", login_check(PLAIN(counted))))

    with pytest.raises(TypeError):
        app.test_client().get("/", headers=cognito.bearer())
    assert ran == [1]


class AsyncCall:
    __name__ = "called"

    async def __call__(self, user):
        return shown(user=user)


async def by_keyword(*, user):
    return shown(user=user)


UNUSUAL = {
    "keyword-only": ("/", lambda *, user: shown(user=user), {"user": True}),
    "keyword-only beside a variable": (
        "/<int:key>", lambda key, *, user: shown(key=key, user=user), {"key": 7, "user": True}),
    "keyword-only behind a default": (
        "/", lambda page=1, *, user: shown(page=page, user=user), {"page": 1, "user": True}),
    "async and keyword-only": ("/", by_keyword, {"user": True}),
    "an object with an async call": ("/", AsyncCall(), {"user": True}),
    "a partial of an async view": ("/", functools.partial(by_keyword), {"user": True}),
    "a partial of an object": (
        "/", functools.partial(lambda db, user: shown(db=db, user=user), "db"),
        {"db": "db", "user": True}),
}  # fmt: skip


@pytest.mark.parametrize("case", UNUSUAL.values(), ids=UNUSUAL.keys())
@both_ways
def test_an_unusual_signature_gets_its_response(case, extension, make_app, cognito):
    rule, view, expected = case
    app = make_app(
        lambda app: app.add_url_rule(rule, "view", login_check(view)), extension=extension
    )
    if extension:
        check(app)
    client, path = app.test_client(), rule.replace("<int:key>", "7")

    answer = client.get(path, headers=cognito.bearer())
    assert (answer.status_code, answer.json) == (200, expected)
    assert client.get(path).status_code == 401


class NeedsTwo(MethodView):
    def get(self, user, other):
        return "never"


class NeedsTwoGuarded(MethodView):
    @login_check
    def get(self, user, other):
        return "never"


class Dispatching(View):
    def dispatch_request(self, user, other):
        return "never"


UNFILLED = {
    "two positional": ("/", login_check(lambda user, other: ""), "parameter other"),
    "beside a variable": ("/<key>", login_check(lambda user, key, other: ""), "parameter other"),
    "two keyword-only": ("/", login_check(lambda *, user, other: ""), "parameter other"),
    "positional-only": ("/", login_check(lambda user, other, /: ""), "parameter other"),
    "beside the response": ("/", login_check(lambda user, response: ""), "parameter response"),
    "a bound method": ("/<key>", login_check(AsyncCall().__call__), "variable key"),
    "a variable without a parameter": ("/<key>", login_check(lambda: ""), "variable key"),
    "class": ("/", login_check(NeedsTwo.as_view("view")), "parameter other"),
    "method": ("/", NeedsTwoGuarded.as_view("view"), "parameter other"),
    "dispatch_request": ("/", login_check(Dispatching.as_view("view")), "parameter other"),
}


@pytest.mark.parametrize("case", UNFILLED.values(), ids=UNFILLED.keys())
def test_a_signature_that_no_request_can_fill_stops_the_start(case, make_app):
    rule, view, problem = case
    app = make_app(lambda app: app.add_url_rule(rule, "view", view))

    with pytest.raises(SettingsError, match=problem) as caught:
        check(app)
    assert "GET /" in str(caught.value)


def preprocessed(app: Flask) -> None:
    @app.url_value_preprocessor
    def language(endpoint, values):
        g.language = (values or {}).pop("language", None)

    app.add_url_rule("/<language>/", "view", login_check(lambda: g.language))


def from_above(app: Flask) -> None:
    app.add_url_rule("/", "view", BY_NAME(login_check(lambda user, db: f"{user['status']}{db}")))


class GivenByDispatch(MethodView):
    def dispatch_request(self, **kwargs):
        return super().dispatch_request(db="db", **kwargs)

    @login_check
    def get(self, user, db):
        return db


def by_dispatch(app: Flask) -> None:
    app.add_url_rule("/", view_func=GivenByDispatch.as_view("view"))


@pytest.mark.parametrize(
    ("views", "path", "text"),
    [(preprocessed, "/en/", "en"), (from_above, "/", "200db"), (by_dispatch, "/", "db")],
    ids=["url_value_preprocessor", "decorator above", "dispatch_request"],
)
@both_ways
def test_parameters_that_something_else_fills_do_not_stop_the_start(
    views, path, text, extension, make_app, cognito
):
    app = make_app(views, extension=extension)
    if extension:
        check(app)

    assert app.test_client().get(path, headers=cognito.bearer()).text == text


# HTTP methods that a class-based view has no handler for


class ByMethod(MethodView):
    @login_check
    def get(self):
        return "got"

    def helper(self):
        return "never"


class InDecorators(MethodView):
    decorators = (login_check,)

    def get(self):
        return "got"


class Open(MethodView):
    def get(self):
        return "got"


METHOD_VIEWS = {
    "methods": ByMethod.as_view("view"),
    "decorators": InDecorators.as_view("view"),
    "around": permission_required(Open.as_view("view")),
    "login_check, around": login_check(Open.as_view("view")),
}
ODD_METHODS = ("AAA", "POST", "OPTIONS", "HELPER", "DISPATCH_REQUEST", "AS_VIEW", "__INIT__",
               "METHODS", "VIEW_CLASS", "GET2")  # fmt: skip


def by_rule(app: Flask, view: Any) -> None:
    app.url_map.add(Rule("/any", endpoint="any"))
    app.view_functions["any"] = view


def by_methods(app: Flask, view: Any) -> None:
    app.add_url_rule("/any", "any", view, methods=["GET", *ODD_METHODS])


@pytest.mark.parametrize("view", METHOD_VIEWS.values(), ids=METHOD_VIEWS.keys())
@pytest.mark.parametrize("add", [by_rule, by_methods], ids=["rule", "methods"])
@both_ways
def test_a_method_without_a_handler_is_405_whoever_sends_it(
    add, view, extension, make_app, cognito
):
    groups = manifest(editors=["*"])
    client = make_app(lambda app: add(app, view), groups, extension=extension).test_client()

    for method in ODD_METHODS:
        if add is by_methods and method == "HELPER":
            continue  # the rule says that it is one
        for headers in ({}, cognito.bearer(["editors"]), {"Authorization": "Bearer a.b.c"}):
            answer = client.open("/any", method=method, headers=headers)
            assert answer.status_code == 405, (method, headers)
            assert "GET" in answer.headers["Allow"]
    for method in ("GET", "HEAD"):
        assert client.open("/any", method=method).status_code == 401


def test_a_class_that_dispatches_by_itself_keeps_its_methods(make_app, cognito):
    class Own(MethodView):
        methods = ("GET", "PURGE")

        @login_check
        def dispatch_request(self):
            return f"{current_user['status']}"

    client = make_app(lambda app: app.add_url_rule("/", view_func=Own.as_view("own"))).test_client()

    assert client.open("/", method="PURGE", headers=cognito.bearer()).text == "200"
    assert client.open("/", method="PURGE").status_code == 401
    assert client.open("/", method="AAA").status_code == 405
