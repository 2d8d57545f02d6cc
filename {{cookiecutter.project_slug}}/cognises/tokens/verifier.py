"""A Cognito token in, its claims out, or a refusal. Needs no Flask."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any

from cognises.errors import CognisesError, SettingsError
from cognises.settings.model import Settings
from cognises.settings.values import AUDIENCE, CLIENT_ID, REGION, SCOPE, TOKEN_USES, claim_name
from cognises.tokens import jws
from cognises.tokens.claims import GROUPS_CLAIM, Expectations, TokenClaims, check
from cognises.tokens.http import load_first
from cognises.tokens.jws import Key, admit, read_key_file
from cognises.tokens.key_cache import KeySet, Load, Snapshot
from cognises.user_pool import UserPool

DEFAULT_CACHE_SIZE, MAX_HEADERS = 4096, 64
Accept = Callable[[str], object]
Texts = str | Iterable[str]  # one text is one value


@dataclass(eq=False, slots=True)
class VerifiedTokenCache:
    """Signatures that verified under one snapshot of the keys; another gets an empty cache."""

    snapshot: Snapshot | None
    keys: dict[bytes, Key] = field(default_factory=dict)  # by the whole header segment
    tokens: dict[bytes, TokenClaims] = field(default_factory=dict)  # by SHA-256 of the whole token


class Verifier:
    """`Verifier("eu-west-1_Ab12", "client", token_use="access").verify(token)` returns its claims.
    `client_ids`: one id, or several. `token_use`: `id`, `access`, or both as a collection; it has
    no default. `scopes`: all of them must be in the token. `groups_claim`: where groups are read.
    `audiences`: those accepted in resource-bound access tokens. `additional_regions`: where the
    pool is replicated. `issuers` replaces the pool's own, `key_set` shares another verifier's keys;
    both are for emulators and tests. Raises SettingsError for wrong arguments. Safe to share
    between threads and across a fork.
    """

    def __init__(
        self, user_pool_id: str, client_ids: Texts, *, token_use: Texts, scopes: Texts = (),
        groups_claim: str = GROUPS_CLAIM, audiences: Texts = (), additional_regions: Texts = (),
        cache_size: int = DEFAULT_CACHE_SIZE, issuers: Texts | None = None,
        key_set: KeySet | None = None,
    ) -> None:  # fmt: skip
        pool = UserPool.parse(user_pool_id)
        regions = one_or_more("additional_regions", additional_regions, REGION.fullmatch, least=0)
        if issuers is None:
            issuers = pool.issuers_in(pool.region, *regions)
        self.expected = Expectations(
            issuers=tuple(one_or_more("issuers", issuers, bool)),
            client_ids=tuple(one_or_more("client_ids", client_ids, CLIENT_ID.fullmatch)),
            token_use=tuple(one_or_more("token_use", token_use, TOKEN_USES.__contains__)),
            audiences=tuple(one_or_more("audiences", audiences, AUDIENCE.fullmatch, least=0)),
            scopes=one_or_more("scopes", scopes, SCOPE.fullmatch, least=0),
        )
        try:
            self._groups_claim = claim_name(groups_claim)
        except (TypeError, ValueError) as error:
            raise SettingsError([f"groups_claim: {error}"]) from None
        self.keys = key_set or pool_key_set(pool, regions)
        if type(cache_size) is not int or cache_size < 0:
            raise SettingsError(["cache_size: must be a whole number, 0 or more"])
        self._size = cache_size
        self._cache = VerifiedTokenCache(None)

    def verify(self, token: object) -> Mapping[str, Any]:
        """The claims of a good token, read-only at every depth. Raises CognisesError for others."""
        return self.verify_cached(token).claims

    def verify_cached(self, token: object) -> TokenClaims:
        """As `verify`; later calls return the same object, so callers must not change it."""
        data = _to_bytes(token)
        digest = sha256(data).digest()
        cache = self._cache
        claims = cache.tokens.get(digest)
        if claims is None or cache.snapshot is not self.keys.snapshot():
            payload, cache = self._verified(data)
            claims = TokenClaims(jws.parse_object(jws.decode_segment(payload)), self._groups_claim)
            # Each step is atomic: threads can exceed the size by their number, and need no lock.
            if self._size:
                cache.tokens[digest] = claims
            if len(cache.tokens) > self._size:
                # Half at once: to find the oldest, a dict skips every entry deleted before it.
                for oldest in list(cache.tokens)[: -(self._size // 2 + 1)]:
                    cache.tokens.pop(oldest, None)
        check(claims, self.expected, time.time())
        return claims

    def verify_signature(self, token: object) -> bytes:
        """The payload of a token that a key of the pool signed; no claim is checked."""
        return jws.decode_segment(self._verified(_to_bytes(token))[0])

    def load_jwks(self, document: object) -> None:
        """Use the keys of a JWKS. Without a usable one: CognisesError, and the old keys stay."""
        self.keys.preload(document)

    def hydrate(self) -> None:
        """Fetch the keys now. Raises CognisesError (`keys_unavailable`) where that fails."""
        self.keys.hydrate()

    def _verified(self, token: bytes) -> tuple[bytes, VerifiedTokenCache]:
        """The payload segment of a token whose signature verifies, and the cache of its key set."""
        header, payload, signature, signed = jws.split(token)
        data = jws.decode_segment(signature)
        cache = self._cache
        known = key = cache.keys.get(header)
        if key is None or cache.snapshot is not self.keys.snapshot():
            kid = jws.read_kid(jws.parse_object(jws.decode_segment(header)))
            key, snapshot = self.keys.key_for(kid)
            cache = self._cache
            if cache.snapshot is not snapshot:
                cache = self._cache = VerifiedTokenCache(snapshot)
        if not key.verify(signed, data):
            raise CognisesError("invalid_token", "signature does not verify")
        if key is not known and len(cache.keys) < MAX_HEADERS:  # a pool writes few different ones
            cache.keys[header] = key
        return payload, cache


def pool_key_set(
    pool: UserPool, regions: Iterable[str] = (), *, load: Load | None = None, local: bool = False
) -> KeySet:
    """The key set of a pool, from its own Cognito hosts, or from `load`."""
    issuers = pool.issuers_in(*dict.fromkeys((pool.region, *regions)))
    urls = tuple(f"{issuer}/.well-known/jwks.json" for issuer in issuers)
    return KeySet(load or partial(load_first, urls), partial(admit, allow_emulators=local))


def own_key_set(settings: Settings, pool: UserPool, load: Load | None = None) -> KeySet:
    """The key set of the pool in the settings; from `load` in tests. Raises SettingsError."""
    local, url, file = settings.local, settings.jwks_url, settings.jwks_file
    source = partial(load_first, (url,)) if url and load is None else load
    keys = pool_key_set(pool, settings.additional_regions, load=source, local=local)
    if file and load is None:
        keys.preload(read_key_file(file, allow_emulators=local))
    return keys


def one_or_more(name: str, values: object, accept: Accept, *, least: int = 1) -> frozenset[str]:
    """The values as a set, each acceptable; a single text is one value. Raises SettingsError."""
    found = [values] if isinstance(values, str) or not isinstance(values, Iterable) else [*values]
    if not all(isinstance(text, str) and accept(text) for text in found):
        raise SettingsError([f"{name}: not of the right form"])
    if len(found) < least:
        raise SettingsError([f"{name}: missing"])
    return frozenset(map(str, found))


def _to_bytes(token: object) -> bytes:
    """A token's text as bytes. Raises CognisesError (`invalid_token`) if it cannot be a token."""
    if isinstance(token, str) and len(token) <= jws.MAX_TOKEN and token.isascii():
        return token.encode()
    raise CognisesError("invalid_token", "not text, not ASCII or too long")
