"""From a checked target to a plan: reads the manifest and AWS, plans, and goes no further."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cognises.manifest import Group, load_groups
from cognises.provisioning.aws.clients import Clients, make_client, make_clients, make_session
from cognises.provisioning.aws.observer import (
    account_and_partition,
    confirm_boundaries,
    groups_with_members,
    observe,
    observe_identity_pool,
)
from cognises.provisioning.planning.observed import IdentityPool, Observed
from cognises.provisioning.planning.plan import Plan
from cognises.provisioning.planning.planner import make_plan
from cognises.provisioning.planning.prune import Pruning, prune_candidates
from cognises.provisioning.planning.scope import Scope
from cognises.provisioning.target import Target


class Session:
    """One run of a command against one target."""

    def __init__(self, target: Target, clients: Clients) -> None:
        self.target, self.clients = target, clients

    @classmethod
    def open(cls, target: Target, group_writes: float) -> Session:
        """Make the clients. Raises botocore's errors."""
        clients = make_clients(
            target.pool,
            profile=target.profile,
            endpoint_url=target.endpoint_url,
            group_writes=group_writes,
        )
        return cls(target, clients)

    def plan(self, *, adopt: tuple[str, ...] = (), pruning: Pruning | None = None) -> Plan:
        """Today's plan for the manifest. Raises ManifestError and botocore's errors."""
        target = self.target
        groups = load_groups(target.groups_file, role_prefix=target.role_prefix)
        scope = self.scope()
        observed = self._observed(groups, scope, pruning)
        return make_plan(groups, observed, scope, adopt=adopt, pruning=pruning)

    def scope(self) -> Scope:
        """Where the plan applies; the account is the one whose pool answers."""
        target = self.target
        account, partition = account_and_partition(self.clients.cognito, target.pool.id)
        return Scope(
            account=account,
            partition=partition,
            region=target.pool.region,
            pool_id=target.pool.id,
            identity_pool_id=target.identity_pool_id,
            role_prefix=target.role_prefix,
            boundary=target.boundary,
        )

    def _observed(
        self, groups: tuple[Group, ...], scope: Scope, pruning: Pruning | None
    ) -> Observed:
        prefix = scope.role_prefix
        found = observe(self.clients, scope.pool_id, prefix, self._identity_pool())
        if scope.boundary is not None:
            found = confirm_boundaries(self.clients.iam, found, scope.pool_id)
        if pruning is None or pruning.force:
            return found
        candidates = prune_candidates({group.name for group in groups}, found, scope)
        members = groups_with_members(self.clients.cognito, scope.pool_id, candidates)
        return replace(found, with_members=members)

    def _identity_pool(self) -> IdentityPool | None:
        target = self.target
        if target.identity_pool_id is None:
            return None
        client = identity_client(target)
        return observe_identity_pool(client, target.identity_pool_id)


def identity_client(target: Target) -> Any:
    """A client for the identity pool that the settings name, in the region of its id."""
    session = make_session(target.profile)
    return make_client(session, "cognito-identity", target.identity_region, target.endpoint_url)
