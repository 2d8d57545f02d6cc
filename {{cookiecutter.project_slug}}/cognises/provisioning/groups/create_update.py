"""The original's one call: groups of a list brought to AWS, over the same plan and apply."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cognises.errors import ProvisionBlocked, SettingsError
from cognises.manifest import Group, parse_groups
from cognises.provisioning.aws import Clients, make_client, make_session, on_loopback
from cognises.provisioning.groups.apply import apply_plan
from cognises.provisioning.groups.changes import policy_change
from cognises.provisioning.groups.compare import digest_of
from cognises.provisioning.groups.model import Role, Scope, entries_of
from cognises.provisioning.groups.plan import Change, Plan
from cognises.provisioning.groups.planner import make_plan
from cognises.provisioning.groups.read import account_and_partition, observe
from cognises.provisioning.names import DEFAULT_ROLE_PREFIX, POOL_TAG, is_owned, role_name
from cognises.provisioning.target import shape_problems
from cognises.user_pool import UserPool


def create_update(
    group_detail: list[dict[str, Any]],
    iam_client: Any,
    cognito_client: Any,
    cognito_pool_id: str | None = None,
    *,
    identity_pool_id: str | None = None,
    role_prefix: str = DEFAULT_ROLE_PREFIX,
    adopt: Iterable[str] = (),
) -> tuple[Change, ...]:
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
            session, region = make_session(None), scope.identity_region
            endpoint = cognito_client.meta.endpoint_url if on_loopback(*clients) else None
            client = make_client(session, "cognito-identity", region, endpoint)
            identity = client, identity_pool_id
        observed = observe(clients, pool.id, role_prefix, identity)
        names = [adopt] if isinstance(adopt, str) else tuple(adopt)
        plan = make_plan(groups, observed, scope, adopt=names)
    _, failed = apply_plan(plan, clients, workers=4)
    for _, error in failed:
        raise error
    for group in group_detail:
        group["created"] = "true"
    return plan.changes


def _policies_only(groups: Iterable[Group], clients: Clients, role_prefix: str) -> Plan:
    """The policy changes alone, for the pool that the roles' own tags name."""
    observed = observe(clients, None, role_prefix)
    groups = tuple(group for group in groups if group.policy is not None)
    names = [role_name(role_prefix, group.name) for group in groups]
    roles = [observed.roles[name.lower()] for name in names if name.lower() in observed.roles]
    _raise_unless_owned(names, roles)
    if not roles:
        return Plan(Scope("", "", "", ""), digest_of([]))
    pool = UserPool.parse(roles[0].tags.get(POOL_TAG))
    _, partition, _, _, account, _ = roles[0].arn.split(":", 5)
    scope = Scope(account, partition, pool.region, pool.id, role_prefix=role_prefix)
    changes = (policy_change(entry) for entry in entries_of(groups, scope, observed))
    return Plan(scope, digest_of(names), tuple(filter(None, changes)))


def _raise_unless_owned(names: list[str], roles: list[Role]) -> None:
    missing = set(names) - {role.name for role in roles}
    problems = [f"role {name} is missing; give the user pool's id to make it" for name in missing]
    for name in [role.name for role in roles if not is_owned(role.tags)]:
        remedy = f"to take it over give the user pool's id and adopt=[{name!r}]"
        problems.append(f"role {name} was not made by this project; {remedy}")
    pools = sorted({role.tags[POOL_TAG] for role in roles if POOL_TAG in role.tags})
    if len(pools) > 1:
        problems.append(f"the roles belong to several pools ({', '.join(pools)}); give one")
    if problems:
        raise ProvisionBlocked(sorted(problems))
