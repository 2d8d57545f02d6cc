"""The rules of groups.json: keys, names, functions, scopes, and what collides between groups."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import cast

from cognises.errors import Problem, warning
from cognises.manifest.iam_policy import INLINE_LIMIT, check_policy, policy_size
from cognises.manifest.placeholders import (
    EXAMPLE_VALUES,
    check_placeholders,
    fill,
    near_misses,
)

ROLE_NAME_LIMIT = 64
GROUP_NAME_LIMIT = 128
DESCRIPTION_LIMIT = 2048
PRECEDENCE_LIMIT = 2**31 - 1
ROOM_FOR_PREFIX = 33  # the longest prefix the template's questions make: 32 characters and "-"
REQUIRED = ("group_name", "allowed_functions")
KNOWN = (*REQUIRED, "group_policy", "scopes", "created", "description", "precedence")

# IAM's role names, which are narrower than Cognito's group names.
_ROLE_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]+")
# A view's function name or endpoint; a star is allowed alone, or as the rest of a blueprint.
_FUNCTION = re.compile(r"\*|[\w-]+(\.[\w-]+)*(\.\*)?")
# A custom scope, resource server identifier and scope name.
# Source: Cognito API reference, ResourceServerType and ResourceServerScopeType.
SCOPE = re.compile(r"[!#-\[\]-~]{1,256}/[!#-.0-\[\]-~]{1,256}")


def check_access(data: object) -> Iterator[Problem]:
    """Every problem in what the running service reads: names, functions and scopes.

    Policies, roles and what else concerns AWS alone are for `check_groups`.
    """
    yield from _check_each(data, _access)


def check_groups(data: object, room: int) -> Iterator[Problem]:
    """Every problem of a manifest, as parsed. `room` is the length of the role prefix."""
    yield from _check_each(data, lambda group: _group(group, room))
    if isinstance(data, (list, tuple)):
        yield from _role_collisions(data)
        yield from _equal_precedence(data)


def _check_each(
    data: object, check: Callable[[Mapping[str, object]], Iterator[Problem]]
) -> Iterator[Problem]:
    if not isinstance(data, (list, tuple)):
        yield Problem("", "must be a JSON array of groups: [{...}, {...}]")
        return
    for index, group in enumerate(data):
        if not isinstance(group, dict):
            yield Problem(f"[{index}]", f"must be an object with {', '.join(REQUIRED)}")
            continue
        yield from (problem.under(f"[{index}]") for problem in check(group))
    yield from _repeated_names(data)


def _access(group: Mapping[str, object], room: int | None = None) -> Iterator[Problem]:
    yield from _keys(group)
    if "group_name" in group:
        yield from _name(group["group_name"], room)
    if "allowed_functions" in group:
        yield from _functions(group["allowed_functions"])
    if "scopes" in group:
        yield from _scopes(group["scopes"])


def _group(group: Mapping[str, object], room: int) -> Iterator[Problem]:
    has_role = "group_policy" in group
    yield from _access(group, room if has_role else None)
    if has_role:
        yield from (each.under("group_policy") for each in _policy(group["group_policy"]))
    yield from _optional(group)


def _keys(group: Mapping[str, object]) -> Iterator[Problem]:
    for key in group:
        if key not in KNOWN:
            close = get_close_matches(str(key), KNOWN, n=1) or KNOWN
            yield Problem(str(key), f"unknown key; use {' or '.join(close)}")
    for key in REQUIRED:
        if key not in group:
            yield Problem(key, "missing; every group states it")


def _name(name: object, room: int | None) -> Iterator[Problem]:
    """`room` is the length of the role prefix, None for a group without a role."""
    if not isinstance(name, str) or not name:
        yield Problem("group_name", "must be a text, not empty")
    elif room is None:
        # Letters, marks, symbols, numbers and punctuation (Cognito API reference, CreateGroup).
        if any(unicodedata.category(character)[0] not in "LMSNP" for character in name):
            yield Problem("group_name", f"{name!r}: use no spaces and no control characters")
        elif len(name) > GROUP_NAME_LIMIT:
            text = f"{len(name)} characters; at most {GROUP_NAME_LIMIT} are allowed; shorten it"
            yield Problem("group_name", text)
    elif not _ROLE_NAME.fullmatch(name):
        yield Problem("group_name", f"{name!r}: use letters A-Z, a-z, digits and _+=,.@- only")
    elif len(name) > (longest := ROLE_NAME_LIMIT - room):
        yield Problem(
            "group_name",
            f"{len(name)} characters; at most {longest} fit, since role names end at "
            f"{ROLE_NAME_LIMIT} and the role prefix takes {room}; shorten it or the prefix",
        )


def _policy(policy: object) -> Iterator[Problem]:
    unknown = list(check_placeholders(policy))
    yield from unknown
    if unknown:
        return
    filled = fill(policy, EXAMPLE_VALUES)
    yield from check_policy(filled)
    size = policy_size(filled)
    if size > INLINE_LIMIT:
        yield Problem("", f"{size} characters; IAM allows {INLINE_LIMIT}, not counting white space")


def check_policies(data: object) -> Iterator[Problem]:
    """Warnings about policies that IAM accepts: risky grants, and names unknown to AWS."""
    from cognises.manifest.iam_reference import check_reference
    from cognises.manifest.iam_risks import check_risks

    for index, group in enumerate(data if isinstance(data, (list, tuple)) else ()):
        policy = group.get("group_policy") if isinstance(group, dict) else None
        if policy is not None and not list(check_placeholders(policy)):
            place = f"[{index}].group_policy"
            filled = fill(policy, EXAMPLE_VALUES)
            warnings = (*near_misses(policy), *check_risks(filled), *check_reference(filled))
            yield from (each.under(place) for each in warnings)


def _functions(functions: object) -> Iterator[Problem]:
    if not isinstance(functions, (list, tuple)):
        yield Problem("allowed_functions", 'must be a list of texts; [] for none, ["*"] for all')
        return
    for index, function in enumerate(functions):
        place = f"allowed_functions[{index}]"
        if not isinstance(function, str) or not function:
            yield Problem(place, "must be a text: a view's function name or endpoint")
        elif not _FUNCTION.fullmatch(function):
            yield Problem(
                place,
                f"{function!r}: write a function name, an endpoint (reports.monthly), a blueprint "
                "(reports.*) or *; no other star",
            )
        elif function in functions[:index]:
            yield warning(place, f"{function!r} is listed twice; once is enough")


def _scopes(scopes: object) -> Iterator[Problem]:
    if not isinstance(scopes, (list, tuple)):
        yield Problem("scopes", 'must be a list of scopes, as in ["orders/read"]; leave it out')
        return
    for index, scope in enumerate(scopes):
        place = f"scopes[{index}]"
        if not isinstance(scope, str) or not SCOPE.fullmatch(scope):
            yield Problem(place, f"{scope!r}: write resource server and scope, as in orders/read")
        elif scope in scopes[:index]:
            yield Problem(place, f"{scope!r} is listed twice; remove one")


def _optional(group: Mapping[str, object]) -> Iterator[Problem]:
    description = group.get("description", "")
    if not isinstance(description, str) or len(description) > DESCRIPTION_LIMIT:
        yield Problem("description", f"must be a text of at most {DESCRIPTION_LIMIT} characters")
    precedence = 0 if group.get("precedence", 0) is None else group.get("precedence", 0)
    whole = isinstance(precedence, int) and not isinstance(precedence, bool)
    if not whole or precedence not in range(PRECEDENCE_LIMIT + 1):
        yield Problem("precedence", f"must be a whole number from 0 to {PRECEDENCE_LIMIT}, or null")
    created = group.get("created", False)
    if not isinstance(created, bool) and created not in ("true", "false"):
        yield Problem("created", 'must be "true" or "false"; it is ignored; leave it out')


def _repeated_names(data: Sequence[object]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, name in _names(data):
        if name in first:
            yield Problem(
                f"[{index}].group_name", f"{name!r} is the name of [{first[name]}] too; rename one"
            )
        first.setdefault(name, index)


def _role_collisions(data: Sequence[object]) -> Iterator[Problem]:
    """Groups whose names differ by case only would share one role."""
    first: dict[str, tuple[int, str]] = {}
    for index, name in _names(data):
        if "group_policy" not in cast("Mapping[str, object]", data[index]):
            continue
        other, known = first.setdefault(name.lower(), (index, name))
        if known != name:
            yield Problem(
                f"[{index}].group_name",
                f"{name!r} gets the role of [{other}] too (IAM ignores case); rename one",
            )


def _names(data: Sequence[object]) -> Iterator[tuple[int, str]]:
    for index, group in enumerate(data):
        name = group.get("group_name") if isinstance(group, dict) else None
        if isinstance(name, str):
            yield index, name


def _equal_precedence(data: Sequence[object]) -> Iterator[Problem]:
    """A member of two groups of equal precedence has no preferred role."""
    stated = [
        each.get("precedence", index) if isinstance(each, dict) else index
        for index, each in enumerate(data)
    ]
    counts = Counter(each for each in stated if isinstance(each, int))
    for index, value in enumerate(stated):
        if isinstance(value, int) and counts[value] > 1:
            yield warning(
                f"[{index}].precedence",
                f"{value} is shared with another group (without one, the place in the "
                "file counts); members of both have no preferred role",
            )
