"""Manifest and observed state to a plan, with its blocks and warnings. Pure: no clock, no AWS."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from cognises.manifest import Group
from cognises.manifest.rules import check_placeholders
from cognises.provisioning import names
from cognises.provisioning.groups import model
from cognises.provisioning.groups.changes import changes_of, widening
from cognises.provisioning.groups.compare import digest_of
from cognises.provisioning.groups.model import Entry, IdentityPool, Observed, Role, Scope
from cognises.provisioning.groups.plan import Change, GroupChange, Leftover, Plan, RoleChange

LIMITED_FROM = 10  # owned groups; from here on a limit applies by default
DEFAULT_SHARE = 0.3  # of the owned groups
# There an identity pool may fail to assume a role whose name and session name together have over 24
# characters; 4 are the session name's. Source: AWS GovCloud (US) user guide, "Amazon Cognito".
SHORT_NAMES_REGION, SHORT_ROLE_NAME = "us-gov-east-1", 20
LISTED = 10  # names in one warning
REVERT = "`provision.py bootstrap --revert-drift`"


@dataclass(frozen=True)
class Pruning:
    """How to prune: at most how many groups (None: by default), and groups with members, too."""

    max_destroy: int | None = None
    force: bool = False


def make_plan(
    groups: Sequence[Group], observed: Observed, scope: Scope, *, adopt: Collection[str] = (),
    pruning: Pruning | None = None,
) -> Plan:  # fmt: skip
    """What has to change so that AWS is what the manifest says. Raises the errors of entries_of.
    In: also names of roles to take over, and how to prune (None: delete nothing).
    """
    entries = model.entries_of(groups, scope, observed)
    pool = observed.identity_pool
    blocks, warnings = unsafe_flows(pool, loopback=observed.loopback) if pool else ([], [])
    if scope.boundary and (problem := scope.problem_of(scope.boundary)):
        blocks.append(f"COGNISES_PERMISSIONS_BOUNDARY is {problem}")
    roles = {each.role.name: each.live_role for each in entries if each.role}
    for name in adopt:
        if name not in roles:
            blocks.append(f"--adopt {name}: no group of the manifest has a role of this name")
        elif roles[name] is None:
            blocks.append(f"--adopt {name}: there is no such role; omit --adopt")
    warnings += scope_warnings(scope, entries, observed)
    changes: list[Change] = []
    for entry in entries:
        found = list(entry_blocks(entry, scope, adopt))
        blocks += found
        changes += [] if found else changes_of(entry, scope, adopt)
        warnings += entry_warnings(entry, scope, observed)
    has_role = {each.group.name: each.role is not None for each in entries}
    deletions, limits, leftovers = _prune(has_role, observed, scope, pruning)
    changes += deletions
    changed = {(type(each), each.group) for each in changes}
    stale = _withdraw(has_role, observed, scope)
    changes += [each for each in stale if (type(each), each.group) not in changed]
    digest, blocks = digest_of([asdict(group) for group in groups]), [*blocks, *limits]
    return Plan(scope, digest, tuple(changes), tuple(blocks), tuple(warnings), tuple(leftovers))


def _withdraw(has_role: Mapping[str, bool], observed: Observed, scope: Scope) -> Iterator[Change]:
    """What stays without an entry: an entry that comes back must not find routes recorded."""
    for role in filter(scope.owns, observed.roles.values()):
        name, tags = names.group_of(role.tags), {**role.tags, names.ACCESS_TAG: model.NOTHING}
        if role.tags.get(names.ACCESS_TAG) and tags != role.tags and not has_role.get(name):
            yield RoleChange(name, "update", role, replace(role, tags=tags))
    for name, group in observed.groups.items():
        access = {**group.access, scope.role_prefix: model.NOTHING}
        if scope.role_prefix in group.access and access != group.access and name not in has_role:
            yield GroupChange(name, "update", group, replace(group, access=access))


def _prune(
    has_role: Mapping[str, bool], observed: Observed, scope: Scope, pruning: Pruning | None
) -> tuple[list[Change], list[str], list[Leftover]]:
    changes, blocks, leftovers = list[Change](), list[str](), list[Leftover]()
    owned = [role for role in observed.roles.values() if scope.owns(role)]
    members = frozenset() if pruning and pruning.force else observed.with_members - {*has_role}
    for role in sorted(owned, key=lambda role: role.name):
        name = names.group_of(role.tags)
        if has_role.get(name):
            continue
        group = observed.groups.get(name)
        note = _why_kept(role, group, scope, name in has_role)
        if not note and pruning is None:
            note = "kept; `provision.py apply --prune` deletes it"
        elif not note and group and name in members:
            note = "kept: it has members; empty it, or delete it with --force"
            blocks.append(f"group {name} has members; empty it, or use --force")
        elif not note:
            note = "deleted by this plan"
            # The group first: a member never has a role whose policies are half deleted.
            if group and name not in has_role:
                changes.append(GroupChange(name, "delete", group, None))
            changes.append(RoleChange(name, "delete", role, None))
        leftovers.append(Leftover(name, role.name, group is not None, note))
    if pruning:
        deleted = len({change.group for change in changes})
        default = len(owned) if len(owned) < LIMITED_FROM else int(len(owned) * DEFAULT_SHARE)
        limit = default if pruning.max_destroy is None else pruning.max_destroy
        if deleted > limit:
            problem = f"{deleted} of {len(owned)} groups would be deleted; the limit is {limit}"
            blocks.append(f"{problem}; to confirm: --max-destroy {deleted}")
    return changes, blocks, [*leftovers, *_groups_alone(has_role, observed, scope)]


def _why_kept(role: Role, group: model.PoolGroup | None, scope: Scope, in_manifest: bool) -> str:
    """Why pruning keeps an owned role without an entry's policy; empty if it deletes it."""
    name, linked = names.group_of(role.tags), group is not None and group.role_arn == role.arn
    if names.is_provider_group(scope.pool_id, name):
        return f"kept: Cognito itself makes groups like {name}"
    if in_manifest and linked:
        why = "groups.json states no policy, and Cognito cannot unlink a role from a group"
        return f"kept without policies and with a closed trust: {why}"
    if group and not linked and not in_manifest:
        link = f"linked to {group.role_arn or 'no role'}, not to this role"
        return f"kept: group {name} is {link}; delete one of the two by hand"
    return ""


def _groups_alone(known: Collection[str], observed: Observed, scope: Scope) -> Iterator[Leftover]:
    """Groups without a role, or with a role of this project that is gone: perhaps not ours."""
    arns = {role.arn for role in observed.roles.values()}
    for name, group in sorted(observed.groups.items()):
        gone = group.role_arn == scope.role_arn(name) and group.role_arn not in arns
        listed = name not in known and not names.is_provider_group(scope.pool_id, name)
        if listed and (gone or group.role_arn is None):
            why = f"its role {group.role_arn} is gone" if gone else "it carries no role"
            note = f"{why}, and only groups with a role of this project are deleted"
            yield Leftover(name, None, True, f"kept: {note}; delete it by hand")


def entry_blocks(entry: Entry, scope: Scope, adopt: Collection[str]) -> Iterator[str]:
    """Why the role and the group of one entry must not be touched; nothing if they may be."""
    if names.is_provider_group(scope.pool_id, entry.group.name):
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
    name, pool_id, group = live.name, live.tags.get(names.POOL_TAG), live.tags.get(names.GROUP_TAG)
    remedy = "choose another COGNISES_ROLE_PREFIX"
    if name != role.name:
        problem = f"role {name} exists and IAM ignores case, so {role.name} cannot be created"
        yield f"{problem}; choose another group name or COGNISES_ROLE_PREFIX"
    elif not names.is_owned(live.tags):
        adopt = f"take it over: apply --adopt {name} (create_update: adopt=[{name!r}])"
        yield f"role {name} exists and was not made by this project; {remedy}, or {adopt}"
    elif pool_id != role.tags[names.POOL_TAG]:
        need = "stages that share an account need a COGNISES_ROLE_PREFIX each"
        yield f"role {name} belongs to user pool {pool_id}; {need}"
    elif group != role.tags[names.GROUP_TAG]:
        why = "two prefixes and names make the same role name"
        yield f"role {name} belongs to group {group}; {why}: {remedy}"


def unsafe_flows(pool: IdentityPool, *, loopback: bool) -> tuple[list[str], list[str]]:
    """The flows of an identity pool that must be off: blocks, or warnings on an emulator."""
    classic = "allows the classic flow, in which any member can assume any group's role"
    flows = (
        (pool.classic_flow, classic, "AllowClassicFlow"),
        (pool.guests, "gives credentials to guests", "AllowUnauthenticatedIdentities"),
    )
    findings = [f"identity pool {pool.id} {what}; turn it off with {REVERT} ({setting}: false)"
                for is_on, what, setting in flows if is_on]  # fmt: skip
    return ([], findings) if loopback else (findings, [])


def scope_warnings(scope: Scope, entries: Iterable[Entry], observed: Observed) -> Iterator[str]:
    """What settings leave open, and what others have that gives rights where this project's do."""
    pool, roles = observed.identity_pool, {e.role.name.lower() for e in entries if e.role}
    if pool and not any(each.endswith(f"/{scope.pool_id}") for each in pool.providers):
        problem = f"identity pool {pool.id} does not name user pool {scope.pool_id} as a provider"
        yield f"{problem}; its members get no credentials until {REVERT} adds it"
    if roles and scope.identity_pool_id is None:
        problem = "no COGNITO_IDENTITY_POOL_ID: roles get a closed trust, which no token meets"
        yield f"{problem}; set it and apply again, so that members can use their roles"
    if scope.boundary is None:
        problem = "no COGNISES_PERMISSIONS_BOUNDARY: an editor of the manifest can grant anything"
        yield f"{problem} in the account; set it to the ARN of a boundary policy"
    for group in observed.groups.values():
        if group.role_arn and names.is_provider_group(scope.pool_id, group.name):
            own = "is Cognito's own for an identity provider"
            effect = "every user of that provider gets this role; remove it"
            yield f"group {group.name} {own} and carries {group.role_arn}: {effect}"
    others = [role for key, role in observed.roles.items() if key not in roles]
    untagged = sorted(role.name for role in others if not role.tags.get(names.OWNER_TAG))
    if untagged and scope.role_prefix:
        more = f" and {len(untagged) - LISTED} more" if len(untagged) > LISTED else ""
        noun = "roles" if len(untagged) > 1 else "role"
        what = f"without ownership tags, under this project's role prefix {scope.role_prefix}"
        remedy = "they are not touched: delete them or choose another prefix"
        yield f"{noun} {', '.join(untagged[:LISTED])}{more}: {what}; {remedy}"


def entry_warnings(entry: Entry, scope: Scope, observed: Observed) -> Iterator[str]:
    """What to know of one entry: rights to more rights, misspelt placeholders, an odd live role."""
    group, live = f"group {entry.group.name}", entry.live_role
    if entry.role:
        for line in widening(None, entry.role)[1]:
            limit = "; bootstrap's boundary allows it to its AdminGroup alone"
            yield f"{group} {line}{limit if 'cognito-idp:' in line else ''}"
    for problem in check_placeholders(entry.manifest.policy, "group_policy"):
        yield f"{group}: {problem.place}: {problem.text}"
    if entry.role is None:
        link, found = entry.group.role_arn, observed.roles.values()
        if link and not any(role.arn == link and names.is_owned(role.tags) for role in found):
            what = f"has no policy in groups.json and carries {link}, which members can use"
            yield f"{group} {what}; Cognito cannot unlink it: delete the group and apply again"
        return
    if live and live.arn != entry.role.arn and scope.owns(live):
        path = f"at {live.arn}, not at COGNISES_ROLE_PATH {scope.role_path}"
        yield f"role {live.name} is {path}; IAM cannot move a role: it keeps its path"
    if (created := entry.manifest.created) is not None and created != (live is not None):
        stated, is_there = ("true", "is no") if created else ("false", "is a")
        says = f'says "created": "{stated}" and there {is_there} role {entry.role.name}'
        yield f"{group} {says}; it is ignored, so remove it"
