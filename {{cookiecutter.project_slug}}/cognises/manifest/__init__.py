"""groups.json: who may do what. Reads it, checks it, and reports every problem at once.

One checker for the command line, the hooks, the app and provisioning. Standard library only:
`python -m cognises.manifest groups.json` runs on a bare Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from cognises.errors import ManifestError, Problem
from cognises.manifest.rules import ROOM_FOR_PREFIX, check_groups, check_policies
from cognises.manifest.strict_json import parse_json


@dataclass(frozen=True)
class Group:
    """One group of the manifest, checked.

    `precedence` is the stated one, else the place in the file; `created` is what an old manifest
    claims, which nothing depends on.
    """

    name: str
    allowed_functions: tuple[str, ...]
    policy: Mapping[str, object] = field(hash=False)
    description: str = ""
    precedence: int = 0
    created: bool | None = None


def load_groups(path: str | Path, *, role_prefix: str | None = None) -> tuple[Group, ...]:
    """Read and check a manifest.

    In: the path of the file; the role prefix that group names must leave room for (without one,
    room for the longest that the template's questions can make). Raises ManifestError with
    every problem in it, also where the file cannot be read.
    """
    return parse_groups(read_manifest(path), role_prefix=role_prefix)


def parse_groups(data: object, *, role_prefix: str | None = None) -> tuple[Group, ...]:
    """Check parsed JSON (a list of dicts) and return its groups. Raises ManifestError."""
    found = check_groups(data, _room(role_prefix))
    errors = [problem for problem in found if problem.level == "error"]
    if errors:
        raise ManifestError(errors)
    return tuple(_group(each, index) for index, each in enumerate(cast("list[Any]", data)))


def read_manifest(path: str | Path) -> object:
    """The parsed content of a manifest file. Raises ManifestError where it is no JSON."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ManifestError([Problem("", f"cannot read {path}: {why}; name the file")]) from None
    data, problems = parse_json(content)
    if problems:
        raise ManifestError(problems)
    return data


def check_manifest(data: object, role_prefix: str | None = None) -> list[Problem]:
    """Every error and warning in parsed JSON; doubts about policies come last."""
    return [*check_groups(data, _room(role_prefix)), *check_policies(data)]


def report(path: str | Path, role_prefix: str | None) -> tuple[list[str], int]:
    """The lines to print for a file, and how many groups it holds."""
    try:
        data = read_manifest(path)
    except ManifestError as error:
        return error.problems, 0
    lines = [str(problem) for problem in check_manifest(data, role_prefix)]
    return lines, len(data) if isinstance(data, list) else 0


def _room(role_prefix: str | None) -> int:
    return ROOM_FOR_PREFIX if role_prefix is None else len(role_prefix)


def _group(raw: Mapping[str, Any], index: int) -> Group:
    return Group(
        name=raw["group_name"],
        allowed_functions=tuple(raw["allowed_functions"]),
        policy=raw["group_policy"],
        description=raw.get("description", ""),
        precedence=raw.get("precedence", index),
        created=raw["created"] in (True, "true") if "created" in raw else None,
    )
