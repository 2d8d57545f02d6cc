"""Reads IAM documents out of CloudFormation templates, and says what they let through."""

import re
from functools import cache

import yaml


class Functions(yaml.SafeLoader):
    """Reads CloudFormation's short forms as their long ones."""


def _long_form(loader, name, node):
    name = name if name in ("Ref", "Condition") else f"Fn::{name}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    return {name: loader.construct_sequence(node, deep=True)}


Functions.add_multi_constructor("!", _long_form)


def resolved(node, values):
    """A part of a template with its functions answered; an unknown one is an error."""
    if isinstance(node, list):
        return [resolved(each, values) for each in node]
    if not isinstance(node, dict):
        return node
    (first,) = node if len(node) == 1 else ("",)
    argument = node.get(first)
    if first in ("Ref", "Fn::GetAtt"):
        return values[argument]
    if first == "Fn::Sub":
        return re.sub(r"\$\{([^}]+)\}", lambda found: values[found[1]], argument)
    if first == "Fn::If":
        return resolved(argument[1], values)  # as if every condition held
    if first.startswith("Fn::"):
        raise ValueError(f"{first} is not understood here")
    return {key: resolved(value, values) for key, value in node.items()}


def listed(value):
    return [value] if isinstance(value, str) else list(value)


@cache
def _expression(pattern, flags):
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), flags)


def _covers(pattern, text, flags=0):
    return _expression(pattern, flags).fullmatch(text) is not None


def _applies(statement, action, resource, context):
    named = [_covers(each, action, re.IGNORECASE) for each in listed(statement.get("Action", ()))]
    left_out = [
        _covers(each, action, re.IGNORECASE) for each in listed(statement.get("NotAction", ()))
    ]
    if not (any(named) if "Action" in statement else not any(left_out)):
        return False
    if not any(_covers(each, resource) for each in listed(statement["Resource"])):
        return False
    return meets(statement.get("Condition", {}), context)


def _equal(value, wanted):
    return value in wanted


def _unequal(value, wanted):
    return value not in wanted


def _like(value, wanted):
    return value is not None and any(_covers(each, value) for each in wanted)


def _unlike(value, wanted):
    return not _like(value, wanted)


OPERATORS = {
    "Bool": _equal, "StringEquals": _equal, "StringNotEquals": _unequal, "StringLike": _like,
    "ArnEquals": _like, "ArnNotEquals": _unlike,
}  # fmt: skip


def _holds(operator, key, wanted, context):
    """One condition of a request; an operator that is not known here is an error."""
    value = context.get(key)
    if operator == "Null":
        return (key not in context) == (wanted == ["true"])
    quantity, _, of_one = operator.rpartition(":")
    if quantity == "ForAnyValue":
        return any(OPERATORS[of_one](each, wanted) for each in listed(value or ()))
    base = operator.removesuffix("IfExists")
    if base != operator and key not in context:
        return True
    return OPERATORS[base](value, wanted)


def meets(conditions, context):
    """Whether a request of this context, by IAM's condition keys, meets all conditions."""
    return all(
        _holds(operator, key, listed(values), context)
        for operator, keys in conditions.items()
        for key, values in keys.items()
    )


def is_allowed(statements, action, resource, context):
    """Whether some statement allows it and none denies it; `context` by IAM's condition keys."""
    effects = {each["Effect"] for each in statements if _applies(each, action, resource, context)}
    return effects == {"Allow"}
