"""groups.json compared, route by route, with what was applied last or with a git revision.

git only reads. An app is imported in a process of its own, which gets no credentials of AWS.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from dotenv import dotenv_values

from cognises.errors import ManifestError, SettingsError
from cognises.manifest import Group, access_digest, access_hashes, parse_access, parse_json
from cognises.provisioning import names
from cognises.provisioning import target as t
from cognises.provisioning.groups.access import Access
from cognises.provisioning.groups.model import Observed, Scope
from cognises.settings import sources

if TYPE_CHECKING:
    from cognises.access import AccessChange

REVISIONS, SECONDS = 500, 120  # how many of groups.json are read; how long an app may start
PROGRAM = Path(__file__).parents[2] / "access" / "diff.py"
HOW = "compare with a revision: `provision.py access-diff --against REV`"
Side = list[dict[str, Any]]
Tags = Mapping[str, str]


class NotComparedError(Exception):
    """Why a side cannot be read."""


def compare_with_applied(
    target: t.Target, options: t.Options, groups: Sequence[Group], observed: Observed, scope: Scope
) -> Access:
    """What `groups` changes over today's routes. A tag of a group's role identifies the functions
    and scopes that were applied; git has them. Without a change, git and app are left alone.
    """
    now, tags = access_hashes(groups), dict[str, str]()
    with_role = [group.name for group in groups if group.has_role]
    for name in with_role:
        role = observed.roles.get(names.role_name(scope.role_prefix, name).lower())
        if role and scope.owns(role):
            tags[name] = role.tags.get(names.ACCESS_TAG, "")
    new = [name for name in with_role if name not in tags]
    stale = {name: tag for name, tag in tags.items() if tag not in ("", now[name])}
    applied = {name: tag for name, tag in {**now, **tags}.items() if name not in new}
    last = access_digest(applied) if tags and all(tags.values()) else None
    notes = []
    if not tags:
        notes.append(f"nothing records which routes were applied before; {HOW}")
    elif not all(tags.values()):
        notes.append(f"some roles do not record the routes of their groups yet; {HOW}")
    if tags and len(with_role) < len(groups):
        notes.append(f"nothing records the routes of groups without a role; {HOW}")
    against = f"{target.groups_file.name} as applied last" if tags else ""
    found = Access(against, notes=tuple(notes), now=access_digest(now), applied=last)
    if not tags or not (stale or new):
        return found
    kept = [group for group in groups if group.name not in new]
    return _compared(found, target.groups_file, app_environment(options), kept, stale)


def _compared(found: Access, file: Path, env: Tags, kept: Sequence[Group], stale: Tags) -> Access:
    notes, sides, revisions = list(found.notes), list[Side](), list[str]()
    try:
        entries, revisions = _find_in_git(file, stale) if stale else ({}, [])
        if missing := sorted(stale.keys() - entries):
            where = f"no {file.name} in git's history (is it a shallow clone?)"
            notes.append(f"{where} has what was applied to {', '.join(missing)}; {HOW}")
        before = [entries.get(each.name, each) for each in kept]
        entries_before = [
            {"group_name": g.name, "allowed_functions": g.allowed_functions, "scopes": g.scopes}
            for g in before
        ]
        with TemporaryDirectory() as folder:
            applied = Path(folder, "groups.json")
            applied.write_text(json.dumps(entries_before))
            sides = [_side(sources.PROJECT_FOLDER, env, each) for each in (applied, file)]
    except NotComparedError as error:
        missing = sorted(stale)
        notes.append(f"routes are not compared: {error}; {HOW}")
    unknown = [f"group {name}: functions or scopes changed, not compared" for name in missing]
    against = found.against + f" ({', '.join(revisions)})" * bool(revisions)
    changes, lines = _diff(*sides) if sides else (), tuple(unknown)
    return replace(found, against=against, changes=changes, unknown=lines, notes=tuple(notes))


def _diff(before: Side, after: Side) -> tuple[AccessChange, ...]:
    from cognises.access import access_diff  # and Flask

    return access_diff(before, after)


def _find_in_git(file: Path, wanted: Tags) -> tuple[dict[str, Group], list[str]]:
    """The newest entry in git of each wanted hash, by its group, and the revisions that have it."""
    found, used = dict[str, Group](), list[str]()
    listed = _git(file.parent, "log", "--format=%H", f"--max-count={REVISIONS}", "--", file.name)
    for revision in listed.decode().split():
        try:
            text = _git(file.parent, "cat-file", "blob", f"{revision}:./{file.name}")
            groups = parse_access(parse_json(text))
        except (NotComparedError, ManifestError):  # deleted or wrong there
            continue
        hashes = access_hashes(groups)
        matching = {g.name: g for g in groups if wanted.get(g.name) == hashes[g.name]}
        used += [revision[:10]] * bool(matching.keys() - found)
        found = matching | found
        if found.keys() == wanted.keys():
            break
    return found, used


def compare_with_revision(revision: str, file: Path, options: t.Options) -> Access:
    """Manifest and code of a revision, compared with the working tree. Raises SettingsError."""
    env, folder = app_environment(options), sources.PROJECT_FOLDER
    try:
        named = ("--verify", "--end-of-options", f"{revision}^{{commit}}")
        commit = _git(folder, "rev-parse", *named).decode().strip()
    except NotComparedError as error:
        problem = f"git has no revision {revision!r} here ({error}); a shallow clone has few"
        raise SettingsError([problem]) from None
    try:
        before, notes = _revision_side(commit, file, env)
        changes = _diff(before, _side(folder, env, file))
    except NotComparedError as error:
        raise SettingsError([f"routes cannot be compared: {error}"]) from None
    return Access(f"{revision} ({commit[:10]})", changes, (), notes)


def _revision_side(commit: str, file: Path, env: Tags) -> tuple[Side, tuple[str, ...]]:
    """The routes of a revision, and a note where its code cannot be imported."""
    folder = sources.PROJECT_FOLDER
    with TemporaryDirectory() as made:
        archive, code = Path(made, "code.zip"), Path(made, "code")
        _git(folder, "archive", "--format=zip", f"--output={archive}", commit)
        with ZipFile(archive) as opened:
            opened.extractall(code)
        if not (manifest := code / os.path.relpath(file, folder)).is_file():
            raise NotComparedError(f"{commit[:10]} has no {file.name}")
        try:
            return _side(code, env, manifest), ()
        except NotComparedError as error:
            note = f"{error} in {commit[:10]}: its {file.name} is compared over today's routes"
            return _side(folder, env, manifest), (note,)


def app_environment(options: t.Options) -> dict[str, str]:
    """The environment of a process that imports the app: the stage's settings, no credentials."""
    files, values = [sources.PROJECT_FOLDER / ".env"], t.settings_values(options)
    files += [options.env_file] if options.env_file else []
    found = {k: v for file in files for k, v in dotenv_values(file, interpolate=False).items() if v}
    found |= os.environ | {name: values.get(name, "") for name in t.OF_A_STAGE if options.env_file}
    hidden = ("AWS_", "ACTIONS_", "FLASK_RUN_", "GH_", "GITHUB_TOKEN")
    return {name: text for name, text in found.items() if not name.startswith(hidden)}


def _side(folder: Path, env: Tags, manifest: Path) -> Side:
    """The routes of the app in a folder, under a manifest. Raises NotComparedError."""
    with TemporaryDirectory() as made:
        result = Path(made, "side.json")
        more = {"PYTHONPATH": str(folder), "COGNISES_GROUPS_FILE": str(manifest.resolve())}
        command = [sys.executable, "-c", PROGRAM.read_text("utf-8"), str(result)]
        try:
            _output(command, folder, env={**env, **more}, timeout=SECONDS)
            found: Side = json.loads(result.read_bytes())
        except NotComparedError as error:
            raise NotComparedError(f"the app cannot be imported: {error}") from None
        except (OSError, ValueError):
            raise NotComparedError("the app ended without a readable list of its routes") from None
    return found


def _git(folder: Path, *arguments: str) -> bytes:
    return _output(["git", *arguments], folder)


def _output(command: Sequence[str], folder: Path, **options: Any) -> bytes:
    try:
        ran = subprocess.run(  # noqa: S603 (a list, no shell)
            command, cwd=folder, capture_output=True, stdin=subprocess.DEVNULL, **options
        )
    except FileNotFoundError:
        raise NotComparedError(f"{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise NotComparedError(f"no answer in {SECONDS} s") from None
    if ran.returncode:
        lines = ran.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"]
        raise NotComparedError(lines[-1][:300])
    return bytes(ran.stdout)
