"""The placeholders of a manifest's policies: `${AWS::Region}` and three more.

They are filled after parsing and in string values only, so that no value can add an element.
Everything else in `${…}` belongs to IAM and passes untouched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from cognises.errors import Problem

NAMES = ("AWS::Region", "AWS::AccountId", "AWS::Partition", "UserPoolId")

# What the checker fills in where no account is known yet: right in shape, usual in length.
EXAMPLE_VALUES: Mapping[str, str] = {
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "UserPoolId": "us-east-1_Example00",
}
_OURS = re.compile(r"\$\{(AWS::[^}]*|UserPoolId)\}")


def fill(value: object, values: Mapping[str, str]) -> object:
    """A copy of parsed JSON with every placeholder replaced; keys are left as they are.

    Raises KeyError for a placeholder that `values` lacks (the checker reports those first).
    """
    if isinstance(value, str):
        return _OURS.sub(lambda found: values[found[1]], value)
    if isinstance(value, list):
        return [fill(each, values) for each in value]
    if isinstance(value, dict):
        return {key: fill(each, values) for key, each in value.items()}
    return value


def check_placeholders(value: object, place: str = "") -> Iterator[Problem]:
    """A problem for every placeholder that is unknown, or stands in a key."""
    if isinstance(value, str):
        for found in _OURS.finditer(value):
            if found[1] not in NAMES:
                yield Problem(place, f"{found[0]} is unknown; use {_listed()}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from check_placeholders(each, f"{place}[{index}]")
    elif isinstance(value, dict):
        for key, each in value.items():
            where = f"{place}.{key}" if place else key
            if _OURS.search(key):
                yield Problem(where, "placeholders are filled in values only, not in names")
            yield from check_placeholders(each, where)


def _listed() -> str:
    return ", ".join(f"${{{name}}}" for name in NAMES)
