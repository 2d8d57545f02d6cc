"""The grammar of an IAM identity policy: refuse what AWS refuses, accept what AWS accepts.

Standard library only. `check_policy` takes a document as parsed from JSON and yields every
problem in it, places counted from the document's own root. Conditions are checked in
`iam_conditions`, resources in `iam_resources`; legal but risky grants are found by `iam_risks`.

Source: the IAM user guide, "Grammar of the IAM JSON policy language" and "IAM quotas".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from cognises.errors import Problem
from cognises.manifest.iam_conditions import check_condition
from cognises.manifest.iam_resources import check_resource

VERSION = "2012-10-17"
INLINE_LIMIT = 10_240  # characters in all inline policies of a role, white space not counted
DOCUMENT_ELEMENTS = ("Version", "Id", "Statement")
STATEMENT_ELEMENTS = (
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
)
PRINCIPALS = ("Principal", "NotPrincipal")
_ACTION = re.compile(r"\*(:\*)?|[A-Za-z0-9][A-Za-z0-9.-]*:[A-Za-z0-9*?_-]+")
_REFUSED_CHARACTERS = re.compile(r"[^\t\n\r\x20-\xff]")


def check_policy(document: object) -> Iterator[Problem]:
    """Every problem in an identity policy as it will be sent to IAM."""
    if not isinstance(document, dict):
        yield Problem("", "must be a JSON object, an IAM policy document, not text or a list")
        return
    yield from _unknown_elements(document, DOCUMENT_ELEMENTS)
    yield from _version(document)
    if "Id" in document and not isinstance(document["Id"], str):
        yield Problem("Id", "must be text; leave it out")
    yield from _statements(document)
    yield from _characters(document)


def policy_size(document: object) -> int:
    """The size that IAM limits: all characters except white space.

    In: a parsed document, placeholders filled.
    """
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return sum(not character.isspace() for character in text)


def statements_of(document: Mapping[str, object]) -> list[tuple[str, object]]:
    """The statements with their places; one statement outside a list is a list of one."""
    found = document.get("Statement")
    if isinstance(found, list):
        return [(f"Statement[{index}]", each) for index, each in enumerate(found)]
    return [("Statement", found)] if found is not None else []


def resources_of(document: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Every Resource and NotResource of a document, with its place."""
    for place, statement in statements_of(document):
        if isinstance(statement, dict):
            for name in ("Resource", "NotResource"):
                yield from _listed(statement, name, place)


def texts(value: object) -> list[str]:
    """A text, or the texts of a list, as a list; anything else is left out."""
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str)]


def _unknown_elements(
    found: Mapping[str, object], known: tuple[str, ...], place: str = ""
) -> Iterator[Problem]:
    for name in found:
        if name not in known:
            where = f"{place}.{name}" if place else name
            yield Problem(where, _why_unknown(name, known))


def _why_unknown(name: str, known: tuple[str, ...]) -> str:
    if name in PRINCIPALS:
        return "remove it: the principal of a role's policy is the role"
    close = get_close_matches(name.capitalize(), known, n=1) or list(known)
    return f"unknown element; use {' or '.join(close)}, in this spelling"


def _version(document: Mapping[str, object]) -> Iterator[Problem]:
    if document.get("Version") != VERSION:
        yield Problem("Version", f'must be "{VERSION}": IAM refuses any other for a role')


def _statements(document: Mapping[str, object]) -> Iterator[Problem]:
    found = statements_of(document)
    if not found:
        yield Problem("Statement", "missing or empty; a policy needs at least one statement")
    sids: set[str] = set()
    for place, statement in found:
        if not isinstance(statement, dict):
            yield Problem(place, "must be an object with Effect, Action and Resource")
            continue
        yield from _statement(statement, place)
        yield from _sid(statement, sids, place)


def _statement(statement: Mapping[str, object], place: str) -> Iterator[Problem]:
    yield from _unknown_elements(statement, STATEMENT_ELEMENTS, place)
    if statement.get("Effect") not in ("Allow", "Deny"):
        yield Problem(f"{place}.Effect", 'must be exactly "Allow" or "Deny"')
    yield from _one_of(statement, "Action", place)
    yield from _one_of(statement, "Resource", place)
    for name in ("Action", "NotAction"):
        for where, action in _listed(statement, name, place):
            if not _ACTION.fullmatch(action):
                yield Problem(where, f'{action!r} is not an action; write "service:Action"')
    for name in ("Resource", "NotResource"):
        for where, resource in _listed(statement, name, place):
            yield from (problem.under(where) for problem in check_resource(resource))
    if "Condition" in statement:
        yield from check_condition(statement["Condition"], f"{place}.Condition")


def _one_of(statement: Mapping[str, object], name: str, place: str) -> Iterator[Problem]:
    """Exactly one of `name` and `Not<name>`, holding a text or a list of texts, not empty."""
    present = [each for each in (name, f"Not{name}") if each in statement]
    if not present:
        yield Problem(f"{place}.{name}", f"missing; a statement needs {name} or Not{name}")
    if len(present) == 2:
        yield Problem(f"{place}.{name}", f"is used together with Not{name}; keep one of them")
    for each in present:
        value = statement[each]
        if not value or len(texts(value)) != (len(value) if isinstance(value, list) else 1):
            yield Problem(f"{place}.{each}", "must be a text or a list of texts, not empty")


def _listed(statement: Mapping[str, object], name: str, place: str) -> Iterator[tuple[str, str]]:
    value = statement.get(name)
    if isinstance(value, str) and value:
        yield f"{place}.{name}", value
    elif isinstance(value, list):
        for index, each in enumerate(value):
            if isinstance(each, str):
                yield f"{place}.{name}[{index}]", each


def _sid(statement: Mapping[str, object], seen: set[str], place: str) -> Iterator[Problem]:
    sid = statement.get("Sid", "")
    if not isinstance(sid, str) or not re.fullmatch(r"[A-Za-z0-9]*", sid):
        yield Problem(f"{place}.Sid", "use the letters A-Z, a-z and digits only")
    elif sid in seen:
        yield Problem(f"{place}.Sid", f"{sid!r} is used twice in this policy; rename one")
    elif sid:
        seen.add(sid)


def _characters(document: object) -> Iterator[Problem]:
    for text in _all_texts(document):
        found = _REFUSED_CHARACTERS.search(text)
        if found:
            character = ascii(found.group())
            yield Problem(
                "", f"{text!a} contains {character}; IAM accepts tab, line ends, U+0020 to U+00FF"
            )


def _all_texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from _all_texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _all_texts(each)
