"""What one Flask app owns. All is made on first use and kept, up to a bound."""

import logging
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar
from weakref import WeakSet

from flask import Flask, Request

from cognises.errors import CognisesError, SettingsError
from cognises.manifest import Group, access_digest, access_hashes, load_access
from cognises.settings import sources
from cognises.settings.model import Settings
from cognises.tokens.claims import GROUPS_CLAIM
from cognises.tokens.key_cache import KeySet, Load
from cognises.tokens.verifier import Verifier, own_key_set, pool_key_set
from cognises.user_pool import UserPool
from cognises.web import routes
from cognises.web.principal import Can, OpenTo, Permissions, Principal, decide
from cognises.web.routes import DEFAULT_LOGIN, Declaration, Guards, LoginGuard, View

_EXTENSION = "cognises"
# More than any app has, unless it makes other guards in each request: then the oldest go.
MAX_POLICIES, MAX_VERIFIERS = 4096, 256
Check = Callable[[Principal], object]
Renew = Callable[[Request, CognisesError], bool]  # replaces a refused credential, where it can
V = TypeVar("V")
log = logging.getLogger("cognises.settings")


class RoutePolicy:
    """Guards at one target, with everything looked up that does not change by request."""

    def __init__(
        self, state: "AppState", guards: Guards, name: str | None, endpoint: str | None
    ) -> None:
        """No guards: the view is not declared, and closed. SettingsError or ManifestError."""
        declared = Declaration(guards)
        logins = tuple(dict.fromkeys(declared.logins))
        self.state, self.guards = state, frozenset(guards)
        # The first makes the principal; all must accept the token.
        self.verifiers = tuple(map(state.verifier, logins))
        self.open_to = state.open_to(declared, name, endpoint)
        self.admits_anonymous, self.label = declared.admits_anonymous, endpoint or name or ""
        self.can: Can | None = state.can if state.is_own_pool(logins[0]) else None


RouteFacts = tuple[frozenset[str], frozenset[UserPool]]  # ambiguous names; pools of guards
# A view (None where guards are asked inside one), and its policy (None: the view is public).
Compiled = tuple[View | None, RoutePolicy | None]


class AppState:
    """One app's state; `state_of(app)` finds it. `is_guarded`: by `Cognises(app)`."""

    def __init__(self, app: Flask) -> None:
        self.app, self.path_rules = app, routes.path_rules_of(app)
        self.has_public_static, self.is_guarded, self._has_warned = True, False, False
        self.check: Check | None = None
        self.renew: Renew | None = None
        self._test_keys: dict[str, Load] = {}
        self.reset()
        _STATES.add(self)

    def set_test_keys(self, pool_id: str, load: Load) -> None:
        """Read that pool's keys with `load`, and everything else again (for tests)."""
        self._test_keys[pool_id] = load
        self.reset()

    def reset(self) -> None:
        for name in ("settings_with_problems", "settings", "manifest", "permissions"):
            self.__dict__.pop(name, None)
        self._facts: tuple[tuple[object, ...], RouteFacts] | None = None
        self._verifiers: dict[tuple[object, ...], Verifier] = {}
        self._key_sets: dict[UserPool, KeySet] = {}
        self.policies: dict[tuple[object, ...], Compiled] = {}
        self.checked: tuple[object, list[str]] | None = None
        self.start_problems: list[str] | None = None

    @cached_property
    def settings_with_problems(self) -> tuple[Settings, list[str]]:
        """The settings as far as they can be read, and everything wrong with them."""
        return sources.read(sources.project_folder(self.app.root_path), self.app.config)

    @cached_property
    def settings(self) -> Settings:
        """The app's settings. Raises SettingsError with every problem."""
        found, problems = self.settings_with_problems
        if problems:
            raise SettingsError(problems)
        return found

    @cached_property
    def manifest(self) -> tuple[Group, ...]:
        """The manifest, read once. Raises ManifestError; a missing file is one, too."""
        return load_access(self.settings_with_problems[0].groups_file)

    @cached_property
    def permissions(self) -> Permissions:
        """The manifest's permissions. Raises ManifestError."""
        return Permissions(self.manifest)

    @property
    def manifest_digest(self) -> str:
        """Identifies the manifest that is in force; `provision.py plan` shows the same one."""
        return access_digest(access_hashes(self.manifest))

    def log_warnings(self) -> None:
        if not self._has_warned:
            self._has_warned = True
            for warning in self.settings_with_problems[0].warnings:
                log.warning("%s", warning)

    def can(self, groups: tuple[str, ...], name: str, machine_scopes: frozenset[str]) -> bool:
        """Whether the manifest lists a function's name, or an endpoint, for a principal."""
        # By the last walk over the routes: a page asks it for each of its buttons.
        facts = self._facts
        ambiguous, _ = facts[1] if facts else self.route_facts()
        open_to = self.permissions.open_to(name, name, ambiguous)
        return decide(groups, open_to, machine_scopes).allowed

    def keep_policy(self, key: tuple[object, ...], compiled: Compiled) -> None:
        """Keep what was compiled, by a key of which a client writes no part."""
        self.policies.pop(key, None)
        _keep(self.policies, key, compiled, MAX_POLICIES)

    @property
    def static_view(self) -> View | None:
        """The app's own static view, where it is open to everybody."""
        return routes.own_static_view(self.app) if self.has_public_static else None

    @property
    def own_pool(self) -> UserPool | None:
        """The pool of the settings, or the only one that guards name."""
        pool = self.settings_with_problems[0].pool
        named = () if pool else self.route_facts()[1]
        return next(iter(named)) if len(named) == 1 else pool

    def is_own_pool(self, guard: LoginGuard) -> bool:
        return guard.pool is None or guard.pool == self.own_pool

    def open_to(
        self, declared: Declaration, name: str | None, endpoint: str | None
    ) -> tuple[OpenTo, ...]:
        is_own, found = self.is_own_pool(declared.logins[0]), []
        for guard in declared.permissions:
            # The app's manifest does not name another pool's groups.
            manifest = guard.permissions or (self.permissions if is_own else Permissions(()))
            found.append(manifest.open_to(guard.name or name, endpoint, self.route_facts()[0]))
        return tuple(found)

    def route_facts(self) -> RouteFacts:
        """Read again only where views or rules have changed: it takes a walk over all of them."""
        registered, facts = self.registered, self._facts
        if facts is None or facts[0] != registered:
            every = (each for route in routes.routes(self.app) for each in route.declaration.logins)
            pools = frozenset(guard.pool for guard in every if guard.pool)
            facts = self._facts = registered, (routes.ambiguous_names(self.app), pools)
        return facts[1]

    @property
    def registered(self) -> tuple[object, ...]:
        """What changes with the routes: the number of rules, and the views."""
        return (len(list(self.app.url_map.iter_rules())), *self.app.view_functions.values())

    def verifier(self, guard: LoginGuard = DEFAULT_LOGIN) -> Verifier:
        """The verifier that guards of the same value share. Raises SettingsError."""
        pool, settings = guard.pool or self.own_pool, self.settings
        if pool is None:
            raise SettingsError(["COGNITO_USER_POOL_ID: missing; set it in .env"])
        client_ids = guard.client_ids or settings.client_ids
        if not guard.client_ids and settings.pool not in (None, pool):
            raise SettingsError([f"login_check for pool {pool.id}: needs client_ids of its own"])
        if not client_ids:
            raise SettingsError(["COGNITO_CLIENT_ID: missing; set it in .env"])
        token_use = guard.token_use or settings.token_use
        key = (pool, client_ids, token_use, guard.scopes)
        if (found := self._verifiers.get(key)) is not None:
            return found
        is_own = pool == self.own_pool
        made = Verifier(
            pool.id, client_ids, token_use=token_use, scopes=guard.scopes,
            groups_claim=settings.groups_claim if is_own else GROUPS_CLAIM,
            audiences=settings.audiences, cache_size=settings.token_cache_size,
            additional_regions=settings.additional_regions if is_own else (),
            issuers=[settings.issuer] if is_own and settings.issuer else None,
            key_set=self._key_set(pool, is_own),
        )  # fmt: skip
        return _keep(self._verifiers, key, made, MAX_VERIFIERS)

    def _key_set(self, pool: UserPool, is_own: bool) -> KeySet:
        if (found := self._key_sets.get(pool)) is not None:
            return found
        settings, load = self.settings, self._test_keys.get(pool.id)
        if self.own_pool is None and (settings.jwks_file or settings.jwks_url):
            # Keys that were given for one pool must not vouch for another.
            raise SettingsError(["COGNITO_USER_POOL_ID: missing; whose keys are those given?"])
        if is_own:
            made = own_key_set(settings, pool, load)
        else:
            made = pool_key_set(pool, load=load, local=settings.local)
        return _keep(self._key_sets, pool, made, MAX_VERIFIERS)


_STATES: WeakSet[AppState] = WeakSet()


def _keep(store: dict[Any, V], key: object, value: V, limit: int) -> V:
    """Keep a value, and drop the oldest half of too many. Of two first requests one value wins."""
    kept = store.setdefault(key, value)  # atomic, as pop is: threads need no lock
    if len(store) > limit:
        for oldest in list(store)[: limit // 2]:
            store.pop(oldest, None)
    return kept


def forget_policies(*, reset: bool = False) -> None:
    """Compile policies again: what is declared for a view, a blueprint or a path has changed.
    With `reset`, everything else that the settings say is read again, too.
    """
    for state in list(_STATES):
        state.reset() if reset else state.policies.clear()
        state._facts = None


def settings_of(app: Flask) -> Settings:
    """The checked settings of an app, read once. Raises SettingsError with every problem."""
    return state_of(app).settings


def state_of(app: Flask) -> AppState:
    state: AppState | None = app.extensions.get(_EXTENSION)
    return state or app.extensions.setdefault(_EXTENSION, AppState(app))
