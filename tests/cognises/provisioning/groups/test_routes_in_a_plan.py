"""Routes that a change of groups.json and code opens and closes: `plan`, `apply`, `access-diff`."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from accounts import group
from botocore.exceptions import ClientError
from flask import Flask
from worlds import SCOPE, groups, plan, with_group, without
from worlds import applied as after

from cognises import Cognises, permission_required, public
from cognises.access import AccessChange, access_side
from cognises.errors import ProvisionBlocked, SettingsError
from cognises.provisioning.groups import access, applied
from cognises.provisioning.groups import commands as group_commands
from cognises.provisioning.groups.model import Observed, PoolGroup
from cognises.provisioning.groups.plan import Plan
from cognises.provisioning.target import Options
from cognises.settings.sources import PROJECT_FOLDER as MODULE_FOLDER

WSGI = f"""import os, sys
sys.path.append({str(MODULE_FOLDER)!r})
assert not [name for name in os.environ if name.startswith("AWS_")]
from flask import Flask
from cognises import Cognises, permission_required, public
app = Flask("service", static_folder=None)
app.get("/")(public(lambda: ""))

@app.get("/admin")
@permission_required
def admin():
    return ""

@app.get("/data")
@permission_required
def data():
    return ""

Cognises(app)
"""
ADMINS = group("admins", allowed_functions=["admin", "data"])
VIEWERS = group("viewers", allowed_functions=["data"])
OPENED = group("viewers", allowed_functions=["data", "admin"])
GUESTS = {"group_name": "guests", "allowed_functions": ["data"]}
OPEN = {"allowed_functions": ["data", "admin"]}
MORE = {**GUESTS, **OPEN}
BARE = {**GUESTS, "group_name": "viewers"}
NOT_RECORDED = "nothing records which routes it has so far"
GAINS = "gains GET /admin (so far: admins)"


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    ran = subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return ran.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, manifest, monkeypatch) -> Path:
    """A project in git whose groups.json opens /admin to admins and /data to viewers too."""
    monkeypatch.setenv("COGNITO_CLIENT_ID", "client")
    (tmp_path / "wsgi.py").write_text(WSGI)
    manifest(ADMINS, VIEWERS)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "one")
    return tmp_path


@pytest.fixture
def project(repository: Path, account) -> Path:
    """The same, set up for a user pool."""
    return repository


@pytest.fixture
def in_process(monkeypatch) -> None:
    """The app of WSGI without a process of its own, which takes most of a test's time."""

    def side(folder, env, file):
        app = Flask("service", static_folder=None)
        app.config.update(COGNISES_GROUPS_FILE=str(file), COGNITO_CLIENT_ID="client")
        app.get("/")(public(lambda: ""))
        for name in ("admin", "data"):
            view = SimpleNamespace(view=lambda: "").view
            view.__name__ = name
            app.get(f"/{name}")(permission_required(view))
        Cognises(app)
        return access_side(app)

    monkeypatch.setattr(applied, "_side", side)


@pytest.fixture
def opened(project, run, manifest, in_process) -> Path:
    """Applied, and then /admin was opened to viewers and committed."""
    assert run("apply", "--yes").code == 0
    manifest(ADMINS, OPENED)
    git(project, "commit", "--quiet", "--all", "--message", "two")
    return project


def test_a_plan_names_the_routes_that_a_change_opens(opened, run):
    ran = run("plan", "--detailed-exitcode")
    revision = git(opened, "rev-parse", "HEAD~1")[:10]
    assert (ran.code, ran.err) == (2, "")
    assert f"groups.json as applied last ({revision}): 1 gained, 0 lost\n" in ran.out
    assert f"\n  group viewers (members: 0)\n      ! {GAINS}\n" in ran.out
    assert "1 change grants new permissions" in ran.out


def test_a_plan_in_json_holds_them_as_data(opened, run):
    found = run("plan", "--json").json
    assert found["broadening"] == [f"group viewers: {GAINS}"]
    (change,) = found["access"]["changes"]
    assert (change["gained"], change["method"], change["path"]) == (True, "GET", "/admin")
    assert found["access"]["members"] == {"viewers": "0"}


def test_the_digest_of_a_plan_depends_on_them(opened, run, monkeypatch):
    digest = run("plan", "--json").json["digest"]
    assert run("apply", "--yes", "--expect", digest, "--no-broadening").code == 3
    monkeypatch.setattr(applied, "_side", lambda *given: [])  # the routes are gone
    assert run("plan", "--json").json["digest"] != digest
    assert run("apply", "--yes", "--expect", digest).code == 3


def test_apply_without_broadening_refuses_them_and_apply_records_them(opened, run):
    refused = run("apply", "--yes", "--no-broadening")
    assert (refused.code, f"--no-broadening: group viewers: {GAINS}" in refused.err) == (3, True)
    assert run("apply", "--yes").code == 0
    assert run("plan", "--detailed-exitcode").code == 0
    assert run("apply", "--yes", "--no-broadening").code == 0


def test_closing_a_route_is_no_grant(project, run, manifest, in_process):
    run("apply", "--yes")
    manifest(ADMINS, group("viewers"))
    ran = run("plan", "--detailed-exitcode")
    assert (ran.code, "      - loses GET /data (now: admins)\n" in ran.out) == (2, True)
    assert run("apply", "--yes", "--no-broadening").code == 0


def test_a_new_group_gains_its_routes(project, run, manifest, in_process):
    run("apply", "--yes")
    manifest(ADMINS, VIEWERS, group("new", allowed_functions=["data"]))
    assert "  group new\n      ! gains GET /data (so far: admins, viewers)\n" in run("plan").out


def test_a_plan_shows_which_manifest_was_applied_last(project, run, manifest, in_process):
    def digests():
        found = run("plan", "--json").json["access"]
        return found["manifest"], found["manifest_applied"]

    first, applied_before = digests()
    assert applied_before is None
    assert "applied last: not recorded\n" in run("plan").out
    run("apply", "--yes")
    assert digests() == (first, first)
    assert f"manifest {first}; applied last: the same\n" in run("plan").out
    manifest(ADMINS, OPENED)
    second, applied_then = digests()
    assert (applied_then, second != first) == (first, True)


def test_the_digest_is_of_names_functions_and_scopes_in_any_order(project, run, manifest):
    def digest(*groups):
        manifest(*groups)
        return run("plan", "--json").json["access"]["manifest"]

    again = group("admins", description="x", allowed_functions=["data", "admin", "data"])
    assert digest(VIEWERS, again) == digest(ADMINS, VIEWERS)
    machine = {**ADMINS, "scopes": ["a/b"]}
    assert len({digest(each, VIEWERS) for each in (ADMINS, machine)} | {digest(VIEWERS)}) == 3


def no_git(project: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(project / "empty"))


def no_repository(project: Path, monkeypatch) -> None:
    (project / ".git").rename(project / "elsewhere")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.parent))


def no_revision(project: Path, monkeypatch) -> None:
    git(project, "update-ref", "HEAD", git(project, "commit-tree", "HEAD^{tree}", "-m", "new"))


REASONS = {
    "no git": (no_git, "routes are not compared: git is not installed"),
    "no repository": (no_repository, "routes are not compared: "),
    "no such revision": (no_revision, "no commit of groups.json has what was applied to viewers: "),
}


@pytest.mark.parametrize(("change", "reason"), REASONS.values(), ids=REASONS)
def test_what_cannot_be_compared_is_reported_and_counts_as_a_grant(
    opened, run, monkeypatch, change, reason
):
    change(opened, monkeypatch)
    ran = run("plan", "--detailed-exitcode")
    assert ran.code == 2
    assert f"note: {reason}" in ran.out
    assert "compare with a revision: `provision.py access-diff --against REV`\n" in ran.out
    assert "  ! group viewers: functions or scopes changed, not compared\n" in ran.out
    assert run("apply", "--yes", "--no-broadening").code == 3
    assert run("apply", "--yes").code == 0


def test_a_plan_does_not_fail_where_the_app_cannot_be_imported(project, run, manifest):
    run("apply", "--yes")
    (project / "wsgi.py").write_text("import not_installed\n")
    manifest(ADMINS, OPENED)
    ran = run("plan", "--detailed-exitcode")
    why = "the app cannot be imported: ModuleNotFoundError: No module named 'not_installed'"
    assert (ran.code, f"note: routes are not compared: {why}; compare" in ran.out) == (2, True)
    assert "1 change grants new permissions" in ran.out


ENDS = {
    "no result": "import os\nos._exit(0)\n",
    "no JSON": "import os, sys\nopen(sys.argv[1], 'w').write('[')\nos._exit(0)\n",
}


@pytest.mark.parametrize("code", ENDS.values(), ids=ENDS)
def test_an_app_that_writes_no_routes_is_not_compared(project, run, manifest, code):
    run("apply", "--yes")
    (project / "wsgi.py").write_text(code)
    manifest(ADMINS, OPENED)
    ran = run("plan", "--detailed-exitcode")
    why = "the app ended without a readable list of its routes"
    assert (ran.code, f"note: routes are not compared: {why}; compare" in ran.out) == (2, True)
    assert "1 change grants new permissions" in ran.out


def test_a_thread_of_the_app_does_not_delay_the_comparison(project, run, manifest, monkeypatch):
    monkeypatch.setattr(applied, "SECONDS", 30)
    run("apply", "--yes")
    thread = "import threading, time\nthreading.Thread(target=time.sleep, args=(300,)).start()\n"
    (project / "wsgi.py").write_text(thread + WSGI)
    manifest(ADMINS, OPENED)
    assert f"      ! {GAINS}\n" in run("plan").out


def test_what_an_older_version_applied_counts_as_granted_until_the_next_apply(
    project, run, account, manifest, in_process
):
    manifest(ADMINS, VIEWERS, GUESTS)
    run("apply", "--yes")
    account.iam.untag_role(RoleName="svc-viewers", TagKeys=["cognises:access"])
    described = {"UserPoolId": account.pool_id, "Description": ""}
    account.cognito.update_group(**described, GroupName="guests", Precedence=2)
    ran = run("plan", "--detailed-exitcode")
    lines = [f"group {name}: {NOT_RECORDED}" for name in ("viewers", "guests")]
    assert (ran.code, "".join(f"  ! {line}\n" for line in lines) in ran.out) == (2, True)
    assert "note: what nothing records counts as granted; compare with a revision: " in ran.out
    digest = run("plan", "--json").json["digest"]
    refused = run("apply", "--yes", "--no-broadening", "--expect", digest)
    blocks = "".join(f"blocked: --no-broadening: {line}\n" for line in lines)
    assert (refused.code, blocks in refused.err) == (3, True)
    assert run("apply", "--yes", "--expect", digest).code == 0
    ran = run("plan", "--detailed-exitcode")
    assert (ran.code, "note:" in ran.out) == (0, False)


def test_the_first_apply_counts_as_a_grant_and_a_remedy_is_named(project, run, account):
    line = f"group admins: {NOT_RECORDED}"
    ran = run("access-diff")
    assert f"as applied last: 0 gained, 0 lost\n  ! {line}\n" in ran.out
    assert (ran.code, len(ran.out.splitlines())) == (0, 4)
    refused = run("apply", "--yes", "--no-broadening")
    assert (refused.code, account.groups()) == (3, {})
    assert f"blocked: --no-broadening: {line}\n" in refused.err
    last = "blocked: to grant it, read `provision.py plan`, then run `provision.py apply`"
    assert refused.err.splitlines()[-1] == last
    assert run("apply", "--yes").code == 0
    assert run("apply", "--yes", "--no-broadening").code == 0


def fails(project: Path, monkeypatch) -> None:
    def side(*given):
        raise SettingsError(["the app cannot be imported"])

    monkeypatch.setattr(applied, "_side", side)


def as_is(project: Path, monkeypatch) -> None:
    pass


NOT_KNOWN = "functions or scopes changed, not compared"
# Manifests that are applied one after the other, what else happens, and what the last one grants.
EDITS = {
    "a group without a role gains a route": (
        [[ADMINS, GUESTS], [ADMINS, MORE]], as_is, [f"group guests: {GAINS}"]),
    "no group has a role": (
        [[GUESTS], [MORE]], as_is, ["group guests: gains GET /admin (so far: nobody)"]),
    "a group that called nothing gains a route": (
        [[ADMINS, {**GUESTS, "allowed_functions": []}], [ADMINS, GUESTS]], as_is,
        [f"group guests: {NOT_RECORDED}"]),
    "a group has scopes and no functions": (
        [[ADMINS], [ADMINS, {**GUESTS, "allowed_functions": [], "scopes": ["a/b"]}]], as_is, []),
    "a group loses its policy": ([[ADMINS, VIEWERS], [ADMINS, BARE]], as_is, []),
    "a group loses its policy and gains a route": (
        [[ADMINS, VIEWERS], [ADMINS, {**BARE, **OPEN}]], as_is,
        [f"group viewers: {GAINS}"]),
    "a group that lost its policy gains a route it had with it": (
        [[ADMINS, OPENED], [ADMINS, BARE], [ADMINS, {**BARE, **OPEN}]], as_is,
        [f"group viewers: {GAINS}"]),
    "a group gains its policy and a route": (
        [[ADMINS, BARE], [ADMINS, OPENED]], as_is, [f"group viewers: {GAINS}"]),
    "groups are new": (
        [[ADMINS], [ADMINS, GUESTS, VIEWERS]], as_is,
        [f"group {name}: gains GET /data (so far: admins)" for name in ("guests", "viewers")]),
    "an entry comes back": (
        [[ADMINS, VIEWERS], [ADMINS], [ADMINS, VIEWERS]], as_is,
        ["group viewers: gains GET /data (so far: admins)"]),
    "an entry without a role comes back": (
        [[ADMINS, GUESTS], [ADMINS], [ADMINS, GUESTS]], as_is,
        ["group guests: gains GET /data (so far: admins)"]),
    "the app cannot be imported": (
        [[ADMINS], [ADMINS, GUESTS]], fails, [f"group guests: {NOT_KNOWN}"]),
    "no git": ([[ADMINS, GUESTS], [ADMINS, MORE]], no_git, [f"group guests: {NOT_KNOWN}"]),
    "a shallow clone": (
        [[ADMINS, GUESTS], [ADMINS, MORE]], no_revision, [f"group guests: {NOT_KNOWN}"]),
}  # fmt: skip


def planned(repository: Path, entries, account: Observed) -> Plan:
    where = SimpleNamespace(groups_file=repository / "groups.json")
    access = applied.compare_with_applied(where, Options(), groups(*entries), account, SCOPE)
    return replace(plan(*entries, on=account), access=access)


@pytest.mark.parametrize(("manifests", "event", "grants"), EDITS.values(), ids=EDITS)
def test_every_route_that_may_be_granted_is_planned_and_refused_and_then_recorded(
    repository, manifest, in_process, monkeypatch, manifests, event, grants
):
    monkeypatch.setenv("COGNITO_USER_POOL_ID", SCOPE.pool_id)
    account = Observed()

    for step, entries in enumerate(manifests):
        manifest(*entries)
        git(repository, "commit", "--quiet", "--allow-empty", "--all", "--message", "next")
        if step == len(manifests) - 1:
            event(repository, monkeypatch)
            found = planned(repository, entries, account)
            routes = [line for line in found.broadening if line.startswith("group ")]
            assert (routes, bool(found.changes)) == (grants, True)
            if grants:
                with pytest.raises(ProvisionBlocked) as refused:
                    found.raise_if_blocked(allow_broadening=False)
                expected = {f"--no-broadening: {line}" for line in grants}
                assert expected <= {*refused.value.problems}
        account = after(planned(repository, entries, account), account)
        found = planned(repository, entries, account)
        assert (found.changes, found.broadening, found.access.notes) == ((), (), ())
        assert found.access.manifest_applied == found.access.manifest


def test_the_whole_sequence_of_a_group_without_a_role(project, run, manifest, account, in_process):
    manifest(ADMINS, GUESTS)
    git(project, "commit", "--quiet", "--all", "--message", "two")
    assert run("apply", "--yes").code == 0
    assert run("plan", "--detailed-exitcode").code == 0
    manifest(ADMINS, MORE)
    before = account.state()
    ran = run("plan", "--detailed-exitcode")
    assert (ran.code, f"      ! {GAINS}\n" in ran.out) == (2, True)
    refused = run("apply", "--yes", "--no-broadening")
    assert (refused.code, account.state() == before) == (3, True)
    assert f"blocked: --no-broadening: group guests: {GAINS}\n" in refused.err
    assert run("apply", "--yes").code == 0
    assert run("plan", "--detailed-exitcode").code == 0


def test_an_entry_that_is_removed_loses_its_routes_whether_or_not_its_group_is_deleted(
    project, run, manifest, account, in_process
):
    run("apply", "--yes")
    manifest(ADMINS)
    loses = "  group viewers (members: 0)\n      - loses GET /data (now: admins)\n"
    for options in ([], ["--prune"]):
        ran = run("plan", "--detailed-exitcode", *options)
        assert (ran.code, loses in ran.out) == (2, True)
    assert run("apply", "--yes", "--prune", "--no-broadening").code == 0
    assert run("plan", "--detailed-exitcode").code == 0
    manifest(ADMINS, VIEWERS)
    assert run("plan").out.count("! gains GET /data (so far: admins)") == 1


def nothing(account: Observed) -> Observed:
    return account


def describe(account: Observed) -> Observed:
    return with_group(account, "viewers", description="edited by hand", access={})


def delete(account: Observed) -> Observed:
    return without(account, pool_group="viewers")


def recreate(account: Observed) -> Observed:
    return replace(account, groups={**account.groups, "viewers": PoolGroup("viewers", None)})


# Manifests, and what is edited by hand in AWS before the second and before the third is applied.
BY_HAND = {
    "the description, where the entry lost its policy": (
        [ADMINS, OPENED], nothing, [ADMINS, BARE], describe, [ADMINS, {**BARE, **OPEN}]),
    "the description, where the entry lost its policy and the group its role": (
        [ADMINS, OPENED], delete, [ADMINS, BARE], describe, [ADMINS, {**BARE, **OPEN}]),
    "the description, where the entry was removed": (
        [ADMINS, OPENED], nothing, [ADMINS], describe, [ADMINS, OPENED]),
    "the group, where the entry was removed": (
        [ADMINS, OPENED], delete, [ADMINS], recreate, [ADMINS, OPENED]),
    "the group without a role, where the entry was removed": (
        [ADMINS, OPENED], delete, [ADMINS], recreate, [ADMINS, {**BARE, **OPEN}]),
}  # fmt: skip


@pytest.mark.parametrize("edits", BY_HAND.values(), ids=BY_HAND)
def test_what_is_edited_by_hand_leaves_no_routes_recorded(
    repository, manifest, in_process, monkeypatch, edits
):
    monkeypatch.setenv("COGNITO_USER_POOL_ID", SCOPE.pool_id)
    first, before, second, between, third = edits
    account = Observed()
    for change, entries in ((nothing, first), (before, second), (between, third)):
        account = change(account)
        manifest(*entries)
        git(repository, "commit", "--quiet", "--allow-empty", "--all", "--message", "next")
        found = planned(repository, entries, account)
        account = after(found, account)
        again = planned(repository, entries, account)
        assert (again.changes, again.broadening, again.access.notes) == ((), (), ())
        assert again.access.manifest_applied == again.access.manifest
    with pytest.raises(ProvisionBlocked, match="--no-broadening: group viewers: "):
        found.raise_if_blocked(allow_broadening=False)


def test_members_are_counted_up_to_a_bound(opened, run, account, monkeypatch):
    monkeypatch.setattr(group_commands, "COUNTED", 2)
    for name in ("ada", "ben", "cem"):
        user = {"UserPoolId": account.pool_id, "Username": name}
        account.cognito.admin_create_user(**user)
        account.cognito.admin_add_user_to_group(**user, GroupName="viewers")
    assert "  group viewers (members: 2 or more)\n" in run("plan").out


def test_without_the_right_to_read_members_there_is_no_number(opened, run, monkeypatch):
    class Denied:
        def paginate(self, **asked):
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "ListUsersInGroup")

    cognito = SimpleNamespace(get_paginator=lambda name: Denied())
    clients = SimpleNamespace(cognito=cognito)
    assert group_commands._members(clients, "us-east-1_A", ["viewers"]) == {}


@pytest.fixture
def edited(project, run, manifest) -> Path:
    """Code and groups.json edited since the last commit: a guard removed, /admin opened."""
    edited = WSGI.replace("@permission_required\ndef data", "@public\ndef data")
    (project / "wsgi.py").write_text(edited)
    manifest(ADMINS, OPENED)
    return project


def test_a_revision_is_compared_with_its_code(edited, run):
    ran = run("access-diff", "--against", "HEAD")
    commit = git(edited, "rev-parse", "HEAD")[:10]
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        f"routes, compared with HEAD ({commit}): 2 gained, 0 lost",
        "  everybody",
        "      ! gains GET /data (so far: admins, viewers)",
        "  group viewers",
        f"      ! {GAINS}",
    ]


def test_a_file_that_git_archive_leaves_out_is_compared(edited, run):
    (edited / ".gitattributes").write_text("wsgi.py export-ignore\n")
    git(edited, "add", ".gitattributes")
    git(edited, "commit", "--quiet", "--message", "ignored", "--", ".gitattributes")
    before = git(edited, "status", "--porcelain")
    assert "2 gained, 0 lost\n" in run("access-diff", "--against", "HEAD").out
    assert git(edited, "status", "--porcelain") == before


def test_where_its_code_does_not_import_its_manifest_alone_is_compared(project, run, manifest):
    (project / "wsgi.py").write_text("import not_installed\n")
    git(project, "commit", "--quiet", "--all", "--message", "broken")
    (project / "wsgi.py").write_text(WSGI)
    manifest(ADMINS, OPENED)
    ran = run("access-diff", "--against", "HEAD", "--format", "markdown")
    assert ran.code == 0
    assert ran.out.splitlines()[0].endswith(": 1 gained, 0 lost; partly not compared**")
    assert "| **gains** | group viewers | GET /admin | admins | admins, viewers |\n" in ran.out
    assert "groups.json is compared over today's" in ran.out


def test_without_a_revision_the_manifest_that_was_applied_counts(opened, run):
    assert f"      ! {GAINS}\n" in run("access-diff").out
    assert run("access-diff", "--format", "json").json["changes"][0]["who"] == "group viewers"
    run("apply", "--yes")
    ran = run("access-diff")
    assert ran.out == "routes, compared with groups.json as applied last: no change\n"


@pytest.mark.parametrize("revision", ["nothing", "--output=x", "HEAD~9", "HEAD:groups.json"])
def test_a_revision_that_git_does_not_have_is_an_error(project, run, in_process, revision):
    ran = run("access-diff", f"--against={revision}")
    assert (ran.code, ran.out) == (1, "")
    assert f"git has no revision {revision!r} here" in ran.err
    assert sorted(each.name for each in project.iterdir()) == [".git", "groups.json", "wsgi.py"]


def test_a_path_of_the_code_under_review_is_text_in_markdown():
    path = "/<a>|@everyone`x`#1GH-1"
    change = AccessChange("everybody", True, "GET", path, "no such route", "everybody")
    shown = applied.Access("x", (change,)).markdown()
    assert "GET /\\<a>\\|@\u200beveryone\\`x\\`\\#\u200b1GH\u200b-1" in shown
    texts = ("https://e.org", "www.e.org", "&#64;a", "0123456789abcdef", "~~a~~", "[a](b)", "a/b#2")
    assert [access._cell(each).replace("\u200b", "^") for each in texts] == [
        "https:^//e.org", "www^.e.org", r"\&\#^64;a", "012345^6^7^8^9^a^b^c^d^e^f",
        r"\~\~a\~\~", r"\[a](b)", r"a/b\#^2",
    ]  # fmt: skip


def test_the_widest_grant_is_the_first_row_of_the_table():
    names = ("group a", "every machine client", "everybody")
    rows = [AccessChange(who, gained, "GET", "/x", "a", "b")
            for gained in (False, True) for who in names]  # fmt: skip
    shown = [row.split(" | ")[:2] for row in access.Access("x", tuple(rows)).markdown().split("\n")]
    wide = [*reversed(names)]
    assert [row[1] for row in shown if row[0] == "| **gains**"] == wide
    assert [row[1] for row in shown if row[0] == "| loses"] == wide
