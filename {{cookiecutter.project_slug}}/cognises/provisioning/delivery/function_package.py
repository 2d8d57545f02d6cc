"""The package of a Lambda function: a folder in, a zip out that is the same for the same sources.

    python -m cognises.provisioning.delivery.function_package build/function

Sorted names, one time stamp, one mode; nothing that tests, provisions, or tells of this machine.
Bytecode goes in too, for /var/task is read-only: without it every cold start would compile.
AWS: "Working with .zip file archives for Python Lambda functions".
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import click

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment a zip can name
MODE = 0o100644
MAX_BYTES = 250 * 1024 * 1024  # unpacked: AWS, "Lambda quotas"

# Test keys and what writes to AWS; what an installer notes about itself; what no import reads.
_LEFT_OUT = re.compile(
    r"cognises/(testing|provisioning)(\.py$|/)|bin/|(.+/)?__pycache__/|.+\.(pyi|c|h|pyx)$"
    r"|[^/]+\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json|uv_.*)$|(.+/)?\."
)


def members(folder: Path) -> Iterator[Path]:
    """The files that belong into the package, by relative path, sorted."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return (path for path in sorted(files) if not _LEFT_OUT.match(path.as_posix()))


def prune(folder: Path) -> None:
    """Delete what does not belong into the package."""
    kept = {folder / path for path in members(folder)}
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in kept:
            path.unlink()


def interpreter(runtime: str) -> str | None:
    """A Python of that version: the one that runs this, else one that uv finds."""
    if runtime == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    uv = shutil.which("uv")
    if uv is None:
        return None
    command = [uv, "python", "find", "--no-project", runtime]
    found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return found.stdout.strip() if found.returncode == 0 else None


def add_bytecode(folder: Path, runtime: str) -> bool:
    """Compile everything for that Python. Returns whether there was one to do it."""
    python = interpreter(runtime)
    if python is None:
        return False
    # Checked against nothing: the zip's time stamps say nothing, and nobody edits /var/task. One
    # process and sorted names: the order of work shows in the bytes.
    compiler = (
        "import compileall, py_compile, sys\n"
        "sys.exit(not compileall.compile_dir(sys.argv[1], quiet=1, force=True, maxlevels=20,"
        " stripdir=sys.argv[1], invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH))"
    )
    done = subprocess.run(  # noqa: S603
        [python, "-I", "-B", "-c", compiler, str(folder)], check=False
    )
    return done.returncode == 0


def write_zip(folder: Path, target: Path) -> None:
    """Every file of a folder, in a zip that holds nothing of time and place."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH)
            entry.external_attr = MODE << 16
            entry.create_system = 3  # unix, wherever this runs
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())


def digest(package: Path) -> str:
    """SHA-256 of a package, as hexadecimal digits."""
    return hashlib.sha256(package.read_bytes()).hexdigest()


def architecture(package: Path) -> str:
    """Which machines a package is for, by the names of its compiled modules."""
    with zipfile.ZipFile(package) as archive:
        return "arm64" if any("aarch64" in name for name in archive.namelist()) else "x86_64"


def holds(package: Path, name: str) -> bool:
    """Whether a package has a file of that name."""
    with zipfile.ZipFile(package) as archive:
        return name in archive.namelist()


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--runtime", metavar="VERSION", required=True, help="The function's Python: 3.13.")
def main(folder: Path, runtime: str) -> None:
    """Prune FOLDER, add bytecode, and write FOLDER.zip."""
    prune(folder)
    if not add_bytecode(folder, runtime):
        click.echo(
            f"warning: no Python {runtime} here (uv python install {runtime}): the package holds "
            "no bytecode, and each cold start compiles it anew",
            err=True,
        )
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > MAX_BYTES:
        raise click.ClickException(f"{size} bytes unpacked; Lambda takes {MAX_BYTES}")
    target = folder.with_suffix(".zip")
    write_zip(folder, target)
    mib = target.stat().st_size / 1024 / 1024
    click.echo(f"{target}: {mib:.1f} MiB, {architecture(target)}, sha256 {digest(target)}")


if __name__ == "__main__":
    main()
