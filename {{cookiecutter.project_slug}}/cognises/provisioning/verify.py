"""`verify`: a user's ID token, exchanged for credentials, shows whose role they are.

Source: Cognito developer guide, "Assigning precedence values to groups", "Identity pools
authentication flow", "Using role-based access control".
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from cognises.errors import CognisesError, ProvisionBlocked, SettingsError, printable
from cognises.manifest import Group, load_groups
from cognises.provisioning import aws
from cognises.provisioning.aws import make_client
from cognises.provisioning.aws_errors import explain, is_aws_error
from cognises.provisioning.groups.model import IdentityPool
from cognises.provisioning.groups.planner import unsafe_flows
from cognises.provisioning.groups.read import observe_identity_pool, scope_of
from cognises.provisioning.names import is_provider_group
from cognises.provisioning.target import EXIT_ERROR, Options, Target, read_target, settings_values
from cognises.settings.model import Settings, parse
from cognises.settings.sources import PROJECT_FOLDER
from cognises.tokens.claims import groups_of
from cognises.tokens.verifier import Verifier, own_key_set

LARGEST = 64 * 1024  # bytes; four times what any verifier here accepts
_TOKEN = re.compile(r"eyJ[\w-]+(\.[\w-]*)*")
_CONNECT = "`provision.py bootstrap --revert-drift` connects them"
# What the verifier says of a token, and what the identity pool says, in lower case.
REASONS = {
    "token_expired": "the token has expired; sign in again and use the new ID token",
    "wrong_token_use": "this is not an ID token, and the identity pool accepts no other",
    "wrong_client": "the token was issued to an app client that COGNITO_CLIENT_ID does not name",
    "unknown_key": "no key of user pool {pool} signed the token; is it another pool's?",
    "keys_unavailable": "the keys of user pool {pool} cannot be fetched now; try again",
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
    "supported provider": f"the identity pool does not accept tokens of this client; {_CONNECT}",
    "invalididentitypoolconfiguration": "the preferred role is missing, or its trust names another "
    "identity pool: `provision.py plan` shows it",
}


def run(options: Options, token_file: Path | None, *, as_json: bool) -> int:
    """Show whose role a token's credentials are. Returns 1 if it is not the expected one.
    Prints no credential and no token. Raises ProvisionBlocked for guests or the classic flow.
    """
    target = read_target(options)
    settings = parse(PROJECT_FOLDER, settings_values(options))
    required = {"IDENTITY_POOL_ID": target.identity_pool_id, "CLIENT_ID": settings.client_ids}
    if missing := [name for name, value in required.items() if not value]:
        raise SettingsError(f"COGNITO_{name} is not set; {options.advice}" for name in missing)
    manifest = load_groups(target.groups_file, role_prefix=target.role_prefix)
    identity = target.aws.client("cognito-identity", target.identity_region)
    loopback = aws.on_loopback(identity)
    pool = observe_identity_pool(identity, target.identity_pool_id or "")
    blocks, warnings = unsafe_flows(pool, loopback=loopback)
    if blocks:
        raise ProvisionBlocked(blocks)
    token = read_token(token_file)
    claims = verified_claims(token, settings, target)
    groups, preferred = list(groups_of(claims)), claims.get("cognito:preferred_role")
    scope = scope_of(target, aws.group_clients(target.aws))
    group, why_none = expected_group(groups, manifest)
    caller = exchange_token(identity, pool, target, token)
    found: dict[str, Any] = {
        "user_pool_id": target.pool.id, "identity_pool_id": target.identity_pool_id,
        "groups": groups,
        "expected": {"group": group, "role_arn": scope.role_arn(group) if group else None},
        "preferred_role": preferred if isinstance(preferred, str) else None,
        "credentials_of": caller,
    }  # fmt: skip
    warnings += [f"group {name} of the token is not in groups.json: no route is open to it"
                 for name in sorted(set(groups) - {each.name for each in manifest})
                 if not is_provider_group(scope.pool_id, name)]  # fmt: skip
    comparable = caller["role_arn"] is not None or not loopback
    problem = compare(found, why_none, loopback=loopback) if comparable else ""
    if not comparable:
        note = "which is not a role: nothing can be compared"
        warnings.append(f"this emulator's credentials belong to {caller['arn']}, {note}")
    found["agrees"] = not problem if comparable else None
    found |= {"problems": [problem] if problem else [], "warnings": warnings}
    lines = [json.dumps(found, indent=2)] if as_json else map(printable, _as_lines(found, why_none))
    click.echo("\n".join(lines))
    for note in [f"warning: {each}" for each in warnings] + [f"error: {problem}"] * bool(problem):
        click.echo(printable(note), err=True)
    return EXIT_ERROR if problem else 0


def read_token(file: Path | None) -> str:
    """The token, from a file, standard input or a hidden prompt. Never repeats an argument."""
    if file is not None and (_TOKEN.match(str(file)) or len(str(file)) > 1024):
        raise click.UsageError("--token-file takes the name of a file, and never the token")
    if file is None and sys.stdin.isatty():
        data = click.prompt("ID token", hide_input=True, err=True).encode()
    else:
        with file.open("rb") if file else nullcontext(sys.stdin.buffer) as opened:
            data = opened.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise click.ClickException("the input is too large for a token")
    if token := str(data.decode("ascii", "replace")).strip():
        return token
    raise click.ClickException("the input is empty; give the ID token by --token-file or on stdin")


def verified_claims(token: str, settings: Settings, target: Target) -> Mapping[str, Any]:
    """The claims of a valid ID token, all an identity pool accepts. Raises ClickException."""
    verifier = Verifier(
        target.pool.id, settings.client_ids, token_use="id",
        additional_regions=settings.additional_regions,
        issuers=[settings.issuer] if settings.issuer else None,
        key_set=own_key_set(settings, target.pool),
    )  # fmt: skip
    try:
        return verifier.verify(token)
    except CognisesError as error:
        other = f"the token is not valid: {error.detail or error.message}"
        said = REASONS.get(error.reason, other).replace("{pool}", target.pool.id)
        raise click.ClickException(said) from None


def exchange_token(identity: Any, pool: IdentityPool, target: Target, token: str) -> dict[str, Any]:
    """Account, ARN and role of the user's credentials, by the enhanced flow and STS."""
    import boto3
    import botocore.session

    provider = next((each for each in pool.providers if each.endswith(f"/{target.pool.id}")), None)
    if provider is None:
        problem = f"identity pool {pool.id} does not name user pool {target.pool.id} as a provider"
        raise click.ClickException(f"{problem}, so users get no credentials; {_CONNECT}")
    logins, regional = {provider: token}, botocore.session.Session()
    regional.set_config_variable("sts_regional_endpoints", "regional")
    try:
        found = identity.get_id(IdentityPoolId=pool.id, Logins=logins)["IdentityId"]
        answer = identity.get_credentials_for_identity(IdentityId=found, Logins=logins)
        names, credentials = ("AccessKeyId", "SecretKey", "SessionToken"), answer["Credentials"]
        keys, endpoint = (credentials[name] for name in names), target.aws.endpoint_for("sts")
        session = boto3.session.Session(*keys, botocore_session=regional)
        sts = make_client(session, "sts", target.identity_region, endpoint)
        caller = sts.get_caller_identity()
    except Exception as error:
        if not is_aws_error(error):
            raise
        code, text = aws.error_code(error), printable(aws.error_message(error)[:300])
        said, problem = f"{code}: {text}".lower(), f"the identity pool refuses the token: {text}"
        problem = next((each for sign, each in REFUSALS.items() if sign in said), problem)
        if code not in ("NotAuthorizedException", "InvalidIdentityPoolConfigurationException"):
            problem = explain(error)
        raise click.ClickException(_TOKEN.sub("<token>", problem)) from None
    arn = str(caller["Arn"])
    # The assumed role, without its path, which STS does not return.
    role = re.fullmatch(r"arn:([^:]+):sts:[^:]*:([^:]*):assumed-role/([^/]*)/.+", arn)
    role_arn = "arn:{}:iam::{}:role/{}".format(*role.groups()) if role else None
    return {"account": str(caller["Account"]), "arn": arn, "role_arn": role_arn}


def expected_group(groups: Sequence[str], manifest: Iterable[Group]) -> tuple[str | None, str]:
    """The group whose role groups.json gives to a member of `groups`, or why there is none."""
    having = [each for each in manifest if each.name in groups and each.has_role]
    if not having:
        return None, "none of the user's groups has one" if groups else "the user is in no group"
    # A group without a precedence comes last.
    lowest = min((each.precedence for each in having if each.precedence is not None), default=None)
    first = [each.name for each in having if each.precedence == lowest]
    if len(first) > 1:
        return None, f"groups {' and '.join(first)} have the same precedence"
    return first[0], ""


def compare(found: Mapping[str, Any], why_none: str, *, loopback: bool) -> str:
    """What is wrong with the credentials, empty if they are as expected. Pure."""
    expected, preferred = found["expected"], found["preferred_role"]
    role, arn = found["credentials_of"]["role_arn"], found["credentials_of"]["arn"]
    # STS returns a role's ARN without its path: `…:role/path/name` as `…:role/name`.
    given = re.sub(":role/.*/", ":role/", expected["role_arn"] or "")
    named = re.sub(":role/.*/", ":role/", preferred or role or "")
    advice = "repair the role mapping: bootstrap --revert-drift"
    if role is None:
        return f"the credentials belong to {arn}, which is not a group's role"
    if expected["role_arn"] is None:
        problem = f"groups.json gives this user no role: {why_none}"
    elif role != given:
        problem = f"groups.json gives {expected['role_arn']} (group {expected['group']})"
        emulator = "an emulator may not choose roles by token; elsewhere: " if loopback else ""
        advice = f"{emulator}plan and apply, then sign in again"
    elif named != role:
        problem = f"the token prefers {preferred}"
    else:
        return ""
    return f"the credentials belong to {role}, and {problem}; {advice}"


def _as_lines(found: Mapping[str, Any], why_none: str) -> Iterator[str]:
    expected, caller = found["expected"], found["credentials_of"]
    role = f"{expected['role_arn']} (group {expected['group']})"
    yield f"groups in the token:  {', '.join(found['groups']) or 'none'}"
    yield f"groups.json gives:    {f'no role: {why_none}' if why_none else role}"
    if found["preferred_role"]:
        yield f"the token prefers:    {found['preferred_role']}"
    yield f"credentials of:       {caller['role_arn'] or caller['arn']}"
    if found["agrees"] is not None:
        yield "they agree" if found["agrees"] else "they DIFFER"
