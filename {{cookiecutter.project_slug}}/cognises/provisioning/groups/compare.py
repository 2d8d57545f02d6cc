"""Policies compared: whether two mean the same, and what one allows that the other does not.

AWS returns documents reordered, encoded, with lists for scalars: a canonical form is compared.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import product
from typing import Any
from urllib.parse import unquote

from cognises.manifest import digest_of as digest_of
from cognises.manifest.iam_policy import as_list, statements_of, texts
from cognises.manifest.iam_warnings import escalating_actions

Document = Mapping[str, Any]


def equivalent(left: object, right: object) -> bool:
    """Whether two policy documents, in any form AWS gives them, say the same."""
    return canonical(left) == canonical(right)


def canonical(document: object) -> str:
    """One text for all spellings of a document, from text too; text that is no policy stays so."""
    parsed = decode(document)
    if not isinstance(parsed, Mapping):
        return _dump(parsed)
    found = {canonical_statement(each) for each in as_list(parsed.get("Statement", []))}
    return _dump({**parsed, "Statement": sorted(found)})


def canonical_statement(statement: object) -> str:
    """One text for all spellings of one statement."""
    if not isinstance(statement, Mapping):
        return _dump(statement)
    elements = [(name, value) for name, value in statement.items() if (name, value) != ("Sid", "")]
    return _dump({name: _element(name, value) for name, value in elements})


def decode(document: object) -> object:
    """A document parsed, from text too; text that is not JSON stays text."""
    if not isinstance(document, str):
        return document
    for text in (document, unquote(document)):
        with suppress(ValueError):
            return json.loads(text)
    return document


def _element(name: str, value: object) -> object:
    if name in ("Action", "NotAction"):
        return _values(value, lambda each: _dump(each).lower())
    if name in ("Resource", "NotResource"):
        return _values(value, _dump)
    if name in ("Principal", "NotPrincipal") and isinstance(value, Mapping):
        return {kind: _values(each, _dump) for kind, each in value.items()}
    if name == "Condition" and isinstance(value, Mapping):
        return {operator: _keys(keys) for operator, keys in value.items()}
    return value


def _keys(keys: object) -> object:
    """Condition keys ignore case; two spellings of one key are kept apart, never dropped."""
    if not isinstance(keys, Mapping):
        return keys
    return sorted([str(key).lower(), _values(value, _scalar)] for key, value in keys.items())


def _values(value: object, text: Callable[[object], str]) -> list[str]:
    return sorted({text(each) for each in as_list(value)})


def _scalar(value: object) -> str:
    """true is "true" and 10 is "10" to IAM."""
    return value if isinstance(value, str) else _dump(value)


def _dump(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


def fingerprint(trust: object, policy: object, *more: object) -> str:
    """The hash of what was applied, kept in a role's tag; equal for equivalent documents.
    `more`: description and precedence of the group, and the ARNs of managed policies.
    """
    return digest_of([canonical(trust), canonical(policy), *more])


def difference(before: Document, after: Document) -> tuple[list[Document], list[Document]]:
    """The statements removed and those added; equal ones in any spelling or order cancel out."""
    old, new = ({canonical_statement(s): s for s in statements([each])} for each in (before, after))
    removed = [each for key, each in old.items() if key not in new]
    return removed, [each for key, each in new.items() if key not in old]


def broadenings(before: Iterable[Document], after: Iterable[Document]) -> tuple[str, ...]:
    """What `after` allows and `before` did not, a line each; what is not clearly covered is new."""
    old, new = statements(before), statements(after)
    lines = [f"allows {what}" for what in _uncovered("Allow", new, old)]
    lines += [f"no longer denies {what}" for what in _uncovered("Deny", old, new)]
    return tuple(dict.fromkeys(lines))


def escalations(before: Iterable[Document], after: Iterable[Document]) -> tuple[str, ...]:
    """Newly granted actions by which a group's members could give themselves more, by statement."""
    old = {canonical_statement(each) for each in statements(before)}
    new = [each for each in statements(after) if canonical_statement(each) not in old]
    ways = [(", ".join(escalating_actions(each)), _place(each)) for each in new]
    lines = (f"could raise its own rights by {way} on {place}" for way, place in ways if way)
    return tuple(dict.fromkeys(lines))


def describe(statement: Document) -> str:
    """One statement on one line: effect, actions, resources, Sid, and its condition as written."""
    actions = texts(statement.get("Action")) or ["all but", *texts(statement.get("NotAction"))]
    to = f"to {statement['Principal']}" if "Principal" in statement else f"on {_place(statement)}"
    to += f" (Sid {statement['Sid']})" if statement.get("Sid") else ""
    line = f"{statement.get('Effect')} {', '.join(actions)} {to}"
    return f"{line} if {statement['Condition']}" if statement.get("Condition") else line


def _place(statement: Document) -> str:
    if "NotResource" in statement:
        return f"all but {', '.join(texts(statement['NotResource']))}"
    return ", ".join(texts(statement.get("Resource"))) or "the role itself"


def statements(documents: Iterable[Document]) -> list[Document]:
    return [each for document in documents for _, each in statements_of(document)]


def _uncovered(effect: str, of: list[Document], by: list[Document]) -> Iterator[str]:
    """What statements of one effect reach and none of `by` does: an action on a resource each."""
    by = [each for each in by if each.get("Effect") == effect]
    equal = {canonical_statement(each) for each in by}
    for each in of:
        if each.get("Effect") != effect or canonical_statement(each) in equal:
            continue
        if "Action" not in each or "NotResource" in each:
            yield describe(each).partition(" ")[2]
            continue
        for action, resource in product(texts(each["Action"]), texts(each.get("Resource")) or [""]):
            if not any(_covers(broad, each, action, resource) for broad in by):
                yield f"{action} on {resource or _place(each)}"


def _covers(broad: Document, narrow: Document, action: str, resource: str) -> bool:
    if "NotAction" in broad or "NotResource" in broad:
        return False
    if any(broad.get(name) != narrow.get(name) for name in ("Principal", "NotPrincipal")):
        return False
    old, new = (_element("Condition", each.get("Condition")) for each in (broad, narrow))
    return (not old or old == new) and (
        any(_within(action.lower(), each.lower()) for each in texts(broad.get("Action")))
        and any(_within(resource, each) for each in texts(broad.get("Resource")) or [""])
    )


def _within(inner: str, outer: str) -> bool:
    """Whether every text that fits the pattern `inner` fits `outer` (sound, not complete)."""
    expression = re.escape(outer).replace(r"\*", ".*").replace(r"\?", "[^*]")
    return re.fullmatch(expression, inner, re.DOTALL) is not None
