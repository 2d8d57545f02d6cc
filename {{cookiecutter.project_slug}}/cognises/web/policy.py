"""What a request must pass at one route, compiled from its guards once. Pure data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from flask import Request

from cognises.errors import CognisesError
from cognises.tokens.verifier import Verifier
from cognises.web.credentials import CookieRules
from cognises.web.principal import Can, OpenTo, Principal
from cognises.web.route_metadata import Guard, View

Check = Callable[[Principal], object]
# Replaces the credential of a request that was refused, where it can; then it is decided again.
Renew = Callable[[Request, CognisesError], bool]


class PolicyKey(NamedTuple):
    """Under what a policy is kept. No part of it is written by a client.

    For the view being dispatched: its endpoint, the method of a class-based view that handles the
    request, and the numbers of the path rules that apply. For a guarded function that another view
    calls, or that is made during a request: no endpoint, the function's name, its guards' values.
    """

    endpoint: str | None
    name: str
    parts: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class RoutePolicy:
    """Guards at one target, with everything looked up that does not change by request.

    The first login guard's verifier makes the principal; the `other_verifiers` must accept the
    token too. `can` answers `principal.can`, `check` is the app's own check of a principal, and
    `renew` may replace an ended credential.
    """

    guards: frozenset[Guard]
    verifier: Verifier
    other_verifiers: tuple[Verifier, ...]
    open_to: tuple[OpenTo, ...]
    admits_anonymous: bool
    is_declared: bool
    """Whether the view has guards; without any, signed-in users are refused too."""
    label: str
    can: Can
    check: Check | None
    renew: Renew | None
    cookie_rules: CookieRules
    is_local: bool


class CompiledRoute(NamedTuple):
    """A view and its policy; without a policy the view is public. `view` is None off dispatch."""

    view: View | None
    policy: RoutePolicy | None
