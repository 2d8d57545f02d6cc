"""The grammar of an IAM identity policy: refuse what AWS refuses, accept what AWS accepts.

Legal but risky grants are found by `iam_warnings`.
Source: the IAM user guide, "Grammar of the IAM JSON policy language" and "IAM quotas".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches

from cognises.errors import Problem
from cognises.manifest.iam_elements import check_condition, check_resource
from cognises.manifest.placeholders import all_texts

VERSION = "2012-10-17"
INLINE_LIMIT = 10_240  # characters in all inline policies of a role, white space not counted
_DOCUMENT = ("Version", "Id", "Statement")
_STATEMENT = ("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition")
_ACTION = re.compile(r"\*(:\*)?|[A-Za-z0-9][A-Za-z0-9.-]*:[A-Za-z0-9*?_-]+")
Check = Callable[[str], Iterator[Problem]]
_REFUSED_CHARACTERS = re.compile(r"[^\t\n\r\x20-\xff]")


def check_policy(document: object) -> Iterator[Problem]:
    """Every problem in an identity policy as it will be sent to IAM."""
    if not isinstance(document, dict):
        yield Problem("", "must be a JSON object, an IAM policy document, not text or a list")
        return
    yield from _unknown_elements(document, _DOCUMENT)
    if document.get("Version") != VERSION:
        yield Problem("Version", f'must be "{VERSION}": IAM refuses any other for a role')
    if not isinstance(document.get("Id", ""), str):
        yield Problem("Id", "must be text; leave it out")
    statements = _items(document, "Statement")
    if not statements:
        yield Problem("Statement", "missing or empty; a policy needs at least one statement")
    sids: set[str] = set()
    for place, statement in statements:
        yield from (problem.under(place) for problem in _statement(statement, sids))
    for place, text, _ in all_texts(document):
        if found := _REFUSED_CHARACTERS.search(text):
            accepted = "IAM accepts tab, line ends, U+0020 to U+00FF"
            yield Problem(place, f"{text!a} contains {found[0]!a}; {accepted}")


def policy_size(document: object) -> int:
    """The size of a document that IAM limits: all characters except white space."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return sum(not character.isspace() for character in text)


def statements_of(document: object) -> Iterator[tuple[str, Mapping[str, object]]]:
    """The statements that are objects, with their places."""
    for place, statement in _items(document, "Statement") if isinstance(document, dict) else ():
        if isinstance(statement, dict):
            yield place, statement


def resources_of(document: object) -> Iterator[tuple[str, str]]:
    """Every Resource and NotResource of a document, with its place."""
    for place, statement in statements_of(document):
        for where, each in _items(statement, "Resource") + _items(statement, "NotResource"):
            if isinstance(each, str):
                yield f"{place}.{where}", each


def texts(value: object) -> list[str]:
    """A text, or the texts of a list, as a list; anything else is left out."""
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str)]


def _items(holder: Mapping[str, object], name: str) -> list[tuple[str, object]]:
    """The values of an element with their places; one outside a list is a list of one."""
    found = holder.get(name, [])
    if not isinstance(found, list):
        return [(name, found)]
    return [(f"{name}[{index}]", each) for index, each in enumerate(found)]


def _unknown_elements(found: Mapping[str, object], known: tuple[str, ...]) -> Iterator[Problem]:
    for name in found:
        if name in ("Principal", "NotPrincipal"):
            yield Problem(name, "remove it: the principal of a role's policy is the role")
        elif name not in known:
            close = get_close_matches(name.capitalize(), known, n=1) or known
            yield Problem(name, f"unknown element; use {' or '.join(close)}, in this spelling")


def _statement(statement: object, sids: set[str]) -> Iterator[Problem]:
    if not isinstance(statement, dict):
        yield Problem("", "must be an object with Effect, Action and Resource")
        return
    yield from _unknown_elements(statement, _STATEMENT)
    if statement.get("Effect") not in ("Allow", "Deny"):
        yield Problem("Effect", 'must be exactly "Allow" or "Deny"')
    yield from _one_of(statement, "Action", _check_action)
    yield from _one_of(statement, "Resource", check_resource)
    if "Condition" in statement:
        found = check_condition(statement["Condition"])
        yield from (problem.under("Condition") for problem in found)
    sid = statement.get("Sid", "")
    if not isinstance(sid, str) or not re.fullmatch(r"[A-Za-z0-9]*", sid):
        yield Problem("Sid", "use the letters A-Z, a-z and digits only")
    elif sid in sids:
        yield Problem("Sid", f"{sid!r} is used twice in this policy; rename one")
    elif sid:
        sids.add(sid)


def _one_of(statement: Mapping[str, object], name: str, check: Check) -> Iterator[Problem]:
    """Exactly one of `name` and `Not<name>`, holding a text or a list of texts, not empty."""
    present = [each for each in (name, f"Not{name}") if each in statement]
    if not present:
        yield Problem(name, f"missing; a statement needs {name} or Not{name}")
    if len(present) == 2:
        yield Problem(name, f"is used together with Not{name}; keep one of them")
    for each in present:
        for place, value in _items(statement, each) or [(each, "")]:
            if value and isinstance(value, str):
                yield from (problem.under(place) for problem in check(value))
            else:
                yield Problem(place, "must be a text or a list of texts, not empty")


def _check_action(action: str) -> Iterator[Problem]:
    if not _ACTION.fullmatch(action):
        yield Problem("", f'{action!r} is not an action; write "service:Action"')
