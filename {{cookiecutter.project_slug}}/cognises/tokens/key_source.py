"""Where the keys of a pool come from: its Cognito hosts, an emulator, or a file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cognises.errors import SettingsError
from cognises.tokens.http import FetchError, fetch_json
from cognises.tokens.jwk import admit
from cognises.tokens.key_cache import KeySet
from cognises.user_pool import UserPool

if TYPE_CHECKING:
    from cognises.settings.model import Settings

Load = Callable[["str | None"], Mapping[str, Any]]


def pool_key_set(
    pool: UserPool,
    additional_regions: Iterable[str] = (),
    *,
    load: Load | None = None,
    allow_emulators: bool = False,
) -> KeySet:
    """The key set of a pool, from its own Cognito hosts, or from `load`."""
    issuers = issuers_of(pool, additional_regions)
    urls = tuple(f"{issuer}/.well-known/jwks.json" for issuer in issuers)
    usable = partial(admit, allow_emulators=allow_emulators)
    return KeySet(load or partial(load_first, urls), usable)


def issuers_of(pool: UserPool, additional_regions: Iterable[str]) -> list[str]:
    """The issuers of a pool: its own region's first, then its replicas'."""
    regions = dict.fromkeys((pool.region, *additional_regions))
    return [issuer for region in regions for issuer in pool.issuers_in(region)]


def load_first(urls: tuple[str, ...], kid: str | None) -> Mapping[str, Any]:
    """The key set of the first address that responds, and that has `kid` if one is given.

    All hosts of a pool publish the same keys; the later ones help if the first is down, or has an
    older set.
    """
    found: Mapping[str, Any] | None = None
    failure = FetchError("no address")
    deadline = time.monotonic() + 2.5
    for url in urls:
        try:
            document = fetch_json(url, timeout=max(0.1, deadline - time.monotonic()))
        except FetchError as error:
            failure = failure if found else error
            continue
        if kid is None or kid in admit(document, allow_emulators=True):
            return document
        found = found or document
    if found is None:
        raise failure
    return found


def own_key_set(settings: Settings, pool: UserPool, load: Load | None = None) -> KeySet:
    """The key set of the pool in the settings; nothing is fetched yet.

    With `load` the keys come from there alone (for tests). Raises SettingsError if
    `COGNITO_JWKS_FILE` has no usable key.
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
        raise SettingsError(
            ["COGNITO_JWKS_FILE: cannot be read as JSON; save the pool's key set there again"]
        ) from None
    if not admit(document, allow_emulators=allow_emulators):
        raise SettingsError(
            ["COGNITO_JWKS_FILE: has no usable key; save the pool's /.well-known/jwks.json there"]
        )
    return document
