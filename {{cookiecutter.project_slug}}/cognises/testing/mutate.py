"""`flask cognises mutate`: does a test fail where a guard or groups.json changes?

A mutant is one change: a guard removed or loosened, or an entry of groups.json added or removed. A
process is forked for each, with pytest and the app loaded. It makes the change in memory, runs the
tests up to the first failure, and ends. What it writes is in a temporary folder, bytecode included.
"""

import contextlib
import inspect
import io
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from unittest.mock import patch

import click
from flask import Flask
from flask.cli import ScriptInfo

from cognises.access.route_report import rows_of
from cognises.errors import ProblemsError
from cognises.manifest import read_manifest
from cognises.settings import sources
from cognises.web import authorize, decorators, routes
from cognises.web.routes import DEFAULT_LOGIN, Declaration, Guard, LoginGuard
from cognises.web.state import RoutePolicy, forget_policies, state_of

TIMEOUT = 120  # seconds; a change that makes the tests take longer is found, too
_BOTH = frozenset({"id", "access"})
Changes = Iterator[tuple[Declaration, str, str]]


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
    """Every change that has an effect; `folder` takes the changed manifests."""
    before = effects(app)
    for mutant in (*_guard_mutants(app), *_manifest_mutants(app, folder)):
        try:
            with mutant.made():
                after = effects(app)
        except ProblemsError:
            continue  # the service would not start
        changed = ", ".join(place for place in before if before[place] != after[place])
        if changed:
            yield mutant._replace(check=f"call {changed} {mutant.check}")


def effects(app: Flask) -> dict[str, object]:
    """By route, everything that decides who may call it."""
    default = state_of(app).settings_with_problems[0].token_use
    found: dict[str, object] = {}
    for route, row in rows_of(app):
        tokens = {(each.pool, each.client_ids, each.token_use or default, each.scopes)
                  for each in route.declaration.logins}  # fmt: skip
        is_open = row.open_to, row.by_group, route.declaration.admits_anonymous
        found[f"{row.method} {row.path}"] = (is_open, row.permissions, tokens)
    return found


def _guard_mutants(app: Flask) -> Iterator[Mutant]:
    """Changes of guards, except those of the routes that this package brings."""
    found = list(rows_of(app))
    names = {guard.name for route, _ in found for guard in route.declaration.permissions} - {None}
    seen: set[tuple[str, str]] = set()
    for route, row in found:
        view = app.view_functions[route.endpoint]
        function: Any = inspect.unwrap(getattr(view, "view_class", view))
        # A function has one declaration, whatever the method; a class has one for each.
        target = (row.endpoint, row.method if hasattr(view, "view_class") else "")
        is_ours = function.__module__.startswith(("cognises.", "user_admin"))
        if not route.declaration.guards or is_ours or target in seen:
            continue
        seen.add(target)
        place = f"{row.method} {row.path}"
        if inspect.isfunction(function) or inspect.isclass(function):
            line = inspect.getsourcelines(function)[1]
            place = f"{os.path.relpath(inspect.getfile(function))}:{line} {place}"
        for declared, change, check in _changes(route.declaration, sorted(filter(None, names))):
            yield Mutant(place, change, check, _declaring(*target, declared))


def _changes(declared: Declaration, names: list[str]) -> Changes:
    """Each other declaration of a route, in words, and what a test of it would check."""
    yield Declaration(is_public=True), "guards replaced by @public", "without a token: expect 401"
    yield Declaration(), "guards removed", "as a user who may call it: expect neither 401 nor 403"
    for number, guard in enumerate(declared.guards):
        before, after = declared.guards[:number], declared.guards[number + 1 :]
        others: dict[str, Guard] = {}
        if isinstance(guard, LoginGuard):
            name, check = "login_check", "without a token, or with one that it refuses: expect 401"
            others["optional=True"] = replace(guard, optional=True)
            for scope in guard.scopes:
                others[f"{scope} not in scopes"] = replace(guard, scopes=guard.scopes - {scope})
        else:
            name, check = "permission_required", "as a user in no group and in each: expect 403"
            for each in (*names, "another_name"):
                others[f"name={each!r}"] = replace(guard, name=each)
        yield Declaration((*before, *after) or (DEFAULT_LOGIN,)), f"{name} removed", check
        for text in sorted(others):
            yield Declaration((*before, others[text], *after)), f"{name} with {text}", check
    logins = tuple(replace(guard, token_use=_BOTH) for guard in declared.logins)
    yield Declaration((*logins, *declared.permissions)), "every kind of token accepted", (
        "with a token of the other kind (token_use=…): expect 401")  # fmt: skip


def _declaring(endpoint: str, method: str, declared: Declaration) -> tuple[Any, ...]:
    """Patches by which an endpoint declares this, where decorators enforce, too."""
    declaration_at, policy_of = routes.declaration_at, authorize.policy_of

    def changed_at(app: Flask, name: str, verb: str, *rules: Any) -> Declaration:
        is_here = name == endpoint and method in ("", "GET" if verb == "HEAD" else verb)
        return declared if is_here else declaration_at(app, name, verb, *rules)

    def changed_of(state: Any, request: Any, *guarded: Any) -> RoutePolicy:
        if request.endpoint != endpoint:
            return policy_of(state, request, *guarded)
        anybody = (LoginGuard(optional=True),)
        return authorize.policy_at(state, request) or RoutePolicy(state, anybody, None, endpoint)

    return (patch.object(routes, "declaration_at", changed_at),
            patch.object(decorators, "policy_of", changed_of))  # fmt: skip


def _manifest_mutants(app: Flask, folder: Path) -> Iterator[Mutant]:
    file, found = state_of(app).settings_with_problems[0].groups_file, list(rows_of(app))
    guards = [(guard, row) for route, row in found for guard in route.declaration.permissions]
    if all(guard.permissions for guard, _ in guards):
        return  # no guard reads the file
    groups, functions = read_manifest(file), {row.name for _, row in guards if row.name}
    every = {"allowed_functions": {"*", *functions}, "scopes": set()}
    for group, key in product(groups, every):
        every[key].update(group.get(key, ()))
    pairs = [(key, entry) for key, entries in every.items() for entry in sorted(entries)]
    for (number, group), (key, entry) in product(enumerate(groups), pairs):
        held = group.get(key, [])
        others = [each for each in held if each != entry]
        changed = {**group, key: others if entry in held else [*held, entry]}
        path = folder / f"{len(list(folder.iterdir()))}.json"
        path.write_text(json.dumps([*groups[:number], changed, *groups[number + 1 :]]))
        verb, but = ("removed", "anything but ") if entry in held else ("added", "")
        check = f"as {group['group_name']}: expect {but}403"
        place, change = f"{file.name} {group['group_name']}", f"{entry!r} {verb} in {key}"
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
    """A pytest plugin: the tests that found earlier mutants first; notes what finds this one."""

    def __init__(self, finders: Counter[str], note: Path) -> None:
        self._finders, self._note = finders, note

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items.sort(key=lambda item: -self._finders[item.nodeid.partition("[")[0]])

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self._note.write_text(report.nodeid.partition("[")[0])


def start(mutant: Mutant | None, tests: str, finders: Counter[str], folder: Path) -> int:
    """The id of a forked process that runs the tests with one change, and ends as pytest does."""
    import pytest

    folder.mkdir()
    if (pid := os.fork()) != 0:
        return pid
    code = 1
    try:
        signal.alarm(TIMEOUT)
        sys.stdout = sys.stderr = (folder / "output").open("w", encoding="utf-8")
        for stream in (1, 2):
            os.dup2(sys.stdout.fileno(), stream)
        options = ["-xq", "-p", "no:cacheprovider", "-p", "no:randomly", f"--basetemp={folder}/t"]
        options += ["-n0"] * bool(find_spec("xdist")) + ["--no-cov"] * bool(find_spec("pytest_cov"))
        with mutant.made() if mutant else contextlib.nullcontext():
            order = Order(finders, folder / "note")
            code = int(pytest.main([*options, tests], plugins=[order]))
        sys.stdout.flush()
    finally:
        os._exit(code)


def survivors(found: list[Mutant], tests: str, folder: Path) -> list[Mutant]:
    """The mutants that no test finds; the tests run for each, in one process a processor."""
    running: dict[int, int] = {}
    finders: Counter[str] = Counter()
    waiting, alive = list(range(len(found))), []
    try:
        while waiting or running:
            while waiting and len(running) < (os.cpu_count() or 1):
                number = waiting.pop(0)
                running[start(found[number], tests, finders, folder / str(number))] = number
            pid, status = os.wait()
            if pid not in running:
                continue  # a process that the app started
            number = running.pop(pid)
            finders.update(each.read_text() for each in folder.glob(f"{number}/note"))
            alive += [number] if status == 0 else []
    finally:
        for pid in running:
            os.kill(pid, signal.SIGKILL)
    return [found[number] for number in sorted(alive)]


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
    with TemporaryDirectory() as name:
        try:
            total, alive = _run(app, tests, Path(name).resolve())
        except ProblemsError as error:
            raise click.ClickException(f"cannot read who may call which route:\n{error}") from None
    for mutant in alive:
        click.echo(f"survived: {mutant.place}: {mutant.change}\n    missing test: {mutant.check}")
    click.echo(f"{total} mutants, {len(alive)} survived {tests}")
    if alive:
        raise click.exceptions.Exit(1)


def _run(app: Flask, tests: str, folder: Path) -> tuple[int, list[Mutant]]:
    """How many mutants there are, and which survive. ClickException: the tests fail anyway."""
    import pytest

    sys.pycache_prefix, sys.dont_write_bytecode = f"{folder}/bytecode", False
    os.environ.pop("PYTEST_ADDOPTS", None)
    (folder / "manifests").mkdir()
    found = list(mutants(app, folder / "manifests"))
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(["--version", "--noconftest"])  # imports its plugins, for all processes
    pid = start(None, tests, Counter(), folder / "unchanged")
    if os.waitpid(pid, 0)[1] != 0:
        output = (folder / "unchanged/output").read_text(encoding="utf-8", errors="replace")
        raise click.ClickException(f"{tests} fails without any change; correct it first:\n{output}")
    return len(found), survivors(found, tests, folder)
