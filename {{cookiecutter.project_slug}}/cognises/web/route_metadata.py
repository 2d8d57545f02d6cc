"""What a view declares about who may use it. Pure data, and how it is found on a function.

A mark belongs to one function object: `functools.wraps` copies the attribute, but not the owner
that is written inside it, so a copy counts for nothing. Guards are also found below decorators
that were placed above them (through `__wrapped__`); `public` must be outermost, since what lies
above it was not declared public by anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Union

from flask.sansio.blueprints import Blueprint

from cognises.user_pool import UserPool
from cognises.web.permissions import Permissions

View = Callable[..., Any]
_ATTRIBUTE = "__cognises__"
_DEEPEST = 100


@dataclass(frozen=True, eq=False)
class LoginGuard:
    """A token is needed. What is None here is the app's setting."""

    pool: UserPool | None = None
    client_ids: frozenset[str] | None = None
    token_use: frozenset[str] | None = None
    scopes: frozenset[str] = frozenset()
    optional: bool = False


@dataclass(frozen=True, eq=False)
class PermissionGuard:
    """A group must list the view. `permissions` None: the app's manifest; `name`: the entry."""

    permissions: Permissions | None = None
    name: str | None = None


Guard = Union[LoginGuard, PermissionGuard]  # noqa: UP007

DEFAULT_LOGIN = LoginGuard()


class Mark(NamedTuple):
    """What one function object says."""

    owner: View
    guards: tuple[Guard, ...]
    """Outermost first; none: public."""


class Declaration(NamedTuple):
    """What a view says, all its decorators taken together."""

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
        """Blueprint, view and method together: every guard counts."""
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


def mark(function: View, *guards: Guard) -> None:
    """Write a mark on a function object: its guards, or none, which says public."""
    setattr(function, _ATTRIBUTE, Mark(function, guards))


def mark_of(function: View) -> Mark | None:
    """The function's own mark; a copied one counts for nothing."""
    found = getattr(function, _ATTRIBUTE, None)
    return found if isinstance(found, Mark) and found.owner is function else None


def declaration_of(view: View) -> Declaration:
    """Everything that a view and what it wraps declare."""
    marks = [(depth, found) for depth, f in enumerate(_chain(view)) if (found := mark_of(f))]
    guards = tuple(guard for _, found in marks for guard in found.guards)
    publics = [depth for depth, found in marks if not found.guards]
    return Declaration(guards, publics[:1] == [0] and not guards, bool(publics and guards))


def declare_blueprint(blueprint: Blueprint, *guards: Guard) -> None:
    """Write guards on a blueprint, for every view in it; none: the blueprint is public."""
    given = Declaration(guards, is_public=not guards)
    setattr(blueprint, _ATTRIBUTE, Declaration.joined(declaration_of_blueprint(blueprint), given))


def declaration_of_blueprint(blueprint: Blueprint) -> Declaration:
    found = getattr(blueprint, _ATTRIBUTE, None)
    return found if isinstance(found, Declaration) else Declaration()


def _chain(function: View | None) -> Iterator[View]:
    for _ in range(_DEEPEST):
        if function is None:
            return
        yield function
        function = getattr(function, "__wrapped__", None)
