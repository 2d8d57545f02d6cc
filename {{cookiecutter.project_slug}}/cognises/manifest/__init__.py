"""groups.json: who may do what. Reads it, checks it, and reports every problem at once.

Standard library only, for `python -m cognises.manifest groups.json`. The running service reads
names, functions and scopes (`load_access`); provisioning checks the whole file (`load_groups`).
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from cognises.errors import ManifestError, Problem
from cognises.manifest.rules import check_groups

MAX_BYTES, MAX_DEPTH = 16 * 1024 * 1024, 100  # a condition value is nine levels deep


@dataclass(frozen=True)
class Group:
    """One group of the manifest, checked.
    Without `policy` and `managed_policies` (ARNs) a group has no role. A machine whose token has
    one of `scopes` counts as a member. `precedence` is the stated one (None: as in AWS), else the
    place in the file; `created` comes from old manifests and is ignored.
    """

    name: str
    allowed_functions: tuple[str, ...]
    policy: Mapping[str, object] | None = field(default=None, hash=False)
    description: str = ""
    precedence: int | None = 0
    created: bool | None = None
    scopes: tuple[str, ...] = ()
    managed_policies: tuple[str, ...] = ()

    @property
    def has_role(self) -> bool:
        return self.policy is not None or bool(self.managed_policies)


def load_groups(path: str | Path, *, role_prefix: str | None = None) -> tuple[Group, ...]:
    """Read a manifest and check all of it. Raises ManifestError with every problem at once.
    Without `role_prefix`, names leave room for the longest that the template's questions make.
    """
    return parse_groups(read_manifest(path), role_prefix=role_prefix)


def parse_groups(data: Any, *, role_prefix: str | None = None) -> tuple[Group, ...]:
    """Check parsed JSON (a list of dicts) and return its groups. Raises ManifestError."""
    _raise_errors(check_groups(data, role_prefix))
    return tuple(
        replace(
            _access_of(each), policy=each.get("group_policy"),
            description=each.get("description", ""), precedence=each.get("precedence", index),
            created=each["created"] in (True, "true") if "created" in each else None,
            managed_policies=tuple(each.get("managed_policies", ())),
        )
        for index, each in enumerate(data)
    )  # fmt: skip


def load_access(path: str | Path) -> tuple[Group, ...]:
    """Read names, functions and scopes alone, for the running service. Raises ManifestError."""
    return parse_access(read_manifest(path))


def parse_access(data: Any) -> tuple[Group, ...]:
    """The same from parsed JSON (a list of dicts)."""
    _raise_errors(check_groups(data, access_only=True))
    return tuple(map(_access_of, data))


def _access_of(raw: Mapping[str, Any]) -> Group:
    scopes = tuple(raw.get("scopes", ()))
    return Group(raw["group_name"], tuple(raw["allowed_functions"]), scopes=scopes)


def access_hashes(groups: Iterable[Group]) -> dict[str, str]:
    """What identifies each group's functions, and scopes if it has any function, in any order."""
    return {each.name: digest_of([sorted({*each.allowed_functions}),
                                  sorted({*each.scopes} if each.allowed_functions else ())])
            for each in groups}  # fmt: skip


def access_digest(hashes: Mapping[str, str]) -> str:
    """Identifies who may call what: names, functions and scopes of groups, by `access_hashes`."""
    return digest_of(sorted(hashes.items()))


def digest_of(content: object) -> str:
    """Identifies content as parsed from JSON, whatever its white space."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _raise_errors(found: Iterable[Problem]) -> None:
    if errors := [problem for problem in found if problem.level == "error"]:
        raise ManifestError(errors)


def read_manifest(path: str | Path) -> Any:
    """The parsed content of a manifest file. Raises ManifestError where it is not JSON."""
    try:
        return parse_json(Path(path).read_bytes())
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ManifestError([Problem("", f"cannot read {path}: {why}; name the file")]) from None


def parse_json(content: bytes) -> Any:
    """The value of a JSON text, without duplicate keys and NaN. Raises ManifestError."""
    if len(content) > MAX_BYTES:
        raise ManifestError([Problem("", "is larger than 16 MiB; this cannot be a manifest")])
    problems: list[Problem] = []
    try:
        text, pairs = content.decode("utf-8-sig"), partial(_object, problems)
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=_refuse_constant)
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
    members = list(value.values()) if isinstance(value, dict) else value
    members = members if isinstance(members, list) else []
    return depth > 0 and all(_is_shallow(each, depth - 1) for each in members)
