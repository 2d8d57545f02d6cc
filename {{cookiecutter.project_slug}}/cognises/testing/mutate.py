"""`flask cognises mutate`: does a test fail where a guard or groups.json changes?

A mutant is one change of a guard or of groups.json by which, says `access_diff`, a request gets
another answer. For each, a process with pytest and the app loaded is forked. It makes the change
in memory and runs the tests up to the first failure; what it started ends with it. What it writes,
bytecode included, is in a temporary folder.
"""

import contextlib
import gc
import inspect
import io
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from itertools import chain, islice, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from unittest.mock import patch

import click
from flask import Flask
from flask.cli import ScriptInfo

from cognises.access.diff import access_diff, access_side
from cognises.access.route_report import rows_of
from cognises.errors import ProblemsError
from cognises.manifest import read_manifest
from cognises.settings import sources
from cognises.settings.values import TOKEN_USES
from cognises.web import decorators, routes
from cognises.web.authorize import authorize, current_user, policy_at, policy_of
from cognises.web.extension import route_problems
from cognises.web.routes import DEFAULT_LOGIN, Declaration, Guard, LoginGuard, handler_name
from cognises.web.state import RoutePolicy, forget_policies, state_of

TIMEOUT = 60.0  # seconds, more for slow tests; a change that makes them take longer is found, too


class Mutant(NamedTuple):
    """One change: where, what, what a test would have to check, and what makes it."""

    place: str
    change: str
    check: str
    patches: tuple[contextlib.AbstractContextManager[object], ...]

    @contextlib.contextmanager
    def made(self) -> Iterator[None]:
        """Every app of this process is as the change makes it."""
        with contextlib.ExitStack() as stack:
            stack.callback(forget_policies, reset=True)
            for each in self.patches:
                stack.enter_context(each)
            forget_policies(reset=True)
            yield


def mutants(app: Flask, folder: Path) -> Iterator[Mutant]:
    """Every change that has an effect, one by one; `folder` takes the changed manifests."""
    before, problems = access_side(app), set(route_problems(app))
    for mutant in chain(_guard_mutants(app), _manifest_mutants(app, folder)):
        with mutant.made():
            if not problems.issuperset(route_problems(app)):
                continue  # the service would not start
            found = {(each.path, each.method) for each in access_diff(before, access_side(app))}
        if found:
            calls = ", ".join(f"{method} {path}" for path, method in sorted(found))
            yield mutant._replace(check=f"call {calls} {mutant.check}")


def _guard_mutants(app: Flask) -> Iterator[Mutant]:
    """Changes of what routes declare, except those of the routes that this package brings."""
    found, seen = list(rows_of(app)), set()
    names = {guard.name for route, _ in found for guard in route.declaration.permissions} - {None}
    for route, row in found:
        view, declared = app.view_functions[route.endpoint], route.declaration
        function: Any = inspect.unwrap(getattr(view, "view_class", view))
        target = route.endpoint, handler_name(getattr(view, "view_class", None), route.method)
        is_ours = function.__module__.partition(".")[0] in ("cognises", "user_admin")
        if (target, declared) in seen or is_ours or not (declared.guards or declared.is_public):
            continue
        seen.add((target, declared))
        place = f"{row.method} {row.path}"
        if inspect.isfunction(function) or inspect.isclass(function):
            line = inspect.getsourcelines(function)[1]
            place = f"{os.path.relpath(inspect.getfile(function))}:{line} {place}"
        for other, change, check in _changes(declared, sorted(filter(None, names))):
            yield Mutant(place, change, check, _declaring(*target, other))


def _changes(declared: Declaration, names: list[str]) -> Iterator[tuple[Declaration, str, str]]:
    """Each other declaration, in words, and what a test of it would check."""
    yield Declaration(is_public=True), "guards replaced by @public", "without a token: expect 401"
    yield Declaration(), "guards removed" if declared.guards else "@public removed", (
        "as one who may call it: expect neither 401 nor 403")  # fmt: skip
    if declared.is_public:
        return
    for number, guard in enumerate(declared.guards):
        before, after = declared.guards[:number], declared.guards[number + 1 :]
        others: dict[str, Guard] = {}
        if isinstance(guard, LoginGuard):
            name, check = "login_check", "without a token, or with a refused one: expect 401 or 403"
            others["optional=True"] = replace(guard, optional=True)
            for scope in guard.scopes:
                others[f"{scope} not in scopes"] = replace(guard, scopes=guard.scopes - {scope})
            if guard.client_ids:
                clients = guard.client_ids | {"fakeclient0123456789"}  # a FakePool's
                others["the app's own client in client_ids"] = replace(guard, client_ids=clients)
            if guard.pool:
                others["the app's own pool"] = replace(guard, pool=None, client_ids=None)
        else:
            name, check = "permission_required", "as a user in no group and in each: expect 403"
            for each in (*names, "another_name"):
                others[f"name={each!r}"] = replace(guard, name=each)
        yield Declaration((*before, *after) or (DEFAULT_LOGIN,)), f"{name} removed", check
        for text in sorted(others):
            yield Declaration((*before, others[text], *after)), f"{name} with {text}", check
    logins = tuple(replace(guard, token_use=TOKEN_USES) for guard in declared.logins)
    yield Declaration((*logins, *declared.permissions)), "every kind of token accepted", (
        "with a token of the other kind (token_use=…): expect 401")  # fmt: skip


def _declaring(endpoint: str, handler: str, declared: Declaration) -> tuple[Any, ...]:
    """Patches by which an endpoint declares this, where decorators enforce, too."""
    declaration_at = routes.declaration_at

    def changed_at(app: Flask, name: str, verb: str, *rules: Any) -> Declaration:
        view_class = getattr(app.view_functions[name], "view_class", None)
        is_here = (name, handler_name(view_class, verb)) == (endpoint, handler)
        return declared if is_here else declaration_at(app, name, verb, *rules)

    def changed_of(state: Any, request: Any, *guarded: Any) -> RoutePolicy | None:
        is_other = request.endpoint != endpoint
        return policy_of(state, request, *guarded) if is_other else policy_at(state, request)

    return (patch.object(routes, "declaration_at", changed_at),
            patch.object(decorators, "policy_of", changed_of),  # None: public, no token is read
            patch.object(decorators, "authorize", lambda request, policy: (
                authorize(request, policy) if policy else current_user)))  # fmt: skip


def _manifest_mutants(app: Flask, folder: Path) -> Iterator[Mutant]:
    """Each entry removed where a group has it, and added where it has not."""
    file = state_of(app).settings_with_problems[0].groups_file
    groups = read_manifest(file) if file.exists() else []  # no guard may need it
    names = {name for _, row in rows_of(app) for name in row.names}
    every = {"allowed_functions": {"*", *names}, "scopes": set[str]()}
    for group, key in product(groups, every):
        every[key].update(group.get(key, ()))
    pairs = [(key, entry) for key, each in every.items() for entry in sorted(each)]
    for (number, group), (key, entry) in product(enumerate(groups), pairs):
        held = group.get(key, [])
        others = [each for each in held if each != entry]
        changed = {**group, key: others if entry in held else [*held, entry]}
        path = folder / f"{len(list(folder.glob('*.json')))}.json"
        path.write_text(json.dumps([*groups[:number], changed, *groups[number + 1 :]]))
        verb, but = ("removed from", "anything but ") if entry in held else ("added to", "")
        check = f"as {group['group_name']}: expect {but}403"
        place, change = f"{file.name} {group['group_name']}", f"{entry!r} {verb} {key}"
        yield Mutant(place, change, check, _reading(file, path))


def _reading(file: Path, changed: Path) -> tuple[Any, ...]:
    """A patch by which every app whose groups.json this is reads another file."""
    read = sources.read

    def read_changed(folder: Path, config: Any) -> Any:
        settings, problems = read(folder, config)
        is_same = settings.groups_file.resolve() == file.resolve()
        return replace(settings, groups_file=changed) if is_same else settings, problems

    return (patch.object(sources, "read", read_changed),)


class Order:
    """A pytest plugin: first the tests that found most, then the fastest files."""

    def __init__(self, ranks: Counter[str], note: Path) -> None:
        self._ranks, self._note = ranks, note
        self._noted = Counter[str]()  # the test that fails, else negative milliseconds by file

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items.sort(key=lambda item: [-self._ranks[item.nodeid.partition(c)[0]] for c in "[:"])

    def pytest_runtest_logreport(self, report: Any) -> None:
        self._noted[report.nodeid.partition("::")[0]] -= round(1000 * report.duration)
        if report.failed:
            self._noted = Counter({report.nodeid.partition("[")[0]: 1})
        self._note.write_text(json.dumps(self._noted))


def start(mutant: Mutant, tests: str, ranks: Counter[str], folder: Path) -> int:
    """The id of a forked process that runs the tests with one change, and ends as pytest does."""
    import pytest

    folder.mkdir(parents=True)
    if (pid := os.fork()) != 0:
        return pid
    code = 1
    try:
        os.setsid()  # with a group of its own, which `stop` ends
        sys.stdout = sys.stderr = (folder / "output").open("w", buffering=1, encoding="utf-8")
        for stream in (1, 2):
            os.dup2(sys.stdout.fileno(), stream)
        options = ["-xq", "-p", "no:cacheprovider", "-p", "no:randomly", f"--basetemp={folder}/t"]
        options += ["-n0"] * bool(find_spec("xdist")) + ["--no-cov"] * bool(find_spec("pytest_cov"))
        with mutant.made():
            plugins = [Order(ranks, folder / "note")]
            code = int(pytest.main([*options, "--tb=line", tests], plugins))
    finally:
        os._exit(code)


def stop(pid: int) -> None:
    """End a process, if it has not ended, and those that it started."""
    for call, how in ((os.kill, signal.SIGKILL), (os.killpg, signal.SIGKILL), (os.waitpid, 0)):
        with contextlib.suppress(OSError):  # it has no group yet, or nothing is left
            call(pid, how)


def survivors(
    found: Iterable[Mutant], tests: str, folder: Path, limit: float, ranks: Counter[str]
) -> tuple[int, list[Mutant]]:
    """How many mutants there are, and those that no test finds in `limit` seconds."""
    running: dict[int, tuple[int, Mutant, float]] = {}
    number, waiting, alive, shown = 0, enumerate(found, 1), dict[int, Mutant](), time.monotonic()
    try:
        while True:  # one a processor; the next is made while tests run
            for number, mutant in islice(waiting, (os.cpu_count() or 1) - len(running)):
                pid = start(mutant, tests, ranks, folder / str(number))
                running[pid] = number, mutant, time.monotonic() + limit
            if not running:
                return number, [alive[each] for each in sorted(alive)]
            time.sleep(0.01)
            for pid, (each, mutant, deadline) in list(running.items()):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended or time.monotonic() > deadline:
                    stop(pid)
                    del running[pid]
                    for note in folder.glob(f"{each}/note"):
                        ranks.update(json.loads(note.read_text()))
                    alive |= {each: mutant} if ended and status == 0 else {}
            if number > 1 and time.monotonic() > shown + 5:
                shown, tested = time.monotonic(), number - len(running)
                click.echo(f"{tested} mutants tested so far, {len(alive)} survived", err=True)
    finally:
        for pid in running:
            stop(pid)


@click.command("mutate")
@click.argument("tests", default="tests/app")
@click.pass_context
def mutate_command(context: click.Context, tests: str) -> None:
    """Change guards and groups.json in memory; list the changes that no test finds."""
    if not hasattr(os, "fork"):
        raise click.ClickException("mutate needs fork(): run it on Linux, macOS or WSL")
    if not find_spec("pytest"):
        raise click.ClickException("pytest is not installed; run: make install")
    app = context.ensure_object(ScriptInfo).load_app()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the processes, too
    with TemporaryDirectory() as name:
        folder = Path(name).resolve()
        try:
            number, alive = _run(mutants(app, folder), tests, folder)
        except ProblemsError as error:
            raise click.ClickException(f"cannot read who may call which route:\n{error}") from None
    for mutant in alive:
        click.echo(f"survived: {mutant.place}: {mutant.change}\n    missing test: {mutant.check}")
    click.echo(f"{number} mutants, {len(alive)} survived (tests: {tests})")
    context.exit(1 if alive else 0)


def _run(found: Iterator[Mutant], tests: str, folder: Path) -> tuple[int, list[Mutant]]:
    """As `survivors`. Raises ClickException: there is no mutant, or the tests fail anyway."""
    import pytest

    if (first := next(found, None)) is None:
        raise click.ClickException("no route has a guard or @public; name your app: --app …")
    click.echo(f"first {tests} without any change, then with each mutant", err=True)
    sys.pycache_prefix, sys.dont_write_bytecode = f"{folder}/bytecode", False
    os.environ.pop("PYTEST_ADDOPTS", None)
    with contextlib.redirect_stdout(io.StringIO()):  # no test: it imports plugins for all
        pytest.main(["--noconftest", "-p", "no:cacheprovider", str(folder)])
    gc.freeze()  # pytest collects garbage at the end of each run
    began, ranks = time.monotonic(), Counter[str]()
    if not survivors([Mutant("", "", "", ())], tests, folder / "unchanged", float("inf"), ranks)[1]:
        output = (folder / "unchanged/1/output").read_text(encoding="utf-8", errors="replace")
        raise click.ClickException(f"{tests} fails without any change; correct it first:\n{output}"
                                   "\nOther tests: flask cognises mutate PATH")  # fmt: skip
    found = chain([first], found)
    return survivors(found, tests, folder, max(TIMEOUT, 5 * (time.monotonic() - began)), ranks)
