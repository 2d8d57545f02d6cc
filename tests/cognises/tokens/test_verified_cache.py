"""A signature is verified once, and nothing that can change is believed for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from request_side import refused

from cognises import Verifier
from cognises.testing import FakePool, SigningKey, encode
from cognises.tokens.claims import TokenClaims
from cognises.tokens.http import FetchError
from cognises.tokens.verifier import pool_key_set


def test_a_remembered_token_still_expires(verifier: Verifier, cognito: FakePool, monkeypatch):
    now = time.time()
    token = cognito.token(exp=now + 30)
    assert verifier.verify(token)

    monkeypatch.setattr(time, "time", lambda: now + 31)

    assert refused(verifier.verify, token).reason == "token_expired"


def test_a_remembered_signature_is_not_believed_for_another_payload(verifier, cognito: FakePool):
    good = cognito.token(["viewers"])
    assert verifier.verify(good)
    header, _, signature = good.split(".")
    changed = encode(cognito.claims(["admins"]))

    assert refused(verifier.verify, f"{header}.{changed}.{signature}").reason == "invalid_token"


def a_pool_that_changes_its_keys() -> tuple[FakePool, Verifier]:
    pool = FakePool()
    keys = pool_key_set(pool.user_pool, load=lambda kid: pool.jwks)
    return pool, Verifier(pool.id, pool.client_id, token_use="id", key_set=keys)


def test_a_remembered_token_is_refused_once_its_key_is_replaced():
    pool, subject = a_pool_that_changes_its_keys()
    token = pool.token()
    assert subject.verify(token)
    assert subject.verify(token)

    pool.keys[0] = SigningKey(pool.keys[0].kid)  # the same kid, new material
    subject.hydrate()

    assert refused(subject.verify, token).reason == "invalid_token"
    assert subject.verify(pool.token())


def test_a_remembered_token_is_refused_once_its_key_is_removed():
    pool, subject = a_pool_that_changes_its_keys()
    token = pool.token()
    assert subject.verify(token)

    del pool.keys[0]
    subject.hydrate()

    assert refused(subject.verify, token).reason == "unknown_key"


def test_a_token_of_a_removed_key_is_refused_though_another_request_has_just_read_the_keys():
    pool, subject = a_pool_that_changes_its_keys()
    stolen, keys = pool.token(), subject.keys
    subject.verify(stolen)
    del pool.keys[0]
    current = keys._snapshot
    keys._snapshot = replace(current, since=current.since.earlier(4000))
    subject._cache.snapshot = keys._snapshot
    read = keys.snapshot

    def snapshot(kid=None):
        found = read(kid)
        keys.snapshot = read
        subject.verify(pool.token())  # between our waiting for the keys and our looking at them
        return found

    keys.snapshot = snapshot

    assert refused(subject.verify, stolen).reason == "unknown_key"
    assert refused(subject.verify, stolen).reason == "unknown_key"


def test_a_signature_that_took_longer_than_its_key_is_not_kept_under_the_next_keys(monkeypatch):
    pool, subject = a_pool_that_changes_its_keys()
    stolen, key = pool.token(), subject.keys.snapshot().keys[pool.keys[0].kid]
    verify = key.verify

    def slow(data: bytes, signature: bytes) -> bool:
        del pool.keys[0]
        subject.hydrate()
        subject.verify(pool.token())
        return verify(data, signature)

    monkeypatch.setattr(key, "verify", slow)
    assert subject.verify(stolen)  # begun while its key was good

    assert refused(subject.verify, stolen).reason == "unknown_key"


def test_the_header_of_a_removed_key_is_forgotten_with_it():
    pool, subject = a_pool_that_changes_its_keys()
    token = pool.token()
    subject.verify(token)

    del pool.keys[0]
    subject.hydrate()

    assert refused(subject.verify_signature, token).reason == "unknown_key"


def test_after_new_keys_are_read_tokens_are_remembered_again(count_signatures):
    pool, subject = a_pool_that_changes_its_keys()
    token = pool.token()
    subject.verify(token)
    subject.hydrate()
    asked = count_signatures(subject)

    for _ in range(3):
        subject.verify(token)

    assert len(asked) == 1


@pytest.mark.parametrize("size", [0, 1, 2, 5])
def test_a_memory_that_threads_have_overfilled_shrinks_again(size, make_verifier, cognito):
    subject = make_verifier(cache_size=size)
    subject.verify(cognito.token())
    surplus = {bytes([number]): TokenClaims({}) for number in range(20)}
    subject._cache.tokens |= surplus if size else {}

    subject.verify(cognito.token(jti="another"))

    assert len(subject._cache.tokens) <= size


def test_a_refusal_is_never_remembered(cognito: FakePool, make_verifier):
    pool = FakePool()
    subject = make_verifier(pool)
    stranger = SigningKey()
    early = pool.token(key=stranger)
    assert refused(subject.verify, early).reason == "unknown_key"

    pool.keys.append(stranger)
    subject.hydrate()

    assert subject.verify(early)


def test_what_one_verifier_remembers_another_does_not_believe(cognito: FakePool, verifier):
    token = cognito.token(token_use="access")
    strict = Verifier(cognito.id, "another", token_use="access", key_set=verifier.keys)
    assert verifier.verify(token)

    assert refused(strict.verify, token).reason == "wrong_client"


@pytest.mark.parametrize("size", [0, 1, 2])
def test_however_small_the_memory_every_verdict_stays_right(size, make_verifier, cognito):
    subject = make_verifier(cache_size=size)
    tokens = [cognito.token([f"group-{i}"]) for i in range(5)]

    for _ in range(2):
        for i, token in enumerate(tokens):
            assert subject.verify(token)["cognito:groups"] == (f"group-{i}",)
    assert refused(subject.verify, tokens[0][:-4] + "AAAA").reason == "invalid_token"


@pytest.mark.parametrize("size", [0, 1, 2, 5, 8])
def test_the_memory_never_outgrows_its_size_and_keeps_the_newest(size, make_verifier, cognito):
    subject = make_verifier(cache_size=size)

    for i in range(20):
        subject.verify(cognito.token([f"group-{i}"]))
        kept = list(subject._cache.tokens.values())
        assert len(kept) <= size
        assert not size or kept[-1].groups == (f"group-{i}",)


@pytest.fixture
def count_signatures(monkeypatch) -> Callable[[Verifier], list[bytes]]:
    """From now on, the signatures that a verifier's keys were asked about."""

    def count(subject: Verifier) -> list[bytes]:
        asked: list[bytes] = []
        for key in subject.keys.snapshot().keys.values():
            verify = key.verify
            monkeypatch.setattr(
                key, "verify", lambda data, s, verify=verify: asked.append(s) or verify(data, s)
            )
        return asked

    return count


def test_a_token_costs_one_signature_however_often_it_comes(verifier, cognito, count_signatures):
    asked = count_signatures(verifier)
    token = cognito.token()

    for _ in range(5):
        verifier.verify(token)

    assert len(asked) == 1


def test_no_memory_at_all_means_a_signature_each_time(make_verifier, cognito, count_signatures):
    subject = make_verifier(cache_size=0)
    asked = count_signatures(subject)
    token = cognito.token()

    for _ in range(3):
        subject.verify(token)

    assert len(asked) == 3


def test_what_is_remembered_serves_in_an_outage_too_and_not_past_its_hard_end(
    monkeypatch, count_signatures
):
    def load(kid: str | None) -> dict[str, object]:
        if is_down:
            raise FetchError("down")
        return pool.jwks

    is_down, pool = False, FakePool()
    keys = pool_key_set(pool.user_pool, load=load)
    subject = Verifier(pool.id, pool.client_id, token_use="id", key_set=keys)
    token = pool.token(exp=time.time() + 200_000)
    subject.verify(token)
    asked, is_down, start = count_signatures(subject), True, time.time()

    for age in (700.0, 4000.0, 86_000.0):
        monkeypatch.setattr(time, "time", lambda age=age: start + age)
        assert subject.verify(token)
    assert not asked
    monkeypatch.setattr(time, "time", lambda: start + 86_500.0)
    assert refused(subject.verify, token).reason == "keys_unavailable"


def test_headers_that_the_pool_did_not_sign_are_not_remembered(cognito: FakePool, make_verifier):
    subject = make_verifier()
    kid, foreign = cognito.keys[0].kid, SigningKey()
    for i in range(100):
        header = {"kid": kid, "alg": "RS256", "filler": i}
        refused(subject.verify, cognito.token(header=header, key=foreign))
    assert not subject._cache.keys
    subject.verify(cognito.token())
    assert len(subject._cache.keys) == 1


def test_a_memory_of_headers_does_not_grow_without_end(cognito: FakePool, make_verifier):
    subject = make_verifier()
    for i in range(100):
        header = {"kid": cognito.keys[0].kid, "alg": "RS256", "filler": i}
        subject.verify(cognito.token(header=header))

    assert len(subject._cache.keys) == 64


def test_headers_of_many_shapes_do_not_push_out_the_verdict(cognito: FakePool, make_verifier):
    subject = make_verifier()
    kid = cognito.keys[0].kid

    for i in range(200):
        header = {"kid": kid, "alg": "RS256", "filler": i}
        assert subject.verify(cognito.token(header=header))
    assert subject.verify(cognito.token())
