"""The one place that writes groups and roles: a plan's changes as AWS calls.

The calls of a group are sent in order, several groups at a time. Create: role, policy, group.
Delete: the reverse. Update: narrowing before widening, so that no moment in between grants more.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from cognises.errors import ProvisionBlocked, SettingsError
from cognises.manifest import Group, parse_groups
from cognises.provisioning import aws, names
from cognises.provisioning.aws import WORKERS, Clients, Sleep, error_code, resilient
from cognises.provisioning.groups.changes import policy_change
from cognises.provisioning.groups.compare import Document, digest_of
from cognises.provisioning.groups.model import Role, Scope, entries_of
from cognises.provisioning.groups.plan import Change, GroupChange, Plan
from cognises.provisioning.groups.planner import make_plan
from cognises.provisioning.groups.read import account_and_partition, observe
from cognises.provisioning.target import shape_problems
from cognises.user_pool import UserPool

# Answers that say the work is done already, to a call that was sent twice.
ALREADY_GONE = {
    "delete_group": "ResourceNotFoundException",
    **dict.fromkeys(("delete_role", "delete_role_policy", "detach_role_policy"), "NoSuchEntity"),
}
ALREADY_THERE = frozenset({"EntityAlreadyExists", "GroupExistsException"})


class Call(NamedTuple):
    """One request: a method of a boto3 client and its arguments."""

    service: Literal["iam", "cognito-idp"]
    method: str
    arguments: Mapping[str, Any]


def apply_plan(
    plan: Plan, clients: Clients, *, workers: int = WORKERS, sleep: Sleep = time.sleep,
    progress: Callable[[Change, int], None] = lambda change, done: None,
) -> tuple[list[Change], list[tuple[str, Exception]]]:  # fmt: skip
    """Make every change of a plan; after a failure, or Ctrl-C, no new change is begun.
    Out: what was made, and groups that failed, with the error. Raises ProvisionBlocked at once.
    """
    plan.raise_if_blocked()
    done, failed = list[Change](), list[tuple[str, Exception]]()
    units: dict[str, list[Change]] = {}
    for change in plan.changes:
        units.setdefault(change.group, []).append(change)
    stop, lock = threading.Event(), threading.Lock()

    def apply_unit(unit: list[Change]) -> None:
        is_new = any(change.action == "create" for change in unit)
        try:
            for change in unit:
                if stop.is_set():
                    return
                for call in calls_for(change, plan.scope.pool_id, plan.scope.role_path):
                    _send(call, clients, sleep, is_new)
                with lock:
                    done.append(change)
                    progress(change, len(done))
        except BaseException as error:
            stop.set()  # here, before this worker takes the next unit
            if not isinstance(error, Exception):
                raise
            failed.append((unit[0].group, error))

    with ThreadPoolExecutor(max(1, min(workers, len(units))), thread_name_prefix="apply") as pool:
        try:
            list(pool.map(apply_unit, units.values()))
        finally:
            stop.set()  # on Ctrl-C, which reaches no worker
    return done, failed


def _send(call: Call, clients: Clients, sleep: Sleep, is_new: bool) -> None:
    method = getattr(clients.iam if call.service == "iam" else clients.cognito, call.method)
    gone = ALREADY_GONE.get(call.method)
    try:
        resilient(lambda: method(**call.arguments), just_created=is_new and not gone, sleep=sleep)
    except Exception as error:
        code = error_code(error)
        if code in ALREADY_THERE:
            accept_existing(call, clients)
        elif code != gone:
            raise


def accept_existing(call: Call, clients: Clients) -> None:
    """Raise ProvisionBlocked unless it is ours: botocore repeats calls whose answer was lost."""
    wanted = call.arguments
    if call.method == "create_role":
        name = wanted["RoleName"]
        role = resilient(lambda: clients.iam.get_role(RoleName=name), just_created=True)["Role"]
        tags = role.get("Tags", [])
        same = len(tags) == len(wanted["Tags"]) and all(tag in tags for tag in wanted["Tags"])
    else:
        name, pool_id = wanted["GroupName"], wanted["UserPoolId"]
        group = clients.cognito.get_group(GroupName=name, UserPoolId=pool_id)["Group"]
        same = group.get("RoleArn") == wanted.get("RoleArn")
    if not same:
        kind = call.method.removeprefix("create_")
        raise ProvisionBlocked([f"{kind} {name} was made by others since the plan; run again"])


def calls_for(change: Change, pool_id: str, role_path: str = "/") -> list[Call]:
    """The calls of one change, in order."""
    if isinstance(change, GroupChange):
        return [_group_call(change, pool_id)]
    before, after = change.before, change.after
    if before and after:
        return list(_update_role(before, after))
    if after:
        bare = replace(after, attached=(), policies={})
        new: Any = {"AssumeRolePolicyDocument": _text(after.trust), "Tags": _tags(after.tags)}
        new |= {"PermissionsBoundary": after.boundary} if after.boundary else {}
        new |= {"Path": role_path} if role_path != "/" else {}
        return [_iam("create_role", after, **new), *_update_role(bare, after)]
    if before:
        bare = replace(before, attached=(), policies={})
        return [*_update_role(before, bare), _iam("delete_role", before)]
    return []


def _group_call(change: GroupChange, pool_id: str) -> Call:
    named, group = {"GroupName": change.group, "UserPoolId": pool_id}, change.after
    if group is None:
        return Call("cognito-idp", "delete_group", named)
    records = (f"[{names.ACCESS_TAG} {key}={each}]" for key, each in group.access.items())
    arn, text = group.role_arn, " ".join(filter(None, (group.description, *records)))
    fields = {**named, "RoleArn": arn, "Description": text, "Precedence": group.precedence}
    method = "create_group" if change.before is None else "update_group"
    stated = {name: value for name, value in fields.items() if value is not None}
    return Call("cognito-idp", method, stated)


def _update_role(before: Role, after: Role) -> Iterator[Call]:
    """Ownership first (later calls may be allowed on tagged roles only), the hashes last."""
    changed = {key: value for key, value in after.tags.items() if before.tags.get(key) != value}
    recorded = {tag: changed.pop(tag) for tag in names.HASHES if tag in changed}
    if changed:
        yield _iam("tag_role", after, Tags=_tags(changed))
    if after.boundary and after.boundary != before.boundary:
        yield _iam("put_role_permissions_boundary", after, PermissionsBoundary=after.boundary)
    for arn in [each for each in before.attached if each not in after.attached]:
        yield _iam("detach_role_policy", after, PolicyArn=arn)
    for name in [each for each in before.policies if each not in after.policies]:
        yield _iam("delete_role_policy", after, PolicyName=name)
    for name, document in after.policies.items():
        if before.policies.get(name) != document:
            yield _iam("put_role_policy", after, PolicyName=name, PolicyDocument=_text(document))
    for arn in [each for each in after.attached if each not in before.attached]:
        yield _iam("attach_role_policy", after, PolicyArn=arn)
    if before.trust != after.trust:
        yield _iam("update_assume_role_policy", after, PolicyDocument=_text(after.trust))
    if recorded:
        yield _iam("tag_role", after, Tags=_tags(recorded))


def _iam(method: str, role: Role, **arguments: Any) -> Call:
    return Call("iam", method, {"RoleName": role.name, **arguments})


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _text(document: Document) -> str:
    """As written, without the white space that IAM does not count but the request does."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def create_update(
    group_detail: list[dict[str, Any]], iam_client: Any, cognito_client: Any,
    cognito_pool_id: str | None = None, *, identity_pool_id: str | None = None,
    role_prefix: str = names.DEFAULT_ROLE_PREFIX, adopt: Iterable[str] = (),
) -> tuple[Change, ...]:  # fmt: skip
    """Make and update the roles, policies and groups of a manifest, as parsed from JSON.
    In: the list of groups; boto3 clients for `iam` and `cognito-idp`; the user pool's id (without
    it only policies of owned roles are updated); the identity pool that roles trust; names of roles
    to take over. Out: what was changed; `created` is then "true" in the objects passed in, and not
    read before. No file is written, nothing deleted. Raises ManifestError, SettingsError (an id or
    a prefix of another form), ProvisionBlocked (a role of others), and botocore's errors.
    """
    given = {"COGNITO_IDENTITY_POOL_ID": identity_pool_id, "COGNISES_ROLE_PREFIX": role_prefix}
    problems = shape_problems({name: text for name, text in given.items() if text is not None})
    if problems:
        raise SettingsError(problems)
    groups = parse_groups(group_detail, role_prefix=role_prefix)
    clients = Clients(iam_client, cognito_client)
    if cognito_pool_id is None:
        plan = _policies_only(groups, clients, role_prefix)
    else:
        pool = UserPool.parse(cognito_pool_id)
        account, partition = account_and_partition(cognito_client, pool.id)
        scope = Scope(account, partition, pool.region, pool.id, identity_pool_id, role_prefix)
        identity = None
        if identity_pool_id:  # with the default credentials; an emulator's, if the others are
            session, region = aws.make_session(None), scope.identity_region
            endpoint = cognito_client.meta.endpoint_url if aws.on_loopback(*clients) else None
            client = aws.make_client(session, "cognito-identity", region, endpoint)
            identity = client, identity_pool_id
        observed = observe(clients, pool.id, role_prefix, identity)
        adopted = [adopt] if isinstance(adopt, str) else tuple(adopt)
        plan = make_plan(groups, observed, scope, adopt=adopted)
        named = {group.name for group in groups}  # not always all of a manifest
        plan = replace(plan, changes=tuple(each for each in plan.changes if each.group in named))
    _, failed = apply_plan(plan, clients, workers=4)
    for _, error in failed:
        raise error
    for group in group_detail:
        group["created"] = "true"
    return plan.changes


def _policies_only(groups: Iterable[Group], clients: Clients, role_prefix: str) -> Plan:
    """The policy changes alone, for the pool that the roles' own tags name."""
    observed = observe(clients, None, role_prefix)
    groups = tuple(group for group in groups if group.has_role)
    wanted = [names.role_name(role_prefix, group.name) for group in groups]
    roles = [observed.roles[name.lower()] for name in wanted if name.lower() in observed.roles]
    missing = set(wanted) - {role.name for role in roles}
    problems = [f"role {name} is missing; give the user pool's id to make it" for name in missing]
    for name in [role.name for role in roles if not names.is_owned(role.tags)]:
        remedy = f"to take it over give the user pool's id and adopt=[{name!r}]"
        problems.append(f"role {name} was not made by this project; {remedy}")
    pools = sorted({role.tags[names.POOL_TAG] for role in roles if names.POOL_TAG in role.tags})
    if len(pools) > 1:
        problems.append(f"the roles belong to several pools ({', '.join(pools)}); give one")
    if problems:
        raise ProvisionBlocked(sorted(problems))
    if not roles:
        return Plan(Scope("", "", "", ""), digest_of([]))
    pool = UserPool.parse(roles[0].tags.get(names.POOL_TAG))
    _, partition, _, _, account, _ = roles[0].arn.split(":", 5)
    scope = Scope(account, partition, pool.region, pool.id, role_prefix=role_prefix)
    changes = (policy_change(entry) for entry in entries_of(groups, scope, observed))
    return Plan(scope, digest_of(wanted), tuple(filter(None, changes)))
