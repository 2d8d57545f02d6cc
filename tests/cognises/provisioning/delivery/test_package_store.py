"""The bucket of packages, by S3 in memory: compared by bytes, told about by key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from cognises.errors import SettingsError
from cognises.provisioning.delivery import function_package
from cognises.provisioning.delivery.package_store import Package, PackageStore, read_package

BUCKET = "packages"


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.session.Session("t", "t", region_name="us-east-1").client("s3")
        client.create_bucket(Bucket=BUCKET)
        yield client


@pytest.fixture
def package(tmp_path: Path) -> Package:
    (tmp_path / "function").mkdir()
    (tmp_path / "function" / "wsgi.py").write_text("1")
    function_package.write_zip(tmp_path / "function", tmp_path / "function.zip")
    return read_package(tmp_path / "function.zip")


def test_what_was_put_is_there_and_tells_of_itself(s3: Any, package: Package) -> None:
    store, key = PackageStore(s3, BUCKET), package.parameters["CodeKey"]
    assert not store.holds(package)
    store.put(package)
    assert store.holds(package)
    assert store.about(key) == {"Architecture": "x86_64", "CognitoJwksFile": ""}
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == package.path.read_bytes()


@pytest.mark.parametrize("more", [{}, {"ChecksumAlgorithm": "SHA256"}])
def test_other_bytes_under_the_key_are_not_the_package(
    s3: Any, package: Package, more: dict[str, str]
) -> None:
    s3.put_object(Bucket=BUCKET, Key=package.parameters["CodeKey"], Body=b"other code", **more)
    store = PackageStore(s3, BUCKET)
    assert not store.holds(package)
    assert store.about(package.parameters["CodeKey"]) == {}


def test_a_package_that_is_not_there_is_an_error(s3: Any) -> None:
    with pytest.raises(SettingsError, match=r"holds no package function/1\.zip"):
        PackageStore(s3, BUCKET).about("function/1.zip")
