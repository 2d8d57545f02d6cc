"""The manifest checker at the command line: `python -m cognises.manifest groups.json`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cognises.errors import CognisesError, ManifestError
from cognises.manifest import read_manifest
from cognises.manifest.rules import check_groups


def main(argv: Sequence[str] | None = None) -> int:
    """Check one manifest; print every problem, one a line. Exits 0 if there is no error, else 1."""
    parser = argparse.ArgumentParser("python -m cognises.manifest", description=main.__doc__)
    parser.add_argument("path", nargs="?", default="groups.json", help="default: groups.json")
    prefix = _prefix_setting()
    parser.add_argument("--role-prefix", default=prefix, help="default: COGNISES_ROLE_PREFIX")
    options = parser.parse_args(argv)
    return check_file(options.path, options.role_prefix)


def check_file(path: str | Path, role_prefix: str | None) -> int:
    """Check a manifest and print every problem, one a line. Returns 1 for an error, else 0."""
    try:
        groups = read_manifest(path)
        lines = [str(problem) for problem in check_groups(groups, role_prefix, warn=True)]
    except ManifestError as error:
        lines = error.problems
    for line in lines:
        print(line, file=sys.stderr)
    if errors := sum(line.startswith("error") for line in lines):
        print(f"{path}: {errors} error{'s' * (errors > 1)}", file=sys.stderr)
        return 1
    print(f"{Path(path).name}: {len(groups)} groups, no errors")
    return 0


def _prefix_setting() -> str | None:
    from cognises.settings.sources import PROJECT_FOLDER, read_values

    try:
        return read_values(PROJECT_FOLDER).get("COGNISES_ROLE_PREFIX")
    # A bare Python cannot read env files; other commands report wrong settings.
    except (ImportError, CognisesError):
        return os.environ.get("COGNISES_ROLE_PREFIX")


if __name__ == "__main__":
    sys.exit(main())
