"""The bucket of packages: what lies there is compared, never trusted for its key.

A package is stored with what the stack must know of it, so that an older one can be named by its
key alone. Source: Amazon S3 user guide, "Checking object integrity for data uploads"; HeadObject.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import click

from cognises.errors import SettingsError
from cognises.provisioning.aws import error_code
from cognises.provisioning.delivery import function_package

KEYS = "jwks.json"
NO_KEYS = "none"  # a header's value cannot be empty


@dataclass(frozen=True)
class Package:
    """A package, and what it says of itself: other code, another key."""

    path: Path
    digest: str
    architecture: str
    has_keys: bool

    @property
    def parameters(self) -> dict[str, str]:
        """The stack's parameters that come from it."""
        return {
            "CodeKey": f"function/{self.digest}.zip",
            **_about(self.architecture, KEYS if self.has_keys else NO_KEYS),
        }

    @property
    def checksum(self) -> str:
        """Its SHA-256 as S3 writes it."""
        return base64.b64encode(bytes.fromhex(self.digest)).decode()


def read_package(path: Path) -> Package:
    """Raises click's exception where there is no package."""
    if not path.is_file():
        raise click.ClickException(f"there is no {path}; make package builds it")
    try:
        return Package(
            path=path,
            digest=function_package.digest(path),
            architecture=function_package.architecture(path),
            has_keys=function_package.holds(path, KEYS),
        )
    except BadZipFile:
        raise click.ClickException(f"{path} is no zip; make package builds one") from None


class PackageStore:
    """One bucket; `client` is boto3's for S3."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def holds(self, package: Package) -> bool:
        """Whether these very bytes lie at the package's key."""
        said = self._head(package.parameters["CodeKey"])
        return said is not None and said.get("ChecksumSHA256") == package.checksum

    def put(self, package: Package) -> None:
        """Store it; S3 refuses bytes that do not have the digest."""
        self._client.put_object(
            Bucket=self._bucket,
            Key=package.parameters["CodeKey"],
            Body=package.path.read_bytes(),
            ChecksumAlgorithm="SHA256",  # emulators go by this one
            ChecksumSHA256=package.checksum,
            Metadata={
                "architecture": package.architecture,
                "keys": KEYS if package.has_keys else NO_KEYS,
            },
        )

    def about(self, key: str) -> dict[str, str]:
        """The parameters that go with a package that lies there; none where it does not say.

        Raises SettingsError where there is no such package.
        """
        said = self._head(key)
        if said is None:
            raise SettingsError([f"error: bucket {self._bucket} holds no package {key}"])
        told = said.get("Metadata", {})
        if not {"architecture", "keys"} <= set(told):
            return {}
        return _about(told["architecture"], told["keys"])

    def _head(self, key: str) -> dict[str, Any] | None:
        try:
            said: dict[str, Any] = self._client.head_object(
                Bucket=self._bucket, Key=key, ChecksumMode="ENABLED"
            )
        except Exception as error:
            if error_code(error) not in ("404", "NoSuchKey", "NotFound"):
                raise
            return None
        return said


def _about(architecture: str, keys: str) -> dict[str, str]:
    return {"Architecture": architecture, "CognitoJwksFile": "" if keys == NO_KEYS else keys}
