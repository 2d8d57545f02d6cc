"""The manifest checker at the command line: `python -m cognises.manifest groups.json`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cognises.errors import CognisesError, ManifestError
from cognises.manifest import check_manifest, read_manifest


def main(argv: Sequence[str] | None = None) -> int:
    """Check one file; print every problem, one a line. Exits 0 if there is no error, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m cognises.manifest", description="Check a manifest of Cognito groups."
    )
    parser.add_argument("path", nargs="?", default="groups.json", help="default: groups.json")
    parser.add_argument(
        "--role-prefix", help="what role names start with (default: COGNISES_ROLE_PREFIX)"
    )
    options = parser.parse_args(argv)
    prefix = options.role_prefix if options.role_prefix is not None else _prefix_setting()
    return check_file(options.path, prefix)


def check_file(path: str | Path, role_prefix: str | None) -> int:
    """Check a manifest and print every problem, one a line. Returns 1 for an error, else 0."""
    try:
        data = read_manifest(path)
    except ManifestError as error:
        lines = error.problems
    else:
        lines = [str(problem) for problem in check_manifest(data, role_prefix)]
    for line in lines:
        print(line, file=sys.stderr)
    if any(line.startswith("error") for line in lines):
        return 1
    count = len(data) if isinstance(data, list) else 0
    print(f"{Path(path).name}: {count} groups, no errors")
    return 0


def _prefix_setting() -> str | None:
    """COGNISES_ROLE_PREFIX, from the files beside wsgi.py too if they can be read."""
    from cognises.settings.sources import PROJECT_FOLDER, read_values

    try:
        return read_values(PROJECT_FOLDER).get("COGNISES_ROLE_PREFIX")
    # A bare Python cannot read env files; other commands report wrong settings.
    except (ImportError, CognisesError):
        return os.environ.get("COGNISES_ROLE_PREFIX")


if __name__ == "__main__":
    sys.exit(main())
