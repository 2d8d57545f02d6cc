"""groups.json: who may do what. Reads it, checks it, and reports every problem at once.

Standard library only: `python -m cognises.manifest groups.json` runs on a bare Python. The
running service reads names, functions and scopes (`load_access`); the command line, the hooks and
provisioning check the whole file (`load_groups`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, cast

from cognises.errors import ManifestError, Problem
from cognises.manifest.rules import check_groups

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 100  # a condition value of a policy is nine levels deep


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
    return tuple(
        replace(
            _access_of(each),
            policy=each.get("group_policy"),
            description=each.get("description", ""),
            precedence=each.get("precedence", index),
            created=each["created"] in (True, "true") if "created" in each else None,
        )
        for index, each in enumerate(_without_errors(data, check_groups(data, role_prefix)))
    )


def load_access(path: str | Path) -> tuple[Group, ...]:
    """Read what the running service needs of a manifest: names, functions and scopes.

    Policies are neither checked nor kept. Raises ManifestError as `load_groups` does.
    """
    return parse_access(read_manifest(path))


def parse_access(data: object) -> tuple[Group, ...]:
    """The same from parsed JSON (a list of dicts)."""
    return tuple(map(_access_of, _without_errors(data, check_groups(data, access_only=True))))


def _access_of(raw: Mapping[str, Any]) -> Group:
    functions, scopes = raw["allowed_functions"], raw.get("scopes", ())
    return Group(raw["group_name"], tuple(functions), scopes=tuple(scopes))


def _without_errors(data: object, found: Iterable[Problem]) -> list[dict[str, Any]]:
    errors = [problem for problem in found if problem.level == "error"]
    if errors:
        raise ManifestError(errors)
    return cast("list[dict[str, Any]]", data)


def check_manifest(data: object, role_prefix: str | None = None) -> list[Problem]:
    """Every error and warning in parsed JSON, those about risky and unknown grants included."""
    return list(check_groups(data, role_prefix, warn=True))


def read_manifest(path: str | Path) -> object:
    """The parsed content of a manifest file. Raises ManifestError where it is not JSON."""
    try:
        return parse_json(Path(path).read_bytes())
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ManifestError([Problem("", f"cannot read {path}: {why}; name the file")]) from None


def parse_json(content: bytes) -> object:
    """The value of a JSON text, without duplicate keys and NaN. Raises ManifestError."""
    if len(content) > MAX_BYTES:
        raise ManifestError([Problem("", "is larger than 16 MiB; this cannot be a manifest")])
    problems: list[Problem] = []
    value: object = None
    try:
        value = json.loads(
            content.decode("utf-8-sig"),
            object_pairs_hook=partial(_object, problems),
            parse_constant=_refuse_constant,
        )
        if not _is_shallow(value, MAX_DEPTH):
            raise RecursionError
    except UnicodeDecodeError:
        problems = [Problem("", "is not UTF-8; save the file as UTF-8")]
    except json.JSONDecodeError as error:
        why = f"not JSON: {error.msg[0].lower()}{error.msg[1:]}; fix it"
        problems = [Problem(f"line {error.lineno} column {error.colno}", why)]
    except (ValueError, RecursionError) as error:
        cause = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        problems = [Problem("", f"not JSON: {cause}; fix it")]
    if problems:
        raise ManifestError(problems)
    return value


def _object(problems: list[Problem], members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    # The parser does not know the place: the message names the group or the statement.
    name = found.get("group_name", found.get("Sid"))
    holder = f"in {name!r}: " if isinstance(name, str) else ""
    repeated = Counter(key for key, _ in members) - Counter(list(found))
    problems += [Problem("", f"{holder}key {key!r} occurs twice") for key in repeated]
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _is_shallow(value: object, depth: int) -> bool:
    """Whether values are nested in less than `depth` lists and objects."""
    members = list(value.values()) if isinstance(value, dict) else value
    members = members if isinstance(members, list) else []
    return depth > 0 and all(_is_shallow(each, depth - 1) for each in members)
