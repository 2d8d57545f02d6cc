"""Flask routes opened by Cognito user group, from one manifest.

    request -> token -> claims -> principal -> decision -> view
    groups.json -> manifest -> plan -> apply -> AWS

    request      extension, guards, declarations, routes: what stands before which view
                 enforcement, caching, refusals: one request at its guards, and its answer
    token        credentials, jws: found in the request, taken apart
    claims       verifier, remembered, claims: what a token says, seen before or not
                 pool, pool_keys, keys, snapshot, keyset, fetch: whose keys, how fresh
    principal    principal: who it is, as the view and `current_user` see it
    decision     permissions: who may use what; access: all of it, as a table
    manifest     manifest, manifest_json, manifest_rules, placeholders, iam/: groups.json, checked
    plan, apply  provisioning/: the command line and AWS
    around them  app_state, settings, setting_sources, setting_values: what an app was told
                 startup: whether it may serve
                 signin/ (browsers), operation/ (logs, limits, metrics), testing/ (for your tests)
                 errors, problem: what can be wrong, and how it is said

Names resolve on first use (PEP 562), so that importing this package, or its manifest checker,
loads no third-party module.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cognises.enforcement import current_user as current_user
    from cognises.errors import CognisesError as CognisesError
    from cognises.errors import ManifestError as ManifestError
    from cognises.errors import ProvisionBlocked as ProvisionBlocked
    from cognises.errors import SettingsError as SettingsError
    from cognises.extension import Cognises as Cognises
    from cognises.guards import login_check as login_check
    from cognises.guards import permission_required as permission_required
    from cognises.guards import protect as protect
    from cognises.guards import public as public
    from cognises.manifest import load_groups as load_groups
    from cognises.principal import Principal as Principal
    from cognises.provisioning.create_update import create_update as create_update
    from cognises.verifier import Verifier as Verifier

__version__ = "0.1.0"

_HOME = {
    "Cognises": "extension",
    "CognisesError": "errors",
    "ManifestError": "errors",
    "Principal": "principal",
    "ProvisionBlocked": "errors",
    "SettingsError": "errors",
    "Verifier": "verifier",
    "create_update": "provisioning.create_update",
    "current_user": "enforcement",
    "load_groups": "manifest",
    "login_check": "guards",
    "permission_required": "guards",
    "protect": "guards",
    "public": "guards",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
