"""groups.schema.json says what the checker says, over one corpus."""

from __future__ import annotations

import json
from typing import Any

import pytest
from manifests import BAD, BAD_BEYOND_THE_SCHEMA, GOOD

from cognises.settings.sources import PROJECT_FOLDER

jsonschema = pytest.importorskip("jsonschema", reason="development requirements: make check")

PROJECT = PROJECT_FOLDER


@pytest.fixture(scope="module")
def schema() -> Any:
    loaded = json.loads((PROJECT / "groups.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(loaded)
    return jsonschema.Draft202012Validator(loaded)


@pytest.mark.parametrize("name", GOOD)
def test_the_schema_accepts_what_the_checker_accepts(schema: Any, name: str) -> None:
    assert [error.message for error in schema.iter_errors(GOOD[name])] == []


@pytest.mark.parametrize("name", BAD)
def test_the_schema_refuses_what_the_checker_refuses(schema: Any, name: str) -> None:
    assert not schema.is_valid(BAD[name])


def test_what_only_the_checker_sees_passes_the_schema(schema: Any) -> None:
    """Else it belongs into the corpus above."""
    seen = [name for name, data in BAD_BEYOND_THE_SCHEMA.items() if not schema.is_valid(data)]
    assert seen == []


def test_the_projects_own_manifest_fits(schema: Any) -> None:
    assert schema.is_valid(json.loads((PROJECT / "groups.json").read_text()))
