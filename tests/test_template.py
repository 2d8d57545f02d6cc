"""The template itself: what it keeps in its folder, its hooks, its lock files."""

import ast
import json
import re
import shutil
import subprocess
import sys

import pytest
from baking import ROOT, TEMPLATE_FOLDER, contents, files_of_a_clone, make, run

LOCKS = [name for name in files_of_a_clone() if re.search(r"requirements[-a-z]*\.txt", name)]
CACHES = ("__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache", ".hypothesis")


def test_no_python_file_of_the_project_holds_jinja():
    for path in (ROOT / TEMPLATE_FOLDER).rglob("*.py*"):
        if path.suffix == ".py" or "{%" in path.name:
            ast.parse(path.read_text())
            assert "cookiecutter." not in path.read_text(), path


@pytest.mark.parametrize("name", ["pre_gen_project.py", "post_gen_project.py"])
def test_a_hook_is_short_and_reads_the_answers_as_data_only(name):
    text = (ROOT / "hooks" / name).read_text()
    assert len(text.splitlines()) < 100
    (answers,) = re.findall(r".*\{\{.*", text)
    assert 'json.loads(r"""{{ cookiecutter | tojson }}""")' in answers
    assert "{%" not in text


def test_no_answer_is_a_secret_and_every_question_has_a_label():
    questions = json.loads((ROOT / "cookiecutter.json").read_text())
    asked = [key for key in questions if not key.startswith("_")]
    assert asked == ["project_name", "project_slug", "aws_region", "user_pool_id", "deployment"]
    assert list(questions["__prompts__"]) == asked


@pytest.mark.parametrize("name", LOCKS, ids=ascii)
def test_a_lock_file_holds_versions_and_hashes_but_no_address(name):
    text = (ROOT / name).read_text()
    assert not re.search(r"https?:|file:|(?m:^-)|index|find-links|@ ", text)
    entries = re.split(r"(?m)^(?=[a-z0-9])", text)[1:]
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9.-]+==\S+( ; .+)? \\\n +--hash=sha256:[0-9a-f]{64}", entry), entry


def test_lock_files_agree_on_every_version():
    """Else a service would be tested with other packages than it is deployed with."""
    versions = {}
    for name in LOCKS:
        for package, version in re.findall(
            r"(?m)^([a-z0-9.-]+)==(.+) \\$", (ROOT / name).read_text()
        ):
            versions.setdefault(package, {}).setdefault(name, set()).add(version.split(" ;")[0])
    differing = {
        package: pins
        for package, pins in versions.items()
        if len({frozenset(pin) for pin in pins.values()}) > 1
    }
    assert differing == {}


PROVISIONING = {"boto3", "click"}
SERVERS = {"container": {"gunicorn", "prometheus-client"}, "lambda": {"apig-wsgi"}}


def test_what_is_deployed_is_part_of_what_is_developed():
    """The app's own requirements are listed in three files: a change has to reach all."""
    developed = asked_for("requirements.in")
    app = {name: line for name, line in developed.items() if name not in PROVISIONING}
    assert set(developed) - set(app) == PROVISIONING
    for deployment, servers in SERVERS.items():
        deployed = asked_for(f"requirements-{deployment}.in")
        assert set(deployed) - set(app) == servers
        assert {name: deployed.get(name) for name in app} == app


def asked_for(name):
    """The lines of one `.in` file of the project, by package."""
    (path,) = (path for path in (ROOT / TEMPLATE_FOLDER).glob("*.in*") if name in path.name)
    lines = (line for line in path.read_text().splitlines() if re.match("[a-z]", line))
    return {re.match(r"[a-z0-9-]+", line)[0]: line for line in lines}


def test_tools_leave_no_cache_in_the_folder_that_is_generated_from(template, tmp_path):
    """With this very folder as it is after checks: nothing in it that a clone would not have."""
    copy = tmp_path / "template"
    shutil.copytree(template, copy)
    before = contents(copy / TEMPLATE_FOLDER)
    (copy / ".venv").symlink_to(sys.prefix)
    make(copy, "check", "--old-file=.venv/.dev", "--old-file=../.venv/.dev")
    assert contents(copy / TEMPLATE_FOLDER) == before


def test_caches_left_by_hand_are_removed_before_generating(template, tmp_path):
    copy = tmp_path / "template"
    shutil.copytree(template, copy)
    before = contents(copy / TEMPLATE_FOLDER)
    for cache in CACHES:
        folder = copy / TEMPLATE_FOLDER / "app" / cache
        folder.mkdir()
        (folder / "junk").write_bytes(b"\x97\x00{{ junk }}")
    make(copy, "tidy")
    assert contents(copy / TEMPLATE_FOLDER) == before


def test_help_lists_every_verb():
    listed = make(ROOT, "help")
    for verb in ("help", "new", "demo", "test", "check"):
        assert re.search(rf"^  make {verb} +\S", listed, re.MULTILINE), verb


@pytest.fixture
def repository(template, tmp_path):
    """The template as a git repository with one commit, as cruft wants it."""
    folder = tmp_path / "repository"
    shutil.copytree(template, folder)
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "First"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def test_hooks_speak_once_under_cruft(repository, environment, tmp_path):
    """cruft generates again for every comparison; only the first time is news."""
    cruft = [sys.prefix + "/bin/cruft"]
    out = tmp_path / "out"
    created = run(
        [*cruft, "create", str(repository), "--output-dir", str(out), "--no-input"], env=environment
    )
    assert created.returncode == 0, created.stdout
    assert created.stdout.count("NOT VERIFIED") == 1
    project = out / "cognises-service"
    compared = run([*cruft, "diff", "--exit-code"], cwd=project, env=environment)
    assert compared.returncode == 0, compared.stdout
    assert "NOT VERIFIED" not in compared.stdout
    assert "Next:" not in compared.stdout
