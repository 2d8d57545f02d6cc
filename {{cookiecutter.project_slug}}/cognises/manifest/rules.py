"""The rules of groups.json: keys, names, placeholders, and what collides between groups."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from cognises.errors import Problem, warning
from cognises.manifest.iam_policy import INLINE_LIMIT, all_texts, check_policy, policy_size, texts

ROLE_NAME_LIMIT, GROUP_NAME_LIMIT = 64, 128
DESCRIPTION_LIMIT = 1600  # with three records (names.RECORD) of the longest prefixes under 2048
PRECEDENCES = range(2**31)
ROOM_FOR_PREFIX = 33  # the longest prefix the template's questions make: 32 characters and "-"
REQUIRED = ("group_name", "allowed_functions")
OF_A_ROLE = ("group_policy", "managed_policies")
KNOWN = (*REQUIRED, *OF_A_ROLE, "scopes", "created", "description", "precedence")
MOST_MANAGED = 10  # IAM's quota for a role
POLICY_ARN = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]{1,512}", re.ASCII)
# IAM's role names, which are narrower than Cognito's group names.
_ROLE_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]+")
# A view's function name or endpoint; a star is allowed alone, or as the rest of a blueprint.
_FUNCTION = re.compile(r"\*|[\w-]+(\.[\w-]+)*(\.\*)?")
# Resource server identifier and scope name (Cognito API reference, ResourceServerScopeType).
_SCOPE = re.compile(r"[!#-\[\]-~]{1,256}/[!#-.0-\[\]-~]{1,256}")
# What the checker fills in before the account is known: valid in form, usual in length.
EXAMPLE_VALUES: Mapping[str, str] = {
    "AWS::Region": "us-east-1", "AWS::AccountId": "123456789012", "AWS::Partition": "aws",
    "UserPoolId": "us-east-1_Example00", "IdentityService": "cognito-identity.amazonaws.com",
    "Stage": "example-service",
}  # fmt: skip
_LISTED = ", ".join(f"${{{name}}}" for name in EXAMPLE_VALUES)
# Everything else in `${…}` belongs to IAM and passes untouched.
_OURS = re.compile(r"\$\{(AWS::[^}]*|UserPoolId|IdentityService|Stage)\}")
_ANY = re.compile(r"\$\{(AWS::[^}]*|[^{}]*)\}")
# The names without case and punctuation: `${AWS:AccountId}` and `${accountId}` are near misses.
_PLAIN = {re.sub("[^a-z]", "", name.lower()): name for name in EXAMPLE_VALUES}
_PLAIN |= {name.removeprefix("aws"): full for name, full in _PLAIN.items()}

_Groups = Mapping[int, Mapping[str, object]]  # by place in the file


def check_groups(
    data: object, role_prefix: str | None = None, *, access_only: bool = False, warn: bool = False
) -> Iterator[Problem]:
    """Every problem of a manifest, as parsed; `access_only`: of names, functions and scopes.
    `warn` adds warnings about policies that IAM accepts: risky grants, and names unknown to AWS.
    """
    if not isinstance(data, (list, tuple)):
        yield Problem("", "must be a JSON array of groups: [{...}, {...}]")
        return
    room = ROOM_FOR_PREFIX if role_prefix is None else len(role_prefix)
    groups = {index: group for index, group in enumerate(data) if isinstance(group, dict)}
    for index, group in enumerate(data):
        if index in groups:
            found = _access(group) if access_only else _group(group, room, warn)
            yield from (problem.under(f"[{index}]") for problem in found)
        else:
            yield Problem(f"[{index}]", f"must be an object with {', '.join(REQUIRED)}")
    yield from _equal_names(groups, access_only)
    if not access_only:
        yield from _equal_precedence(groups)


def _access(group: Mapping[str, object], room: int | None = None) -> Iterator[Problem]:
    """`room` is the length of the role prefix, None for a group without a role."""
    for key in group:
        if key not in KNOWN:
            close = get_close_matches(str(key), KNOWN, n=1) or KNOWN
            yield Problem(str(key), f"unknown key; use {' or '.join(close)}")
    for key in REQUIRED:
        if key not in group:
            yield Problem(key, "missing; every group states it")
    if "group_name" in group:
        yield from (Problem("group_name", text) for text in _name(group["group_name"], room))
    for key in ("allowed_functions", "scopes"):
        if key in group:
            yield from _listed(key, group[key])


def _group(group: Mapping[str, object], room: int, warn: bool) -> Iterator[Problem]:
    yield from _access(group, room if _has_role(group) else None)
    for key in OF_A_ROLE:
        yield from _filled(key, group[key], warn) if key in group else ()
    description = group.get("description", "")
    if not isinstance(description, str) or len(description) > DESCRIPTION_LIMIT:
        form = f"must be a text of at most {DESCRIPTION_LIMIT} characters"
        yield Problem("description", f"{form}; `apply` needs the rest of Cognito's 2048")
    elif "[cognises:" in description:
        yield Problem("description", "[cognises: begins what `apply` records there; leave it out")
    precedence = group.get("precedence")
    if precedence is not None and (type(precedence) is not int or precedence not in PRECEDENCES):
        yield Problem("precedence", f"must be a whole number from 0 to {PRECEDENCES[-1]}, or null")
    created = group.get("created", True)
    if not isinstance(created, bool) and created not in ("true", "false"):
        yield Problem("created", 'must be "true" or "false"; it is ignored; leave it out')


def _has_role(group: Mapping[str, object]) -> bool:
    return "group_policy" in group or bool(group.get("managed_policies"))


def _name(name: object, room: int | None) -> Iterator[str]:
    if not isinstance(name, str) or not name:
        yield "must be a text, not empty"
    # Letters, marks, symbols, numbers and punctuation (Cognito API reference, CreateGroup).
    elif room is None and any(unicodedata.category(each)[0] not in "LMSNP" for each in name):
        yield f"{name!r}: use no spaces and no control characters"
    elif room is not None and not _ROLE_NAME.fullmatch(name):
        yield f"{name!r}: use only A-Z, a-z, digits and _+=,.@-, as in the name of an IAM role"
    elif room is None and len(name) > GROUP_NAME_LIMIT:
        yield f"{len(name)} characters; at most {GROUP_NAME_LIMIT} are allowed; shorten it"
    elif room is not None and len(name) > (longest := ROLE_NAME_LIMIT - room):
        why = f"role names end at {ROLE_NAME_LIMIT} and the role prefix takes {room}"
        yield f"{len(name)} characters; at most {longest} fit: {why}; shorten it or the prefix"


# Per key: what an item must match, the form of the list, and the form of an item.
_LISTS = {
    "allowed_functions": (_FUNCTION, 'must be a list of texts; [] for none, ["*"] for all',
       "write a view's function name, an endpoint (a.view), a blueprint (a.*) or *; no other star"),
    "scopes": (_SCOPE, 'must be a list of scopes, as in ["orders/read"]; leave it out',
       "write resource server and scope, as in orders/read"),
    "managed_policies": (POLICY_ARN, "must be a list of ARNs; leave it out for none",
       "write arn:${AWS::Partition}:iam::aws:policy/NAME, or ${AWS::AccountId} in place of aws"),
}  # fmt: skip


def _listed(key: str, values: object) -> Iterator[Problem]:
    pattern, list_form, item_form = _LISTS[key]
    if not isinstance(values, (list, tuple)):
        yield Problem(key, list_form)
        return
    for index, value in enumerate(values):
        place = f"{key}[{index}]"
        if not isinstance(value, str) or not pattern.fullmatch(value):
            yield Problem(place, f"{value!r}: {item_form}")
        elif value in values[:index]:
            text = f"{value!r} is listed twice; remove one"
            yield Problem(place, text, "warning" if key == "allowed_functions" else "error")


def fill(value: object, values: Mapping[str, str]) -> object:
    """A copy of parsed JSON, filled in its values. Raises KeyError for an unknown placeholder.
    It is filled after parsing and in string values only, so that no value can add an element.
    """
    if isinstance(value, str):
        return _OURS.sub(lambda found: values[found[1]], value)
    if isinstance(value, list):
        return [fill(each, values) for each in value]
    if isinstance(value, dict):
        return {key: fill(each, values) for key, each in value.items()}
    return value


def check_placeholders(value: object, place: str = "") -> Iterator[Problem]:
    """Errors: placeholders unknown or in a key. Warnings: variables that resemble a placeholder."""
    for where, text, is_key in all_texts(value, place):
        for found in _ANY.finditer(text):
            plain = re.sub("[^a-z]", "", found[1].lower())
            close = get_close_matches(plain, _PLAIN, n=1, cutoff=0.9)
            hint = f"did you mean ${{{_PLAIN[close[0]]}}}?" if close else f"use {_LISTED}"
            is_ours = _OURS.fullmatch(found[0])
            if is_ours and is_key:
                yield Problem(where, "placeholders are filled in values only, not in names")
            elif is_ours and found[1] not in EXAMPLE_VALUES:
                yield Problem(where, f"{found[0]} is unknown; {hint}")
            elif close and not is_ours:
                yield warning(where, f"{found[0]} is not filled in; {hint}")


def _filled(key: str, value: object, warn: bool) -> Iterator[Problem]:
    yield from (placeholders := list(check_placeholders(value, key)))
    if any(problem.level == "error" for problem in placeholders):
        return
    filled = fill(value, EXAMPLE_VALUES)
    if key == "group_policy":
        yield from (problem.under(key) for problem in _policy(filled, warn))
        return
    yield from _listed(key, filled)
    if isinstance(filled, list) and len(filled) > MOST_MANAGED:
        yield Problem(key, f"{len(filled)} policies; IAM attaches {MOST_MANAGED} to a role")
    if warn:
        from cognises.manifest.iam_warnings import is_administrative

        for arn in filter(is_administrative, texts(filled)):
            yield warning(key, f"{arn} lets members raise their own rights; name a narrower one")


def _policy(filled: object, warn: bool) -> Iterator[Problem]:
    yield from check_policy(filled)
    if (size := policy_size(filled)) > INLINE_LIMIT:
        yield Problem("", f"{size} characters; IAM allows {INLINE_LIMIT}, not counting white space")
    if warn:  # imported here: the running service does not need it
        from cognises.manifest.iam_warnings import check_reference, check_risks

        yield from (*check_risks(filled), *check_reference(filled))


def _equal_names(groups: _Groups, access_only: bool) -> Iterator[Problem]:
    names: dict[str, int] = {}
    roles: dict[str, tuple[int, str]] = {}
    for index, group in groups.items():
        name = group.get("group_name")
        if not isinstance(name, str):
            continue
        place, other = f"[{index}].group_name", names.setdefault(name, index)
        if other != index:
            yield Problem(place, f"{name!r} is the name of [{other}] too; rename one")
        if _has_role(group) and not access_only:
            other, known = roles.setdefault(name.lower(), (index, name))
            if known != name:
                text = f"{name!r} gets the role of [{other}] too (IAM ignores case); rename one"
                yield Problem(place, text)


def _equal_precedence(groups: _Groups) -> Iterator[Problem]:
    """A member of two groups of equal precedence has no preferred role."""
    stated = {index: group.get("precedence", index) for index, group in groups.items()}
    counts = Counter(value for value in stated.values() if isinstance(value, int))
    for index, value in stated.items():
        if isinstance(value, int) and counts[value] > 1:
            what = "another group (without one, the place in the file counts)"
            text = f"{value} is shared with {what}; members of both have no preferred role"
            yield warning(f"[{index}].precedence", text)
