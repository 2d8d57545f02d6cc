"""Every HTTP request of a run fails in every way; running again ends in the same state.

The short form takes every request once, the ways in turn; `pytest -m crash_matrix` takes every
request of apply, repair and prune in all eight ways.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import lru_cache
from typing import Any

import pytest
import requests
from accounts import PREFIX, Account, group, policy, statement
from botocore.exceptions import BotoCoreError, ClientError
from faults import WAYS, Killed, Wire

from cognises.manifest import parse_groups
from cognises.provisioning.aws import Aws, Clients, group_clients
from cognises.provisioning.groups.apply import apply_plan
from cognises.provisioning.groups.model import Scope
from cognises.provisioning.groups.plan import Plan
from cognises.provisioning.groups.planner import Pruning, make_plan
from cognises.provisioning.groups.read import account_and_partition, observe

THREE = [group("a"), group("b", description="B"), group("c", precedence=7)]
OTHER_POLICY = json.dumps(policy(statement("sqs:SendMessage", "arn:aws:sqs:us-east-1:1:q")))


@lru_cache(maxsize=1)
def clients_for(endpoint: str) -> Clients:
    """Made once: making clients costs more than all the requests of a run."""
    aws = Aws("us-east-1", env_file={"AWS_ENDPOINT_URL": endpoint})
    return group_clients(aws, group_writes=100_000)


class Stage:
    """A project in an account with resources of others, at the start of one scenario."""

    def __init__(self, endpoint: str) -> None:
        requests.post(f"{endpoint}/moto-api/reset", timeout=5)
        self.clients = clients_for(endpoint)
        self.account = Account.make(self.clients.iam, self.clients.cognito)
        self.account.make_foreign_role("somebody-elses")
        self.account.make_foreign_role(f"{PREFIX}elsewhere", **{"cognises:owner": "cognises"})
        self.account.cognito.create_group(GroupName="by-hand", UserPoolId=self.account.pool_id)

    def run(self, manifest: list[Any], pruning: Pruning | None, wire: Wire | None = None) -> Plan:
        """Plan and apply once, as a new process would."""
        clients = self.clients
        with wire.under(clients.iam, clients.cognito) if wire else nullcontext():
            plan = self.plan(manifest, pruning)
            _, failed = apply_plan(plan, clients, workers=1, sleep=lambda seconds: None)
        for _, error in failed:
            raise error
        return plan

    def plan(self, manifest: list[Any], pruning: Pruning | None) -> Plan:
        clients, pool_id = self.clients, self.account.pool_id
        account, partition = account_and_partition(clients.cognito, pool_id)
        scope = Scope(account, partition, "us-east-1", pool_id, role_prefix=PREFIX)
        groups = parse_groups(manifest, role_prefix=PREFIX)
        return make_plan(groups, observe(clients, pool_id, PREFIX), scope, pruning=pruning)

    def state(self) -> dict[str, Any]:
        """The account's state, pools named by their order: their ids differ from run to run."""
        text = json.dumps(self.account.state(), sort_keys=True)
        return json.loads(text.replace(self.account.pool_id, "POOL"))  # type: ignore[no-any-return]


def drift(account: Account) -> None:
    """Changes of an account by hand."""
    iam, cognito, pool = account.iam, account.cognito, account.pool_id
    managed = iam.create_policy(PolicyName="extra", PolicyDocument=OTHER_POLICY)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=f"{PREFIX}a", PolicyArn=managed)
    iam.put_role_policy(RoleName=f"{PREFIX}a", PolicyName="more", PolicyDocument=OTHER_POLICY)
    iam.put_role_policy(RoleName=f"{PREFIX}b", PolicyName="b_policy", PolicyDocument=OTHER_POLICY)
    trust = json.dumps(account.role("somebody-elses")["trust"])
    iam.update_assume_role_policy(RoleName=f"{PREFIX}b", PolicyDocument=trust)
    cognito.update_group(GroupName="b", UserPoolId=pool, Precedence=99, Description="edited")
    cognito.delete_group(GroupName="c", UserPoolId=pool)


def start_apply(stage: Stage) -> tuple[list[Any], Pruning | None]:
    return THREE, None


def start_repair(stage: Stage) -> tuple[list[Any], Pruning | None]:
    stage.run(THREE, None)
    drift(stage.account)
    return [group("a", policy(statement("s3:PutObject"))), *THREE[1:]], None


def start_prune(stage: Stage) -> tuple[list[Any], Pruning | None]:
    stage.run(THREE, None)
    drift(stage.account)
    return THREE[1:2], Pruning()


SCENARIOS: dict[str, Callable[[Stage], tuple[list[Any], Pruning | None]]] = {
    "apply": start_apply,
    "repair": start_repair,
    "prune": start_prune,
}


def undisturbed(endpoint: str, scenario: str) -> tuple[dict[str, Any], list[str]]:
    """The end state that every interrupted run must reach, and the requests that lead to it."""
    stage = Stage(endpoint)
    manifest, pruning = SCENARIOS[scenario](stage)
    wire = Wire()
    stage.run(manifest, pruning, wire)
    return stage.state(), wire.operations


def disturbed(endpoint: str, scenario: str, number: int, way: str) -> dict[str, Any]:
    """Make request `number` fail, run again, and check that nothing is then left to do."""
    stage = Stage(endpoint)
    manifest, pruning = SCENARIOS[scenario](stage)
    wire = Wire(lambda count: way if count == number else None)
    with suppress(Killed, ClientError, BotoCoreError):
        stage.run(manifest, pruning, wire)
    stage.run(manifest, pruning)
    assert stage.run(manifest, pruning).changes == ()
    return stage.state()


def divergences(
    endpoint: str, scenario: str, ways: Callable[[int], list[str]]
) -> tuple[list[str], int]:
    """The requests and ways after which the end state differs, and how many were tried."""
    expected, operations = undisturbed(endpoint, scenario)
    tried = [
        (f"{scenario}: {operation} #{number} {way}", number, way)
        for number, operation in enumerate(operations, 1)
        for way in ways(number)
    ]
    bad = [
        name
        for name, number, way in tried
        if disturbed(endpoint, scenario, number, way) != expected
    ]
    return bad, len(tried)


def in_turn(number: int) -> list[str]:
    """One way a request, another for the next."""
    return [list(WAYS)[number % len(WAYS)]]


def test_apply_ends_the_same_whatever_request_goes_wrong(endpoint: str, no_pauses: None) -> None:
    bad, tried = divergences(endpoint, "apply", in_turn)
    assert bad == []
    assert tried == 3 + 3 * 3  # three reads; role, policy and group for each of three groups


@pytest.mark.parametrize("scenario", ["repair", "prune"])
def test_repair_and_prune_end_the_same_whatever_request_goes_wrong(
    endpoint: str, no_pauses: None, scenario: str
) -> None:
    bad, tried = divergences(endpoint, scenario, in_turn)
    assert bad == []
    assert tried > 10


@pytest.mark.crash_matrix
@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize("scenario", list(SCENARIOS))
def test_every_request_may_fail_in_every_way(
    endpoint: str, no_pauses: None, scenario: str, way: str
) -> None:
    bad, tried = divergences(endpoint, scenario, lambda number: [way])
    assert bad == []
    assert tried > 10
