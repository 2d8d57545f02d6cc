"""The package of a Lambda function: the same zip for the same sources, known by its digest.

Bytecode is included: /var/task is read-only, so without it every cold start would compile.
Source: AWS Lambda, "Working with .zip file archives"; Amazon S3, "Checking object integrity".
"""

import base64
import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import click

from cognises.provisioning.aws import error_code

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can have
KEYS = "jwks.json"
_KEY = re.compile(r"function/[0-9a-f]{64}\.(?P<architecture>arm64|x86_64)(?P<keys>\.keys)?\.zip")
MAX_BYTES = 250 * 1024 * 1024  # unpacked: AWS, "Lambda quotas"
# Test keys, provisioning, an installer's own records, and what no import reads.
_LEFT_OUT = re.compile(
    r"cognises/(testing|provisioning)(\.py$|/)|bin/|(.+/)?__pycache__/|.+\.(pyi|c|h|pyx)$"
    r"|[^/]+\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json|uv_.*)$|(.+/)?\."
)


def prune(folder: Path) -> None:
    """Delete everything that is not part of the package."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif _LEFT_OUT.match(path.relative_to(folder).as_posix()):
            path.unlink()


def add_bytecode(folder: Path, runtime: str) -> bool:
    """Compile everything with that Python. Returns False if neither this one nor uv has it."""
    python, uv = sys.executable, shutil.which("uv")
    if runtime != f"{sys.version_info.major}.{sys.version_info.minor}":
        if uv is None:
            return False
        find = [uv, "python", "find", "--no-project", runtime]
        found = subprocess.run(find, capture_output=True, text=True, check=False)  # noqa: S603
        if found.returncode != 0:
            return False
        python = found.stdout.strip()
    # The zip's time stamps mean nothing, and /var/task is never edited. One process, because the
    # order of compilation shows in the bytes; compileall sorts the names.
    compile_all = ["-I", "-B", "-m", "compileall", "-q", "-f", "--invalidation-mode"]
    command = [python, *compile_all, "unchecked-hash", "-s", str(folder), str(folder)]
    return subprocess.run(command, check=False).returncode == 0  # noqa: S603


def write_zip(folder: Path, target: Path) -> None:
    """Every file of a folder, in a zip without times, owners and absolute paths."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH)
            entry.external_attr, entry.create_system = 0o100644 << 16, 3  # unix, wherever this runs
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)


class Package(NamedTuple):
    """A package that was built, with the SHA-256 of its bytes."""

    path: Path
    digest: str
    key: str  # in a bucket: other content has another key, and an old key tells its own

    @classmethod
    def read(cls, path: Path) -> "Package":
        """Raises click's exception where there is no package."""
        if not path.is_file():
            raise click.ClickException(f"{path} does not exist; `make package` builds it")
        if not zipfile.is_zipfile(path):
            raise click.ClickException(f"{path} is not a zip; `make package` builds one")
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        architecture = "arm64" if any("aarch64" in name for name in names) else "x86_64"
        keys = ".keys" if KEYS in names else ""
        return cls(path, digest, f"function/{digest}.{architecture}{keys}.zip")

    def upload(self, s3: Any, bucket: str) -> bool:
        """Store it, unless its very bytes are there already. Returns whether it was stored."""
        checksum = base64.b64encode(bytes.fromhex(self.digest)).decode()
        if is_new := stored_checksum(s3, bucket, self.key) != checksum:
            # S3 refuses other bytes; emulators need the algorithm's name too.
            content = {"Body": self.path.read_bytes(), "ChecksumAlgorithm": "SHA256"}
            s3.put_object(Bucket=bucket, Key=self.key, **content, ChecksumSHA256=checksum)
        return is_new


def stored_checksum(s3: Any, bucket: str, key: str) -> str | None:
    """The SHA-256 of an object as S3 computed it, empty if it has none; None for no object."""
    try:
        found = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    except Exception as error:
        if error_code(error) not in ("404", "NoSuchKey", "NotFound"):
            raise
        return None
    return str(found.get("ChecksumSHA256", ""))


def parameters_of(key: str) -> dict[str, str]:
    """The stack's parameters that belong to a package; only its key for one of another name."""
    if not (found := _KEY.fullmatch(key)):
        return {"CodeKey": key}
    keys = KEYS if found["keys"] else ""
    return {"CodeKey": key, "Architecture": found["architecture"], "CognitoJwksFile": keys}


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--runtime", metavar="VERSION", required=True, help="The function's Python: 3.13.")
def main(folder: Path, runtime: str) -> None:
    """Prune FOLDER, add bytecode, and write FOLDER.zip."""
    prune(folder)
    if not add_bytecode(folder, runtime):
        effect = "the package has no bytecode, and each cold start compiles it"
        problem = f"no Python {runtime} found (uv python install {runtime})"
        click.echo(f"warning: {problem}: {effect}", err=True)
    if (size := sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())) > MAX_BYTES:
        raise click.ClickException(f"{size} bytes unpacked; Lambda takes {MAX_BYTES}")
    target = folder.with_suffix(".zip")
    write_zip(folder, target)
    built, mib = Package.read(target), target.stat().st_size / 1024 / 1024
    architecture = parameters_of(built.key)["Architecture"]
    click.echo(f"{target}: {mib:.1f} MiB, {architecture}, sha256 {built.digest}")


if __name__ == "__main__":
    main()
