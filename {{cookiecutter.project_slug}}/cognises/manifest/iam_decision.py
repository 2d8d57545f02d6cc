"""Whether identity policies allow a call in AWS, as IAM decides it.

Source: the IAM user guide, "Policy evaluation logic", "Condition operators", "Policy variables".
What cannot be judged (an unknown operator, a variable without a value) never allows, and in a
Deny statement always denies.
"""

import operator
import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network
from typing import Any, Literal

from cognises.manifest.iam_policy import OPERATORS, as_list

Context = Mapping[str, Any]  # condition keys to a text, or to a list of texts
_PARTS = re.compile(r"\$\{[^}]*\}|[*?]|[^*?$]+|\$")
_WILD = {"*": ".*", "?": "."}
_ORDER = {"Equals": operator.eq, "LessThan": operator.lt, "LessThanEquals": operator.le,
          "GreaterThan": operator.gt, "GreaterThanEquals": operator.ge}  # fmt: skip


def decide(
    statements: Iterable[Mapping[str, Any]], action: str, resource: str, context: Context
) -> Literal["allowed", "denied", "not allowed"]:
    """Decide one call. In: statements with placeholders filled, the action, the ARN that it acts
    on (`*` where the action takes none), and the call's condition keys, whatever their case.
    """
    keys = {name.lower(): value for name, value in context.items()}
    found = {each.get("Effect") for each in statements if _applies(each, action, resource, keys)}
    return "denied" if found - {"Allow"} else "allowed" if found else "not allowed"


def _applies(statement: Mapping[str, Any], action: str, resource: str, keys: Context) -> bool:
    try:
        covers = _covers(statement, "Action", action, None)
        covers = covers and _covers(statement, "Resource", resource, keys)
        conditions = statement.get("Condition", {}).items() if covers else ()
        tests = [(each, key, found[key]) for each, found in conditions for key in found]
        return covers and all(_holds(each, key, as_list(v), keys) for each, key, v in tests)
    except (AttributeError, LookupError, TypeError, ValueError):
        return statement.get("Effect") != "Allow"


def _covers(statement: Mapping[str, Any], name: str, value: str, keys: Context | None) -> bool:
    patterns = as_list(statement.get(name) or statement[f"Not{name}"])
    flags = re.IGNORECASE if name == "Action" else 0
    found = [bool(glob(each, flags, keys).fullmatch(value)) for each in patterns]
    if not found:
        raise ValueError(f"{name} is empty")
    return any(found) == (name in statement)


def glob(
    pattern: str, flags: int = re.IGNORECASE, keys: Context | None = None, *, wild: bool = True
) -> re.Pattern[str]:
    """A pattern of IAM as an expression; a star in a variable's value is no wildcard.
    `keys`: condition keys in lower case (None: the pattern has no variables). Raises KeyError for
    a variable without a single value.
    """

    def expression(part: str) -> str:
        name, _, default = part[2:-1].partition(",")
        if keys is None or not part.startswith("${"):
            return _WILD[part] if wild and part in _WILD else re.escape(part)
        value = name if name in ("*", "?", "$") else keys.get(name.strip().lower())
        value = default.strip().strip("'") if value is None and default else value
        if not isinstance(value, str):
            raise KeyError(name)
        return re.escape(value)

    return re.compile("".join(map(expression, _PARTS.findall(pattern))), flags | re.DOTALL)


def _holds(name: str, key: str, wanted: list[Any], keys: Context) -> bool:
    values = as_list(keys[key.lower()]) if key.lower() in keys else []
    texts = [str(each).lower() if isinstance(each, bool) else str(each) for each in wanted]
    if name == "Null":
        return ("false" if values else "true") in map(str.lower, texts)
    bare = name.removesuffix("IfExists")
    quantity, _, plain = bare.rpartition(":")
    positive = plain.replace("Not", "")
    if bare not in OPERATORS or (quantity and bare != name) or (not quantity and len(values) > 1):
        raise ValueError(name)
    is_plain = positive == plain
    found = [any(_fits(positive, v, text, keys) for text in texts) == is_plain for v in values]
    if quantity == "ForAnyValue":
        return any(found)
    return all(found) if found or quantity else not is_plain or bare != name


def _fits(kind: str, value: str, text: str, keys: Context) -> bool:
    """Whether a value of the call fits one of the policy; a kind not known here fails in float."""
    if kind == "IpAddress":
        return ip_address(value) in ip_network(text, strict=False)
    if kind.startswith("Arn"):
        pairs = list(zip(text.split(":", 5), value.split(":", 5), strict=False))
        return len(pairs) == 6 and all(glob(p, 0, keys).fullmatch(v) for p, v in pairs)
    if kind.startswith("String") or kind == "Bool":
        flags = 0 if kind in ("StringEquals", "StringLike") else re.IGNORECASE
        return glob(text, flags, keys, wild=kind == "StringLike").fullmatch(value) is not None
    return bool(_ORDER[kind.removeprefix("Numeric")](float(value), float(text)))
