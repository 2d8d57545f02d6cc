"""The rules of groups.json: keys, names, functions, and what collides between groups."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from cognises.errors import Problem, warning
from cognises.manifest.iam_policy import INLINE_LIMIT, check_policy, policy_size
from cognises.manifest.placeholders import EXAMPLE_VALUES, check_placeholders, fill

ROLE_NAME_LIMIT = 64
DESCRIPTION_LIMIT = 2048
PRECEDENCE_LIMIT = 2**31 - 1
ROOM_FOR_PREFIX = 33  # the longest prefix the template's questions make: 32 characters and "-"
REQUIRED = ("group_name", "group_policy", "allowed_functions")
KNOWN = (*REQUIRED, "created", "description", "precedence")

# A group that gets a role must fit both Cognito's names and IAM's, which are the narrower.
_GROUP_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]+")
# A view's function name or endpoint; a star stands alone, or for the rest of a blueprint.
_FUNCTION = re.compile(r"\*|[\w-]+(\.[\w-]+)*(\.\*)?")


def check_groups(data: object, room: int) -> Iterator[Problem]:
    """Every problem of a manifest, as parsed. `room` is how long the role prefix may be."""
    if not isinstance(data, (list, tuple)):
        yield Problem("", "must be a JSON array of groups: [{...}, {...}]")
        return
    for index, group in enumerate(data):
        if not isinstance(group, dict):
            yield Problem(f"[{index}]", f"must be an object with {', '.join(REQUIRED)}")
            continue
        yield from (problem.under(f"[{index}]") for problem in _group(group, room))
    yield from _collisions(data)
    yield from _equal_precedence(data)


def _group(group: Mapping[str, object], room: int) -> Iterator[Problem]:
    for key in group:
        if key not in KNOWN:
            close = get_close_matches(str(key), KNOWN, n=1) or KNOWN
            yield Problem(str(key), f"unknown key; use {' or '.join(close)}")
    for key in REQUIRED:
        if key not in group:
            yield Problem(key, "missing; every group states it")
    if "group_name" in group:
        yield from _name(group["group_name"], room)
    if "group_policy" in group:
        yield from (each.under("group_policy") for each in _policy(group["group_policy"]))
    if "allowed_functions" in group:
        yield from _functions(group["allowed_functions"])
    yield from _optional(group)


def _name(name: object, room: int) -> Iterator[Problem]:
    longest = ROLE_NAME_LIMIT - room
    if not isinstance(name, str) or not name:
        yield Problem("group_name", "must be a text, not empty")
    elif not _GROUP_NAME.fullmatch(name):
        yield Problem("group_name", f"{name!r}: use letters A-Z, a-z, digits and _+=,.@- only")
    elif len(name) > longest:
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
        yield Problem("", f"{size} characters; IAM allows {INLINE_LIMIT}, white space apart")


def check_policies(data: object) -> Iterator[Problem]:
    """Warnings about policies that IAM would take: what they give away, and names unknown to AWS.

    An app that starts asks for errors alone, and does not load what only doubts.
    """
    from cognises.manifest.iam_reference import check_reference
    from cognises.manifest.iam_risks import check_risks

    for index, group in enumerate(data if isinstance(data, (list, tuple)) else ()):
        policy = group.get("group_policy") if isinstance(group, dict) else None
        if policy is not None and not list(check_placeholders(policy)):
            place = f"[{index}].group_policy"
            filled = fill(policy, EXAMPLE_VALUES)
            doubts = (*check_risks(filled), *check_reference(filled))
            yield from (each.under(place) for each in doubts)


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
                "(reports.*) or *; a star stands nowhere else",
            )
        elif function in functions[:index]:
            yield warning(place, f"{function!r} is listed twice; once is enough")


def _optional(group: Mapping[str, object]) -> Iterator[Problem]:
    description = group.get("description", "")
    if not isinstance(description, str) or len(description) > DESCRIPTION_LIMIT:
        yield Problem("description", f"must be a text of at most {DESCRIPTION_LIMIT} characters")
    precedence = group.get("precedence", 0)
    whole = isinstance(precedence, int) and not isinstance(precedence, bool)
    if not whole or precedence not in range(PRECEDENCE_LIMIT + 1):
        yield Problem("precedence", f"must be a whole number from 0 to {PRECEDENCE_LIMIT}")
    created = group.get("created", False)
    if not isinstance(created, bool) and created not in ("true", "false"):
        yield Problem("created", 'must be "true" or "false"; it is ignored, so leave it out')


def _collisions(data: Sequence[object]) -> Iterator[Problem]:
    """Names that differ by case only would share one role."""
    first: dict[str, int] = {}
    for index, group in enumerate(data):
        name = group.get("group_name") if isinstance(group, dict) else None
        if not isinstance(name, str):
            continue
        if name.lower() in first:
            yield Problem(
                f"[{index}].group_name",
                f"{name!r} is the name of [{first[name.lower()]}] too (IAM ignores case); rename",
            )
        first.setdefault(name.lower(), index)


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
                f"{value} is shared with another group (the place in the file counts where none "
                "is stated); members of both have no preferred role",
            )
