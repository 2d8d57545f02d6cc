"""The files of app/data.py, in a bucket of moto, which lets every role do everything."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from unittest.mock import patch

import pytest
from flask import Flask

from app import create_app, data
from cognises.testing import AsUserOf, isolated

NAMES = ["", ".", "..", "a/b", "a\\b", " a", "a\n", "a\x00", "a\x7f", "\u202etxt.exe", "a" * 201]


@pytest.fixture(scope="module")
def files_app() -> Iterator[Flask]:
    """The service with a bucket: one for all tests here, since AWS clients are slow to make."""
    import boto3
    from moto import mock_aws

    with mock_aws():
        boto3.client("s3", "us-east-1").create_bucket(Bucket="files-of-tests")
        yield create_app(isolated(COGNISES_FILES_BUCKET="files-of-tests"))


@pytest.fixture
def app(files_app: Flask) -> Flask:
    return files_app


def test_what_a_user_writes_that_user_reads_as_an_attachment(as_user_of: AsUserOf) -> None:
    user = as_user_of("update_data")

    written = user.put("/data?name=café.html", data=b"<script>", content_type="text/html")
    listed = user.get("/data?folder=own").json
    read = user.get("/data?folder=own&name=cafe\u0301.html")  # composed in another way

    assert written.json == {"folder": "own", "name": "café.html", "size": 8}
    assert [file["name"] for file in listed["files"]] == ["café.html"]
    assert (read.data, read.mimetype) == (b"<script>", "application/octet-stream")
    assert read.headers["Content-Disposition"] == "attachment; filename*=UTF-8''caf%C3%A9.html"
    assert read.headers["X-Content-Type-Options"] == "nosniff"
    assert user.get("/data?folder=own&name=missing.txt").status_code == 404


def test_a_name_that_is_no_single_plain_segment_is_a_bad_request(as_user_of: AsUserOf) -> None:
    user = as_user_of("update_data")
    statuses = {
        name: [user.open("/data", method=method, query_string={"name": name}).status_code
               for method in ("PUT", "GET")]
        for name in NAMES
    }  # fmt: skip

    assert statuses == {name: [400, 400] for name in NAMES}


def test_a_page_that_starts_after_no_name_is_a_bad_request(as_user_of: AsUserOf) -> None:
    user = as_user_of("view_data")
    statuses = {
        after: user.get("/data", query_string={"after": after}).status_code
        for after in ("\x00", "a\n", "\x7f", "\u202e", "\u0378", "\ufffe", "a" * 1025)
    }

    assert set(statuses.values()) == {400}, statuses


def test_the_next_page_starts_after_a_name_that_is_accepted(as_user_of: AsUserOf) -> None:
    import boto3

    folder = "us-east-1:00000000-0000-0000-0000-000000000000"
    for key in ("0", "1\u202e", "2"):
        boto3.client("s3", "us-east-1").put_object(
            Bucket="files-of-tests", Key=f"users/{folder}/{key}"
        )
    user, path = as_user_of("view_data"), f"/data?folder={folder}"

    with patch.object(data, "PAGE", 2):
        first = user.get(path).json

    assert ([file["name"] for file in first["files"]], first["next"]) == (["0"], "0")
    rest = user.get(f"{path}&after=0").json["files"]
    assert [file["name"] for file in rest] == ["2"]


def test_the_page_lists_files_page_by_page_and_uploads_by_a_form(as_user_of: AsUserOf) -> None:
    user, html = as_user_of("update_data"), {"Accept": "text/html"}
    for name in ("<b>&.txt", "second", "third"):
        form = {"folder": "shared", "file": (BytesIO(b"12345"), name)}
        answer = user.post("/data", data=form)
        assert (answer.status_code, answer.location) == (303, "/data?folder=shared")

    with patch.object(data, "PAGE", 2):
        first = user.get("/data", headers=html).text
        last = user.get("/data?after=second").json

    assert "<bdi>&lt;b&gt;&amp;.txt</bdi>" in first
    assert "name=%3Cb%3E%26.txt" in first
    assert "after=second" in first
    assert ([file["name"] for file in last["files"]], last["next"]) == (["third"], None)
