"""When two policies mean the same: one canonical form for every spelling of a document.

AWS hands documents back reordered, percent-encoded, with lists for scalars. Compared and hashed
is the canonical form only; what is sent to AWS is always what the manifest says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote


def equivalent(left: object, right: object) -> bool:
    """Whether two policy documents, in any form AWS gives them, say the same."""
    return canonical(left) == canonical(right)


def canonical(document: object) -> str:
    """One text for all spellings of a document: parsed, JSON text or percent-encoded text.

    What is no policy at all keeps its own text, so that it never equals one.
    """
    parsed = decode(document)
    if not isinstance(parsed, Mapping):
        return _dump(parsed)
    result = {key: value for key, value in parsed.items() if key != "Statement"}
    statements = [canonical_statement(each) for each in _as_list(parsed.get("Statement", []))]
    return _dump({**result, "Statement": sorted(set(statements))})


def canonical_statement(statement: object) -> str:
    """One text for all spellings of one statement."""
    if not isinstance(statement, Mapping):
        return _dump(statement)
    kept = {name: value for name, value in statement.items() if (name, value) != ("Sid", "")}
    return _dump({name: _element(name, value) for name, value in kept.items()})


def decode(document: object) -> object:
    """A document parsed, from text too; text that is no JSON stays text."""
    if not isinstance(document, str):
        return document
    for text in (document, unquote(document)):
        try:
            return json.loads(text)
        except ValueError:
            continue
    return document


def _element(name: str, value: object) -> object:
    if name in ("Action", "NotAction", "Resource", "NotResource"):
        texts = [_dump(each) for each in _as_list(value)]
        lowered = [each.lower() for each in texts] if name.endswith("Action") else texts
        return sorted(set(lowered))
    if name in ("Principal", "NotPrincipal") and isinstance(value, Mapping):
        return {kind: sorted({_dump(each) for each in _as_list(v)}) for kind, v in value.items()}
    if name == "Condition" and isinstance(value, Mapping):
        return {operator: _keys(keys) for operator, keys in value.items()}
    return value


def _keys(keys: object) -> object:
    """Condition keys ignore case; two spellings of one key are kept apart, never dropped."""
    if not isinstance(keys, Mapping):
        return keys
    return sorted(
        [str(key).lower(), sorted({_scalar(each) for each in _as_list(value)})]
        for key, value in keys.items()
    )


def _scalar(value: object) -> str:
    """true is "true" and 10 is "10" to IAM."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float, str)) else _dump(value)


def _as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _dump(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
