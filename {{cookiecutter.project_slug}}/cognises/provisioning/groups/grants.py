"""Comparing what policies grant: which statements differ, and whether the new ones widen.

Coverage is judged cautiously: what is not clearly inside the old grant counts as new.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cognises.manifest.iam_policy import texts
from cognises.manifest.iam_warnings import escalating_actions
from cognises.provisioning.groups.compare import canonical_statement
from cognises.provisioning.groups.model import Document

Statement = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """The statements that one side has and the other has not."""

    removed: tuple[Statement, ...]
    added: tuple[Statement, ...]


def difference(before: Iterable[Document], after: Iterable[Document]) -> Difference:
    """Statement by statement; equal ones, whatever their spelling or order, cancel out."""
    old = {canonical_statement(each): each for each in _statements(before)}
    new = {canonical_statement(each): each for each in _statements(after)}
    return Difference(
        removed=tuple(each for key, each in old.items() if key not in new),
        added=tuple(each for key, each in new.items() if key not in old),
    )


def broadenings(before: Iterable[Document], after: Iterable[Document]) -> tuple[str, ...]:
    """What the documents of `after` allow that those of `before` did not, a line each."""
    old, new = _statements(before), _statements(after)
    allowed = [each for each in old if each.get("Effect") == "Allow"]
    denied = [each for each in new if each.get("Effect") == "Deny"]
    lines = [
        f"allows {what}"
        for each in new
        if each.get("Effect") == "Allow"
        for what in _uncovered(each, allowed)
    ]
    lines += [
        f"no longer denies {what}"
        for each in old
        if each.get("Effect") == "Deny"
        for what in _uncovered(each, denied)
    ]
    return tuple(dict.fromkeys(lines))


def escalations(before: Iterable[Document], after: Iterable[Document]) -> tuple[str, ...]:
    """Newly granted actions by which a group's members could give themselves more."""
    old = {canonical_statement(each) for each in _statements(before)}
    lines = [
        f"could raise its own rights by {action} on {_place(each)}"
        for each in _statements(after)
        if canonical_statement(each) not in old
        for action in escalating_actions(each)
    ]
    return tuple(dict.fromkeys(lines))


def describe(statement: Statement) -> str:
    """One statement on one line: effect, actions, resources, and its condition as written."""
    actions = texts(statement.get("Action")) or ["all but", *texts(statement.get("NotAction"))]
    line = f"{statement.get('Effect')} {', '.join(actions)} on {_place(statement)}"
    if "Principal" in statement:
        line = f"{statement.get('Effect')} {', '.join(actions)} to {statement['Principal']}"
    if statement.get("Condition"):
        line += f" if {statement['Condition']}"
    return line


def _place(statement: Statement) -> str:
    if "NotResource" in statement:
        return f"all but {', '.join(texts(statement['NotResource']))}"
    return ", ".join(texts(statement.get("Resource"))) or "the role itself"


def _statements(documents: Iterable[Document]) -> list[Statement]:
    found: list[Statement] = []
    for document in documents:
        statement = document.get("Statement", [])
        found += statement if isinstance(statement, list) else [statement]
    return [each for each in found if isinstance(each, Mapping)]


def _uncovered(statement: Statement, by: list[Statement]) -> list[str]:
    """The pairs of action and resource in a statement that no statement of `by` covers."""
    if any(canonical_statement(statement) == canonical_statement(each) for each in by):
        return []
    if "Action" not in statement or "NotResource" in statement:
        return [describe(statement).partition(" ")[2]]
    resources = texts(statement.get("Resource")) or [""]
    pairs = [(a, r) for a in texts(statement["Action"]) for r in resources]
    uncovered = [pair for pair in pairs if not any(_covers(each, statement, *pair) for each in by)]
    return [f"{action} on {resource or _place(statement)}" for action, resource in uncovered]


def _covers(broad: Statement, narrow: Statement, action: str, resource: str) -> bool:
    """Whether `broad` reaches one action on one resource at least as widely as `narrow` does."""
    if "NotAction" in broad or "NotResource" in broad:
        return False
    if any(broad.get(name) != narrow.get(name) for name in ("Principal", "NotPrincipal")):
        return False
    if broad.get("Condition") and not _same_condition(broad, narrow):
        return False
    return any(_within(action.lower(), each.lower()) for each in texts(broad.get("Action"))) and (
        any(_within(resource, each) for each in texts(broad.get("Resource")) or [""])
    )


def _same_condition(left: Statement, right: Statement) -> bool:
    one, two = ({"Condition": each.get("Condition")} for each in (left, right))
    return canonical_statement(one) == canonical_statement(two)


def _within(inner: str, outer: str) -> bool:
    """Whether every text that fits the pattern `inner` fits `outer` (sound, not complete)."""
    expression = re.escape(outer).replace(r"\*", ".*").replace(r"\?", "[^*]")
    return re.fullmatch(expression, inner, re.DOTALL) is not None
