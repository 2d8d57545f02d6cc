"""The data of this folder: roles, groups and identity pools, as they are and as they should be."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cognises.errors import ManifestError, Problem, SettingsError
from cognises.manifest import Group, access_hashes
from cognises.manifest.iam_policy import INLINE_LIMIT, policy_size, resources_of
from cognises.manifest.rules import fill
from cognises.provisioning import names
from cognises.provisioning.groups.compare import Document, fingerprint
from cognises.user_pool import partition_of

# The identity service's name as principal, in condition keys and in policy variables. Source:
# Cognito developer guide, "Role trust and permissions"; "Amazon Cognito" of GovCloud and China.
_IDENTITY_SERVICES = {
    "us-gov-west-1": "cognito-identity-us-gov.amazonaws.com",
    "us-gov-east-1": "cognito-identity.us-gov-east-1.amazonaws.com",
    "cn-north-1": "cognito-identity.cn-north-1.amazonaws.com.cn",
}
NOTHING = access_hashes([Group("", ())])[""]  # identifies that no function was applied
# No identity pool has this id, so no token carries it: a closed trust.
CLOSED_AUDIENCE = "no-identity-pool-configured"


@dataclass(frozen=True)
class Role:
    """An IAM role as it is, or as it should be."""

    name: str
    arn: str
    trust: Document
    policies: Mapping[str, Document] = field(default_factory=dict)  # inline, by name
    attached: tuple[str, ...] = ()  # ARNs of managed policies, sorted
    boundary: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PoolGroup:
    """A group of the user pool as it is, or as it should be."""

    name: str
    role_arn: str | None
    description: str = ""
    precedence: int | None = None
    access: Mapping[str, str] = field(default_factory=dict)  # see names.RECORD


@dataclass(frozen=True)
class IdentityPool:
    """What security rule 24 depends on in an identity pool."""

    id: str
    classic_flow: bool
    guests: bool
    providers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Observed:
    """One reading of the account. `roles` is keyed by the role's name in lower case."""

    roles: Mapping[str, Role] = field(default_factory=dict)
    groups: Mapping[str, PoolGroup] = field(default_factory=dict)
    identity_pool: IdentityPool | None = None
    loopback: bool = False
    with_members: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Scope:
    """Where a plan applies: one pool of one account, and the settings that shape its roles."""

    account: str
    partition: str
    region: str
    pool_id: str
    identity_pool_id: str | None = None
    role_prefix: str = names.DEFAULT_ROLE_PREFIX
    boundary: str | None = None
    role_path: str = "/"

    @property
    def identity_region(self) -> str:
        return names.identity_region(self.identity_pool_id, self.region)

    @property
    def identity_service(self) -> str:
        """The identity service's name there. Raises SettingsError where it is not known."""
        region = self.identity_region
        if region not in _IDENTITY_SERVICES and partition_of(region)[0] != "aws":
            remedy = "use another region, or groups without a group_policy"
            problem = f"the name of the identity service in {region} is not known"
            raise SettingsError([f"{problem}, so no trust policy can be written there; {remedy}"])
        return _IDENTITY_SERVICES.get(region, "cognito-identity.amazonaws.com")

    def trust(self, *, closed: bool = False) -> dict[str, Any]:
        """The trust policy of a group's role: signed-in users of the identity pool, if not closed.
        The condition on `aud` keeps every other identity pool of every account out.
        Source: Cognito developer guide, "Role trust and permissions".
        """
        service, pool_id = self.identity_service, None if closed else self.identity_pool_id
        audience = {f"{service}:aud": pool_id or CLOSED_AUDIENCE}
        signed_in = {f"{service}:amr": "authenticated"}
        statement = {
            "Effect": "Allow",
            "Principal": {"Federated": service},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": audience, "ForAnyValue:StringLike": signed_in},
        }
        return {"Version": "2012-10-17", "Statement": [statement]}

    def fill(self, value: object) -> Any:
        """A value of the manifest, its placeholders filled."""
        values = {
            "AWS::Region": self.region, "AWS::AccountId": self.account,
            "AWS::Partition": self.partition, "UserPoolId": self.pool_id,
            "IdentityService": self.identity_service, "Stage": names.stage_name(self.role_prefix),
        }  # fmt: skip
        return fill(value, values)

    def problem_of(self, policy_arn: str) -> str:
        """Why IAM cannot use a managed policy here: it is neither of this account nor AWS's own."""
        _, partition, _, _, account, *_ = f"{policy_arn}:::::".split(":")
        pool = f"user pool {self.pool_id} is in"
        if account not in (self.account, "aws"):
            where = f"a policy of account {account}, and {pool} account {self.account}"
            return f"{where}; name a policy of that account"
        if partition != self.partition:
            where = f"in partition {partition}, and {pool} {self.partition}"
            return f"{where}; write arn:{self.partition}:iam::…"
        return ""

    def role_arn(self, group: str) -> str:
        name = names.role_name(self.role_prefix, group)
        return f"arn:{self.partition}:iam::{self.account}:role{self.role_path}{name}"

    def owns(self, role: Role) -> bool:
        """Whether a role was made for this pool under this prefix, name and tags agreeing."""
        group = names.group_of(role.tags)
        ours = names.is_owned(role.tags) and role.tags.get(names.POOL_TAG) == self.pool_id
        return ours and bool(group) and role.name == names.role_name(self.role_prefix, group)


@dataclass(frozen=True)
class Entry:
    """One entry of the manifest: its role and group as they should be, and as AWS has them."""

    manifest: Group
    policy: Document  # placeholders filled; empty if the entry has none
    role: Role | None  # None without any policy
    group: PoolGroup
    live_role: Role | None
    live_group: PoolGroup | None


def recorded_access(observed: Observed, scope: Scope) -> dict[str, str]:
    """Each group's hash of what was applied: its own or a tag of its role; empty without both."""
    owned = filter(scope.owns, observed.roles.values())
    tags = {names.group_of(role.tags): role.tags.get(names.ACCESS_TAG, "") for role in owned}
    return {name: group.access.get(scope.role_prefix, tags.get(name, ""))
            for name, group in observed.groups.items()}  # fmt: skip


def entries_of(groups: Iterable[Group], scope: Scope, observed: Observed) -> tuple[Entry, ...]:
    """The manifest filled for a pool, beside what was read. Raises ManifestError, SettingsError."""
    entries, problems, recorded = [], [], recorded_access(observed, scope)
    for index, group in enumerate(groups):
        role = _desired_role(group, scope) if group.has_role else None
        live = observed.roles.get(names.role_name(scope.role_prefix, group.name).lower())
        live_group = observed.groups.get(group.name)
        # A link cannot be removed: without a role a group keeps it. A role keeps its path.
        kept = live_group or PoolGroup(group.name, None)
        arn = (live or role).arn if role else kept.role_arn
        precedence = kept.precedence if group.precedence is None else group.precedence
        access, now = dict(kept.access), access_hashes([group])[group.name]
        if role:
            access.pop(scope.role_prefix, None)
        elif {now, recorded.get(group.name) or NOTHING} != {NOTHING}:
            access[scope.role_prefix] = now
        desired = PoolGroup(group.name, arn, group.description, precedence, access)
        policy = role.policies.get(names.policy_name(group.name), {}) if role else {}
        entries.append(Entry(group, policy, role, desired, live, live_group))
        found = [each.under("group_policy") for each in _filled_problems(policy, scope)]
        for arn in role.attached if role else ():
            if problem := scope.problem_of(arn):
                found.append(Problem("managed_policies", f"{arn} is {problem}"))
        problems += [problem.under(f"[{index}]") for problem in found]
    if problems:
        raise ManifestError(problems)
    return tuple(entries)


def _desired_role(group: Group, scope: Scope) -> Role:
    trust, policy = scope.trust(), scope.fill(group.policy)
    attached = tuple(sorted({scope.fill(arn) for arn in group.managed_policies}))
    applied = fingerprint(trust, policy, group.description, group.precedence, *attached)
    tags = {**names.ownership_tags(scope.pool_id, group.name), names.HASH_TAG: applied}
    tags[names.ACCESS_TAG] = access_hashes([group])[group.name]
    name, arn = names.role_name(scope.role_prefix, group.name), scope.role_arn(group.name)
    policies = {} if policy is None else {names.policy_name(group.name): policy}
    return Role(name, arn, trust, policies, attached, scope.boundary, tags)


def _filled_problems(policy: Document, scope: Scope) -> Iterator[Problem]:
    if (size := policy_size(policy)) > INLINE_LIMIT:
        yield Problem("", f"{size} characters once filled; IAM allows {INLINE_LIMIT}")
    for place, resource in resources_of(policy):
        partition = resource.split(":")[1] if resource.startswith("arn:") else scope.partition
        if partition not in (scope.partition, "*"):
            here = f"user pool {scope.pool_id} is in {scope.partition}"
            problem = f"{resource!r} is in partition {partition}, and {here}; write arn:"
            yield Problem(place, problem + "${AWS::Partition}:…")
