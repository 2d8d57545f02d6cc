"""What a stack's parameters shall be: who was asked, in which order, and what is still missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cognises.errors import SettingsError, printable

_SETTINGS = re.compile(r"(Cognito|Cognises)[A-Z]\w*|ProjectName")
# Named like a setting, and yet a fact about the package that is deployed.
_OF_THE_PACKAGE = ("CognitoJwksFile",)
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True)
class Declared:
    """A parameter as the template declares it; `default` None: it has none."""

    name: str
    default: str | None = None
    secret: bool = False


def setting_of(parameter: str) -> str | None:
    """The setting that a parameter is named after: CognitoClientId, COGNITO_CLIENT_ID."""
    if parameter in _OF_THE_PACKAGE or not _SETTINGS.fullmatch(parameter):
        return None
    return _WORD.sub("_", parameter).upper()


def read_pairs(pairs: Iterable[str]) -> dict[str, str]:
    """From `NAME=VALUE` texts. Raises SettingsError with everything that is wrong."""
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


def gather(declared: Iterable[Declared], *sources: Mapping[str, str]) -> dict[str, str]:
    """A value for every parameter, from the first source that has one, else the default.

    The first source is what somebody typed: a name in it that the template does not know is an
    error. Raises SettingsError naming every parameter that is unknown or has no value.
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
            problems.append(f"error: {each.name} is not known yet; {_remedy(each.name)}")
    if problems:
        raise SettingsError(problems)
    return chosen


def from_settings(declared: Iterable[Declared], settings: Mapping[str, str]) -> dict[str, str]:
    """The parameters that are named after a setting which has a value."""
    named = ((each.name, setting_of(each.name)) for each in declared)
    return {name: settings[setting] for name, setting in named if setting and setting in settings}


def told(declared: Iterable[Declared], before: Mapping[str, str]) -> dict[str, str]:
    """What a stack has now and keeps, unless somebody says otherwise.

    Not its secrets: AWS tells asterisks in their place. Nor what settings say: one that is taken
    out of its file is to be gone from the service, too.
    """
    kept = {each.name for each in declared if not each.secret and setting_of(each.name) is None}
    return {name: value for name, value in before.items() if name in kept}


def differences(
    declared: Iterable[Declared], before: Mapping[str, str], chosen: Mapping[str, str]
) -> list[str]:
    """A line for each parameter that changes, or is set for the first time; secrets not shown."""
    lines = []
    for each in declared:
        old, new = before.get(each.name), chosen[each.name]
        if old == new or (old is None and new == (each.default or "")):
            continue
        told = "*****" if each.secret else f"{new!r}"
        was = f"{old!r} -> " if old is not None and not each.secret else ""
        lines.append(printable(f"{each.name}: {was}{told}"))
    return lines


def _remedy(name: str) -> str:
    setting = setting_of(name)
    return f"set {setting}" if setting else f"give it once: --parameter {name}=..."
