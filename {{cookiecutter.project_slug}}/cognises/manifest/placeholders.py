"""The placeholders of a manifest's policies: `${AWS::Region}` and four more.

They are filled after parsing and in string values only, so that no value can add an element.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from cognises.errors import Problem, warning

# What the checker fills in before the account is known: valid in form, usual in length.
EXAMPLE_VALUES: Mapping[str, str] = {
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "UserPoolId": "us-east-1_Example00",
    "IdentityService": "cognito-identity.amazonaws.com",
}
_LISTED = ", ".join(f"${{{name}}}" for name in EXAMPLE_VALUES)
# Everything else in `${…}` belongs to IAM and passes untouched.
_OURS = re.compile(r"\$\{(AWS::[^}]*|UserPoolId|IdentityService)\}")
_ANY = re.compile(r"\$\{(AWS::[^}]*|[^{}]*)\}")
# The names without case and punctuation: `${AWS:AccountId}` and `${accountId}` are near misses.
_PLAIN = {re.sub("[^a-z]", "", name.lower()): name for name in EXAMPLE_VALUES}
_PLAIN |= {name.removeprefix("aws"): full for name, full in _PLAIN.items()}


def fill(value: object, values: Mapping[str, str]) -> object:
    """A copy of parsed JSON, filled in its values. Raises KeyError for an unknown placeholder."""
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


def all_texts(value: object, place: str = "") -> Iterator[tuple[str, str, bool]]:
    """Every text in parsed JSON: its place, the text, and whether it is a key."""
    if isinstance(value, str):
        yield place, value, False
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from all_texts(each, f"{place}[{index}]")
    elif isinstance(value, dict):
        for key, each in value.items():
            where = f"{place}.{key}" if place else key
            yield where, key, True
            yield from all_texts(each, where)
