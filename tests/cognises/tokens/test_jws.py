"""The text of a token, taken apart strictly and cheaply."""

from __future__ import annotations

import json
import string
import time

import pytest
from request_side import refused

from cognises import CognisesError
from cognises.testing import FakePool, SigningKey
from cognises.tokens import jws


def seconds(call, *arguments) -> float:
    """The least of three runs on the CPU, so that a busy machine does not decide the test."""
    times = []
    for _ in range(3):
        start = time.thread_time()
        refused(call, *arguments)
        times.append(time.thread_time() - start)
    return min(times)


EXPENSIVE = {
    "a quote that never closes": "[" * 33 + '"' + '\\"' * 6000,
    "many quotes that never close": '"' * 99 + "{" * 40 + '"\\' * 5000,
    "backslashes alone": "[" * 33 + '"' + "\\" * 12_001,
    "nested as deep as a token is long": "[" * 12_000,
    "objects as deep as a token is long": '{"a":' * 2400,
    "a number as long as a token": "1" * 12_000,
    "a number with a long exponent": "1e" + "9" * 12_000,
}


@pytest.mark.parametrize("text", EXPENSIVE.values(), ids=EXPENSIVE.keys())
def test_no_text_of_a_tokens_size_costs_more_than_linear_time(text: str):
    # A careful reading takes a few milliseconds at most; the attacks took from 0.5 s to minutes.
    assert seconds(jws.parse_object, text.encode()) < 0.05


@pytest.mark.parametrize("size", [16 * 1024 + 1, 1_000_000, 20_000_000])
def test_a_token_past_the_limit_is_refused_before_it_is_read(size: int, verifier):
    assert seconds(verifier.verify, "A" * size) < 0.01


def test_a_megabyte_of_dots_is_refused_before_it_is_split(verifier):
    assert seconds(verifier.verify, "." * 1_000_000) < 0.01


def test_json_nested_100_000_deep_is_refused_without_recursion(verifier):
    assert refused(jws.parse_object, b"[" * 100_000 + b"]" * 100_000).reason == "invalid_token"


@pytest.mark.parametrize("depth", [1, 31, 32])
def test_json_up_to_the_depth_limit_is_read(depth: int):
    text = '{"a":' * (depth - 1) + "{}" + "}" * (depth - 1)

    assert jws.parse_object(text.encode()) == json.loads(text)


def test_json_one_past_the_depth_limit_is_refused():
    assert refused(jws.parse_object, b'{"a":' * 32 + b"{}" + b"}" * 32).reason == "invalid_token"


@pytest.mark.parametrize(
    "text",
    ['{"a":"' + "[" * 5000 + '"}', '{"a":"' + '\\"{' * 900 + '"}', '{"a":"\\\\","b":"[[["}'],
)
def test_brackets_inside_a_text_are_no_nesting(text: str):
    assert jws.parse_object(text.encode()) == json.loads(text)


def test_many_shallow_lists_are_no_deep_one():
    assert jws.parse_object(b'{"a":[' + b"[]," * 500 + b"{}]}")["a"][0] == []


def test_a_closing_bracket_in_excess_is_not_json():
    assert refused(jws.parse_object, b'{"a":' + b"[" * 40 + b"]" * 80 + b"}").status == 401


NOT_OBJECTS = ["", "null", "[]", '"x"', "1", "{", "{}{}", "{'a':1}", '{"a":1,}', '{"a":01}',
               '{"a":+1}', '{"a":.5}', '{"a":1e999}', '{"a":-1e999}', '{"a":NaN}', '{"a":Infinity}',
               '{"a":1,"a":1}', '{"a":{"b":1,"b":1}}', '{"a":1,"\\u0061":2}', '{"a":"\n"}',
               '\ufeff{}', '{"a":tru}']  # fmt: skip


@pytest.mark.parametrize("text", NOT_OBJECTS)
def test_what_is_not_one_strict_json_object_is_refused(text: str):
    assert refused(jws.parse_object, text.encode()).reason == "invalid_token"


NOT_UTF_8 = [b"\xff", b'{"a":"\xc0\x80"}', b'{"a":"\xed\xa0\x80"}',
             '{"a":1}'.encode("utf-16"), '{"a":1}'.encode("utf-32")]  # fmt: skip


@pytest.mark.parametrize("data", NOT_UTF_8)
def test_what_is_not_utf_8_is_refused(data: bytes):
    assert refused(jws.parse_object, data).reason == "invalid_token"


@pytest.mark.parametrize("length", [2, 3, 4, 6, 7, 8, 342])
def test_a_byte_outside_the_alphabet_is_refused_wherever_it_stands(length: int):
    letters = set(string.ascii_letters.encode() + string.digits.encode() + b"-_")
    foreign = [byte for byte in range(256) if byte not in letters]
    assert len(jws.decode_segment(b"A" * length)) == length * 3 // 4
    for place in {0, 1, length // 2, length - 1}:
        for byte in foreign:
            segment = bytearray(b"A" * length)
            segment[place] = byte
            assert refused(jws.decode_segment, bytes(segment)).reason == "invalid_token"


def test_every_noncanonical_last_character_is_refused(verifier, cognito: FakePool):
    header, payload, signature = cognito.token().split(".")
    assert len(signature) % 4 == 2  # 256 bytes: the last character carries two bits
    good = "AQgw"
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        token = f"{header}.{payload}.{signature[:-1]}{last}"
        if last == signature[-1]:
            assert verifier.verify(token)
            continue
        error = refused(verifier.verify, token)
        assert ("canonical" in error.detail) == (last not in good)


def test_the_limit_of_a_token_is_16_kib_exactly(verifier, cognito: FakePool):
    claims = cognito.claims()
    tokens = [cognito.sign(claims | {"filler": "x" * n}) for n in range(11_200, 11_700, 20)]
    tokens += [cognito.sign(claims | {"filler": "x" * n}) for n in range(11_400, 11_420)]

    verdicts = {len(token): is_good(verifier, token) for token in tokens}

    assert all(good == (length <= 16 * 1024) for length, good in verdicts.items())
    assert len(set(verdicts.values())) == 2


def is_good(verifier, token: str) -> bool:
    try:
        return bool(verifier.verify(token))
    except CognisesError:
        return False


def test_a_subclass_of_str_cannot_lie_about_its_length(verifier, cognito: FakePool):
    class Liar(str):
        __slots__ = ()

        def __len__(self) -> int:
            return 10

        def encode(self, *args: object) -> bytes:
            return b"something else"

    try:
        claims = verifier.verify(Liar(cognito.token(["viewers"])))
    except CognisesError:
        return
    assert claims["cognito:groups"] == ("viewers",)


@pytest.mark.parametrize("empty", [0, 1, 2])
def test_an_empty_segment_is_refused_before_anybody_asks_for_a_key(empty, make_verifier, cognito):
    segments = cognito.token(key=SigningKey()).split(".")
    segments[empty] = ""
    subject = make_verifier()

    assert refused(subject.verify, ".".join(segments)).reason == "invalid_token"
    assert subject.keys._snapshot is None
