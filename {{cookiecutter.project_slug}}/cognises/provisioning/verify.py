"""`verify`: a user's ID token, exchanged for credentials, shows whose role they are.

live identity pool -> token -> cognises' Verifier -> enhanced flow -> STS -> groups.json

Which role a token gets: of the user's groups, that of the lowest precedence, named in
`cognito:preferred_role`; with two such groups there is no claim, and there are no credentials.
The credentials stay in this module, and nothing prints them.

Source: Cognito developer guide, "Assigning precedence values to groups", "Identity pools
authentication flow", "Using role-based access control".
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cognises.errors import CognisesError, ProblemsError, ProvisionBlocked, SettingsError, printable
from cognises.manifest import Group, load_groups
from cognises.provisioning.aws import (
    error_code,
    error_message,
    group_clients,
    make_client,
    on_loopback,
)
from cognises.provisioning.aws_errors import explain, is_aws_error
from cognises.provisioning.groups.checks import unsafe_flows
from cognises.provisioning.groups.commands import identity_client
from cognises.provisioning.groups.model import IdentityPool, Scope
from cognises.provisioning.groups.read import observe_identity_pool, scope_of
from cognises.provisioning.names import is_provider_group
from cognises.provisioning.target import EXIT_ERROR, Options, Target, read_target, settings_values
from cognises.settings.model import Settings, parse
from cognises.settings.sources import PROJECT_FOLDER
from cognises.tokens.claims import groups_of
from cognises.tokens.key_source import own_key_set
from cognises.tokens.verifier import Verifier

LARGEST = 64 * 1024  # bytes; four times what any verifier here accepts
_TOKEN = re.compile(r"eyJ[\w-]+(\.[\w-]*)*")
_CONNECT = "`provision.py bootstrap --revert-drift` connects them"
# What the verifier says of a token, and what the identity pool says, in lower case.
REASONS = {
    "token_expired": "the token has expired; sign in again and use the new ID token",
    "wrong_token_use": "this is not an ID token, and the identity pool accepts no other; is it an "
    "access token?",
    "wrong_client": "the token was issued to an app client that COGNITO_CLIENT_ID does not name",
    "unknown_key": "no key of user pool {pool} signed the token; is it another pool's?",
    "keys_unavailable": "the keys of user pool {pool} cannot be fetched now, so the token cannot "
    "be verified; try again",
}
REFUSALS = {
    "ambiguous role": "the token prefers no role: the user is in no group that has one, or in "
    "several of the same precedence, or the identity pool's role mapping is not bootstrap's; "
    "`provision.py users add-to-group`, or give the groups of groups.json distinct precedences "
    "and apply, or `provision.py bootstrap --revert-drift`; then sign in again",
    "expired": "the identity pool says that the token has expired; sign in again",
    "logged out": "the user was signed out since the token was issued; sign in again",
    "revoked": "the token was revoked; sign in again",
    "disabled": "the user is disabled; `provision.py users enable` enables it",
    "supported provider": "the identity pool does not accept tokens of this user pool and app "
    f"client; {_CONNECT}",
}
NOT_ASSUMABLE = (
    "the identity pool may not assume the role that the token prefers; the role is missing, or its "
    "trust names another identity pool: `provision.py plan` shows it"
)


class VerifyFailed(ProblemsError):
    """A token that proves nothing, or an exchange that was refused; one line each."""


@dataclass(frozen=True)
class Expected:
    """The role that groups.json gives to a token's groups, or why there is none."""

    groups: tuple[str, ...]
    group: str | None
    role_arn: str | None
    why_none: str = ""
    unknown: tuple[str, ...] = ()
    preferred: str | None = None


@dataclass(frozen=True)
class Caller:
    """Who a set of credentials belongs to, by STS."""

    account: str
    arn: str

    @property
    def role_arn(self) -> str | None:
        """The assumed role, without its path, which STS does not return; None for no role."""
        pattern = r"arn:([^:]+):sts:[^:]*:([^:]*):assumed-role/([^/]*)/.+"
        found = re.fullmatch(pattern, self.arn)
        return "arn:{}:iam::{}:role/{}".format(*found.groups()) if found else None


def run(options: Options, token_file: Path | None, *, as_json: bool) -> int:
    """Show whose role a token's credentials are. Returns 0, or 1 if it is not the expected one.

    Prints no credential and no token, and creates no user. Raises ProvisionBlocked where the
    identity pool allows guests or the classic flow.
    """
    target, settings = _configured(options)
    manifest = load_groups(target.groups_file, role_prefix=target.role_prefix)
    identity = identity_client(target)
    loopback = on_loopback(identity)
    pool = observe_identity_pool(identity, target.identity_pool_id or "")
    blocks, warnings = unsafe_flows(pool, loopback=loopback)
    if blocks:
        raise ProvisionBlocked(blocks)
    _warn(warnings)
    token = read_token(token_file)
    claims = verified_claims(token, settings, target)
    expected = expected_role(claims, manifest, scope_of(target, group_clients(target.aws)))
    caller = caller_identity(exchange_token(identity, pool, target, token), target)
    problem, warnings = compare(expected, caller, loopback=loopback)
    agrees = False if problem else True if caller.role_arn else None
    if as_json:
        problems = [problem] if problem else []
        outcome = {"agrees": agrees, "problems": problems, "warnings": warnings}
        click.echo(json.dumps(_as_json(expected, caller, target) | outcome, indent=2))
    else:
        click.echo("\n".join(map(printable, _as_lines(expected, caller, agrees))))
    _warn(warnings)
    if not problem:
        return 0
    click.echo(printable(f"error: {problem}"), err=True)
    return EXIT_ERROR


def _warn(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(printable(f"warning: {line}"), err=True)


def _configured(options: Options) -> tuple[Target, Settings]:
    """The settings that are needed; raises SettingsError for all that are missing."""
    target = read_target(options)
    settings = parse(PROJECT_FOLDER, settings_values(options))
    problems = []
    if target.identity_pool_id is None:
        problems.append(
            "COGNITO_IDENTITY_POOL_ID is not set, so users get no AWS credentials; "
            "`provision.py bootstrap` creates an identity pool and writes its id"
        )
    if not settings.client_ids:
        problems.append("COGNITO_CLIENT_ID is not set; put the app client's id into .env")
    if problems:
        raise SettingsError(problems)
    return target, settings


def read_token(file: Path | None) -> str:
    """The token: from a file, from standard input, or typed hidden on a terminal.

    Raises UsageError where the option holds the token itself, without repeating it.
    """
    if file is not None and (_TOKEN.match(str(file)) or len(str(file)) > 1024):
        raise click.UsageError("--token-file takes the name of a file, and never the token")
    if file is not None:
        with file.open("rb") as opened:
            data = opened.read(LARGEST + 1)
    elif sys.stdin.isatty():
        data = click.prompt("ID token", hide_input=True, err=True).encode()
    else:
        data = sys.stdin.buffer.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise VerifyFailed(["the input is too large for a token"])
    token = data.decode("ascii", "replace").strip()
    if not token:
        raise VerifyFailed(["the input is empty; give the ID token in a file or on standard input"])
    return token


def verified_claims(token: str, settings: Settings, target: Target) -> Mapping[str, Any]:
    """The claims of a valid ID token of the pool and its app clients. Raises VerifyFailed.

    `COGNITO_TOKEN_USE` says what the app accepts; an identity pool accepts ID tokens only.
    """
    verifier = Verifier(
        target.pool.id,
        settings.client_ids,
        token_use="id",
        additional_regions=settings.additional_regions,
        issuers=[settings.issuer] if settings.issuer else None,
        key_set=own_key_set(settings, target.pool),
    )
    try:
        return verifier.verify(token)
    except CognisesError as error:
        other = f"the token is not valid: {error.detail or error.message}"
        said = REASONS.get(error.reason, other).replace("{pool}", target.pool.id)
        raise VerifyFailed([said]) from None


def exchange_token(
    identity: Any, pool: IdentityPool, target: Target, token: str
) -> Mapping[str, str]:
    """The user's credentials by the enhanced flow: two unsigned calls. Raises VerifyFailed."""
    provider = next((each for each in pool.providers if each.endswith(f"/{target.pool.id}")), None)
    if provider is None:
        raise VerifyFailed(
            [
                f"identity pool {pool.id} does not name user pool {target.pool.id} as a provider, "
                f"so users get no credentials; {_CONNECT}"
            ]
        )
    logins = {provider: token}
    try:
        found = identity.get_id(IdentityPoolId=pool.id, Logins=logins)["IdentityId"]
        answer = identity.get_credentials_for_identity(IdentityId=found, Logins=logins)
    except Exception as error:
        raise _failed(error) from None
    credentials: Mapping[str, str] = answer["Credentials"]
    return credentials


def _failed(error: Exception) -> Exception:
    """VerifyFailed for an error of AWS, without tokens; any other error as it is."""
    code, text = error_code(error), error_message(error)
    if not is_aws_error(error):
        return error
    if code == "InvalidIdentityPoolConfigurationException":
        return VerifyFailed([NOT_ASSUMABLE])
    said = explain(error)
    if code == "NotAuthorizedException":
        found = (advice for sign, advice in REFUSALS.items() if sign in text.lower())
        said = next(found, f"the identity pool refuses the token: {printable(text[:300])}")
    return VerifyFailed([_TOKEN.sub("<token>", said)])


def caller_identity(credentials: Mapping[str, str], target: Target) -> Caller:
    """Who the credentials belong to, by STS in the identity pool's region."""
    import boto3
    import botocore.session

    settings = botocore.session.Session()
    settings.set_config_variable("sts_regional_endpoints", "regional")
    session = boto3.session.Session(
        credentials["AccessKeyId"],
        credentials["SecretKey"],
        credentials["SessionToken"],
        botocore_session=settings,
    )
    sts = make_client(session, "sts", target.identity_region, target.aws.endpoint_for("sts"))
    try:
        found = sts.get_caller_identity()
    except Exception as error:
        raise _failed(error) from None
    return Caller(account=str(found["Account"]), arn=str(found["Arn"]))


def expected_role(claims: Mapping[str, Any], manifest: Iterable[Group], scope: Scope) -> Expected:
    """The role that groups.json gives to a user with these claims. Pure."""
    known = {group.name: group for group in manifest}
    groups = groups_of(claims)
    preferred = claims.get("cognito:preferred_role")
    # A group without a policy has no role; one without a precedence comes last.
    ranked = sorted(
        (known[name] for name in groups if name in known and known[name].policy is not None),
        key=lambda each: (each.precedence is None, each.precedence or 0),
    )
    first = [group.name for group in ranked if group.precedence == ranked[0].precedence]
    group = first[0] if len(first) == 1 else None
    why = "none of the user's groups has one" if groups else "the user is in no group"
    if len(first) > 1:
        why = f"groups {' and '.join(first)} have the same precedence"
    beside = (name for name in groups if name not in known)
    return Expected(
        groups=groups,
        group=group,
        role_arn=scope.role_arn(group) if group else None,
        why_none="" if group else why,
        unknown=tuple(name for name in beside if not is_provider_group(scope.pool_id, name)),
        preferred=preferred if isinstance(preferred, str) else None,
    )


def compare(expected: Expected, caller: Caller, *, loopback: bool) -> tuple[str, list[str]]:
    """What is wrong with the credentials, empty if they are as expected, and warnings. Pure."""
    warnings = [
        f"group {name} of the token is not in groups.json: no route is open to it"
        for name in expected.unknown
    ]
    role, advice = caller.role_arn, "repair the role mapping: bootstrap --revert-drift"
    if role is None and loopback:
        note = f"this emulator's credentials belong to {caller.arn}, which is not a role: nothing "
        return "", [*warnings, f"{note}can be compared"]
    if role is None:
        return f"the credentials belong to {caller.arn}, which is not a group's role", warnings
    if expected.role_arn is None:
        problem = f"groups.json gives this user no role: {expected.why_none}"
    elif role != without_path(expected.role_arn):
        advice = "plan and apply, then sign in again"
        if loopback:
            advice = f"an emulator may not choose roles by token; elsewhere: {advice}"
        problem = f"groups.json gives {expected.role_arn} (group {expected.group})"
    elif expected.preferred and without_path(expected.preferred) != role:
        problem = f"the token prefers {expected.preferred}"
    else:
        return "", warnings
    return f"the credentials belong to {role}, and {problem}; {advice}", warnings


def without_path(role_arn: str) -> str:
    """A role's ARN as STS returns it: `…:role/path/name` becomes `…:role/name`."""
    return re.sub(":role/.*/", ":role/", role_arn)


def _as_json(expected: Expected, caller: Caller, target: Target) -> dict[str, Any]:
    return {
        "user_pool_id": target.pool.id,
        "identity_pool_id": target.identity_pool_id,
        "groups": list(expected.groups),
        "expected": {"group": expected.group, "role_arn": expected.role_arn},
        "preferred_role": expected.preferred,
        "credentials_of": {
            "account": caller.account,
            "arn": caller.arn,
            "role_arn": caller.role_arn,
        },
    }


def _as_lines(expected: Expected, caller: Caller, agrees: bool | None) -> list[str]:
    role = f"{expected.role_arn} (group {expected.group})"
    lines = [
        f"groups in the token:  {', '.join(expected.groups) or 'none'}",
        f"groups.json gives:    {role if expected.group else f'no role: {expected.why_none}'}",
    ]
    if expected.preferred:
        lines.append(f"the token prefers:    {expected.preferred}")
    lines.append(f"credentials of:       {caller.role_arn or caller.arn}")
    if agrees is not None:
        lines.append("they agree" if agrees else "they DIFFER")
    return lines
