"""The grammar of an IAM identity policy: refuse what AWS refuses, accept what AWS accepts.

Legal but risky grants are found by `iam_warnings`. Source: the IAM user guide, "Grammar of the IAM
JSON policy language", "IAM quotas", "Condition operators", "Amazon Resource Names"; IAM's messages.
"""

import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from difflib import get_close_matches
from functools import partial
from ipaddress import ip_network
from typing import Any

from cognises.errors import Problem, warning

VERSION = "2012-10-17"
INLINE_LIMIT = 10_240  # characters in all inline policies of a role, white space not counted
_DOCUMENT = ("Version", "Id", "Statement")
_STATEMENT = ("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition")
_ACTION = re.compile(r"\*(:\*)?|[A-Za-z0-9][A-Za-z0-9.-]*:[A-Za-z0-9*?_-]+")
Check = Callable[[str], Iterator[Problem]]
_REFUSED_CHARACTERS = re.compile(r"[^\t\n\r\x20-\xff]")


def check_policy(document: object) -> Iterator[Problem]:
    """Every problem in an identity policy as it will be sent to IAM."""
    if not isinstance(document, dict):
        yield Problem("", "must be a JSON object, an IAM policy document, not text or a list")
        return
    yield from _unknown_elements(document, _DOCUMENT)
    if document.get("Version") != VERSION:
        yield Problem("Version", f'must be "{VERSION}": IAM refuses any other for a role')
    if not isinstance(document.get("Id", ""), str):
        yield Problem("Id", "must be text; leave it out")
    statements = _items(document, "Statement")
    if not statements:
        yield Problem("Statement", "missing or empty; a policy needs at least one statement")
    sids: set[str] = set()
    for place, statement in statements:
        yield from (problem.under(place) for problem in _statement(statement, sids))
    for place, text, _ in all_texts(document):
        if found := _REFUSED_CHARACTERS.search(text):
            accepted = "IAM accepts tab, line ends, U+0020 to U+00FF"
            yield Problem(place, f"{text!a} contains {found[0]!a}; {accepted}")


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


def policy_size(document: object) -> int:
    """The size of a document that IAM limits: all characters except white space."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return sum(not character.isspace() for character in text)


def statements_of(document: object) -> Iterator[tuple[str, Mapping[str, object]]]:
    """The statements that are objects, with their places."""
    for place, statement in _items(document, "Statement") if isinstance(document, dict) else ():
        if isinstance(statement, dict):
            yield place, statement


def resources_of(document: object) -> Iterator[tuple[str, str]]:
    """Every Resource and NotResource of a document, with its place."""
    for place, statement in statements_of(document):
        for where, each in _items(statement, "Resource") + _items(statement, "NotResource"):
            if isinstance(each, str):
                yield f"{place}.{where}", each


def as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def texts(value: object) -> list[str]:
    """A text, or the texts of a list, as a list; anything else is left out."""
    return [each for each in as_list(value) if isinstance(each, str)]


def _items(holder: Mapping[str, object], name: str) -> list[tuple[str, object]]:
    """The values of an element with their places; one outside a list is a list of one."""
    found = holder.get(name, [])
    if not isinstance(found, list):
        return [(name, found)]
    return [(f"{name}[{index}]", each) for index, each in enumerate(found)]


def _unknown_elements(found: Mapping[str, object], known: tuple[str, ...]) -> Iterator[Problem]:
    for name in found:
        if name in ("Principal", "NotPrincipal"):
            yield Problem(name, "remove it: the principal of a role's policy is the role")
        elif name not in known:
            close = get_close_matches(name.capitalize(), known, n=1) or known
            yield Problem(name, f"unknown element; use {' or '.join(close)}, in this spelling")


def _statement(statement: object, sids: set[str]) -> Iterator[Problem]:
    if not isinstance(statement, dict):
        yield Problem("", "must be an object with Effect, Action and Resource")
        return
    yield from _unknown_elements(statement, _STATEMENT)
    if statement.get("Effect") not in ("Allow", "Deny"):
        yield Problem("Effect", 'must be exactly "Allow" or "Deny"')
    yield from _one_of(statement, "Action", _check_action)
    yield from _one_of(statement, "Resource", check_resource)
    if "Condition" in statement:
        found = check_condition(statement["Condition"])
        yield from (problem.under("Condition") for problem in found)
    sid = statement.get("Sid", "")
    if not isinstance(sid, str) or not re.fullmatch(r"[A-Za-z0-9]*", sid):
        yield Problem("Sid", "use the letters A-Z, a-z and digits only")
    elif sid in sids:
        yield Problem("Sid", f"{sid!r} is used twice in this policy; rename one")
    elif sid:
        sids.add(sid)


def _one_of(statement: Mapping[str, object], name: str, check: Check) -> Iterator[Problem]:
    """Exactly one of `name` and `Not<name>`, holding a text or a list of texts, not empty."""
    present = [each for each in (name, f"Not{name}") if each in statement]
    if not present:
        yield Problem(name, f"missing; a statement needs {name} or Not{name}")
    if len(present) == 2:
        yield Problem(name, f"is used together with Not{name}; keep one of them")
    for each in present:
        for place, value in _items(statement, each) or [(each, "")]:
            if value and isinstance(value, str):
                yield from (problem.under(place) for problem in check(value))
            else:
                yield Problem(place, "must be a text or a list of texts, not empty")


def _check_action(action: str) -> Iterator[Problem]:
    if not _ACTION.fullmatch(action):
        yield Problem("", f'{action!r} is not an action; write "service:Action"')


_EQUAL, _LIKE = ("Equals", "NotEquals"), ("Like", "NotLike")
_ORDER = ("LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
_NAMES = {
    "String": (*_EQUAL, *_LIKE, "EqualsIgnoreCase", "NotEqualsIgnoreCase"),
    "Arn": (*_EQUAL, *_LIKE), "Numeric": (*_EQUAL, *_ORDER), "Date": (*_EQUAL, *_ORDER),
    "": ("Bool", "BinaryEquals", "Null", "IpAddress", "NotIpAddress"),
}  # fmt: skip
_QUANTITIES = ("", "ForAllValues:", "ForAnyValue:")
OPERATORS = [f"{q}{kind}{name}" for q in _QUANTITIES for kind in _NAMES for name in _NAMES[kind]]


def check_condition(condition: object) -> Iterator[Problem]:
    """Every problem in the value of a statement's Condition."""
    if not isinstance(condition, dict):
        yield Problem("", 'must be an object: {"StringEquals": {"aws:…": "…"}}')
        return
    for operator, keys in condition.items():
        # Null tests whether a key is present, so IAM has no NullIfExists.
        bare = operator.removesuffix("" if operator.endswith("NullIfExists") else "IfExists")
        if bare not in OPERATORS:
            close = get_close_matches(operator, OPERATORS, n=1)
            hint = f"did you mean {close[0]}?" if close else "see IAM's list of condition operators"
            yield Problem(operator, f"unknown condition operator; {hint}")
            bare = ""
        if not isinstance(keys, dict):
            yield Problem(operator, 'must be an object of condition keys: {"aws:…": "…"}')
            continue
        if not keys:
            yield warning(operator, "has no condition key and restricts nothing; remove it")
        for key, value in keys.items():
            yield from (each.under(f"{operator}.{key}") for each in _key(bare, key, value))


def _key(operator: str, key: str, value: object) -> Iterator[Problem]:
    """Problems of a condition key and its values; an unknown operator ("") accepts every text."""
    if not re.fullmatch(r"[A-Za-z0-9.-]+:[^\s].*", key):
        yield Problem("", "a condition key starts with a service, as in aws:SourceIp")
    values = as_list(value)
    if not values:
        yield warning("", "an empty list of values never matches; add a value")
    parse, remedy = next((kind for name, kind in _KINDS.items() if name in operator), (str, ""))
    for each in values:
        text = str(each).lower() if isinstance(each, bool) else str(each)
        if not isinstance(each, (str, int, float, bool)):
            yield Problem("", "a condition value is a text, a number, true, false or a list")
        # The value of a policy variable is known at request time only.
        elif "${" not in text and not _is_accepted(parse, text):
            yield Problem("", f"{each!r} does not fit {operator}; {remedy}")
        elif "Arn" in operator and not text.startswith(("arn:", "*", "$")):
            yield warning("", f"{each!r} is not an ARN, so {operator} never matches; write arn:…")


def _is_accepted(parse: Callable[[str], object], text: str) -> bool:
    try:
        return parse(text) is not None
    except ValueError:
        return False


def _date(text: str) -> object:
    """Seconds since 1970, or the W3C profile of ISO 8601; Python 3.10 reads less than that."""
    is_short = re.fullmatch(r"\d{1,19}|\d{4}-\d\d", text, re.ASCII)
    return is_short or datetime.fromisoformat(re.sub(r"(\.\d+)?[Zz]$", "+00:00", text))


_network = partial(ip_network, strict=False)
_BOOLEAN = (re.compile("true|false", re.IGNORECASE).fullmatch, 'write "true" or "false"')
# A part of the operator's name: what reads a value (or None, or ValueError), and the remedy.
_KINDS: dict[str, tuple[Callable[[str], object], str]] = {
    **dict.fromkeys(("Bool", "Null"), _BOOLEAN),
    "Numeric": (re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII).fullmatch, "write a number"),
    "Date": (_date, "write a date as 2027-01-31T00:00:00Z"),
    "IpAddress": (_network, "write a range as 203.0.113.0/24, or an address"),
    "Binary": (partial(b64decode, validate=True), "write base64"),
}

_PARTITION = re.compile(r"\*|aws|aws-[a-z0-9-]+")
_VARIABLE = re.compile(r"\$\{[^}]*\}")
# AWS's own policies have this one in place of the account.
_ACCOUNT_VARIABLE = (":${aws:PrincipalAccount}:", ":*:")
_MARK = "\0"  # stands for a variable; no document that IAM accepts contains it
_ACCOUNT = re.compile(r"|\d{12}|\d*[*?][\d*?]*|aws|cloudfront")
_REGION = re.compile(r"|[a-z]{2,4}(-[a-z]+){1,3}-\d{1,2}|[a-z0-9*?-]*[*?][a-z0-9*?-]*")
_IAM_PATHS = (
    "user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "policy/", "*",
    "server-certificate/", "sms-mfa/", "saml-provider/", "oidc-provider/", "report/", "root",
    "access-report/", "delegation-request/", "role-template/",
)  # fmt: skip
_FORM = "an ARN is arn:partition:service:region:account:name"
_S3_REGIONAL = ("accesspoint/", "access-grants/", "job/", "storage-lens", "async-request/")


def check_resource(resource: str) -> Iterator[Problem]:
    """Every problem in one value of Resource or NotResource."""
    if resource == "*":
        return
    if "${" in _VARIABLE.sub("", resource):
        yield Problem("", f"{resource!r} has a variable without a closing brace; write ${{…}}")
    for name in _VARIABLE.findall(resource):
        if ":" not in name and name not in ("${*}", "${?}", "${$}"):
            yield warning("", f"{name} is not a variable of IAM; write one as ${{aws:username}}")
    # A variable stands for any text; the colon inside ${aws:username} is no separator.
    marked = _VARIABLE.sub(_MARK, resource.replace(*_ACCOUNT_VARIABLE)).split(":", 5)
    parts = [part.replace(_MARK, "*") for part in marked]
    if parts[0] != "arn" or len(parts) < 3:
        yield Problem("", f'{resource!r} is not an ARN; write "*" or arn:partition:service:…')
        return
    yield from _parts(resource, parts)
    if any(_MARK in part for part in marked[:5]):
        text = "IAM takes a variable in the last part of an ARN only; write it out"
        yield Problem("", f"{resource!r}: {text}")


def _parts(resource: str, parts: list[str]) -> Iterator[Problem]:
    if not _PARTITION.fullmatch(parts[1]):
        yield Problem("", f"partition {parts[1]!r} is unknown; write aws or ${{AWS::Partition}}")
    if not re.fullmatch(r"[A-Za-z0-9-]+", parts[2]):
        yield Problem("", f"the service of {resource!r} must be written out, without wildcards")
    if len(parts) == 6:
        yield from _region_account_name(*parts[2:])
    elif len(parts) == 5 and not _ACCOUNT.fullmatch(parts[4]):
        yield Problem("", f"{resource!r} needs another colon; {_FORM}, and parts may be empty")
    elif len(parts) < 4 or not parts[-1].endswith("*"):  # a last star stands for all that follows
        yield Problem("", f"{resource!r} is incomplete; {_FORM}")


def _region_account_name(service: str, region: str, account: str, name: str) -> Iterator[Problem]:
    if not _REGION.fullmatch(region):
        yield warning("", f"{region!r} is not a region; write one as us-east-1, or leave it empty")
    if not _ACCOUNT.fullmatch(account):
        yield warning("", f"{account!r} is not an account id; write it or ${{AWS::AccountId}}")
    if service == "iam" and region:
        yield Problem("", "an IAM ARN has no region; leave that part empty")
    if service == "iam" and not _may_start(name, _IAM_PATHS):
        yield Problem("", f"{name!r} is not an IAM resource; start with role/, policy/, user/ …")
    if service == "s3" and region and not account and not _may_start(name, _S3_REGIONAL):
        yield Problem("", "a bucket's ARN has no region; write arn:aws:s3:::bucket/*")


def _may_start(name: str, starts: tuple[str, ...]) -> bool:
    fixed = re.split(r"[*?]", name, maxsplit=1)[0]
    wild = fixed != name
    return any(fixed.startswith(each) or (wild and each.startswith(fixed)) for each in starts)
