"""What one Flask app owns: settings, the manifest's permissions, policies, key sets, verifiers.

Everything is made on first use and kept, up to a bound; importing an app fetches nothing.
"""

from __future__ import annotations

import logging
from typing import NamedTuple, TypeVar
from weakref import WeakSet

from flask import Flask

from cognises.errors import SettingsError
from cognises.manifest import load_access
from cognises.settings.model import Settings
from cognises.settings.sources import project_folder
from cognises.settings.sources import read as read_settings
from cognises.tokens.key_cache import KeySet
from cognises.tokens.key_source import Load, own_key_set, pool_key_set
from cognises.tokens.verifier import Verifier
from cognises.user_pool import UserPool
from cognises.web.credentials import CookieRules
from cognises.web.permissions import NO_ONE, Permissions
from cognises.web.policy import Check, CompiledRoute, PolicyKey, Renew
from cognises.web.principal import OpenTo
from cognises.web.route_metadata import LoginGuard, PermissionGuard, Requirement, View
from cognises.web.routes import ambiguous_names, own_static_view, path_rules_of, routes

_EXTENSION = "cognises"
# More than any app has of its own; guards made during a request are many only where an app makes
# each of them different, and then the oldest go.
MAX_POLICIES, MAX_VERIFIERS = 4096, 256

_STATES: WeakSet[AppState] = WeakSet()

K = TypeVar("K")
V = TypeVar("V")

log = logging.getLogger("cognises.settings")


class VerifierKey(NamedTuple):
    """What a login guard asks of a token, the app's settings filled in."""

    pool: UserPool
    client_ids: frozenset[str]
    token_use: frozenset[str]
    scopes: frozenset[str]


class _RouteFacts(NamedTuple):
    """What is the same for every route of an app, and the views and rules it was read from."""

    source: tuple[object, ...]
    ambiguous_names: frozenset[str]
    pools: frozenset[UserPool]


class AppState:
    """One app's state; `state_of(app)` finds it."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.has_public_static = True
        self.is_guarded = False
        """Whether `Cognises(app)` guards the app."""
        self.check: Check | None = None
        self.renew: Renew | None = None
        self.path_rules = path_rules_of(app)
        self._has_warned = False
        self._test_keys: dict[str, Load] = {}
        self.reset()
        _STATES.add(self)

    def set_test_keys(self, pool_id: str, load: Load) -> None:
        """Read that pool's keys with `load`, and everything else again (for tests)."""
        self._test_keys[pool_id] = load
        self.reset()

    def reset(self) -> None:
        """Forget what was read."""
        self._reading: tuple[Settings, list[str]] | None = None
        self._settings: Settings | None = None
        self.public_path: str | None = None
        """The path of the public address, once a request has asked for it."""
        self._route_facts: _RouteFacts | None = None
        self._permissions: Permissions | None = None
        self._verifiers: dict[VerifierKey, Verifier] = {}
        self._key_sets: dict[UserPool, KeySet] = {}
        self._cookie_rules: CookieRules | None = None
        self.policies: dict[PolicyKey, CompiledRoute] = {}
        self.checked: tuple[object, list[str]] | None = None
        self.start_problems: list[str] | None = None

    @property
    def settings_with_problems(self) -> tuple[Settings, list[str]]:
        """The app's settings as far as they can be read, and everything wrong with them."""
        if self._reading is None:
            folder = project_folder(self.app.root_path)
            self._reading = read_settings(folder, self.app.config)
        return self._reading

    def log_warnings(self) -> None:
        """Log what the settings warn of, once."""
        if not self._has_warned:
            self._has_warned = True
            for warning in self.settings_with_problems[0].warnings:
                log.warning("%s", warning)

    @property
    def settings(self) -> Settings:
        """The app's settings. Raises SettingsError with every problem."""
        if self._settings is None:
            found, problems = self.settings_with_problems
            if problems:
                raise SettingsError(problems)
            self._settings = found
        return self._settings

    @property
    def permissions(self) -> Permissions:
        """The manifest's permissions. Raises ManifestError; a missing file is one, too."""
        if self._permissions is None:
            self._permissions = Permissions(load_access(self.settings_with_problems[0].groups_file))
        return self._permissions

    def can(
        self, groups: tuple[str, ...], name: str, machine_scopes: frozenset[str] = frozenset()
    ) -> bool:
        """Whether the manifest lists a function's name, or an endpoint, for a principal."""
        # As a guard has read them last: a page asks it for each of its buttons.
        facts = self._route_facts or self._facts_of_routes()
        return self.permissions.can(groups, name, facts.ambiguous_names, machine_scopes)

    def keep_policy(self, key: PolicyKey, route: CompiledRoute) -> None:
        """Keep what was compiled; of more than `MAX_POLICIES` the oldest half goes."""
        self.policies.pop(key, None)
        _keep(self.policies, key, route, MAX_POLICIES)

    @property
    def own_pool(self) -> UserPool | None:
        """The pool that the app's manifest and given keys speak of.

        The one in the settings, else the one that the app's guards name, if they name only one.
        """
        pool = self.settings_with_problems[0].pool
        if pool is not None:
            return pool
        named = self._facts_of_routes().pools
        return next(iter(named)) if len(named) == 1 else None

    def is_own_pool(self, guard: LoginGuard) -> bool:
        """Whether a guard's principals are of the app's own pool."""
        return guard.pool is None or guard.pool == self.own_pool

    @property
    def cookie_rules(self) -> CookieRules:
        """What a token in a cookie must obey, by the settings."""
        if self._cookie_rules is None:
            self._cookie_rules = CookieRules(self.settings.cookie_name, self.settings.public_origin)
        return self._cookie_rules

    @property
    def static_view(self) -> View | None:
        """The app's own static view, where it is open to everybody."""
        return own_static_view(self.app) if self.has_public_static else None

    @property
    def ambiguous_names(self) -> frozenset[str]:
        """Names that two endpoints carry and that therefore open neither."""
        return self._facts_of_routes().ambiguous_names

    def open_to(
        self, requirement: Requirement, name: str | None, endpoint: str | None
    ) -> tuple[OpenTo, ...]:
        """Who passes at a view, for each permission that is asked for there."""
        is_own = self.is_own_pool(requirement.logins[0])
        return tuple(
            self._who_passes(guard, name, endpoint, is_own) for guard in requirement.permissions
        )

    def _who_passes(
        self, guard: PermissionGuard, name: str | None, endpoint: str | None, is_own: bool
    ) -> OpenTo:
        if guard.permissions is None and not is_own:
            return NO_ONE  # the app's manifest does not name another pool's groups
        permissions = guard.permissions or self.permissions
        return permissions.open_to(guard.name or name, endpoint, self.ambiguous_names)

    def _facts_of_routes(self) -> _RouteFacts:
        """Read again only where views or rules have changed: it takes a walk over all of them."""
        registered, facts = self.registered, self._route_facts
        if facts is None or facts.source != registered:
            app = self.app
            guards = (guard for route in routes(app) for guard in route.declaration.logins)
            pools = frozenset(guard.pool for guard in guards if guard.pool)
            facts = self._route_facts = _RouteFacts(registered, ambiguous_names(app), pools)
        return facts

    @property
    def registered(self) -> tuple[object, ...]:
        """The app's views and the number of its rules: what tells that routes have changed."""
        app = self.app
        return (len(list(app.url_map.iter_rules())), *app.view_functions.values())

    def verifier(self, guard: LoginGuard) -> Verifier:
        """The verifier of a guard; guards that ask the same share it, and what it remembers.

        Raises SettingsError where a pool or client id is missing.
        """
        pool = guard.pool or self.own_pool
        if pool is None:
            raise SettingsError(["COGNITO_USER_POOL_ID: missing; set it in .env"])
        asked = VerifierKey(
            pool,
            guard.client_ids or self._default_client_ids(pool),
            guard.token_use or self.settings.token_use,
            guard.scopes,
        )
        verifier = self._verifiers.get(asked)
        return verifier or _keep(self._verifiers, asked, self._make_verifier(asked), MAX_VERIFIERS)

    def _make_verifier(self, asked: VerifierKey) -> Verifier:
        settings = self.settings
        pool = asked.pool
        is_own = pool == self.own_pool
        return Verifier(
            pool.id,
            asked.client_ids,
            token_use=asked.token_use,
            scopes=asked.scopes,
            groups_claim=settings.groups_claim if is_own else "cognito:groups",
            audiences=settings.audiences,
            additional_regions=settings.additional_regions if is_own else (),
            cache_size=settings.token_cache_size,
            issuers=[settings.issuer] if is_own and settings.issuer else None,
            key_set=self._key_set(pool, is_own),
        )

    def _default_client_ids(self, pool: UserPool) -> frozenset[str]:
        settings = self.settings
        if settings.pool is not None and pool != settings.pool:
            raise SettingsError([f"login_check for pool {pool.id}: needs client_ids of its own"])
        if not settings.client_ids:
            raise SettingsError(["COGNITO_CLIENT_ID: missing; set it in .env"])
        return settings.client_ids

    def _key_set(self, pool: UserPool, is_own: bool) -> KeySet:
        keys = self._key_sets.get(pool)
        return keys or _keep(self._key_sets, pool, self._make_key_set(pool, is_own), MAX_VERIFIERS)

    def _make_key_set(self, pool: UserPool, is_own: bool) -> KeySet:
        settings = self.settings
        if self.own_pool is None and (settings.jwks_file or settings.jwks_url):
            # Keys that were given for one pool must not vouch for another.
            raise SettingsError(["COGNITO_USER_POOL_ID: missing; whose keys are those given?"])
        load = self._test_keys.get(pool.id)
        if not is_own:
            return pool_key_set(pool, load=load, allow_emulators=settings.local)
        return own_key_set(settings, pool, load)


def _keep(store: dict[K, V], key: K, value: V, limit: int) -> V:
    """Keep a value, and drop the oldest half of too many. Of two first requests one value wins."""
    # setdefault and pop are atomic: threads need no lock, and may exceed the limit by their number.
    kept = store.setdefault(key, value)
    if len(store) > limit:
        for oldest in list(store)[: limit // 2]:
            store.pop(oldest, None)
    return kept


def forget_policies() -> None:
    """Compile policies again: what is declared for a view, a blueprint or a path has changed."""
    for state in list(_STATES):
        state.policies.clear()
        state._route_facts = None


def settings_of(app: Flask) -> Settings:
    """The checked settings of an app, read once. Raises SettingsError with every problem."""
    return state_of(app).settings


def state_of(app: Flask) -> AppState:
    """The app's state, made on first use."""
    state: AppState | None = app.extensions.get(_EXTENSION)
    if state is None:
        state = app.extensions.setdefault(_EXTENSION, AppState(app))
    return state
