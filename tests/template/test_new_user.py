"""A new user's first route, following the generated README and nothing else.

A view and a group of their own: planned and applied on the local AWS, then a 200 and a 403, from a
service that runs as `make dev` starts it. Suite, checks and demo pass after every step.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest
from baking import make, owners_environment, run

START_AWS = """
import json, os, sys
from local_aws.environment import isolate
isolate()
from local_aws.embedded import embedded
with embedded():
    ours = ("AWS_", "COGNITO_", "COGNISES_", "FLASK_")
    print(json.dumps({k: v for k, v in os.environ.items() if k.startswith(ours)}), flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def project(developed, tmp_path_factory):
    """A fresh project, with the packages of one that is there already."""
    folder = tmp_path_factory.mktemp("newcomer") / "cognises-service"
    ignored = shutil.ignore_patterns(".venv", ".git", "build", "__pycache__", ".*_cache")
    shutil.copytree(developed, folder, ignore=ignored)
    (folder / ".venv").symlink_to(developed / ".venv")
    return folder


def block(project, language, word):
    """The README's block in that language that holds the word."""
    text = (project / "README.md").read_text()
    blocks = re.findall(rf"(?ms)^```{language}\n(.*?)^```", text)
    (found,) = [block for block in blocks if word in block]
    return found


def add_the_group(project):
    manifest = project / "groups.json"
    groups = json.loads(manifest.read_text())
    group = json.loads(block(project, "json", "analysts"))
    manifest.write_text(json.dumps([*groups, group], indent=2))


def add_the_route(project):
    with (project / "app/data.py").open("a") as module:
        module.write("\n\n" + block(project, "python", "def report"))


def clean_environment(**more):
    ours = ("AWS_", "COGNITO_", "COGNISES_", "FLASK_")
    kept = owners_environment().items()
    return {**{name: value for name, value in kept if not name.startswith(ours)}, **more}


@pytest.fixture
def local_aws(project):
    """The settings of an AWS in memory, as `.env` and a profile would give those of a real one."""
    process = subprocess.Popen(
        [".venv/bin/python", "-B", "-c", START_AWS],
        cwd=project, env=clean_environment(), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    yield clean_environment(**json.loads(process.stdout.readline()))
    process.stdin.close()
    process.wait(30)


@pytest.fixture
def dev(project):
    """`make dev` in a terminal of its own, stopped by Ctrl-C."""
    log = project.parent / "dev.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            ["make", "dev"], cwd=project, env=clean_environment(), stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    yield lambda pattern: wait_for(lambda: re.search(pattern, log.read_text()), log)
    os.killpg(process.pid, signal.SIGINT)
    process.wait(30)


def wait_for(check, log):
    for _ in range(1200):
        if found := check():
            return found
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def test_a_new_group_is_planned_then_applied_and_then_there_is_nothing_to_do(project, local_aws):
    kept = (project / "groups.json").read_text()
    assert "6 to create" in answering_yes(project, "apply", local_aws)
    add_the_group(project)

    planned = make(project, "plan", env=local_aws)
    assert re.search(r"(?m)^.*analysts", planned), planned
    assert "2 to create" in planned
    assert "2 to create" in answering_yes(project, "apply", local_aws)
    assert "plan: nothing to do" in make(project, "plan", env=local_aws)
    (project / "groups.json").write_text(kept)


def answering_yes(project, verb, env):
    """At a terminal: without one it does not ask, and changes nothing."""
    ours, theirs = os.openpty()
    os.write(ours, b"yes\n")
    done = subprocess.run(
        ["make", verb], cwd=project, env=env, stdin=theirs, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_a_new_route_answers_200_to_the_new_group_and_403_to_another(project, dev):
    address = dev(r"Open (http://\S+)")[1]
    add_the_route(project)
    add_the_group(project)
    dev(
        r"\+ create role cognises-service-analysts\n(.*\n)+"
        r"plan: 2 to create(.*\n)+applied: 2 to create"
    )
    dev(r"new user: .*analysts")

    lines = block(project, "sh", "token analysts").splitlines()
    assert [call(project, address, each) for each in lines] == [200, 403]
    assert call(project, address, re.sub(r'-H ".*?\)"', "", lines[0])) == 401
    access = run([".venv/bin/flask", "cognises", "access"], cwd=project, env=clean_environment())
    assert re.search(r"(?m)^GET +/report +report +analysts$", access.stdout), access.stdout


def call(project, address, line):
    """The status that a line of the README gets, wherever the service listens."""
    line = line.replace("curl -i", "curl -s -o /dev/null -w '%{http_code}'")
    done = wait_until_up(line.replace("http://127.0.0.1:5000", address), project)
    return int(done.stdout)


def wait_until_up(line, project):
    """The service starts again after an edit: no process listens for a moment."""
    for _ in range(100):
        done = run(["sh", "-c", line], cwd=project, env=clean_environment())
        if not done.stdout.endswith("000"):
            break
        time.sleep(0.1)
    return done


# The tests below are run after the one above, in their order: each goes on from what is there.


def everything_passes(project):
    """The suite, the checks and the demo; returns what they print."""
    said = make(project, "docs", "test", "check", "demo", env=clean_environment())
    assert "answers agree with groups.json" in said
    return said


def edit(path, *changes):
    """Replaces texts that are in the file; fails if one is not."""
    text = path.read_text()
    for old, new in changes:
        assert old in text, f"{path.name}: {old}"
        text = text.replace(old, new)
    path.write_text(text)


def test_everything_passes_with_the_new_route_and_the_new_group(project):
    printed = everything_passes(project)
    assert re.search(r"(?m)^GET /report +401 +403 +403 +403 +200$", printed), printed


def test_everything_passes_with_the_intent_that_the_readme_states(project):
    text = (project / "README.md").read_text()
    (row,) = re.findall(r"`(\(\"GET\", \"/report\".*?\),)` to `INTENT`", text)
    edit(project / "tests/app/test_intent.py", ("INTENT = [\n", f"INTENT = [\n    {row}\n"))
    everything_passes(project)


NAMES = {"admins": "owners", "editors": "authors", "viewers": "read_only+2", "analysts": "x"}


def test_everything_passes_with_other_names_of_groups_and_one_example_route(project):
    """`GET /data` stays, behind two guards; every group has another name."""
    changes = [(f'"{old}"', f'"{new}"') for old, new in NAMES.items()]
    edit(project / "groups.json", *changes)
    edit(project / "tests/app/test_intent.py", *changes)
    app, tests = project / "app", project / "tests/app"
    for module in ("account", "pages"):
        (app / f"{module}.py").unlink()
        (tests / f"test_{module}.py").unlink()
        edit(app / "__init__.py", (f"    app.register_blueprint({module}.bp)\n", ""))
    edit(
        app / "__init__.py",
        ("import account, ", "import "),
        (" error_pages, pages,", " error_pages,"),
        ("from user_admin import init_admin_pages\n", ""),
        ("    init_admin_pages(app)  # /admin\n", ""),
    )
    (app / "templates/home.html").unlink()
    data = (app / "data.py").read_text()
    view = data[data.index("@bp.route") : data.index("def _bucket")]
    report = block(project, "python", "def report")
    edit(app / "data.py", (view, ""), (report, ""))
    for verb in ("check", "--fix", "-q"), ("format", "-q"):  # its imports go, too
        assert run([".venv/bin/ruff", *verb, "app"], cwd=project).returncode == 0
    both = '@permission_required\n@permission_required(name="read_files")\n'
    edit(app / "data.py", ("@permission_required\n", both))
    (tests / "test_data.py").unlink()
    manifest = project / "groups.json"
    groups = json.loads(manifest.read_text())
    for group in groups:
        group["allowed_functions"] = [
            name
            for name in group["allowed_functions"]
            if name in ("access", "access_matrix", "openapi_json", "view_data")
        ]
    groups[0]["allowed_functions"].append("read_files")
    manifest.write_text(json.dumps(groups, indent=2))
    intent = tests / "test_intent.py"
    gone = r'(?m)^    \("\w+", "(/|/health|/protected|/admin.*|/report)".*\n|^    \("P\w+", "/d.*\n'
    intent.write_text(re.sub(gone, "", intent.read_text()))
    edit(intent, ('"/data", {"owners", "authors", "read_only+2"}', '"/data", {"owners"}'))
    assert "read_only+2" in everything_passes(project)
