"""What views, blueprints and paths declare about who may use them. Pure data.
A marker names the function that it belongs to, so the copy that `functools.wraps` makes does not
count. Guards are found below other decorators (`__wrapped__`); `public` must be outermost.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Union

from flask.sansio.blueprints import Blueprint
from werkzeug.routing import Rule

from cognises.user_pool import UserPool
from cognises.web.principal import Permissions

View = Callable[..., Any]
_ATTRIBUTE = "__cognises__"
_MAX_DEPTH = 100


@dataclass(frozen=True, eq=False)
class LoginGuard:
    """A token is needed. What is None here is the app's setting."""

    pool: UserPool | None = None
    client_ids: frozenset[str] | None = None
    token_use: frozenset[str] | None = None
    scopes: frozenset[str] = frozenset()
    optional: bool = False

    @cached_property
    def key(self) -> tuple[object, ...]:
        """The guard's value: guards compare by identity, what is compiled from them by value."""
        return (self.pool, self.client_ids, self.token_use, self.scopes, self.optional)


@dataclass(frozen=True, eq=False)
class PermissionGuard:
    """A group must list the view. `permissions` None: the app's manifest; `name`: the entry."""

    permissions: Permissions | None = None
    name: str | None = None

    @cached_property
    def key(self) -> tuple[object, ...]:
        return (self.permissions, self.name)


Guard = Union[LoginGuard, PermissionGuard]  # noqa: UP007
Guards = tuple[Guard, ...]

DEFAULT_LOGIN = LoginGuard()


class Declaration(NamedTuple):
    """What is declared for a view, all places taken together; guards are outermost first."""

    guards: Guards = ()
    is_public: bool = False
    is_contradictory: bool = False

    @property
    def logins(self) -> tuple[LoginGuard, ...]:
        """What is checked before the permissions; the default one where none is declared."""
        found = tuple(guard for guard in self.guards if isinstance(guard, LoginGuard))
        return found or (DEFAULT_LOGIN,)

    @property
    def permissions(self) -> tuple[PermissionGuard, ...]:
        return tuple(guard for guard in self.guards if isinstance(guard, PermissionGuard))

    @property
    def admits_anonymous(self) -> bool:
        """Whether guards let a request without credentials pass: only if every one says so."""
        return not self.permissions and all(guard.optional for guard in self.logins)

    @classmethod
    def joined(cls, *parts: Declaration) -> Declaration:
        """Path, blueprint, view and method together: every guard counts."""
        guards = tuple(guard for part in parts for guard in part.guards)
        is_public = any(part.is_public for part in parts)
        is_mixed = (is_public and bool(guards)) or any(part.is_contradictory for part in parts)
        return cls(guards, is_public and not guards, is_mixed)


class Marker(NamedTuple):
    """What one function object declares, outermost guard first; no guards: it is public."""

    owner: View
    guards: Guards
    view: View | None = None  # the function that the guards wrap


def mark(function: View, *guards: Guard, view: View | None = None) -> None:
    setattr(function, _ATTRIBUTE, Marker(function, guards, view))


def marker_of(function: View) -> Marker | None:
    """The function's own marker, or that of a bound method; a copied one counts for nothing."""
    found = getattr(function, _ATTRIBUTE, None)
    is_own = isinstance(found, Marker) and found.owner is getattr(function, "__func__", function)
    return found if is_own else None


def markers_of(view: View | None) -> list[Marker]:
    """Those of a view and of the functions that it wraps, outermost first."""
    return [found for function in chain(view) if (found := marker_of(function))]


def declaration_of(view: View) -> Declaration:
    markers = markers_of(view)
    guards = tuple(guard for found in markers for guard in found.guards)
    is_public = any(not found.guards for found in markers)
    is_outermost = is_public and marker_of(view) is not None
    return Declaration(guards, is_outermost and not guards, is_public and bool(guards))


def guards_of_decorators(decorators: Iterable[View]) -> Guards:
    """The guards among decorators, which are tried on a function that is never called."""
    found: list[Guard] = []
    for decorator in decorators:
        try:
            decorated = decorator(lambda *args, **kwargs: None)
        except Exception:  # noqa: S112  (a decorator of another package may raise anything)
            continue
        found += declaration_of(decorated).guards if callable(decorated) else ()
    return tuple(found)


def declare_blueprint(blueprint: Blueprint, *guards: Guard) -> None:
    """Write guards on a blueprint, for every view in it; none: the blueprint is public."""
    given = Declaration(guards, is_public=not guards)
    setattr(blueprint, _ATTRIBUTE, Declaration.joined(declaration_of_blueprint(blueprint), given))


def declaration_of_blueprint(blueprint: Blueprint) -> Declaration:
    found = getattr(blueprint, _ATTRIBUTE, None)
    return found if isinstance(found, Declaration) else Declaration()


def chain(function: View | None) -> Iterator[View]:
    for _ in range(_MAX_DEPTH):
        if function is None:
            return
        yield function
        function = getattr(function, "__wrapped__", None)


class PathRule(NamedTuple):
    """A prefix, whole segments only, and the guards of everything below it; none: public."""

    prefix: str
    guards: Guards

    @property
    def declaration(self) -> Declaration:
        return Declaration(self.guards, is_public=not self.guards)

    @property
    def text(self) -> str:
        return f"{'protect' if self.guards else 'public'} {self.prefix}/"

    def applies(self, rule: Rule, path: str | None) -> bool:
        """By the rule, a guard by the path too: a prefix guards a catch-all, and never opens it."""
        paths = [rule.rule]
        if self.guards and path is not None:  # as sent, and as send_from_directory reads it
            paths += path, f"/{posixpath.normpath(path).lstrip('/')}"
        return any(f"{each}/".startswith(f"{self.prefix}/") for each in paths)
