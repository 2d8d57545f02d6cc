"""The keys of the pool that the settings speak of: from its own hosts, an emulator, or a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from cognises.errors import SettingsError
from cognises.keys import admit
from cognises.keyset import KeySet
from cognises.pool import UserPool
from cognises.settings import Settings
from cognises.verifier import load_first, pool_key_set

Load = Callable[["str | None"], Mapping[str, Any]]


def own_key_set(settings: Settings, pool: UserPool, load: Load | None = None) -> KeySet:
    """The key set that the settings describe for their own pool; nothing is fetched yet.

    With `load` the keys come from there alone (for tests). Raises SettingsError where
    `COGNITO_JWKS_FILE` holds no key that may be used.
    """
    source = load
    if source is None and settings.jwks_url:
        source = partial(load_first, (settings.jwks_url,))
    regions = settings.additional_regions
    keys = pool_key_set(pool, regions, load=source, allow_emulators=settings.local)
    if settings.jwks_file and load is None:
        keys.preload(read_key_file(settings.jwks_file, allow_emulators=settings.local))
    return keys


def read_key_file(file: Path, *, allow_emulators: bool) -> object:
    """The JWKS in a file, with a usable key in it. Raises SettingsError."""
    try:
        document = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        raise SettingsError(["COGNITO_JWKS_FILE: cannot be read as JSON"]) from None
    if not admit(document, allow_emulators=allow_emulators):
        raise SettingsError(["COGNITO_JWKS_FILE: holds no key that may be used"])
    return document
