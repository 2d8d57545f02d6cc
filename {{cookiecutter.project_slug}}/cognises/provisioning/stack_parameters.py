"""The values of a stack's parameters: from options, settings, the stack as it is, and defaults."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cognises.errors import SettingsError, printable

_SETTINGS = re.compile(r"(Cognito|Cognises)[A-Z]\w*|ProjectName")
# Named like a setting, but a property of the package that is deployed.
_OF_THE_PACKAGE = ("CognitoJwksFile",)
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True)
class Declared:
    """A parameter as the template declares it; `default` is None where it has none."""

    name: str
    default: str | None = None
    secret: bool = False

    @property
    def setting(self) -> str | None:
        """The setting of the same name: COGNITO_CLIENT_ID for CognitoClientId."""
        if self.name in _OF_THE_PACKAGE or not _SETTINGS.fullmatch(self.name):
            return None
        return _WORD.sub("_", self.name).upper()


def read_pairs(pairs: Iterable[str]) -> dict[str, str]:
    """From `NAME=VALUE` texts. Raises SettingsError with every problem."""
    found: dict[str, str] = {}
    problems = []
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.isalnum():
            problems.append(f"error: --parameter {pair!r}: write NAME=VALUE")
        elif name in found:
            problems.append(f"error: --parameter {name}: given twice")
        found[name] = value
    if problems:
        raise SettingsError(problems)
    return found


def resolve(declared: Iterable[Declared], *sources: Mapping[str, str]) -> dict[str, str]:
    """A value for every parameter, from the first source that has one, else its default.

    The first source is the command line: a name in it that the template does not declare is an
    error. Raises SettingsError that names every unknown parameter and every missing value.
    """
    known = list(declared)
    names = {each.name for each in known}
    problems = [
        f"error: --parameter {name}: the template has no such parameter"
        for name in sources[0]
        if name not in names
    ]
    chosen: dict[str, str] = {}
    for each in known:
        values = [source[each.name] for source in sources if each.name in source]
        if values:
            chosen[each.name] = values[0]
        elif each.default is not None:
            chosen[each.name] = each.default
        else:
            remedy = f"give it once: --parameter {each.name}=..."
            remedy = f"set {each.setting}" if each.setting else remedy
            problems.append(f"error: {each.name} is not known yet; {remedy}")
    if problems:
        raise SettingsError(problems)
    return chosen


def from_settings(declared: Iterable[Declared], settings: Mapping[str, str]) -> dict[str, str]:
    """The parameters that are named after a setting which has a value."""
    return {
        each.name: settings[each.setting]
        for each in declared
        if each.setting and each.setting in settings
    }


def previous_values(declared: Iterable[Declared], before: Mapping[str, str]) -> dict[str, str]:
    """What the stack has and keeps unless a new value is given.

    Secrets are not kept: AWS returns asterisks for them. Nor are settings: one that is removed
    from its file has to disappear from the service.
    """
    kept = {each.name for each in declared if not each.secret and each.setting is None}
    return {name: value for name, value in before.items() if name in kept}


def differences(
    declared: Iterable[Declared], before: Mapping[str, str], chosen: Mapping[str, str]
) -> list[str]:
    """A line for each parameter that changes or is set for the first time; secrets hidden."""
    lines = []
    for each in declared:
        old, new = before.get(each.name), chosen[each.name]
        if old == new or (old is None and new == (each.default or "")):
            continue
        shown = "*****" if each.secret else f"{new!r}"
        was = f"{old!r} -> " if old is not None and not each.secret else ""
        lines.append(printable(f"{each.name}: {was}{shown}"))
    return lines
