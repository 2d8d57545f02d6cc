"""infra/cognito.yaml, read as CloudFormation would: parameters in, properties of resources out.

Knows the functions that the template uses and no other: an unknown one is an error, not a guess.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_NO_VALUE = object()
_PLACE = re.compile(r"\$\{([^!}][^}]*)\}")


class Template:
    """One template with its parameters. `made` maps resources that exist already to their ids."""

    def __init__(self, path: Path, parameters: Mapping[str, str], pseudo: Mapping[str, str]):
        import yaml

        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is ten times faster
        self._document: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), loader)
        declared = self._document["Parameters"]
        unknown = sorted(set(parameters) - set(declared))
        if unknown:
            raise ValueError(f"{path.name} has no parameter {', '.join(unknown)}")
        defaults = {name: each["Default"] for name, each in declared.items() if "Default" in each}
        self._values: dict[str, Any] = {**pseudo, **defaults, **parameters}
        self._values["AWS::NoValue"] = _NO_VALUE
        self.made: dict[str, str] = {}

    def properties(self, logical_id: str) -> dict[str, Any]:
        """A resource's properties, every function in them answered. Raises ValueError."""
        resolved: dict[str, Any] = self._resolve(
            self._document["Resources"][logical_id]["Properties"]
        )
        return resolved

    def _resolve(self, node: Any) -> Any:
        if isinstance(node, list):
            found = [self._resolve(each) for each in node]
            return [each for each in found if each is not _NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, argument),) = node.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(name, argument)
        items = {key: self._resolve(value) for key, value in node.items()}
        return {key: value for key, value in items.items() if value is not _NO_VALUE}

    def _call(self, name: str, argument: Any) -> Any:
        if name == "Ref":
            return self._value(argument)
        if name == "Fn::Sub":
            return self._substitute(argument)
        if name == "Fn::If":
            condition, yes, no = argument
            chosen = yes if self._resolve(self._document["Conditions"][condition]) else no
            return self._resolve(chosen)
        if name == "Fn::Equals":
            left, right = argument
            return self._resolve(left) == self._resolve(right)
        if name == "Fn::Not":
            return not self._resolve(argument[0])
        raise ValueError(f"{name} is not understood here")

    def _substitute(self, argument: Any) -> str:
        text, own = (argument, {}) if isinstance(argument, str) else argument
        values = {name: self._resolve(value) for name, value in own.items()}
        return _PLACE.sub(
            lambda found: str(values[found[1]] if found[1] in values else self._value(found[1])),
            str(text),
        )

    def _value(self, name: str) -> Any:
        if name in self.made:
            return self.made[name]
        if name not in self._values:
            raise ValueError(f"{name} is no parameter, and no resource that has been made")
        return self._values[name]
