"""A resource of an IAM policy: `*` or an ARN that IAM's parser accepts.

Source: the IAM user guide, "Amazon Resource Names"; IAM's own error messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cognises.errors import Problem, warning

PARTITION = re.compile(r"\*|aws|aws-[a-z0-9-]+")
_VARIABLE = re.compile(r"\$\{[^}]*\}")
# AWS's own policies have this one in place of the account.
_ACCOUNT_VARIABLE = (":${aws:PrincipalAccount}:", ":*:")
_MARK = "\0"  # stands for a variable; no document that IAM accepts contains it
_ACCOUNT = re.compile(r"|\d{12}|\d*[*?][\d*?]*|aws|cloudfront")
_REGION = re.compile(r"|[a-z]{2,4}(-[a-z]+){1,3}-\d{1,2}|[a-z0-9*?-]*[*?][a-z0-9*?-]*")
IAM_PATHS = (
    *("user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "policy/"),
    *("server-certificate/", "sms-mfa/", "saml-provider/", "oidc-provider/", "report/"),
    *("access-report/", "delegation-request/", "role-template/", "root", "*"),
)
_FORM = "an ARN is arn:partition:service:region:account:name"
_S3_REGIONAL = ("accesspoint/", "access-grants/", "job/", "storage-lens", "async-request/")


def check_resource(resource: str) -> Iterator[Problem]:
    """Every problem in one value of Resource or NotResource."""
    if resource == "*":
        return
    yield from _variables(resource)
    # A variable stands for any text; the colon inside ${aws:username} is no separator.
    marked = _VARIABLE.sub(_MARK, resource.replace(*_ACCOUNT_VARIABLE)).split(":", 5)
    parts = [part.replace(_MARK, "*") for part in marked]
    if parts[0] != "arn" or len(parts) < 3:
        yield Problem("", f'{resource!r} is not an ARN; write "*" or arn:partition:service:…')
        return
    if not PARTITION.fullmatch(parts[1]):
        yield Problem("", f"partition {parts[1]!r} is unknown; write aws or ${{AWS::Partition}}")
    if not re.fullmatch(r"[A-Za-z0-9-]+", parts[2]):
        yield Problem("", f"the service of {resource!r} must be written out, without wildcards")
    yield from _shape(resource, parts)
    if any(_MARK in part for part in marked[:5]):
        yield Problem(
            "", f"{resource!r}: IAM takes a variable in the last part of an ARN only; write it out"
        )


def _variables(resource: str) -> Iterator[Problem]:
    if "${" in _VARIABLE.sub("", resource):
        yield Problem("", f"{resource!r} has a variable without a closing brace; write ${{…}}")
    for name in _VARIABLE.findall(resource):
        if ":" not in name and name not in ("${*}", "${?}", "${$}"):
            yield warning("", f"{name} is not a variable of IAM; write one as ${{aws:username}}")


def _shape(resource: str, parts: list[str]) -> Iterator[Problem]:
    if len(parts) == 6:
        yield from _places(parts)
    elif len(parts) == 5 and not _ACCOUNT.fullmatch(parts[4]):
        yield Problem("", f"{resource!r} needs another colon; {_FORM}, and parts may be empty")
    elif len(parts) < 4 or not parts[-1].endswith("*"):  # a last star stands for all that follows
        yield Problem("", f"{resource!r} is incomplete; {_FORM}")


def _places(parts: list[str]) -> Iterator[Problem]:
    _, _, service, region, account, name = parts
    if not _REGION.fullmatch(region):
        yield warning("", f"{region!r} is not a region; write one as us-east-1, or leave it empty")
    if not _ACCOUNT.fullmatch(account):
        yield warning("", f"{account!r} is not an account id; write it or ${{AWS::AccountId}}")
    if service == "iam" and region:
        yield Problem("", "an IAM ARN has no region; leave that part empty")
    if service == "iam" and not _may_start(name, IAM_PATHS):
        yield Problem("", f"{name!r} is not an IAM resource; start with role/, policy/, user/ …")
    if service == "s3" and region and not account and not _may_start(name, _S3_REGIONAL):
        yield Problem("", "a bucket's ARN has no region; write arn:aws:s3:::bucket/*")


def _may_start(name: str, starts: tuple[str, ...]) -> bool:
    """Whether a name, with its wildcards, can start with one of the given texts."""
    fixed = re.split(r"[*?]", name, maxsplit=1)[0]
    wild = fixed != name
    return any(fixed.startswith(each) or (wild and each.startswith(fixed)) for each in starts)
