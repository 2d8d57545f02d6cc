"""Every combination of answers that changes files: what is generated, and that it is sound."""

import json
import re
import shutil
import sys
from itertools import takewhile

import pytest
from baking import (
    COMBINATIONS,
    DEPLOYMENTS,
    POOL,
    TEMPLATE_FOLDER,
    borrow_packages,
    contents,
    files_of_a_clone,
    make,
    owners_environment,
    run,
    under_git,
    unparsable,
)
from jinja2 import Template

# One of each, so that a condition that is always false is seen.
TELLING = {
    "container": {"Dockerfile", ".dockerignore", "gunicorn.conf.py"},
    "lambda": {"lambda_entry.py"},
    "none": set(),
}
# What holds braces of its own: code, Flask's templates, GitHub's expressions.
HAS_BRACES = re.compile(r"\.(py|html|js|css)$|^Makefile$|^\.github/workflows/")
WINDOWS_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


@pytest.fixture(params=COMBINATIONS, ids=lambda answers: "-".join(filter(None, answers)))
def combination(request):
    return request.param


def named_for(deployment):
    """What the names in the template folder say: a condition that is false leaves nothing."""
    for name in files_of_a_clone():
        if name.startswith(f"{TEMPLATE_FOLDER}/"):
            inner = name.removeprefix(f"{TEMPLATE_FOLDER}/")
            path = Template(inner).render(cookiecutter={"deployment": deployment})
            if all(path.split("/")):
                yield path


def test_exactly_the_files_that_their_names_promise_are_generated(combination, bakes):
    generated = set(contents(bakes[combination]))
    assert generated == set(named_for(combination[0]))
    for deployment, names in TELLING.items():
        assert names & generated == (names if deployment == combination[0] else set())


def test_nothing_of_the_template_is_left(combination, bakes):
    for name, data in contents(bakes[combination]).items():
        assert b"cookiecutter." not in data.replace(b"cookiecutter.json", b""), name
        if not HAS_BRACES.search(name):
            assert not re.search(rb"\{\{|\{%", data), name
    workflows = bakes[combination].glob(".github/workflows/*")
    assert all("{%" not in path.read_text() for path in workflows)


def test_every_data_file_parses(combination, bakes):
    assert unparsable(bakes[combination]) == {}


def test_names_and_lines_suit_every_system(combination, bakes):
    generated = contents(bakes[combination])
    for name, data in generated.items():
        assert b"\r" not in data, name
        assert not data or data.endswith(b"\n"), name
        assert len(name) < 120, name  # with a slug and a home folder: under 200
        assert not re.search(r'[<>:"\\|?*\x00-\x1f]|[. ](/|$)', name), name
        assert not any(WINDOWS_DEVICE.fullmatch(part) for part in name.split("/")), name
    assert len({name.lower() for name in generated}) == len(generated)


def test_an_editor_finds_the_rules_of_the_manifest(bakes):
    project = bakes["none", ""]
    settings = json.loads((project / ".vscode/settings.json").read_text())
    (mapped,) = settings["json.schemas"]
    for name in (*mapped["fileMatch"], mapped["url"]):
        assert (project / name.lstrip("./")).is_file(), name


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_a_pool_changes_the_settings_and_the_readme_alone(bakes, deployment):
    """So that what is checked for one is checked for both."""
    without, with_pool = contents(bakes[deployment, ""]), contents(bakes[deployment, POOL])
    changed = {name for name in without if without[name] != with_pool[name]}
    assert changed == {".flaskenv", "README.md"}


def test_every_combination_passes_what_needs_no_types(combination, bakes):
    for command in (
        ["ruff", "check", "--no-cache"],
        ["ruff", "format", "--check", "--no-cache"],
        ["cognises.manifest", "groups.json"],
        ["flask", "cognises", "access", "--check"],
    ):
        done = run([sys.executable, "-Bm", *command], cwd=bakes[combination])
        assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module", params=DEPLOYMENTS)
def committed(request, bakes, tmp_path_factory):
    """A project under git, with the packages of this test run for its own."""
    project = tmp_path_factory.mktemp("committed") / "cognises-service"
    shutil.copytree(bakes[request.param, POOL], project)
    under_git(project)
    borrow_packages(project)
    return project


GUARDS = """\"\"\"A view with each form of a guard.\"\"\"

from cognises import login_check, permission_required


@login_check
def bare() -> str:
    return ""


@login_check(optional=True)
@permission_required(name="view_data")
def with_arguments() -> str:
    return ""


@login_check("us-east-1", "us-east-1_AbCdEfGhI", client_ids="a" * 26, scopes=["a/b"])
@permission_required([{"group_name": "viewers", "allowed_functions": ["view_data"]}])
def of_another_pool() -> str:
    return ""
"""


def test_each_deployment_passes_make_check(committed):
    """With guards in every form, which strict types accept."""
    views = committed / "app" / "guards.py"
    views.write_text(GUARDS)
    make(committed, "check")
    views.unlink()


def test_pre_commit_finds_nothing_to_change(committed):
    assert "!! .venv/" in git(committed, "status", "--porcelain", "--ignored").splitlines()
    command = [".venv/bin/pre-commit", "run", "--all-files"]
    done = run(command, cwd=committed, env=owners_environment())
    assert done.returncode == 0, done.stdout
    assert "Skipped" not in done.stdout
    assert git(committed, "diff", "--stat") == ""


# In parts, so that this file holds none itself.
SECRETS = {
    "key-id": ("AKIA", "A" * 16),
    "secret-key": ("aws_secret_access_", "key = '" + "a1/+" * 10 + "'"),
    "client-secret": ("CLIENT_", "SECRET=" + "a1b2" * 13),
    "private-key": ("-----BEGIN RSA ", "PRIVATE KEY-----"),
    "token": ("eyJ" + "a" * 30, ".eyJ" + "b" * 30 + "." + "c" * 60),
    "github": ("ghp_", "a1" * 18),
}


@pytest.mark.parametrize("secret", SECRETS)
def test_pre_commit_stops_a_secret(committed, secret):
    planted = committed / "app" / "planted.txt"
    planted.write_text("".join(SECRETS[secret]) + "\n")
    command = [".venv/bin/pre-commit", "run", "secrets", "--files", "app/planted.txt"]
    done = run(command, cwd=committed)
    planted.unlink()
    assert done.returncode == 1, done.stdout
    assert "app/planted.txt:1:" in done.stdout


def git(folder, *arguments):
    return run(["git", *arguments], cwd=folder).stdout


def test_help_lists_the_verbs_that_there_are_and_the_readme_tells_them(committed):
    listed = set(re.findall(r"(?m)^  make ([a-z-]+) +\S", make(committed, "help")))
    text = "".join(path.read_text() for path in (*committed.glob("*.mk"), committed / "Makefile"))
    assert {"help", "install", "test", "check", "dev", "demo", "plan", "apply"} <= listed
    assert listed <= set(re.findall(r"(?m)^([a-z-]+):.*## ", text))
    for verb in listed:
        assert run(["make", "--dry-run", verb], cwd=committed).returncode == 0, verb
    rows = re.findall(r"(?m)^\| (`make .*?) \|", (committed / "README.md").read_text())
    told = {verb for row in rows for verb in re.findall(r"`make ([a-z-]+)", row)}
    assert sorted(listed - {"help"} - told) == sorted(told - listed) == []


def commands(text):
    """The command lines in a page's blocks, without comments and without what they print."""
    for block in re.findall(r"(?ms)^ *```(?:sh|console)\n(.*?)^ *```", text):
        lines = [line.strip() for line in block.replace("\\\n", " ").splitlines()]
        prompted = [line[2:] for line in lines if line.startswith("$ ")]
        yield from (line.split("  #")[0] for line in prompted or lines if line)


def test_the_readme_names_commands_and_options_that_there_are(committed):
    """Those that need no AWS account are executed in test_generated.py and test_new_user.py."""
    verbs = set(re.findall(r"(?m)^  make ([a-z-]+) ", make(committed, "help")))
    for command in commands((committed / "README.md").read_text()):
        words = command.split()
        if words[0] == "make":
            assert words[1] in verbs, command
        elif "provision.py" in command:
            path = takewhile(re.compile("[a-z][a-z-]*").fullmatch, words[2:])
            done = run([".venv/bin/python", "provision.py", *path, "--help"], cwd=committed)
            assert done.returncode == 0, done.stdout
            options = [word.split("=")[0] for word in words if word.startswith("--")]
            assert [option for option in options if option not in done.stdout] == [], command
        else:
            assert words[0] in ("curl", ".venv/bin/flask"), f"no test executes: {command}"
