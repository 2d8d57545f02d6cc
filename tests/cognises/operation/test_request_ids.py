"""Which id a request goes by."""

from __future__ import annotations

import pytest

from cognises.operation.logs import choose_id

AWS = "Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=1"


@pytest.mark.parametrize("text", ["r-1", "0f8fad5b-d9cb-469f-a165-70867728950e", "a" * 128, AWS])
@pytest.mark.parametrize("name", ["HTTP_X_REQUEST_ID", "HTTP_X_AMZN_TRACE_ID"])
def test_an_id_that_is_plain_is_taken(name: str, text: str):
    assert choose_id({name: text}) == text


@pytest.mark.parametrize(
    "text",
    ["", " ", "a b", "a,b", "a" * 129, "-a", "a\nb", "a\r\nSet-Cookie: x", 'a"b', "ada@example.org",
     "é", "<b>", "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln", "a\x00", "a\u2028"],
)  # fmt: skip
def test_a_request_id_that_is_not_plain_is_replaced(text: str):
    made = choose_id({"HTTP_X_REQUEST_ID": text})

    assert len(made) == 32
    assert made != text
    assert made != choose_id({"HTTP_X_REQUEST_ID": text})


def test_the_clients_own_id_goes_before_the_load_balancers():
    assert choose_id({"HTTP_X_REQUEST_ID": "mine", "HTTP_X_AMZN_TRACE_ID": AWS}) == "mine"
    assert choose_id({"HTTP_X_REQUEST_ID": "not plain", "HTTP_X_AMZN_TRACE_ID": AWS}) == AWS
