"""README.md's commands, executed as they stand there."""

import os
import re
import shutil
import subprocess

import pytest
from baking import ROOT, borrow_packages, contents, make

BLOCKS = re.compile(r"(?ms)^```(?:sh|console)\n(.*?)^```")
# Where each command of the README is executed; a new command needs a test, and its line here.
EXECUTED = {
    "make demo": "test_make_demo_prints_what_the_readme_shows",
    "make new": "test_make_new_asks_and_generates_where_it_is_told",
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
            assert command in text or f'{words[0]}("{words[1]}"' in text, command
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
    readme = (ROOT / "README.md").read_text()
    (shown,) = re.findall(r"(?ms)^```console\n\$ make demo\n(.*?)^```", readme)
    lines = shown.splitlines()
    assert len(told) == len(lines), "\n".join(printed)
    for line, real in zip(lines, told, strict=True):
        assert re.fullmatch(".+".join(map(re.escape, line.split("..."))), real), real
    made = contents(clone / "build/demo/cognises-service")
    without_packages = {name for name in made if not name.startswith((".venv/", "build/"))}
    assert {name: made[name] for name in without_packages} == contents(bakes["container", ""])


def test_make_new_asks_and_generates_where_it_is_told(clone, tmp_path):
    """And writes nothing elsewhere: cookiecutter would remember the answers in the home folder."""
    home = tmp_path / "home"
    home.mkdir()
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    answers = [str(tmp_path / "out"), "Our Reports", "", "eu-west-1", "", "2"]
    done = subprocess.run(
        ["make", "new", "--old-file=.venv/.new"],
        cwd=clone,
        env={**env, "HOME": str(home), "COGNISES_VERIFY": "skip"},
        input="\n".join([*answers, ""]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for question in ("Name of the service", "AWS region", "How will it be deployed"):
        assert question in done.stdout
    project = tmp_path / "out" / "our-reports"
    assert (project / "lambda_entry.py").is_file()
    assert "\nAWS_REGION=eu-west-1\n" in (project / ".flaskenv").read_text()
    assert list(home.iterdir()) == []
