"""README.md's commands, executed as they stand there."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from baking import ROOT, borrow_packages, contents, make, run, under_git

BLOCKS = re.compile(r"(?ms)^```(?:sh|console)\n(.*?)^```")
# Where each command of the README is executed; a new command needs a test, and its line here.
EXECUTED = {
    "make demo": "test_make_demo_prints_what_the_readme_shows",
    "make new": "test_make_new_makes_a_repository_and_prints_commands_that_can_be_pasted",
    "cookiecutter gh:ORG/cognises-template": "test_the_commands_without_a_clone_generate_the_same",
    "uvx cookiecutter": "test_the_commands_without_a_clone_generate_the_same",
    "pipx run": "test_the_commands_without_a_clone_generate_the_same",
    "make wheel": "tests/template/test_wheel.py",
    "pip install": "tests/template/test_wheel.py",
    "make test": ".ci/run",
    "cruft link": "tests/template/test_updates.py",
    "cruft check": "tests/template/test_updates.py",
    "cruft update": "tests/template/test_updates.py",
}


def commands(text):
    """The command lines of a page, without comments and without what they print."""
    for block in BLOCKS.findall(text):
        lines = block.splitlines()
        prompted = [line[2:] for line in lines if line.startswith("$ ")]
        yield from (line.split("  #")[0].strip() for line in prompted or lines)


def test_every_command_of_the_readme_is_executed():
    found = list(commands((ROOT / "README.md").read_text()))
    assert {" ".join(line.split()[:2]) for line in found} == set(EXECUTED)
    for command, where in EXECUTED.items():
        if "/" in where:
            text = (ROOT / where).read_text()
            words = command.split()
            ways = (
                command,
                f'{words[0]}("{words[1]}"',
                f'"{words[0]}", "{words[1]}"',
                f'"{words[1]}"',
            )
            assert any(way in text for way in ways), command
        else:
            assert where in globals()


@pytest.fixture(scope="module")
def clone(template, tmp_path_factory):
    """A clone whose own packages are installed already, in a folder that no shell likes."""
    folder = tmp_path_factory.mktemp("clone") / "it's a (new) $HOME"
    shutil.copytree(template, folder)
    borrow_packages(folder)
    return folder


def test_make_demo_prints_what_the_readme_shows(clone, bakes):
    """Line by line; `...` stands for what differs from run to run."""
    printed = make(clone, "demo", "--old-file=.venv/.new").splitlines()
    told = [line for line in printed if not line.startswith("Installing ")]
    told = [line.replace("' && make", " && make") for line in told]  # this folder needs quotes
    readme = (ROOT / "README.md").read_text()
    (shown,) = re.findall(r"(?ms)^```console\n\$ make demo\n(.*?)^```", readme)
    lines = shown.splitlines()
    assert len(told) == len(lines), "\n".join(printed)
    for line, real in zip(lines, told, strict=True):
        assert re.fullmatch(".+".join(map(re.escape, line.split("..."))), real), real
    made = contents(clone / "build/demo/cognises-service")
    without_packages = {name for name in made if not name.startswith((".venv/", "build/"))}
    assert {name: made[name] for name in without_packages} == contents(bakes["container", ""])


def commit_all(folder):
    under_git(folder)
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    assert run(["git", *identity, "commit", "-qm", "As it is"], cwd=folder).returncode == 0


def test_make_new_makes_a_repository_and_prints_commands_that_can_be_pasted(template, tmp_path):
    """It writes nothing elsewhere: cookiecutter would keep the answers in the home folder."""
    clone = shutil.copytree(template, tmp_path / "it's a clone")
    commit_all(clone)
    borrow_packages(clone)
    home = tmp_path / "home"
    home.mkdir()
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    env |= {"HOME": str(home), "COGNISES_VERIFY": "skip", "UV_OFFLINE": "false"}
    answers = [str(tmp_path / "my out"), "Our Reports", "", "eu-west-1", "", "2"]
    done = subprocess.run(
        ["make", "new", "--old-file=.venv/.new"],
        cwd=clone,
        env=env,
        input="\n".join([*answers, ""]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for question in ("Name of the service", "AWS region", "How will it be deployed"):
        assert question in done.stdout
    project = tmp_path / "my out" / "our-reports"
    assert (project / "lambda_entry.py").is_file()
    assert "\nAWS_REGION=eu-west-1\n" in (project / ".flaskenv").read_text()
    assert list(home.iterdir()) == []

    assert run(["git", "status", "--porcelain"], cwd=project).stdout == ""
    assert len(run(["git", "log", "--oneline"], cwd=project).stdout.splitlines()) == 1
    assert run([f"{sys.prefix}/bin/cruft", "check"], cwd=project).returncode == 0
    assert "\nUpdates: cruft update\n" in done.stdout

    borrow_packages(project)
    (command,) = re.findall(r"(?m)^Next:  (.*)$", done.stdout)
    pasted = run(["sh", "-c", command], cwd=clone)
    assert "answers agree with groups.json" in pasted.stdout, pasted.stdout


def test_make_new_leaves_a_repository_that_is_there_alone(template, tmp_path):
    """And says how to link the project, where the template is not a git clone."""
    clone = shutil.copytree(template, tmp_path / "template")
    borrow_packages(clone)
    (tmp_path / "ours").mkdir()
    under_git(tmp_path / "ours")
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", "new", "--old-file=.venv/.new"],
        cwd=clone,
        env={**env, "COGNISES_VERIFY": "skip"},
        input="\n".join(["../ours", *[""] * 5, ""]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the folder is part of a repository" in done.stdout
    assert "Updates: cruft link" in done.stdout
    assert not (tmp_path / "ours/cognises-service/.git").exists()


def test_make_new_without_a_terminal_names_a_command_that_generates_a_project(template, tmp_path):
    clone = shutil.copytree(template, tmp_path / "template")
    borrow_packages(clone)
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    env |= {"COGNISES_VERIFY": "skip", "HOME": str(tmp_path)}

    asked = run(["make", "new", "--old-file=.venv/.new"], cwd=clone, env=env)
    (command,) = re.findall(r"without a terminal: (.*)", asked.stdout)
    done = run(["sh", "-c", command], cwd=clone, env=env)

    assert asked.returncode != 0
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "cognises-service" / "wsgi.py").is_file()


@pytest.mark.parametrize("line", ["cookiecutter", "uvx cookiecutter", "pipx run cookiecutter"])
def test_the_commands_without_a_clone_generate_the_same(
    line, template, environment, bakes, tmp_path
):
    address = "gh:ORG/cognises-template"
    assert f"\n{line} {address}\n" in (ROOT / "README.md").read_text()
    words = [*line.split(), str(template), "--no-input", "-o", str(tmp_path / "out")]
    prefix = {"cookiecutter": [sys.executable, "-m"], "pipx": ["uvx"]}.get(words[0], [])
    done = run([*prefix, *words], cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stdout
    made = contents(tmp_path / "out" / "cognises-service")
    assert made == contents(bakes["container", ""])
