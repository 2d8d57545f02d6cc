"""groups.json: who may do what. Reads it, checks it, and reports every problem at once.

Standard library only: `python -m cognises.manifest groups.json` runs on a bare Python. The
running service reads names, functions and scopes (`load_access`); the command line, the hooks and
provisioning check the whole file (`load_groups`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from cognises.errors import ManifestError, Problem
from cognises.manifest.rules import ROOM_FOR_PREFIX, check_access, check_groups, check_policies
from cognises.manifest.strict_json import parse_json


@dataclass(frozen=True)
class Group:
    """One group of the manifest, checked.

    `policy` is None for a group without a role. A machine whose access token carries one of
    `scopes` counts as a member. `precedence` is the stated one (None: as it is in AWS), else the
    place in the file; `created` comes from old manifests and is ignored.
    """

    name: str
    allowed_functions: tuple[str, ...]
    policy: Mapping[str, object] | None = field(default=None, hash=False)
    description: str = ""
    precedence: int | None = 0
    created: bool | None = None
    scopes: tuple[str, ...] = ()


def load_groups(path: str | Path, *, role_prefix: str | None = None) -> tuple[Group, ...]:
    """Read a manifest and check all of it, policies included.

    In: the path of the file; the role prefix that role names start with (without one, room is
    kept for the longest prefix that the template's questions can make). Raises ManifestError with
    every problem at once, also where the file cannot be read.
    """
    return parse_groups(read_manifest(path), role_prefix=role_prefix)


def parse_groups(data: object, *, role_prefix: str | None = None) -> tuple[Group, ...]:
    """Check parsed JSON (a list of dicts) and return its groups. Raises ManifestError."""
    _raise_errors(check_groups(data, _room(role_prefix)))
    return tuple(
        replace(
            _access_of(each),
            policy=each.get("group_policy"),
            description=each.get("description", ""),
            precedence=each.get("precedence", index),
            created=each["created"] in (True, "true") if "created" in each else None,
        )
        for index, each in enumerate(cast("list[Any]", data))
    )


def load_access(path: str | Path) -> tuple[Group, ...]:
    """Read what the running service needs of a manifest: names, functions and scopes.

    Policies are neither checked nor kept. Raises ManifestError as `load_groups` does.
    """
    return parse_access(read_manifest(path))


def parse_access(data: object) -> tuple[Group, ...]:
    """The same from parsed JSON (a list of dicts)."""
    _raise_errors(check_access(data))
    return tuple(_access_of(each) for each in cast("list[Any]", data))


def read_manifest(path: str | Path) -> object:
    """The parsed content of a manifest file. Raises ManifestError where it is not JSON."""
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
    """Every error and warning in parsed JSON; warnings about policies come last."""
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


def _raise_errors(found: Iterable[Problem]) -> None:
    errors = [problem for problem in found if problem.level == "error"]
    if errors:
        raise ManifestError(errors)


def _access_of(raw: Mapping[str, Any]) -> Group:
    return Group(
        raw["group_name"], tuple(raw["allowed_functions"]), scopes=tuple(raw.get("scopes", ()))
    )
