"""What must not be done, as blocks, and what a person should read first, as warnings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from cognises.manifest.rules import check_placeholders
from cognises.provisioning.groups.compare import escalations
from cognises.provisioning.groups.model import Entry, IdentityPool, Observed, Role, Scope
from cognises.provisioning.names import GROUP_TAG, OWNER_TAG, POOL_TAG, is_owned, is_provider_group

# There an identity pool may fail to assume a role whose name and session name together have over 24
# characters; 4 are the session name's. Source: AWS GovCloud (US) user guide, "Amazon Cognito".
SHORT_NAMES_REGION, SHORT_ROLE_NAME = "us-gov-east-1", 20
LISTED = 10  # names in one warning
REVERT = "`provision.py bootstrap --revert-drift`"


def entry_blocks(entry: Entry, scope: Scope, adopt: Collection[str]) -> Iterator[str]:
    """Why the role and the group of one entry must not be touched; nothing if they may be."""
    if is_provider_group(scope.pool_id, entry.group.name):
        yield f"group {entry.group.name}: Cognito makes groups of this name itself; rename yours"
    elif entry.role is not None:
        name = entry.role.name
        if scope.identity_region == SHORT_NAMES_REGION and len(name) > SHORT_ROLE_NAME:
            found = f"role {name} has {len(name)} characters; in {SHORT_NAMES_REGION} role name and"
            limit = f"session name together may have 24, so a role name at most {SHORT_ROLE_NAME}"
            yield f"{found} {limit}: shorten the group name or COGNISES_ROLE_PREFIX"
        if entry.live_role and (entry.live_role.name != name or name not in adopt):
            yield from _live_role_blocks(entry.live_role, entry.role)


def _live_role_blocks(live: Role, role: Role) -> Iterator[str]:
    name, pool_id, group = live.name, live.tags.get(POOL_TAG), live.tags.get(GROUP_TAG)
    remedy = "choose another COGNISES_ROLE_PREFIX"
    if name != role.name:
        problem = f"role {name} exists and IAM ignores case, so {role.name} cannot be created"
        yield f"{problem}; choose another group name or COGNISES_ROLE_PREFIX"
    elif not is_owned(live.tags):
        adopt = f"take it over: apply --adopt {name} (create_update: adopt=[{name!r}])"
        yield f"role {name} exists and was not made by this project; {remedy}, or {adopt}"
    elif pool_id != role.tags[POOL_TAG]:
        need = "stages that share an account need a COGNISES_ROLE_PREFIX each"
        yield f"role {name} belongs to user pool {pool_id}; {need}"
    elif group != role.tags[GROUP_TAG]:
        why = "two prefixes and names make the same role name"
        yield f"role {name} belongs to group {group}; {why}: {remedy}"


def adopt_blocks(adopt: Collection[str], entries: Iterable[Entry]) -> Iterator[str]:
    """What is wrong with the names to take over: only the role of a manifest group qualifies."""
    roles = {each.role.name: each.live_role for each in entries if each.role}
    for name in adopt:
        if name not in roles:
            yield f"--adopt {name}: no group of the manifest has a role of this name"
        elif roles[name] is None:
            yield f"--adopt {name}: there is no such role; omit --adopt"


def boundary_blocks(scope: Scope) -> Iterator[str]:
    """A permissions boundary must be a policy of the same account, or one of AWS's own."""
    parts = (scope.boundary or "").split(":", 5)
    partition, account = (parts[1], parts[4]) if len(parts) == 6 else (scope.partition, "aws")
    setting, pool = "COGNISES_PERMISSIONS_BOUNDARY", f"user pool {scope.pool_id} is in"
    if account not in (scope.account, "aws"):
        where = f"a policy of account {account}, and {pool} account {scope.account}"
        yield f"{setting} is {where}; name a policy of that account"
    elif partition != scope.partition:
        where = f"in partition {partition}, and {pool} {scope.partition}"
        yield f"{setting} is {where}; write arn:{scope.partition}:iam::…"


def identity_pool_findings(scope: Scope, observed: Observed) -> tuple[list[str], list[str]]:
    """Blocks and warnings from the live identity pool; on an emulator they all only warn."""
    pool = observed.identity_pool
    if pool is None:
        return [], []
    blocks, warnings = unsafe_flows(pool, loopback=observed.loopback)
    if not any(provider.endswith(f"/{scope.pool_id}") for provider in pool.providers):
        problem = f"identity pool {pool.id} does not name user pool {scope.pool_id} as a provider"
        warnings.append(f"{problem}; its members get no credentials until {REVERT} adds it")
    return blocks, warnings


def unsafe_flows(pool: IdentityPool, *, loopback: bool) -> tuple[list[str], list[str]]:
    """The flows of an identity pool that must be off: blocks, or warnings on an emulator."""
    classic = "allows the classic flow, in which any member can assume any group's role"
    flows = (
        (pool.classic_flow, classic, "AllowClassicFlow"),
        (pool.guests, "gives credentials to guests", "AllowUnauthenticatedIdentities"),
    )
    findings = [
        f"identity pool {pool.id} {what}; turn it off with {REVERT} ({setting}: false)"
        for is_on, what, setting in flows
        if is_on
    ]
    return ([], findings) if loopback else (findings, [])


def scope_warnings(scope: Scope, entries: Iterable[Entry], observed: Observed) -> Iterator[str]:
    """What settings leave open, and what others have that gives rights where this project's do."""
    roles = {each.role.name.lower() for each in entries if each.role}
    if roles and scope.identity_pool_id is None:
        problem = "no COGNITO_IDENTITY_POOL_ID: roles get a closed trust, which no token meets"
        yield f"{problem}; set it and apply again, so that members can use their roles"
    if scope.boundary is None:
        problem = "an editor of the manifest can grant anything in the account"
        remedy = "set it to the ARN of a boundary policy"
        yield f"no COGNISES_PERMISSIONS_BOUNDARY: {problem}; {remedy}"
    for group in observed.groups.values():
        if group.role_arn and is_provider_group(scope.pool_id, group.name):
            own = "is Cognito's own for an identity provider"
            effect = "every user of that provider gets this role; remove it"
            yield f"group {group.name} {own} and carries {group.role_arn}: {effect}"
    others = [role for key, role in observed.roles.items() if key not in roles]
    untagged = sorted(role.name for role in others if not role.tags.get(OWNER_TAG))
    if untagged and scope.role_prefix:
        more = f" and {len(untagged) - LISTED} more" if len(untagged) > LISTED else ""
        noun = "roles" if len(untagged) > 1 else "role"
        what = f"without ownership tags, under this project's role prefix {scope.role_prefix}"
        remedy = "they are not touched: rename them or choose another prefix"
        yield f"{noun} {', '.join(untagged[:LISTED])}{more}: {what}; {remedy}"


def entry_warnings(entry: Entry, scope: Scope, observed: Observed) -> Iterator[str]:
    """What to know of one entry: rights to more rights, misspelt placeholders, an odd live role."""
    group, live = f"group {entry.group.name}", entry.live_role
    yield from (f"{group} {line}" for line in escalations([], [entry.policy]))
    for problem in check_placeholders(entry.manifest.policy, "group_policy"):
        yield f"{group}: {problem.place}: {problem.text}"
    if entry.role is None:
        link, found = entry.group.role_arn, observed.roles.values()
        if link and not any(role.arn == link and is_owned(role.tags) for role in found):
            what = f"has no group_policy in groups.json and carries {link}, which members can use"
            yield f"{group} {what}; Cognito cannot unlink it: delete the group and apply again"
        return
    if live and live.arn != entry.role.arn and scope.owns(live):
        path = f"at {live.arn}, not at COGNISES_ROLE_PATH {scope.role_path}"
        yield f"role {live.name} is {path}; IAM cannot move a role: it keeps its path"
    created = entry.manifest.created
    if created is not None and created != (live is not None):
        stated, is_there = ("true", "is no") if created else ("false", "is a")
        says = f'says "created": "{stated}" and there {is_there} role {entry.role.name}'
        yield f"{group} {says}; it is ignored, so remove it"
