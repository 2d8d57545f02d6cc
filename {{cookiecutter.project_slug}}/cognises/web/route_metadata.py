"""What a view declares about who may use it, and how that is found on a function. Pure data.

A marker belongs to one function object: `functools.wraps` copies the attribute, but not the owner
that is written inside it, so a copy counts for nothing. Guards are also found below decorators
that were placed above them (through `__wrapped__`); `public` must be outermost, since what is
above it was not declared public.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Union

from flask.sansio.blueprints import Blueprint

from cognises.user_pool import UserPool
from cognises.web.permissions import Permissions

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
        """The guard's value."""
        return (self.permissions, self.name)


Guard = Union[LoginGuard, PermissionGuard]  # noqa: UP007

DEFAULT_LOGIN = LoginGuard()


class Marker(NamedTuple):
    """What one function object declares; no guards: it is public."""

    owner: View
    guards: tuple[Guard, ...]
    """Outermost first."""
    view: View | None = None
    """The function that the guards wrap."""


class Declaration(NamedTuple):
    """What a view declares, all its decorators taken together."""

    guards: tuple[Guard, ...] = ()
    is_public: bool = False
    is_contradictory: bool = False

    @property
    def logins(self) -> tuple[LoginGuard, ...]:
        return tuple(guard for guard in self.guards if isinstance(guard, LoginGuard))

    @property
    def permissions(self) -> tuple[PermissionGuard, ...]:
        return tuple(guard for guard in self.guards if isinstance(guard, PermissionGuard))

    @classmethod
    def joined(cls, *parts: Declaration) -> Declaration:
        """Path, blueprint, view and method together: every guard counts."""
        guards = tuple(guard for part in parts for guard in part.guards)
        is_public = any(part.is_public for part in parts)
        return cls(
            guards,
            is_public and not guards,
            any(part.is_contradictory for part in parts) or (is_public and bool(guards)),
        )


class Requirement(NamedTuple):
    """Guards in the order they are checked: first who it is, then what they may do."""

    logins: tuple[LoginGuard, ...]
    permissions: tuple[PermissionGuard, ...]

    @classmethod
    def of(cls, guards: tuple[Guard, ...]) -> Requirement:
        declared = Declaration(guards)
        return cls(declared.logins or (DEFAULT_LOGIN,), declared.permissions)

    @property
    def admits_anonymous(self) -> bool:
        """Whether a request without credentials passes: only if every guard says so."""
        return not self.permissions and all(guard.optional for guard in self.logins)


def mark(function: View, *guards: Guard, view: View | None = None) -> None:
    """Write a marker on a function object: its guards, or none, which declares it public."""
    setattr(function, _ATTRIBUTE, Marker(function, guards, view))


def marker_of(function: View) -> Marker | None:
    """The function's own marker, or that of a bound method; a copied one counts for nothing."""
    found = getattr(function, _ATTRIBUTE, None)
    if not isinstance(found, Marker):
        return None
    return found if found.owner is getattr(function, "__func__", function) else None


def markers_of(view: View) -> list[Marker]:
    """The markers of a view and of the functions that it wraps, outermost first."""
    return [found for function in chain(view) if (found := marker_of(function))]


def declaration_of(view: View) -> Declaration:
    """Everything that a view and what it wraps declare."""
    markers = [(depth, found) for depth, f in enumerate(chain(view)) if (found := marker_of(f))]
    guards = tuple(guard for _, found in markers for guard in found.guards)
    publics = [depth for depth, found in markers if not found.guards]
    return Declaration(guards, publics[:1] == [0] and not guards, bool(publics and guards))


def guards_of_decorators(decorators: Iterable[View]) -> tuple[Guard, ...]:
    """The guards that decorators put on a view, read from a function made for the purpose.

    What is not a guard, or does not accept that function, adds none.
    """

    def probe(*args: object, **kwargs: object) -> None:
        """Is never called."""

    found: list[Guard] = []
    for decorator in decorators:
        try:
            decorated = decorator(probe)
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
    """A function, what it wraps, what that wraps, and so on."""
    for _ in range(_MAX_DEPTH):
        if function is None:
            return
        yield function
        function = getattr(function, "__wrapped__", None)
