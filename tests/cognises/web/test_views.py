"""Which views get the response, and how: every signature, in every way of using a guard."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.views import MethodView, View
from request_side import manifest

from cognises import (
    Principal,
    SettingsError,
    current_user,
    login_check,
    permission_required,
    public,
)
from cognises.web.extension import check

GROUPS = manifest(editors=["*"])


def shown(**values: object) -> dict[str, object]:
    """What a view was called with: True for the response, which is the current user."""
    return {
        name: value is current_user._get_current_object() or value  # type: ignore[attr-defined]
        for name, value in values.items()
        if not (isinstance(value, Principal) and value is not current_user._get_current_object())
    }


FUNCTIONS: dict[str, tuple[str, Callable[..., Any], dict[str, object]]] = {}


def case(rule: str, called_with: dict[str, object]) -> Callable[[Any], Any]:
    def add(view: Callable[..., Any]) -> Callable[..., Any]:
        FUNCTIONS[view.__name__] = (rule, view, called_with)
        return view

    return add


@case("/v", {})
def nothing():
    return shown()


@case("/v/<int:key>", {"key": 7})
def a_variable_alone(key):
    return shown(key=key)


@case("/v/<int:key>", {"key": 7})
def a_variable_alone_by_keyword(*, key):
    return shown(key=key)


@case("/v/<int:key>", {"response": True, "key": 7})
def response_and_variable(response, key):
    return shown(response=response, key=key)


@case("/v/<int:key>", {"user": True, "key": 7})
def another_name_and_variable(user, key):
    return shown(user=user, key=key)


@case("/v/<int:key>", {"key": 7, "response": True})
def response_after_the_variable(key, response):
    return shown(key=key, response=response)


@case("/v/<int:key>", {"key": 7, "response": True})
def response_by_keyword(key, *, response):
    return shown(key=key, response=response)


@case("/v/<int:key>", {"key": 7, "response": True})
def response_by_keyword_with_a_default(key, *, response=None):
    return shown(key=key, response=response)


@case("/v/<int:key>", {"user": True, "key": 7})
def by_position_only(user, /, key):
    return shown(user=user, key=key)


@case("/v", {"response": True})
def response_with_a_default(response=None):
    return shown(response=response)


@case("/v", {"name": "World"})
def a_default_of_another_name(name="World"):
    return shown(name=name)


@case("/v/<int:key>", {"key": 7, "rest": {}})
def any_keywords(key, **rest):
    return shown(key=key, rest=rest)


@case("/v/<int:key>", {"found": {"key": 7}})
def keywords_alone(**found):
    return shown(found=found)


@case("/v/<int:key>", {"count": 1, "rest": {"key": 7}})
def any_arguments(*args, **rest):
    assert args[0] is current_user._get_current_object()
    return shown(count=len(args), rest=rest)


@case("/v/<a>/<b>", {"a": "1", "b": "2"})
def variables_in_another_order(b, a):
    return shown(a=a, b=b)


def timed(view):
    @functools.wraps(view)
    def wrapper(*args, **kwargs):
        return view(*args, **kwargs)

    return wrapper


def asynchronous(view):
    @functools.wraps(view)
    async def wrapper(*args, **kwargs):
        return view(*args, **kwargs)

    return wrapper


class Bound:
    """Views as methods of an object that the app made."""

    def __init__(self, view: Callable[..., Any]) -> None:
        self.view = view


def bound(view):
    """A bound method with the view's own signature."""

    @functools.wraps(view)
    def method(self, *args, **kwargs):
        return view(*args, **kwargs)

    del method.__wrapped__
    signature = inspect.signature(view)
    first = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    parameters = list(signature.parameters.values())
    if parameters and parameters[0].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
        first = first.replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD)
    method.__signature__ = inspect.Signature([first, *parameters])
    method.__qualname__ = f"Bound.{view.__name__}"
    return method.__get__(Bound(view))


class Called:
    """An object that is called."""

    def __init__(self, view: Callable[..., Any]) -> None:
        self.view = view
        self.__signature__ = inspect.signature(view)

    def __call__(self, *args, **kwargs):
        return self.view(*args, **kwargs)


GUARDS = {
    "login_check": lambda view: login_check(view),
    "login_check()": lambda view: login_check()(view),
    "permission_required": lambda view: permission_required(view),
    "both": lambda view: login_check(permission_required(view)),
    "both, the other way round": lambda view: permission_required(login_check(view)),
    "above a decorator": lambda view: login_check(timed(view)),
    "below a decorator": lambda view: timed(login_check(view)),
    "around one": lambda view: login_check(timed(permission_required(view))),
    "async": lambda view: login_check(permission_required(asynchronous(view))),
    "bound": lambda view: login_check(bound(view)),
    "partial": lambda view: login_check(functools.partial(view)),
    "called": lambda view: login_check(Called(view)),
}


@pytest.mark.parametrize("extension", [True, False], ids=["extension", "decorators"])
@pytest.mark.parametrize("guard", GUARDS.values(), ids=GUARDS.keys())
def test_a_function_gets_its_response_only_where_it_has_room_for_it(
    guard, extension, make_app, cognito
):
    def views(app: Flask) -> None:
        for name, (rule, view, _) in FUNCTIONS.items():
            app.add_url_rule(f"/{name}{rule}", name, guard(view))

    app = make_app(views, GROUPS, extension=extension)
    if extension:
        check(app)
    client, headers = app.test_client(), cognito.bearer(["editors"])

    for name, (rule, _, expected) in FUNCTIONS.items():
        path = rule.replace("<int:key>", "7").replace("<a>/<b>", "1/2")
        answer = client.get(f"/{name}{path}", headers=headers)
        assert answer.status_code == 200, name
        assert answer.json == expected, name
        assert client.get(f"/{name}{path}").status_code == 401, name


@pytest.mark.parametrize("extension", [True, False], ids=["extension", "decorators"])
def test_a_view_without_other_decorators_gets_its_response_behind_its_variables_too(
    extension, make_app, cognito
):
    def between(a, user, b):
        return shown(a=a, user=user, b=b)

    names = ("login_check", "below a decorator", "bound", "partial", "called")

    def views(app: Flask) -> None:
        for name in names:
            app.add_url_rule(f"/{name}/<a>/<b>", name, GUARDS[name](between))

    client = make_app(views, extension=extension).test_client()

    for name in names:
        answer = client.get(f"/{name}/1/2", headers=cognito.bearer())
        assert answer.json == {"a": "1", "user": True, "b": "2"}, name


@pytest.mark.parametrize("extension", [True, False], ids=["extension", "decorators"])
def test_a_view_with_an_optional_variable_gets_no_response_in_its_place(
    extension, make_app, cognito
):
    def views(app: Flask) -> None:
        @app.get("/hello/")
        @app.get("/hello/<name>")
        @login_check
        def hello(name=None):
            return {"name": name}

    client = make_app(views, extension=extension).test_client()

    assert client.get("/hello/", headers=cognito.bearer()).json == {"name": None}
    assert client.get("/hello/ada", headers=cognito.bearer()).json == {"name": "ada"}


class NoRoom(MethodView):
    def get(self):
        return shown()


class VariableAlone(MethodView):
    def get(self, key):
        return shown(key=key)


class ResponseAndVariable(MethodView):
    def get(self, response, key):
        return shown(response=response, key=key)


class AnotherName(MethodView):
    def get(self, user, key):
        return shown(user=user, key=key)


class AnotherNameAfterTheVariable(MethodView):
    def get(self, key, user):
        return shown(user=user, key=key)


class OfOtherNames(MethodView):
    def get(this, user, key):  # noqa: N805
        return shown(user=user, key=key)


class AnyKeywords(MethodView):
    def get(self, **values):
        return shown(values=values)


class Async(MethodView):
    async def get(self, key):
        return shown(key=key)


class Dispatcher(View):
    def dispatch_request(self):
        return shown()


class DispatcherWithVariable(View):
    def dispatch_request(self, key):
        return shown(key=key)


class DispatcherWithResponse(View):
    def dispatch_request(self, key, response):
        return shown(key=key, response=response)


class DispatcherBefore(MethodView):
    def dispatch_request(self, *args, **kwargs):
        return super().dispatch_request(*args, **kwargs)

    def get(self, key):
        return shown(key=key)


class LongLived(MethodView):
    init_every_request = False

    def get(self, user, key):
        return shown(user=user, key=key)


CLASSES: list[tuple[type[View], str, dict[str, object]]] = [
    (NoRoom, "", {}),
    (VariableAlone, "/<int:key>", {"key": 7}),
    (ResponseAndVariable, "/<int:key>", {"response": True, "key": 7}),
    (AnotherName, "/<int:key>", {"user": True, "key": 7}),
    (AnotherNameAfterTheVariable, "/<int:key>", {"user": True, "key": 7}),
    (OfOtherNames, "/<int:key>", {"user": True, "key": 7}),
    (AnyKeywords, "/<int:key>", {"values": {"key": 7}}),
    (Async, "/<int:key>", {"key": 7}),
    (Dispatcher, "", {}),
    (DispatcherWithVariable, "/<int:key>", {"key": 7}),
    (DispatcherWithResponse, "/<int:key>", {"key": 7, "response": True}),
    (DispatcherBefore, "/<int:key>", {"key": 7}),
    (LongLived, "/<int:key>", {"user": True, "key": 7}),
]


def around_the_view(cls):
    return login_check(cls.as_view(cls.__name__))


def in_its_decorators(cls):
    return type(cls.__name__, (cls,), {"decorators": [permission_required, login_check]}).as_view(
        cls.__name__
    )


def in_its_decorators_above_and_below_others(cls):
    decorators = [timed, login_check, timed]
    return type(cls.__name__, (cls,), {"decorators": decorators}).as_view(cls.__name__)


def on_the_method(cls):
    name = "dispatch_request" if "dispatch_request" in vars(cls) else "get"
    guarded = login_check(getattr(cls, name))
    return type(cls.__name__, (cls,), {name: guarded}).as_view(cls.__name__)


def everywhere(cls):
    name = "dispatch_request" if "dispatch_request" in vars(cls) else "get"
    members = {name: login_check(getattr(cls, name)), "decorators": [login_check]}
    return login_check(type(cls.__name__, (cls,), members).as_view(cls.__name__))


@pytest.mark.parametrize("extension", [True, False], ids=["extension", "decorators"])
@pytest.mark.parametrize(
    "guard",
    [
        around_the_view,
        in_its_decorators,
        in_its_decorators_above_and_below_others,
        on_the_method,
        everywhere,
    ],
    ids=lambda guard: guard.__name__,
)
def test_a_class_based_view_gets_its_response_only_where_it_has_room_for_it(
    guard, extension, make_app, cognito
):
    def views(app: Flask) -> None:
        for cls, rule, _ in CLASSES:
            app.add_url_rule(f"/{cls.__name__}{rule}", view_func=guard(cls))

    app = make_app(views, GROUPS, extension=extension)
    if extension:
        check(app)
    client, headers = app.test_client(), cognito.bearer(["editors"])

    for cls, rule, expected in CLASSES:
        path = f"/{cls.__name__}{'/7' if rule else ''}"
        for method in ("GET", "HEAD"):
            answer = client.open(path, method=method, headers=headers)
            assert answer.status_code == 200, (cls, method)
            assert method == "HEAD" or answer.json == expected, cls
        assert client.get(path).status_code == 401, cls


def taken_by_the_variable(response):
    return "never"


def keyword_of_the_variable(*, response):
    return "never"


def collects_the_variable(**values):
    return "never"


class TakesTheVariable(MethodView):
    def get(self, response):
        return "never"


@pytest.mark.parametrize(
    "view",
    [
        login_check(taken_by_the_variable),
        login_check(keyword_of_the_variable),
        login_check(collects_the_variable),
        login_check(TakesTheVariable.as_view("view")),
        timed(login_check(taken_by_the_variable)),
    ],
    ids=["first", "keyword", "keywords", "class", "below a decorator"],
)
def test_a_url_variable_called_response_that_a_view_would_take_for_it_stops_the_start(
    view, make_app, cognito
):
    def views(app: Flask) -> None:
        app.add_url_rule("/thing/<response>", "thing", view)

    with pytest.raises(SettingsError, match="a URL variable is called response"):
        check(make_app(views))
    client = make_app(views, extension=False).test_client()
    with pytest.raises(SettingsError, match="a URL variable is called response"):
        client.get("/thing/forged", headers=cognito.bearer())
    assert client.get("/thing/forged").status_code == 401


class Unusual:
    """Views that are neither functions nor methods of a view class."""

    @staticmethod
    @login_check
    def static(user, key):
        return shown(user=user, key=key)

    @classmethod
    @login_check
    def of_the_class(cls, user, key):
        return shown(user=user, key=key)

    @login_check
    def of_an_object(self, user, key):
        return shown(user=user, key=key)


@pytest.mark.parametrize("extension", [True, False], ids=["extension", "decorators"])
def test_static_methods_class_methods_and_methods_of_objects_get_their_response(
    extension, make_app, cognito
):
    def views(app: Flask) -> None:
        for view in (Unusual.static, Unusual.of_the_class, Unusual().of_an_object):
            app.add_url_rule(f"/{view.__name__}/<int:key>", f"view-{view.__name__}", view)

    client = make_app(views, extension=extension).test_client()

    for name in ("static", "of_the_class", "of_an_object"):
        answer = client.get(f"/{name}/7", headers=cognito.bearer())
        assert answer.json == {"user": True, "key": 7}, name
        assert client.get(f"/{name}/7").status_code == 401


def test_a_bound_method_may_be_public_without_opening_that_of_another_object(make_app):
    class Site:
        def page(self):
            return "page"

    one, other = Site(), Site()

    def views(app: Flask) -> None:
        app.add_url_rule("/one", "one", public(one.page))
        app.add_url_rule("/other", "other", other.page)

    client = make_app(views).test_client()

    assert client.get("/one").text == "page"
    assert client.get("/other").status_code == 401


def test_a_second_guard_on_a_bound_method_keeps_the_object_and_both_guards(make_app, cognito):
    def views(app: Flask) -> None:
        view = permission_required(name="listed")(Unusual().of_an_object)
        app.add_url_rule("/<int:key>", "view", view)

    client = make_app(views, manifest(editors=["listed"])).test_client()

    assert client.get("/7", headers=cognito.bearer(["editors"])).json == {"user": True, "key": 7}
    assert client.get("/7", headers=cognito.bearer(["others"])).status_code == 403
    assert client.get("/7").status_code == 401


def passing(view):
    """A decorator that gives its view an argument of its own."""

    @functools.wraps(view)
    def wrapper(*args, **kwargs):
        return view(*args, connection="mine", **kwargs)

    return wrapper


def test_an_argument_of_a_decorator_below_the_guard_stays_the_decorators(make_app, cognito):
    def item(key, connection):
        return shown(key=key, connection=connection)

    def views(app: Flask) -> None:
        app.add_url_rule("/item/<int:key>", "item", login_check(passing(item)))
        view = functools.partial(passing(item))
        app.add_url_rule("/partial/<int:key>", "partial", login_check(view))

    client = make_app(views).test_client()

    for name in ("item", "partial"):
        answer = client.get(f"/{name}/7", headers=cognito.bearer())
        assert answer.json == {"key": 7, "connection": "mine"}


@pytest.mark.parametrize("extension", [True, False], ids=["extension", "decorators"])
def test_a_guard_made_for_another_method_of_the_object_asks_for_that_methods_permission(
    extension, make_app, cognito
):
    class Thing(MethodView):
        @permission_required(name="thing")
        def get(self):
            return permission_required(self.admin)()

        def admin(self):
            return "never"

    def views(app: Flask) -> None:
        guarded = permission_required(Thing.as_view("thing"))
        app.add_url_rule("/thing", view_func=guarded)

    app = make_app(views, manifest(editors=["thing"], admins=["*"]), extension=extension)
    client = app.test_client()

    assert client.get("/thing", headers=cognito.bearer(["editors"])).status_code == 403
    assert client.get("/thing", headers=cognito.bearer(["admins"])).text == "never"
