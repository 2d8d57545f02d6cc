"""How a view takes its response: in the first parameter without a default (after `self`) that no
URL variable takes, or in one called `response`. Without such a parameter it is called without it.

A failed call is never repeated without the response or with it elsewhere: what a decorator below
passes may come from the client.
"""

import inspect
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from flask import request as flask_request
from flask.views import MethodView

from cognises.errors import SettingsError
from cognises.web.principal import Principal
from cognises.web.routes import View, chain, handler_name

Args = tuple[Any, ...]
Kwargs = dict[str, Any]
_POSITIONAL = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
_NAMED = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
_INSTANCE = {"self", "cls"}
# Packages whose decorators pass arguments of their own to the view below them.
_FILLING = frozenset({"webargs", "flask_pydantic", "flask_openapi3", "connexion", "spectree"})


class Room:
    """The parameters of a view that matter for its response, from its signature.
    For most decorators that is the signature of what they wrap.
    """

    def __init__(self, view: View) -> None:
        try:
            parameters = list(inspect.signature(view).parameters.values())
        except (TypeError, ValueError):  # some callables written in C have none
            parameters = []
        kinds = {parameter.kind for parameter in parameters}
        positional = [each for each in parameters if each.kind in _POSITIONAL]
        by_name = [each for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY]
        modules = [getattr(f, "__globals__", {}).get("__name__", "") for f in chain(view)]
        is_filled = any(module.partition(".")[0] in _FILLING for module in modules)
        needed = {e.name for e in parameters if e.default is inspect.Parameter.empty}
        can_take = (set() if is_filled else needed - _INSTANCE) | {"response"}
        path = getattr(view, "__qualname__", "").split(".")
        in_class = len(path) > 1 and path[-2] != "<locals>" and not hasattr(view, "__self__")
        self.is_method = bool(positional and (in_class or positional[0].name in _INSTANCE))
        own = positional[int(self.is_method) :]
        is_wrapper = hasattr(getattr(view, "func", view), "__wrapped__")
        # Flask passes nothing by position to `dispatch_request`, and MethodView takes nothing.
        is_dispatch = getattr(view, "__name__", "") == "dispatch_request"
        self.takes_args = inspect.Parameter.VAR_POSITIONAL in kinds and not is_dispatch
        self.takes_kwargs = inspect.Parameter.VAR_KEYWORD in kinds
        # By position, empty where one cannot take the response; and by name, behind the first.
        self.positional = [each.name if each.name in can_take else "" for each in positional]
        later = [] if is_wrapper else [each.name for each in (*own[1:], *by_name)]
        self.later = [name for name in later if name in can_take]
        self.required = [each.name for each in (*own, *by_name) if each.name in needed]
        self.named = frozenset(each.name for each in parameters if each.kind in _NAMED)
        self.has_response = "response" in {*self.named, *self.positional}
        # A decorator below may pass arguments that the signature does not tell.
        self.is_opaque = is_wrapper or self.takes_args or is_filled
        self.is_dispatcher = self.takes_kwargs and not self.positional and not self.takes_args

    def first(self, start: int) -> str:
        """The parameter that may take the response after `start` arguments; empty if none."""
        return self.positional[start] if len(self.positional) > start else ""

    def name_for(self, taken: Iterable[str]) -> str:
        """The parameter that takes the response by name, where these are taken; empty if none."""
        free = (self.first(int(self.is_method)), *self.named & {"response"}, *self.later)
        return next((name for name in free if name and name not in taken), "")

    def place(self, given: Args, start: int, kwargs: Kwargs) -> str | None:
        """The parameter that takes the response by name, empty: none; or None: by position."""
        first, places = self.first(start), len(self.positional) - start
        is_later = self.has_response and first != "response"  # behind what a decorator passes
        is_free = first and first not in kwargs and len(given) < places and not (given and is_later)
        if is_free or (self.takes_args and places <= 0):
            return None
        if "response" in self.named and "response" not in kwargs and first != "response":
            return "response"
        return self.name_for(kwargs) if (first in kwargs or not first) and not given else ""

    def confuses(self, taken: Iterable[str], is_filled: bool = False) -> bool:
        """Whether a URL variable called `response` would be mistaken for the response."""
        takes_it = "response" in self.named or (self.takes_kwargs and not self.takes_args)
        return takes_it and (is_filled or self.first(int(self.is_method)) in {"", *taken})


def inject(view: View, room: Room, principal: Principal, args: Args, kwargs: Kwargs) -> Args:
    """Add the response, once, where there is room: to the returned positional arguments, or to
    `kwargs`, in place. Raises SettingsError.
    """
    if is_dispatcher := room.is_dispatcher:  # to the method that a class-based view calls
        room = room_of_class(view, flask_request.method) or room
    start = 1 if room.is_method and args else 0
    given = args[start:]
    is_passed = False
    if given:
        held = dict(zip(room.positional[start:], given, strict=False)).get("response")
        is_passed = isinstance(held if room.has_response else given[0], Principal)
        others = tuple(each for each in given if not isinstance(each, Principal))
        is_open = "response" not in room.positional[start:][: len(others)]
        if room.has_response and is_open and not is_passed:
            given, args = others, (*args[:start], *others)  # a guard above passed it elsewhere
    is_filled = bool(given) and not is_passed
    is_given = isinstance(kwargs.get("response"), Principal)  # by a guard on the whole class
    if is_given and not is_dispatcher:
        del kwargs["response"]
    elif "response" in kwargs and not is_given and room.confuses(kwargs, is_filled):
        name = getattr(view, "__qualname__", "view")
        raise SettingsError([f"{name}: a URL variable is called response; rename it"])
    if is_passed:
        return args
    where = room.name_for(kwargs) if is_dispatcher else room.place(given, start, kwargs)
    if where is None:
        return (*args[:start], principal, *given)
    if where and not (is_given and is_dispatcher):
        kwargs.setdefault(where, principal)
    return args


def closure_of(function: object) -> dict[str, object]:
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    found: dict[str, object] = {}
    for name, cell in zip(names, getattr(function, "__closure__", None) or (), strict=True):
        with suppress(ValueError):  # not assigned yet
            found[name] = cell.cell_contents
    return found


def room_of_class(view: View, method: str) -> Room | None:
    """The room of what a class-based view dispatches to; None for other views."""
    view_class = _class_of(view)
    if view_class is None:
        return None
    dispatch = Room(view_class.dispatch_request)
    name = handler_name(view_class, method)
    if not dispatch.takes_kwargs or "response" in dispatch.named or not name:
        return dispatch
    handler = Room(getattr(view_class, name))
    handler.is_opaque |= view_class.dispatch_request is not MethodView.dispatch_request
    return handler


def signature_problems(
    view: View, method: str, variables: frozenset[str], *, is_direct: bool
) -> Iterator[str]:
    """What is wrong with a guarded view's parameters; `is_direct`: all that it gets is known."""
    room = room_of_class(view, method) or Room(view)
    if "response" in variables and room.confuses(variables):
        yield "a URL variable is called response, like the parameter for the response; rename it"
    elif is_direct and not room.is_opaque and not Room(view).is_opaque:
        for name in room.required:
            if name not in variables and name != room.name_for(variables):
                yield f"nothing fills the parameter {name}; make it a URL variable"
        for name in sorted(() if room.takes_kwargs else variables - room.named):
            yield f"the view has no parameter for the URL variable {name}"


def is_async(view: View) -> bool:
    """Whether a view, or what an object does when it is called, is a coroutine function."""
    return any(map(inspect.iscoroutinefunction, (view, getattr(view, "__call__", None))))  # noqa: B004


def _class_of(view: View) -> Any:
    """The class of a class-based view; while `as_view` still decorates it, from its closure."""
    for function in chain(view):
        if hasattr(function, "view_class"):
            return function.view_class
        # By its code: what functools.wraps copies, such as the name, is not that function.
        is_flasks = getattr(function, "__globals__", {}).get("__name__") == "flask.views"
        if is_flasks and function.__code__.co_name == "view":
            held = closure_of(function)
            view_class = getattr(held.get("view"), "view_class", None)
            return type(held["self"]) if "self" in held else view_class
    return None
