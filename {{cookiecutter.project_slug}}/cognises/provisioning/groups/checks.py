"""What must not be done, as blocks, and what a person should read first, as warnings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from cognises.manifest import Group
from cognises.manifest.placeholders import check_placeholders
from cognises.provisioning.groups.compare import escalations
from cognises.provisioning.groups.model import DesiredGroup, IdentityPool, Observed, Role, Scope
from cognises.provisioning.names import (
    GROUP_TAG,
    OWNER_TAG,
    POOL_TAG,
    group_of,
    is_owned,
    is_provider_group,
    role_name,
)

# In us-gov-east-1 an identity pool may fail to assume a role whose name and session name together
# are longer than 24 characters; 4 of them are kept for the session name.
# Source: AWS GovCloud (US) user guide, "Amazon Cognito".
SHORT_NAMES_REGION, SHORT_ROLE_NAME = "us-gov-east-1", 20
LISTED = 10  # names in one warning


def owned_by(scope: Scope, role: Role) -> bool:
    """Whether a role was made for this pool under this prefix, name and tags agreeing."""
    group, pool_id = group_of(role.tags), role.tags.get(POOL_TAG)
    ours = is_owned(role.tags) and pool_id == scope.pool_id and bool(group)
    return ours and role.name == role_name(scope.role_prefix, group)


def group_blocks(
    desired: DesiredGroup, observed: Observed, scope: Scope, adopt: Collection[str]
) -> Iterator[str]:
    """Why the role and the group of one entry must not be touched; nothing if they may be."""
    if is_provider_group(scope.pool_id, desired.group):
        yield f"group {desired.group}: Cognito makes groups of this name itself; rename yours"
    elif desired.role is not None:
        name = desired.role.name
        if scope.identity_region == SHORT_NAMES_REGION and len(name) > SHORT_ROLE_NAME:
            yield (
                f"role {name} has {len(name)} characters; in {SHORT_NAMES_REGION} role name and "
                f"session name together may have 24, so a role name at most {SHORT_ROLE_NAME}: "
                "shorten the group name or COGNISES_ROLE_PREFIX"
            )
        live = observed.roles.get(name.lower())
        if live and live.name != name:
            yield (
                f"role {live.name} exists and IAM ignores case, so {name} cannot be created; "
                "choose another group name or COGNISES_ROLE_PREFIX"
            )
        elif live and name not in adopt:
            yield from _ownership_blocks(live, desired.role)


def _ownership_blocks(live: Role, desired: Role) -> Iterator[str]:
    name, pool_id, group = live.name, live.tags.get(POOL_TAG), live.tags.get(GROUP_TAG)
    if not is_owned(live.tags):
        yield (
            f"role {name} exists and was not made by this project; choose another "
            f"COGNISES_ROLE_PREFIX, or take it over: apply --adopt {name} "
            f"(create_update: adopt=[{name!r}])"
        )
    elif pool_id != desired.tags[POOL_TAG]:
        yield (
            f"role {name} belongs to user pool {pool_id}; stages that share an account need a "
            "COGNISES_ROLE_PREFIX each"
        )
    elif group != desired.tags[GROUP_TAG]:
        yield (
            f"role {name} belongs to group {group}; two prefixes and names make the same role "
            "name: choose another COGNISES_ROLE_PREFIX"
        )


def adopt_blocks(
    adopt: Collection[str], desired: Iterable[DesiredGroup], observed: Observed
) -> Iterator[str]:
    """What is wrong with the names to take over: only the role of a manifest group qualifies."""
    names = {each.role.name for each in desired if each.role}
    for name in adopt:
        if name not in names:
            yield f"--adopt {name}: no group of the manifest has a role of this name"
        elif name.lower() not in observed.roles:
            yield f"--adopt {name}: there is no such role; omit --adopt"


def boundary_blocks(scope: Scope) -> Iterator[str]:
    """A permissions boundary must be a policy of the same account, or one of AWS's own."""
    parts = (scope.boundary or "").split(":", 5)
    if len(parts) < 6:
        return
    _, partition, _, _, account, _ = parts
    if account not in (scope.account, "aws"):
        yield (
            f"COGNISES_PERMISSIONS_BOUNDARY is a policy of account {account}, and user pool "
            f"{scope.pool_id} is in account {scope.account}; name a policy of that account"
        )
    elif partition != scope.partition:
        yield (
            f"COGNISES_PERMISSIONS_BOUNDARY is in partition {partition}, and user pool "
            f"{scope.pool_id} is in {scope.partition}; write arn:{scope.partition}:iam::…"
        )


def identity_pool_findings(scope: Scope, observed: Observed) -> tuple[list[str], list[str]]:
    """Blocks and warnings from the live identity pool; on an emulator they all only warn."""
    pool = observed.identity_pool
    if pool is None:
        return [], []
    blocks, warnings = unsafe_flows(pool, loopback=observed.loopback)
    if not any(provider.endswith(f"/{scope.pool_id}") for provider in pool.providers):
        warnings.append(
            f"identity pool {pool.id} does not name user pool {scope.pool_id} as a provider; its "
            "members get no credentials until it does: `provision.py bootstrap --revert-drift` "
            "adds it"
        )
    return blocks, warnings


def unsafe_flows(pool: IdentityPool, *, loopback: bool) -> tuple[list[str], list[str]]:
    """The flows of an identity pool that must be off: blocks, or warnings on an emulator."""
    findings = []
    if pool.classic_flow:
        findings.append(
            f"identity pool {pool.id} allows the classic flow, in which any member can assume any "
            "group's role; turn it off with `provision.py bootstrap --revert-drift` "
            "(AllowClassicFlow: false)"
        )
    if pool.guests:
        findings.append(
            f"identity pool {pool.id} gives credentials to guests; turn it off with "
            "`provision.py bootstrap --revert-drift` (AllowUnauthenticatedIdentities: false)"
        )
    return ([], findings) if loopback else (findings, [])


def scope_warnings(
    scope: Scope, desired: Iterable[DesiredGroup], observed: Observed
) -> Iterator[str]:
    """What settings leave open, and what others have that gives rights where this project's do."""
    roles = {each.role.name.lower() for each in desired if each.role}
    if roles and scope.identity_pool_id is None:
        yield (
            "no COGNITO_IDENTITY_POOL_ID: roles get a closed trust, which no token meets; set it "
            "and apply again, so that members can use their roles"
        )
    if scope.boundary is None:
        yield (
            "no COGNISES_PERMISSIONS_BOUNDARY: an editor of the manifest can grant anything in "
            "the account; set it to the ARN of a boundary policy"
        )
    for group in observed.groups.values():
        if group.role_arn and is_provider_group(scope.pool_id, group.name):
            yield (
                f"group {group.name} is Cognito's own for an identity provider and carries "
                f"{group.role_arn}: every user of that provider gets this role; remove it"
            )
    untagged = sorted(
        role.name
        for key, role in observed.roles.items()
        if scope.role_prefix and not role.tags.get(OWNER_TAG) and key not in roles
    )
    if untagged:
        more = f" and {len(untagged) - LISTED} more" if len(untagged) > LISTED else ""
        yield (
            f"{'roles' if len(untagged) > 1 else 'role'} {', '.join(untagged[:LISTED])}{more}: "
            f"without ownership tags, under this project's role prefix {scope.role_prefix}; they "
            "are not touched: rename them or choose another prefix"
        )


def entry_warnings(
    group: Group, desired: DesiredGroup, observed: Observed, scope: Scope
) -> Iterator[str]:
    """What to know of one entry: rights to more rights, misspelt placeholders, an odd live role."""
    yield from (f"group {group.name} {line}" for line in escalations([], [desired.policy]))
    for problem in check_placeholders(group.policy, "group_policy"):
        yield f"group {group.name}: {problem.place}: {problem.text}"
    if desired.role is None:
        pool_group = observed.groups.get(group.name)
        owned = {role.arn for role in observed.roles.values() if is_owned(role.tags)}
        if pool_group and pool_group.role_arn and pool_group.role_arn not in owned:
            yield (
                f"group {group.name} has no group_policy in groups.json and carries "
                f"{pool_group.role_arn}, which members can use; Cognito cannot unlink it: delete "
                "the group and apply again"
            )
        return
    name = desired.role.name
    live = observed.roles.get(name.lower())
    if live and live.arn != desired.role.arn and owned_by(scope, live):
        yield (
            f"role {live.name} is at {live.arn}, not at COGNISES_ROLE_PATH {scope.role_path}; IAM "
            "cannot move a role: it keeps its path"
        )
    if group.created is not None and group.created != (live is not None):
        stated, found = ("true", "is no") if group.created else ("false", "is a")
        yield (
            f'group {group.name} says "created": "{stated}" and there {found} role {name}; it is '
            "ignored, so remove it"
        )
