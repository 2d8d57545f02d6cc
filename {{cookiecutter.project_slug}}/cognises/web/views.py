"""How a view takes its response, if it has room for it.

A view has room where a parameter takes it that no URL variable takes: the first positional one
(after `self` in methods), or one called `response`. A parameter with a default takes it only if
it is called `response`. Behind a URL variable it is given to the next positional one, unless a
decorator below might pass an argument there. Other views are called without it, and ask
`current_user`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from flask import request as flask_request

from cognises.errors import SettingsError
from cognises.web.principal import Principal
from cognises.web.route_metadata import View, chain
from cognises.web.routes import handler_name

Inject = Callable[[Principal, "tuple[Any, ...]", "dict[str, Any]"], "tuple[Any, ...]"]

_POSITIONAL = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
_NAMED = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
_INSTANCE = {"self", "cls"}
# Packages whose decorators pass arguments of their own to the view below them.
_FILLING = frozenset({"webargs", "flask_pydantic", "flask_openapi3", "connexion"})


class Room(NamedTuple):
    """The parameters of a view that matter for its response."""

    positional: tuple[str, ...]
    """Those that take arguments by position; empty where one cannot take the response."""
    is_method: bool
    takes_args: bool
    takes_kwargs: bool
    has_response: bool
    """Whether a parameter called `response` can be given by name."""
    later: tuple[str, ...]
    """Positional ones behind the first; none where a decorator below may pass them."""

    @classmethod
    def of(cls, view: View) -> Room:
        """Read from the signature of a function; of what it wraps, for most decorators."""
        try:
            parameters = list(inspect.signature(view).parameters.values())
        except (TypeError, ValueError):  # some callables written in C have none
            parameters = []
        kinds = {parameter.kind for parameter in parameters}
        positional = [each for each in parameters if each.kind in _POSITIONAL]
        is_filled = _is_filled(view)
        names = tuple(each.name if _can_take(each, is_filled) else "" for each in positional)
        is_method = bool(positional) and _is_method(view, positional[0].name)
        is_wrapper = hasattr(getattr(view, "func", view), "__wrapped__")
        return cls(
            names,
            is_method,
            # Flask passes nothing by position to `dispatch_request`, and MethodView takes nothing.
            inspect.Parameter.VAR_POSITIONAL in kinds and not _is_dispatch(view),
            inspect.Parameter.VAR_KEYWORD in kinds,
            any(each.name == "response" and each.kind in _NAMED for each in parameters),
            () if is_wrapper else names[int(is_method) + 1 :],
        )

    def first(self, start: int) -> str:
        """The parameter that may take the response after `start` arguments; empty if none."""
        return self.positional[start] if len(self.positional) > start else ""

    def name_for(self, taken: Iterable[str]) -> str | None:
        """The parameter that takes the response by name, where these names are taken."""
        first = self.first(int(self.is_method))
        free = (first, "response" if self.has_response else "", *self.later)
        return next((name for name in free if name and name not in taken), None)

    def confuses(self, taken: Iterable[str]) -> bool:
        """Whether a URL variable called `response` would be mistaken for the response."""
        takes_it = self.has_response or (self.takes_kwargs and not self.takes_args)
        first = self.first(int(self.is_method))
        return takes_it and (not first or first in taken)


def _can_take(parameter: inspect.Parameter, is_filled: bool) -> bool:
    if parameter.name == "response":
        return True
    has_default = parameter.default is not inspect.Parameter.empty
    return not has_default and not is_filled and parameter.name not in _INSTANCE


def response_injector(view: View, room: Room) -> Inject:
    """A function that adds the response to a view's arguments, once, where there is room."""
    is_dispatcher = room.takes_kwargs and not room.positional and not room.takes_args

    def inject(
        principal: Principal, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, ...]:
        if is_dispatcher:
            return _inject_by_class(view, room, principal, args, kwargs)
        start = 1 if room.is_method and args else 0
        given = args[start:]
        if isinstance(kwargs.get("response"), Principal):
            del kwargs["response"]  # by a guard on the whole class: it is given once
        elif "response" in kwargs and room.confuses(kwargs):
            raise _conflict(view)
        if given and isinstance(given[0], Principal):
            return args
        first, places = room.first(start), len(room.positional) - start
        if (first and first not in kwargs and len(given) < places) or (
            room.takes_args and places <= 0
        ):
            return (*args[:start], principal, *given)
        if room.has_response and "response" not in kwargs and first != "response":
            kwargs["response"] = principal
        elif first in kwargs and not given and (name := room.name_for(kwargs)):
            kwargs[name] = principal
        return args

    return inject


def _inject_by_class(
    view: View,
    room: Room,
    principal: Principal,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> tuple[Any, ...]:
    """By name, to the method that a class-based view dispatches to."""
    target = room_of_class(view, flask_request.method) or room
    if not isinstance(kwargs.get("response"), Principal):
        if "response" in kwargs and target.confuses(kwargs):
            raise _conflict(view)
        if name := target.name_for(kwargs):
            kwargs[name] = principal
    return args


def room_of_class(view: View, method: str) -> Room | None:
    """The room of what a class-based view dispatches to; None for other views."""
    view_class = _class_of(view)
    if view_class is None:
        return None
    dispatch = Room.of(view_class.dispatch_request)
    name = handler_name(view_class, method)
    if dispatch.takes_kwargs and not dispatch.has_response and name:
        return Room.of(getattr(view_class, name))
    return dispatch


def _conflict(view: View) -> SettingsError:
    name = getattr(view, "__qualname__", "view")
    return SettingsError([f"{name}: a URL variable is called response; rename it"])


def response_conflict(view: View, method: str, variables: Iterable[str]) -> str | None:
    """What is wrong if a URL variable is called `response`, and the view's parameter is too."""
    room = room_of_class(view, method) or Room.of(view)
    if "response" not in variables or not room.confuses(variables):
        return None
    return "a URL variable is called response, like the parameter for the response; rename it"


def shares_cache(view: View) -> bool:
    """Whether a cache in a view's decorators answers users alike: it has no key function of the
    app's own, and the response is not among the arguments that it keys by.
    """
    function: Any
    for function in chain(view):
        # What functools.wraps copies from a cache below is not that cache.
        uncached = getattr(function, "uncached", None)
        is_flasks = uncached is not None and uncached is getattr(function, "__wrapped__", None)
        if hasattr(function, "cache_info") or (is_flasks and hasattr(function, "delete_memoized")):
            if Room.of(function).name_for(()) is None:
                return True
        elif is_flasks and not _has_own_key(function) and not _has_own_key(function.make_cache_key):
            return True
    return False


def _has_own_key(function: Any, depth: int = 4) -> bool:
    """Whether `Cache.cached` was given a function for its key, which only its closure holds."""
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    for name, cell in zip(names, getattr(function, "__closure__", None) or (), strict=True):
        value = cell.cell_contents
        module = getattr(value, "__globals__", {}).get("__name__", "")
        is_own = not module.startswith("flask_caching")
        if callable(value) and name in {"make_cache_key", "key_prefix"} and is_own:
            return True
        if depth and callable(value) and not is_own and _has_own_key(value, depth - 1):
            return True
    return False


def _is_dispatch(view: View) -> bool:
    return getattr(view, "__name__", "") == "dispatch_request"


def _is_method(view: View, first: str) -> bool:
    """Whether the first parameter is the instance: by its name, or by where it was defined."""
    if first in _INSTANCE:
        return True
    path = getattr(view, "__qualname__", "").split(".")
    return len(path) > 1 and path[-2] != "<locals>" and not hasattr(view, "__self__")


def _is_filled(view: View) -> bool:
    """Whether a decorator below passes arguments of its own, which the signature does not show."""
    modules = (getattr(each, "__globals__", {}).get("__name__", "") for each in chain(view))
    return any(module.partition(".")[0] in _FILLING for module in modules)


def _class_of(view: View) -> Any:
    """The class of a class-based view; while `as_view` still decorates it, from its closure."""
    for function in chain(view):
        if hasattr(function, "view_class"):
            return function.view_class
        # By its code: what functools.wraps copies, such as the name, is not that function.
        is_flasks = getattr(function, "__globals__", {}).get("__name__") == "flask.views"
        if is_flasks and function.__code__.co_name == "view":
            variables = dict(
                zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
            )
            if "self" in variables:
                return type(variables["self"].cell_contents)
            return getattr(variables["view"].cell_contents, "view_class", None)
    return None
