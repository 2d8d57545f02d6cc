"""The data of app/data.py: who may change it sees it changed."""

from __future__ import annotations

import pytest
from flask import Flask

from cognises.testing import AsUserOf


@pytest.fixture
def app(shared_app: Flask) -> Flask:
    """These tests change nothing in the app."""
    return shared_app


def test_a_change_is_visible_to_readers(as_user_of: AsUserOf) -> None:
    writer, reader = as_user_of("update_data"), as_user_of("view_data")

    assert writer.put("/data", json={"greeting": "good evening"}).status_code == 200

    assert reader.get("/data").json["greeting"] == "good evening"
    writer.put("/data", json={"greeting": "hello"})


@pytest.mark.parametrize("body", ["[]", '"text"', "1", "null", "{"])
def test_data_that_is_not_an_object_is_a_bad_request(body: str, as_user_of: AsUserOf) -> None:
    writer = as_user_of("update_data")

    answer = writer.put("/data", data=body, content_type="application/json")

    assert answer.status_code == 400
