"""The template itself: what it keeps in its folder, its hooks, its lock files."""

import ast
import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from baking import (
    DEPLOYMENTS,
    ROOT,
    TEMPLATE_FOLDER,
    borrow_packages,
    contents,
    files_of_a_clone,
    make,
    run,
    under_git,
)

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


def test_pre_commit_passes_and_leaves_no_cache_in_the_folder_that_is_generated_from(
    template, tmp_path
):
    """Its hooks are all local; one of them is make lint, of both the template and the project."""
    copy = tmp_path / "template"
    shutil.copytree(template, copy)
    under_git(copy)
    before = contents(copy / TEMPLATE_FOLDER)
    borrow_packages(copy)
    done = run([".venv/bin/pre-commit", "run", "--all-files"], cwd=copy)
    assert done.returncode == 0, done.stdout
    assert "Skipped" not in done.stdout
    assert contents(copy / TEMPLATE_FOLDER) == before
    assert run(["git", "diff", "--stat"], cwd=copy).stdout == ""


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


def test_make_calls_what_it_installed_by_its_path():
    """make 3.81, which macOS has, looks a plain command up in the PATH that make was given."""
    installed = {path.name for path in (Path(sys.prefix) / "bin").iterdir()}
    recipes = re.findall(r"(?m)^\t[@-]*(?:\S+=\S* )*(\S+)", (ROOT / "Makefile").read_text())
    assert [word for word in recipes if word in installed] == []


def test_help_lists_every_verb():
    listed = make(ROOT, "help")
    for verb in ("help", "new", "demo", "test", "check"):
        assert re.search(rf"^  make {verb} +\S", listed, re.MULTILINE), verb


def test_every_version_says_what_to_do_after_updating_to_it():
    """And the newest is the one that the vendored module tells."""
    changelog = (ROOT / "CHANGELOG.md").read_text()
    versions = re.split(r"(?m)^## (?=\d)", changelog)[1:]
    assert all("### After updating\n" in version for version in versions)
    module = (ROOT / TEMPLATE_FOLDER / "cognises" / "__init__.py").read_text()
    (told,) = re.findall(r'(?m)^__version__ = "(.+)"$', module)
    assert versions[0].split()[0] == told


def dependabot(folder):
    return yaml.safe_load((folder / ".github" / "dependabot.yml").read_text())["updates"]


def test_dependabot_sees_every_lock_that_it_can_read(bakes):
    watched = {each["directory"] for each in dependabot(ROOT) if "directory" in each}
    assert watched == {"/", f"/{TEMPLATE_FOLDER}"}
    names = (Path("/", name) for name in files_of_a_clone())
    locks = {str(name.parent) for name in names if name.match("requirements*.txt")}
    assert locks == watched
    for project in (bakes[deployment, ""] for deployment in DEPLOYMENTS):
        assert [each["directory"] for each in dependabot(project)][:2] == ["/", "/"]
        assert not list(project.glob("[a-z]*/**/requirements*.txt"))


def test_dependabot_waits_before_it_proposes_a_release(bakes):
    for folder in (ROOT, *(bakes[deployment, ""] for deployment in DEPLOYMENTS)):
        assert {each["cooldown"]["default-days"] for each in dependabot(folder)} == {7}


def test_make_check_names_what_is_not_pinned(bakes, tmp_path):
    project = shutil.copytree(bakes["container", ""], tmp_path / "cognises-service")
    borrow_packages(project)
    workflow = project / ".github/workflows/ci.yml"
    workflow.write_text(re.sub(r"checkout@\w+ # v", "checkout@v", workflow.read_text()))
    told = re.findall(r"(?m)^Not pinned: (\S+?):\d+:", make(project, "check"))
    assert told == ["Dockerfile", "Dockerfile", *[".github/workflows/ci.yml"] * 2]


def test_the_licence_travels_with_the_module(bakes):
    assert contents(bakes["none", ""])["cognises/LICENSE"] == (ROOT / "LICENSE").read_bytes()


def test_editors_and_reviews_set_vendored_files_apart(bakes):
    project = bakes["none", ""]
    attributes = (project / ".gitattributes").read_text()
    editor = json.loads((project / ".vscode/settings.json").read_text())
    for folder in ("cognises", "infra", "local_aws", "server", "user_admin"):
        assert f"{folder}/** linguist-vendored linguist-generated\n" in attributes
        assert editor["files.readonlyInclude"][f"{folder}/**"]
        assert editor["search.exclude"][folder]


def test_a_workflow_may_do_no_more_than_it_must(bakes):
    """Read the code, and prove who it is to AWS; its token is in no later step's reach."""
    folders = [ROOT, *(bakes[deployment, ""] for deployment in DEPLOYMENTS)]
    found = [path for folder in folders for path in folder.glob(".github/workflows/*.yml")]
    assert len(found) == 6
    for path in found:
        workflow = yaml.safe_load(path.read_text())
        assert workflow["permissions"] in ({}, {"contents": "read"}), path
        for job in workflow["jobs"].values():
            assert_lean(job)


def assert_lean(job):
    granted = job.get("permissions", {})
    # `actions: read` lets a job download what an earlier job of the same run has built.
    allowed = {"contents": "read", "id-token": "write", "actions": "read"}
    if granted == {"pull-requests": "write"}:  # for a comment, by a job that runs no code of ours
        allowed = granted
        assert [set(step) for step in job["steps"]] == [{"name", "env", "run"}]
        assert "head.repo.full_name == github.repository" in job["if"]
    assert granted.items() <= allowed.items()
    assert "actions" not in granted or "gh run download" in str(job["steps"])
    assert job["timeout-minutes"] <= 60
    for step in job["steps"]:
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False
        if "uses" in step:
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"])


def test_the_workflows_run_every_python_that_is_promised():
    told = ["3.10", "3.11", "3.12", "3.13", "3.14"]
    for folder in (ROOT, ROOT / TEMPLATE_FOLDER):
        workflow = yaml.safe_load((folder / ".github/workflows/ci.yml").read_text())
        job = next(iter(workflow["jobs"].values()))
        assert job["strategy"]["matrix"]["python-version"] == told
        runs = [step["run"] for step in job["steps"] if "run" in step]
        assert runs == ["make check", "make test", "make demo"]
