"""A Cognito token in, its claims out, or a refusal. Needs no Flask.

    claims = Verifier("eu-west-1_Ab12", ["client"], token_use="access").verify(token)

Order, cheapest first: form, header, key, signature; only then is the payload read and checked.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from cognises import jws
from cognises.claims import Expectations, check, freeze
from cognises.errors import CognisesError, SettingsError
from cognises.fetch import FetchError, fetch_json
from cognises.keys import admit
from cognises.keyset import KeySet
from cognises.pool import UserPool
from cognises.setting_values import AUDIENCE, CLIENT_ID, REGION, SCOPE, TOKEN_USES
from cognises.snapshot import Snapshot

DEFAULT_CACHE_SIZE = 4096
_MAX_HEADERS = 64

Claims = Mapping[str, Any]
_Memory = OrderedDict[bytes, dict[str, Any]]


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
            issuers=frozenset(issuers_of(pool, regions))
            if issuers is None
            else one_or_more("issuers", issuers, bool),
            client_ids=one_or_more("client_ids", client_ids, CLIENT_ID.fullmatch),
            token_use=one_or_more("token_use", token_use, TOKEN_USES.__contains__),
            scopes=_items("scopes", scopes, SCOPE.fullmatch),
            audiences=_items("audiences", audiences, AUDIENCE.fullmatch),
        )
        self.keys = key_set or pool_key_set(pool, regions)
        self._kids: dict[bytes, str] = {}
        if type(cache_size) is not int or cache_size < 0:
            raise SettingsError(["cache_size: must be a whole number, 0 or more"])
        self._remembered = _Remembered(cache_size)

    def verify(self, token: object) -> Claims:
        """The claims of a good token, read-only at every depth.

        Raises CognisesError for anything else, whatever it is.
        """
        data = jws.to_bytes(token)
        digest = sha256(data).digest()
        under, memory = self._remembered.memory
        claims = memory.get(digest)
        if claims is None or self.keys.snapshot() is not under:
            payload, snapshot = self._verified_payload(data)
            claims = jws.parse_object(payload)
            freeze(claims)
            self._remembered.remember(digest, claims, snapshot)
        check(claims, self.expected, time.time())
        return MappingProxyType(claims)

    def verify_signature(self, token: object) -> bytes:
        """The payload of a token that one of the pool's keys signed; no claim is checked."""
        return self._verified_payload(jws.to_bytes(token))[0]

    def load_jwks(self, document: object) -> None:
        """Take the keys of a JWKS. No usable one: CognisesError, and the old keys stay."""
        self.keys.preload(document)

    def hydrate(self) -> None:
        """Fetch the keys now. Raises CognisesError (`keys_unavailable`) where that fails."""
        self.keys.hydrate()

    def _verified_payload(self, token: bytes) -> tuple[bytes, Snapshot]:
        header, payload, signature, signed = jws.split(token)
        data = jws.decode_segment(signature)
        kid = self._kids.get(header)
        if kid is None:
            kid = jws.read_kid(jws.parse_object(jws.decode_segment(header)))
        key, snapshot = self.keys.key_for(kid)
        if not key.verify(signed, data):
            raise CognisesError("invalid_token", "signature does not verify")
        # A pool writes few different headers; what it did not sign is not remembered.
        if header not in self._kids and len(self._kids) < _MAX_HEADERS:
            self._kids[header] = kid
        return jws.decode_segment(payload), snapshot


class _Remembered:
    """Claims of tokens whose signature this verifier has seen verify under one snapshot.

    A signature over the same bytes under the same keys cannot verify differently a second time;
    what can change with time, the claims' verdict, is never remembered. Keyed by the digest of
    the whole token, successes only; a new snapshot starts an empty memory.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self.memory: tuple[Snapshot | None, _Memory] = (None, OrderedDict())

    def remember(self, digest: bytes, claims: dict[str, Any], snapshot: Snapshot) -> None:
        if not self._size:
            return
        # Each step is atomic: threads may overshoot the size by their number, and need no lock.
        under, memory = self.memory
        if under is not snapshot:
            memory = OrderedDict()
            self.memory = (snapshot, memory)
        memory[digest] = claims
        if len(memory) > self._size:
            memory.popitem(last=False)


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
