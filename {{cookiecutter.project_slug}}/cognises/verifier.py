"""A Cognito token in, its claims out, or a refusal. Needs no Flask.

    claims = Verifier("eu-west-1_Ab12", ["client"], token_use="access").verify(token)

Order, cheapest first: form, header, key, signature; only then is the payload read and checked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from hashlib import sha256
from typing import Any

from cognises import jws
from cognises.claims import Expectations, TokenClaims, check
from cognises.errors import CognisesError, SettingsError
from cognises.fetch import FetchError, fetch_json
from cognises.keys import Key, admit
from cognises.keyset import KeySet
from cognises.pool import UserPool
from cognises.setting_values import AUDIENCE, CLIENT_ID, REGION, SCOPE, TOKEN_USES
from cognises.snapshot import Snapshot

DEFAULT_CACHE_SIZE = 4096
_MAX_HEADERS = 64

Claims = Mapping[str, Any]


class Verifier:
    """Verifies the tokens of one user pool.

    `client_ids`: one id, or several. `token_use`: `id`, `access`, or both as a collection; it has
    no default. `scopes`: all of them must be in the token. `audiences`: those accepted in
    resource-bound access tokens. `additional_regions`: where the pool is replicated. `issuers`
    replaces the pool's own, `key_set` shares another verifier's keys; both serve emulators and
    tests. Wrong arguments: SettingsError. Safe to share between threads and across a fork.
    """

    def __init__(
        self,
        user_pool_id: str,
        client_ids: str | Iterable[str],
        *,
        token_use: str | Iterable[str],
        scopes: str | Iterable[str] = (),
        audiences: str | Iterable[str] = (),
        additional_regions: str | Iterable[str] = (),
        cache_size: int = DEFAULT_CACHE_SIZE,
        issuers: str | Iterable[str] | None = None,
        key_set: KeySet | None = None,
    ) -> None:
        pool = UserPool.parse(user_pool_id)
        regions = _items("additional_regions", additional_regions, REGION.fullmatch)
        self.expected = Expectations(
            issuers=tuple(issuers_of(pool, regions))
            if issuers is None
            else tuple(one_or_more("issuers", issuers, bool)),
            client_ids=tuple(one_or_more("client_ids", client_ids, CLIENT_ID.fullmatch)),
            token_use=tuple(one_or_more("token_use", token_use, TOKEN_USES.__contains__)),
            audiences=tuple(_items("audiences", audiences, AUDIENCE.fullmatch)),
            scopes=_items("scopes", scopes, SCOPE.fullmatch),
        )
        self.keys = key_set or pool_key_set(pool, regions)
        if type(cache_size) is not int or cache_size < 0:
            raise SettingsError(["cache_size: must be a whole number, 0 or more"])
        self._size = cache_size
        self._memory = _Memory(None)

    def verify(self, token: object) -> Claims:
        """The claims of a good token, read-only at every depth.

        Raises CognisesError for anything else, whatever it is.
        """
        return self.read_shared(token).claims

    def read_shared(self, token: object) -> TokenClaims:
        """As `verify`, but the very object that later calls get too: never to be changed."""
        data = jws.to_bytes(token)
        digest = sha256(data).digest()
        memory = self._memory
        if memory.snapshot is not self.keys.at_hand():
            memory = _UNKNOWN
        claims = memory.recall(digest) or self._read_signed(data, digest, memory)
        check(claims, self.expected, time.time())
        return claims

    def verify_signature(self, token: object) -> bytes:
        """The payload of a token that one of the pool's keys signed; no claim is checked."""
        return jws.decode_segment(self._verified(jws.to_bytes(token), _UNKNOWN)[0])

    def load_jwks(self, document: object) -> None:
        """Take the keys of a JWKS. No usable one: CognisesError, and the old keys stay."""
        self.keys.preload(document)

    def hydrate(self) -> None:
        """Fetch the keys now. Raises CognisesError (`keys_unavailable`) where that fails."""
        self.keys.hydrate()

    def _read_signed(self, token: bytes, digest: bytes, memory: _Memory) -> TokenClaims:
        if memory is _UNKNOWN:
            # The keys have to be looked after, but may still be used: so may what they verified.
            known = self._memory
            claims = known.recall(digest)
            if claims is not None and self.keys.snapshot() is known.snapshot:
                return claims
        segment, memory = self._verified(token, memory)
        payload = jws.decode_segment(segment)
        claims = TokenClaims(jws.parse_object(payload))
        memory.keep(digest, payload, self._size)
        return claims

    def _verified(self, token: bytes, memory: _Memory) -> tuple[bytes, _Memory]:
        """The payload segment of a token whose signature verifies, and what is known by its key."""
        header, payload, signature, signed = jws.split(token)
        data = jws.decode_segment(signature)
        known = key = memory.keys.get(header)
        if key is None:
            kid = jws.read_kid(jws.parse_object(jws.decode_segment(header)))
            key, snapshot = self.keys.key_for(kid)
            memory = self._memory
            if memory.snapshot is not snapshot:
                memory = self._memory = _Memory(snapshot)
        if not key.verify(signed, data):
            raise CognisesError("invalid_token", "signature does not verify")
        # A pool writes few different headers; what it did not sign is not remembered.
        if known is None and len(memory.keys) < _MAX_HEADERS:
            memory.keys[header] = key
        return payload, memory


class _Memory:
    """What has verified under one snapshot of the keys; another snapshot starts an empty one.

    A signature over the same bytes under the same keys cannot verify differently a second time;
    what can change with time, the claims' verdict, is never remembered. Successes only: the key
    by the whole header segment, the claims by the digest of the whole token.
    """

    __slots__ = ("keys", "snapshot", "tokens")

    def __init__(self, snapshot: Snapshot | None) -> None:
        self.snapshot = snapshot
        self.keys: dict[bytes, Key] = {}
        self.tokens: dict[bytes, bytes | TokenClaims] = {}

    def recall(self, digest: bytes) -> TokenClaims | None:
        """The claims of a token that was kept; most are seen once, and take no more than bytes."""
        kept = self.tokens.get(digest)
        if type(kept) is bytes:
            kept = self.tokens[digest] = TokenClaims(jws.parse_object(kept))
        return kept  # type: ignore[return-value]

    def keep(self, digest: bytes, payload: bytes, size: int) -> None:
        # Each step is atomic: threads may overshoot the size by their number, and need no lock.
        self.tokens[digest] = payload
        if len(self.tokens) > size:
            # Half at once: finding the oldest takes a walk past all that have gone before it.
            for oldest in list(self.tokens)[: size // 2 + 1]:
                self.tokens.pop(oldest, None)


# In the place of a memory whose keys may not be the ones to be used now.
_UNKNOWN = _Memory(None)


def pool_key_set(
    pool: UserPool,
    additional_regions: Iterable[str] = (),
    *,
    load: Callable[[str | None], Mapping[str, Any]] | None = None,
    allow_emulators: bool = False,
) -> KeySet:
    """The key set of a pool, from its own Cognito hosts unless `load` says otherwise."""
    issuers = issuers_of(pool, additional_regions)
    urls = tuple(f"{issuer}/.well-known/jwks.json" for issuer in issuers)
    usable = partial(admit, allow_emulators=allow_emulators)
    return KeySet(load or partial(load_first, urls), usable)


def issuers_of(pool: UserPool, additional_regions: Iterable[str]) -> list[str]:
    """The issuers of a pool: its own region's first, then its replicas'."""
    regions = dict.fromkeys((pool.region, *additional_regions))
    return [issuer for region in regions for issuer in pool.issuers_in(region)]


def load_first(urls: tuple[str, ...], kid: str | None) -> Mapping[str, Any]:
    """The key set at the first address that answers, and has `kid` where one is looked for.

    All hosts of a pool publish the same keys; the later ones help where the first is down, or
    behind.
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


def one_or_more(
    name: str, values: str | Iterable[str], accept: Callable[[str], object]
) -> frozenset[str]:
    """The values as a set: at least one, each acceptable. Raises SettingsError."""
    texts = _items(name, values, accept)
    if not texts:
        raise SettingsError([f"{name}: missing"])
    return texts


def _items(
    name: str, values: str | Iterable[str], accept: Callable[[str], object]
) -> frozenset[str]:
    """The values as a set, each acceptable. One text stands for itself, never for its letters."""
    found: Iterable[object] = [values] if isinstance(values, str) else values
    texts = list(found) if isinstance(found, Iterable) else [found]
    if not all(isinstance(text, str) and accept(text) for text in texts):
        raise SettingsError([f"{name}: not of the right form"])
    return frozenset(text for text in texts if isinstance(text, str))
