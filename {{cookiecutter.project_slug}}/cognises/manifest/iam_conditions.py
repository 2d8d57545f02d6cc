"""The Condition element of an IAM policy: operators, keys, and values that fit the operator.

Source: the IAM user guide, "IAM JSON policy elements: Condition operators".
"""

from __future__ import annotations

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
            if not re.fullmatch(r"[A-Za-z0-9.-]+:[^\s].*", key):
                text = "a condition key starts with a service, as in aws:SourceIp"
                yield Problem(f"{where}.{key}", text)
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


def _values(operator: str, value: object, place: str) -> Iterator[Problem]:
    values = value if isinstance(value, list) else [value]
    if not values:
        yield warning(place, "an empty list of values never matches; add a value")
    for each in values:
        if not isinstance(each, (str, int, float, bool)):
            yield Problem(place, "a condition value is a text, a number, true, false or a list")
        elif not _fits(operator, each):
            yield Problem(place, f"{each!r} does not fit {operator}; {_kind(operator)[1]}")
        elif operator.startswith("Arn") and not str(each).startswith(("arn:", "*", "$")):
            text = f"{each!r} is not an ARN, so {operator} never matches; write arn:…"
            yield warning(place, text)


def _fits(operator: str, value: str | int | float | bool) -> bool:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    # The value of a policy variable is known at request time only.
    return "${" in text or bool(_kind(operator)[0](text))


def _kind(operator: str) -> tuple[Callable[[str], object], str]:
    return next(
        (each for kind, each in _KINDS.items() if kind in operator), (lambda text: True, "")
    )


def _parsed_by(parse: Callable[[str], object]) -> Callable[[str], object]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return check


def _date(text: str) -> None:
    """Seconds since 1970, or the W3C profile of ISO 8601."""
    if not re.fullmatch(r"\d{1,19}|\d{4}-\d\d", text, re.ASCII):
        # Before Python 3.11 fromisoformat reads neither Z nor all fractions.
        datetime.fromisoformat(re.sub(r"(\.\d+)?[Zz]$", "+00:00", text))


_BOOLEAN = (re.compile("true|false", re.IGNORECASE).fullmatch, 'write "true" or "false"')
# A part of the operator's name: what a value must pass, and the remedy.
_KINDS: dict[str, tuple[Callable[[str], object], str]] = {
    "Bool": _BOOLEAN,
    "Null": _BOOLEAN,
    "Numeric": (re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII).fullmatch, "write a number"),
    "Date": (_parsed_by(_date), "write a date as 2027-01-31T00:00:00Z"),
    "IpAddress": (
        _parsed_by(lambda text: ip_network(text, strict=False)),
        "write an address or a range as 203.0.113.0/24",
    ),
    "Binary": (_parsed_by(lambda text: b64decode(text, validate=True)), "write base64"),
}
