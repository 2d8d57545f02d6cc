"""JSON read strictly: no duplicate keys, no NaN, and a syntax error that says where."""

from __future__ import annotations

import json
from typing import NoReturn

from cognises.errors import Problem

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 100  # a condition value of a policy is nine levels deep


def parse_json(content: bytes) -> tuple[object, list[Problem]]:
    """The parsed value, and the problems of the text; with problems the value is None."""
    if len(content) > MAX_BYTES:
        return None, [Problem("", "is larger than 16 MiB; this cannot be a manifest")]
    duplicates: list[Problem] = []

    def pairs(members: list[tuple[str, object]]) -> dict[str, object]:
        seen: dict[str, object] = {}
        for key, value in members:
            if key in seen:
                duplicates.append(Problem("", f"{_holder(members)}key {key!r} occurs twice"))
            seen[key] = value
        return seen

    try:
        value = json.loads(
            content.decode("utf-8-sig"), object_pairs_hook=pairs, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError:
        return None, [Problem("", "is not UTF-8; save the file as UTF-8")]
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        return None, [Problem(place, f"not JSON: {error.msg[0].lower()}{error.msg[1:]}; fix it")]
    except (RecursionError, ValueError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        return None, [Problem("", f"not JSON: {why}; fix it")]
    if _deeper_than(value, MAX_DEPTH):
        return None, [Problem("", "not JSON: nested too deeply; fix it")]
    return (None if duplicates else value), duplicates


def _deeper_than(value: object, depth: int) -> bool:
    """Whether lists and objects are nested deeper; checked level by level, without recursion."""
    level = [value]
    for _ in range(depth):
        level = [inner for each in level for inner in _members(each)]
    return bool(level)


def _members(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _holder(members: list[tuple[str, object]]) -> str:
    """The group or statement of an object, for the message: the hook does not know the place."""
    for key, value in members:
        if key in ("group_name", "Sid") and isinstance(value, str):
            return f"in {value!r}: "
    return ""
