"""Reads AWS in bulk, a handful of calls whatever the number of groups; writes nothing there."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from cognises.errors import SettingsError
from cognises.manifest.rules import DESCRIPTION_LIMIT as LONGEST
from cognises.provisioning import names
from cognises.provisioning.aws import Clients, on_loopback
from cognises.provisioning.groups.compare import Document, decode, statements
from cognises.provisioning.groups.model import IdentityPool, Observed, PoolGroup, Role, Scope
from cognises.provisioning.target import Target

GROUPS_A_PAGE, ROLES_A_PAGE = 60, 1000  # the most that Cognito and IAM allow


def account_and_partition(cognito: Any, pool_id: str) -> tuple[str, str]:
    """Account and partition of a user pool, from its ARN (arn:partition:…:account:…)."""
    found = cognito.describe_user_pool(UserPoolId=pool_id).get("UserPool", {})
    parts = str(found.get("Arn", "")).split(":")
    if len(parts) != 6:
        raise SettingsError(["the endpoint is not AWS; check AWS_ENDPOINT_URL and the proxy"])
    return parts[4], parts[1]


def scope_of(target: Target, clients: Clients) -> Scope:
    """Where a plan applies; the account is the one whose pool answers."""
    account, partition = account_and_partition(clients.cognito, target.pool.id)
    settings = (target.identity_pool_id, target.role_prefix, target.boundary, target.role_path)
    return Scope(account, partition, target.pool.region, target.pool.id, *settings)


def observe(
    clients: Clients, pool_id: str | None, prefix: str, identity: tuple[Any, str] | None = None
) -> Observed:
    """Roles of the prefix or owned, the pool's groups, the identity pool of a client and an id."""
    roles = _roles(clients.iam, prefix)
    groups = _groups(clients.cognito, pool_id) if pool_id else {}
    pool = observe_identity_pool(*identity) if identity else None
    return Observed(roles, groups, pool, on_loopback(*clients, *(identity or ())[:1]))


def observe_identity_pool(identity: Any, identity_pool_id: str) -> IdentityPool:
    """The flows that an identity pool allows, and its providers; not its role map."""
    found = identity.describe_identity_pool(IdentityPoolId=identity_pool_id)
    classic, guests = found.get("AllowClassicFlow"), found.get("AllowUnauthenticatedIdentities")
    providers = found.get("CognitoIdentityProviders", [])
    named = tuple(str(each.get("ProviderName", "")) for each in providers)
    return IdentityPool(identity_pool_id, bool(classic), bool(guests), named)


def confirm_boundaries(iam: Any, observed: Observed, pool_id: str) -> Observed:
    """The same, with GetRole called for roles whose boundary the bulk reading may have left out."""
    roles = dict(observed.roles)
    for key, role in observed.roles.items():
        ours = names.is_owned(role.tags) and role.tags.get(names.POOL_TAG) == pool_id
        if ours and role.boundary is None:
            found = iam.get_role(RoleName=role.name)["Role"].get("PermissionsBoundary", {})
            roles[key] = replace(role, boundary=found.get("PermissionsBoundaryArn"))
    return replace(observed, roles=roles)


def role_of(detail: Mapping[str, Any]) -> Role:
    """A role from GetAccountAuthorizationDetails."""
    inline, managed = detail.get("RolePolicyList", []), detail.get("AttachedManagedPolicies", [])
    return Role(
        name=detail["RoleName"],
        arn=detail["Arn"],
        trust=_document(detail.get("AssumeRolePolicyDocument", {})),
        policies={each["PolicyName"]: _document(each["PolicyDocument"]) for each in inline},
        attached=tuple(sorted(each["PolicyArn"] for each in managed)),
        boundary=detail.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        tags={each["Key"]: each["Value"] for each in detail.get("Tags", [])},
    )


def _document(value: object) -> Document:
    parsed = decode(value)
    return parsed if isinstance(parsed, Mapping) else {"Statement": parsed}


def _roles(iam: Any, prefix: str) -> dict[str, Role]:
    asked = {"Filter": ["Role"], "PaginationConfig": {"PageSize": ROLES_A_PAGE}}
    pages = iam.get_paginator("get_account_authorization_details").paginate(**asked)
    found = (role_of(detail) for page in pages for detail in page["RoleDetailList"])
    by_name, start = {role.name.lower(): role for role in found}, prefix.lower()
    return {k: v for k, v in by_name.items() if k.startswith(start) or names.is_owned(v.tags)}


def _groups(cognito: Any, pool_id: str) -> dict[str, PoolGroup]:
    asked = {"UserPoolId": pool_id, "PaginationConfig": {"PageSize": GROUPS_A_PAGE}}
    found: dict[str, PoolGroup] = {}
    for page in cognito.get_paginator("list_groups").paginate(**asked):
        for g in page["Groups"]:
            name, text, precedence = g["GroupName"], g.get("Description", ""), g.get("Precedence")
            plain, access = names.RECORD.sub("", text), dict(names.RECORD.findall(text))
            found[name] = PoolGroup(name, g.get("RoleArn") or None, plain, precedence, access)
    return found


def manifest_of(observed: Observed, scope: Scope) -> tuple[list[dict[str, Any]], list[str]]:
    """The entries of a manifest, in the order of precedence, and notes on what they cannot say."""
    roles = {role.arn: role for role in observed.roles.values()}
    known, pool_id = observed.groups.values(), scope.pool_id
    ours = [each for each in known if not names.is_provider_group(pool_id, each.name)]
    ours.sort(key=lambda each: (each.precedence is None, each.precedence or 0, each.name))
    pairs = [(each, roles.get(each.role_arn or "")) for each in ours]
    notes = [f"group {g.name}: {note}" for g, role in pairs for note in _notes(g, role, scope)]
    return [_entry(*pair, scope) for pair in pairs], notes


def _entry(group: PoolGroup, role: Role | None, scope: Scope) -> dict[str, Any]:
    entry: dict[str, Any] = {"group_name": group.name, "description": group.description[:LONGEST]}
    entry |= {"precedence": group.precedence, "allowed_functions": []}
    policies = list(role.policies.values()) if role else []
    if len(policies) > 1:
        # Sids must be unique in one document.
        plain = [{k: v for k, v in each.items() if k != "Sid"} for each in statements(policies)]
        policies = [{"Version": "2012-10-17", "Statement": plain}]
    if policies:
        entry["group_policy"] = _with_placeholders(policies[0], scope)
    if role and role.attached:
        entry["managed_policies"] = _with_placeholders(list(role.attached), scope)
    return entry


def _notes(group: PoolGroup, role: Role | None, scope: Scope) -> Iterator[str]:
    if len(group.description) > LONGEST:
        yield f"its description is cut off: groups.json takes {LONGEST} characters"
    if role is None:
        yield from [f"its role {group.role_arn} does not exist"] if group.role_arn else []
        return
    name, policy = names.role_name(scope.role_prefix, group.name), names.policy_name(group.name)
    if role.name == name and not scope.owns(role):
        yield f"take its role over: apply --adopt {name}"
    elif role.name != name:
        prefix = role.name.removesuffix(group.name)
        hint = f"; with COGNISES_ROLE_PREFIX={prefix} it can be taken over" * (prefix != role.name)
        yield f"its role is {role.name}, and plan creates {name}{hint}"
    if not role.policies and not role.attached:
        yield f"role {role.name} has no policy; none written"
    elif role.policies and list(role.policies) != [policy]:
        yield f"the inline policies {', '.join(role.policies)} become one, {policy}"


def _with_placeholders(value: Any, scope: Scope) -> Any:
    """The account's and the pool's ids as placeholders, so that other stages can use the file."""
    if isinstance(value, str):
        value = value.replace(scope.pool_id, "${UserPoolId}")
        return value.replace(f":{scope.account}:", ":${AWS::AccountId}:")
    if isinstance(value, list):
        return [_with_placeholders(each, scope) for each in value]
    if isinstance(value, dict):
        return {key: _with_placeholders(each, scope) for key, each in value.items()}
    return value
