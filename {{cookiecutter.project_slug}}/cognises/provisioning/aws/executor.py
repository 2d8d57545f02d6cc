"""The one place that writes to AWS: sends a plan's calls, group by group, some at a time.

    plan -> units (one a group) -> workers -> calls -> outcome

A unit's calls go in order; units are independent. After a failure, or Ctrl-C, no new unit is
begun: what is not done is done by running again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from cognises.provisioning.aws.clients import WORKERS, Clients
from cognises.provisioning.aws.retry import error_code, resilient
from cognises.provisioning.aws.settle import settle_existing
from cognises.provisioning.planning.calls import Call, calls_for
from cognises.provisioning.planning.plan import Change, Plan

# An answer that says the work is done already, given to a call that was sent twice.
ALREADY_GONE = {
    "delete_group": frozenset({"ResourceNotFoundException"}),
    "delete_role": frozenset({"NoSuchEntity"}),
    "delete_role_policy": frozenset({"NoSuchEntity"}),
    "detach_role_policy": frozenset({"NoSuchEntity"}),
}
ALREADY_THERE = frozenset({"EntityAlreadyExists", "GroupExistsException"})

Progress = Callable[[Change, int, int], None]


@dataclass
class Outcome:
    """What became of a plan: the changes made, and the errors of the groups that failed."""

    done: list[Change] = field(default_factory=list)
    failed: list[tuple[str, Exception]] = field(default_factory=list)
    total: int = 0

    @property
    def complete(self) -> bool:
        """Whether everything the plan said was done."""
        return not self.failed and len(self.done) == self.total


class Executor:
    """Runs plans through given clients."""

    def __init__(
        self,
        clients: Clients,
        *,
        workers: int = WORKERS,
        sleep: Callable[[float], None] = time.sleep,
        progress: Progress = lambda change, done, total: None,
    ) -> None:
        self._clients, self._workers, self._sleep = clients, workers, sleep
        self._progress = progress
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def run(self, plan: Plan) -> Outcome:
        """Make every change of a plan. Raises ProvisionBlocked for a blocked one, sends nothing."""
        plan.raise_if_blocked()
        outcome = Outcome(total=len(plan.changes))
        units = _units(plan.changes)
        workers = max(1, min(self._workers, len(units)))
        with ThreadPoolExecutor(workers, thread_name_prefix="apply") as pool:
            running = {pool.submit(self._unit, unit, plan, outcome): unit for unit in units}
            try:
                self._collect(running, outcome)
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        return outcome

    def _collect(self, running: dict[Future[None], list[Change]], outcome: Outcome) -> None:
        waiting = set(running)
        while waiting:
            # Short waits: a signal reaches the main thread between two of them.
            finished, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in finished:
                if future.cancelled():
                    continue
                error = future.exception()
                if isinstance(error, Exception):
                    outcome.failed.append((running[future][0].group, error))
                elif error is not None:
                    raise error

    def _unit(self, unit: list[Change], plan: Plan, outcome: Outcome) -> None:
        try:
            self._make(unit, plan, outcome)
        except BaseException:
            self._stop.set()  # here, before this worker takes up the next unit
            raise

    def _make(self, unit: list[Change], plan: Plan, outcome: Outcome) -> None:
        fresh = any(change.action == "create" for change in unit)
        for change in unit:
            if self._stop.is_set():
                return
            for call in calls_for(change, plan.scope.pool_id):
                self._send(call, just_created=fresh)
            with self._lock:
                outcome.done.append(change)
                self._progress(change, len(outcome.done), outcome.total)

    def _send(self, call: Call, *, just_created: bool) -> None:
        clients = self._clients
        client = clients.iam if call.service == "iam" else clients.cognito
        gone = ALREADY_GONE.get(call.method, frozenset())
        try:
            resilient(
                lambda: getattr(client, call.method)(**call.arguments),
                just_created=just_created and not gone,
                sleep=self._sleep,
            )
        except Exception as error:
            code = error_code(error)
            if code in gone:
                return
            if code not in ALREADY_THERE:
                raise
            settle_existing(call, clients)


def _units(changes: Iterable[Change]) -> list[list[Change]]:
    """The changes of each group together, in the plan's order."""
    units: dict[str, list[Change]] = {}
    for change in changes:
        units.setdefault(change.group, []).append(change)
    return list(units.values())
