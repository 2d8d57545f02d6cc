"""Flask routes opened by Cognito user group, from one manifest.

    request -> token -> claims -> principal -> decision -> view
    groups.json -> manifest -> plan -> apply -> AWS

web: one request, its guards, decision, principal and refusal. tokens: one token, without Flask.
manifest: groups.json, checked by the standard library alone. settings: an app's configuration.
access: who may call which route. signin: browser sign-in. operation: logs, limits, readiness,
metrics. aws: AWS with the rights of the signed-in user.
testing: tokens with real signatures. provisioning: the command line, and AWS. errors: reasons and
statuses. user_pool: id and issuers. users: one user of a pool.

app_state, declarations, routes and setting_sources hold names that projects made from 0.1.0 import.
Names resolve on first use (PEP 562): importing this package loads no third-party module.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cognises.errors import CognisesError, ManifestError, ProvisionBlocked, SettingsError
    from cognises.manifest import load_groups
    from cognises.provisioning.groups.apply import create_update
    from cognises.settings.sources import read_settings
    from cognises.tokens.verifier import Verifier
    from cognises.web.authorize import current_user
    from cognises.web.decorators import login_check, permission_required, protect, public
    from cognises.web.extension import Cognises
    from cognises.web.principal import Principal
    from cognises.web.state import settings_of

__version__ = "0.2.0"

_HOME = {
    "Cognises": "web.extension", "CognisesError": "errors", "ManifestError": "errors",
    "Principal": "web.principal", "ProvisionBlocked": "errors", "SettingsError": "errors",
    "Verifier": "tokens.verifier", "create_update": "provisioning.groups.apply",
    "current_user": "web.authorize", "load_groups": "manifest", "login_check": "web.decorators",
    "permission_required": "web.decorators", "protect": "web.decorators",
    "public": "web.decorators", "read_settings": "settings.sources", "settings_of": "web.state",
}  # fmt: skip

__all__ = [
    "Cognises", "CognisesError", "ManifestError", "Principal", "ProvisionBlocked", "SettingsError",
    "Verifier", "create_update", "current_user", "load_groups", "login_check",
    "permission_required", "protect", "public", "read_settings", "settings_of",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
