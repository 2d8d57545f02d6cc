"""groups.json compared, route by route, with what was applied last or with a git revision.

git only reads. An app is imported in a process of its own, which gets no credentials of AWS.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from dotenv import dotenv_values

from cognises import manifest as m
from cognises.errors import ManifestError, SettingsError
from cognises.manifest import Group
from cognises.provisioning import target as t
from cognises.provisioning.groups.access import Access
from cognises.provisioning.groups.model import NOTHING, Observed, Scope, recorded_access
from cognises.settings import sources

if TYPE_CHECKING:
    from cognises.access import AccessChange

REVISIONS, SECONDS = 500, 120  # how many of groups.json are read; how long an app may start
PROGRAM = Path(__file__).parents[2] / "access" / "diff.py"
HOW = "compare with a revision: `provision.py access-diff --against REV`"
Side = list[dict[str, Any]]
Changes = tuple["AccessChange", ...]
Tags = Mapping[str, str]


def compare_with_applied(
    target: t.Target, options: t.Options, groups: Sequence[Group], observed: Observed, scope: Scope
) -> Access:
    """What `groups` changes over today's routes. Records in AWS identify the functions and scopes
    that were applied; git has them. Without a change, git and app are left alone.
    """
    file, now = target.groups_file, m.access_hashes(groups)
    calling = [group.name for group in groups if group.allowed_functions]
    recorded = recorded_access(observed, scope).items()
    known = {name: record or NOTHING for name, record in recorded if record or name not in calling}
    known = {name: record for name, record in known.items() if name in now or record != NOTHING}
    # Where nothing is known, an older version may have applied what a new group has.
    unsure = {name: "nothing records which routes it has so far" for name in calling
              if name not in known and (name in observed.groups or not known)}  # fmt: skip
    last = None if unsure or not known else m.access_digest(known)
    stale = {name: record for name, record in known.items() if record != now.get(name)}
    against, new = f"{file.name} as applied last", {*calling} - known.keys() - unsure.keys()
    notes, changes = [f"what nothing records counts as granted; {HOW}"] * bool(unsure), Changes()
    try:
        entries, revisions = _find_in_git(file, stale) if stale else ({}, [])
        if missing := stale.keys() - entries:
            what = f"no commit of {file.name} has what was applied to {', '.join(sorted(missing))}"
            notes.append(f"{what}: it was not committed, or the clone is shallow; {HOW}")
        against += f" ({', '.join(revisions)})" * bool(revisions)
        if stale or new:
            before = {group.name: group for group in groups if group.name not in new} | entries
            changes = _changes(before.values(), file, app_environment(options))
    except SettingsError as error:
        missing = stale.keys() | new
        notes.append(f"routes are not compared: {error}; {HOW}")
    unsure |= dict.fromkeys(missing, "functions or scopes changed, not compared")
    unknown = tuple(f"group {name}: {unsure[name]}" for name in calling if name in unsure)
    return Access(against, changes, unknown, tuple(notes), m.access_digest(now), last)


def _changes(before: Iterable[Group], file: Path, env: Tags) -> Changes:
    """From the groups before to those of a file. Raises SettingsError."""
    from cognises.access import access_diff  # and Flask

    entries = [{"group_name": each.name, "allowed_functions": each.allowed_functions,
                "scopes": each.scopes} for each in before]  # fmt: skip
    with TemporaryDirectory() as folder:
        applied = Path(folder, "groups.json")
        applied.write_text(json.dumps(entries))
        return access_diff(*(_side(sources.PROJECT_FOLDER, env, each) for each in (applied, file)))


def _find_in_git(file: Path, wanted: Tags) -> tuple[dict[str, Group], list[str]]:
    """The newest entry in git of each wanted hash, by its group, and the revisions that have it."""
    found, used = {k: Group(k, ()) for k, text in wanted.items() if text == NOTHING}, list[str]()
    listed = _git(file.parent, "log", "--format=%H", f"--max-count={REVISIONS}", "--", file.name)
    for revision in listed.decode().split():
        try:
            text = _git(file.parent, "cat-file", "blob", f"{revision}:./{file.name}")
            groups = m.parse_access(m.parse_json(text))
        except (SettingsError, ManifestError):  # deleted or wrong there
            continue
        hashes = m.access_hashes(groups)
        matching = {g.name: g for g in groups if wanted.get(g.name) == hashes[g.name]}
        used += [revision[:10]] * bool(matching.keys() - found)
        found = matching | found
        if found.keys() == wanted.keys():
            break
    return found, used


def compare_with_revision(revision: str, file: Path, options: t.Options) -> Access:
    """Manifest and code of a revision, compared with the working tree. Raises SettingsError."""
    from cognises.access import access_diff  # and Flask

    env, folder = app_environment(options), sources.PROJECT_FOLDER
    try:
        named = ("--verify", "--end-of-options", f"{revision}^{{commit}}")
        commit = _git(folder, "rev-parse", *named).decode().strip()
    except SettingsError as error:
        problem = f"git has no revision {revision!r} here ({error}); a shallow clone has few"
        raise SettingsError([problem]) from None
    before, notes = _revision_side(commit, file, env)
    changes = access_diff(before, _side(folder, env, file))
    return Access(f"{revision} ({commit[:10]})", changes, (), notes)


def _revision_side(commit: str, file: Path, env: Tags) -> tuple[Side, tuple[str, ...]]:
    """The routes of a revision, and a note where its code cannot be imported."""
    folder = sources.PROJECT_FOLDER
    with TemporaryDirectory() as made:
        code, prefix = (
            Path(made, "code"),
            _git(folder, "rev-parse", "--show-prefix").decode().strip(),
        )
        code.mkdir()  # by an index of its own: `git archive` leaves out what is export-ignore
        index = {**os.environ, "GIT_INDEX_FILE": str(Path(made, "index"))}
        for command in (("read-tree", f"{commit}:{prefix}"), ("checkout-index", "--all")):
            _output(["git", f"--work-tree={code}", *command], folder, env=index)
        if not (manifest := code / os.path.relpath(file, folder)).is_file():
            raise SettingsError([f"{commit[:10]} has no {file.name}"])
        try:
            return _side(code, env, manifest), ()
        except SettingsError as error:
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
    """The routes of the app in a folder, under a manifest. Raises SettingsError."""
    with TemporaryDirectory() as made:
        result = Path(made, "side.json")
        more = {"PYTHONPATH": str(folder), "COGNISES_GROUPS_FILE": str(manifest.resolve())}
        command = [sys.executable, "-c", PROGRAM.read_text("utf-8"), str(result)]
        try:
            _output(command, folder, env={**env, **more}, timeout=SECONDS)
            found: Side = json.loads(result.read_bytes())
        except SettingsError as error:
            raise SettingsError([f"the app cannot be imported: {error}"]) from None
        except (OSError, ValueError):
            raise SettingsError(["the app ended without a readable list of its routes"]) from None
    return found


def _git(folder: Path, *arguments: str) -> bytes:
    return _output(["git", *arguments], folder)


def _output(command: Sequence[str], folder: Path, **options: Any) -> bytes:
    try:
        ran = subprocess.run(  # noqa: S603 (a list, no shell)
            command, cwd=folder, capture_output=True, stdin=subprocess.DEVNULL, **options
        )
    except FileNotFoundError:
        raise SettingsError([f"{command[0]} is not installed"]) from None
    except subprocess.TimeoutExpired:
        raise SettingsError([f"no answer in {SECONDS} s"]) from None
    if ran.returncode:
        lines = ran.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"]
        raise SettingsError([lines[-1][:300]])
    return bytes(ran.stdout)
