"""The Condition element of an IAM policy: operators, keys, and values that fit the operator.

Source: the IAM user guide, "IAM JSON policy elements: Condition operators".
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import datetime
from difflib import get_close_matches
from ipaddress import ip_network

from cognises.errors import Problem, warning

_COMPARISONS = ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan")
OPERATORS = frozenset(
    [f"String{each}" for each in ("Equals", "NotEquals", "Like", "NotLike")]
    + ["StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"]
    + [f"Arn{each}" for each in ("Equals", "NotEquals", "Like", "NotLike")]
    + [f"{kind}{each}" for kind in ("Numeric", "Date") for each in _COMPARISONS]
    + ["NumericGreaterThanEquals", "DateGreaterThanEquals"]
    + ["Bool", "BinaryEquals", "IpAddress", "NotIpAddress", "Null"]
)
_PREFIXES = ("ForAllValues", "ForAnyValue")
_SET_PREFIX = re.compile(rf"^({'|'.join(_PREFIXES)}):")


def check_condition(condition: object, place: str) -> Iterator[Problem]:
    """Every problem in the value of a statement's Condition."""
    if not isinstance(condition, dict):
        yield Problem(place, 'must be an object: {"StringEquals": {"aws:…": "…"}}')
        return
    for operator, keys in condition.items():
        where = f"{place}.{operator}"
        bare = _bare_operator(operator)
        if bare is None:
            yield Problem(where, f"unknown condition operator{_did_you_mean(operator)}")
        if not isinstance(keys, dict):
            yield Problem(where, 'must be an object of condition keys: {"aws:…": "…"}')
            continue
        if not keys:
            yield warning(where, "has no condition key and restricts nothing; remove it")
        for key, value in keys.items():
            yield from _key(key, f"{where}.{key}")
            yield from _values(bare or "", value, f"{where}.{key}")


def _bare_operator(operator: str) -> str | None:
    bare = _SET_PREFIX.sub("", operator)
    # Null tests whether a key is present, so IAM has no NullIfExists.
    if bare.endswith("IfExists") and bare != "NullIfExists":
        bare = bare.removesuffix("IfExists")
    return bare if bare in OPERATORS else None


def _did_you_mean(operator: str) -> str:
    prefix, _, bare = operator.rpartition(":")
    close = get_close_matches(bare, OPERATORS, n=1)
    if prefix and close:
        return (
            f"; did you mean {get_close_matches(prefix, _PREFIXES, n=1, cutoff=0)[0]}:{close[0]}?"
        )
    return f"; did you mean {close[0]}?" if close else "; see IAM's list of condition operators"


def _key(key: str, place: str) -> Iterator[Problem]:
    if not re.fullmatch(r"[A-Za-z0-9.-]+:[^\s].*", key):
        yield Problem(place, "a condition key starts with a service, as in aws:SourceIp")


def _values(operator: str, value: object, place: str) -> Iterator[Problem]:
    values = value if isinstance(value, list) else [value]
    if not values:
        yield warning(place, "an empty list of values never matches; add a value")
    for each in values:
        if not isinstance(each, (str, int, float, bool)):
            yield Problem(place, "a condition value is a text, a number, true, false or a list")
        elif not _fits(operator, each):
            yield Problem(place, f"{each!r} does not fit {operator}; {_REMEDIES[_kind(operator)]}")
        elif operator.startswith("Arn") and not _is_arn(str(each)):
            yield warning(
                place, f"{each!r} is not an ARN, so {operator} never matches; write arn:…"
            )


def _fits(operator: str, value: str | int | float | bool) -> bool:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if "${" in text:  # a policy variable: known at request time only
        return True
    return _CHECKS.get(_kind(operator), _anything)(text)


def _kind(operator: str) -> str:
    for kind in _CHECKS:
        if kind in operator:
            return kind
    return ""


def _anything(text: str) -> bool:
    return True


def _is_arn(text: str) -> bool:
    return text.startswith(("arn:", "*", "$"))


def _is_boolean(text: str) -> bool:
    return text.lower() in ("true", "false")


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d+(\.\d+)?", text, re.ASCII) is not None


def _is_date(text: str) -> bool:
    if re.fullmatch(r"\d{1,19}", text, re.ASCII):  # seconds since 1970
        return True
    if re.fullmatch(r"\d{4}(-\d\d)?", text, re.ASCII):
        return True
    # W3C profile of ISO 8601; fromisoformat before Python 3.11 knows neither Z nor odd fractions.
    try:
        datetime.fromisoformat(re.sub(r"(\.\d+)?[Zz]$", "+00:00", text))
    except ValueError:
        return False
    return True


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _is_base64(text: str) -> bool:
    try:
        b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


_CHECKS: dict[str, Callable[[str], bool]] = {
    "Bool": _is_boolean,
    "Null": _is_boolean,
    "Numeric": _is_number,
    "Date": _is_date,
    "IpAddress": _is_network,
    "Binary": _is_base64,
}
_REMEDIES = {
    "Bool": 'write "true" or "false"',
    "Null": 'write "true" or "false"',
    "Numeric": "write a number",
    "Date": "write a date as 2027-01-31T00:00:00Z",
    "IpAddress": "write an address or a range as 203.0.113.0/24",
    "Binary": "write base64",
}
