"""`make rehearse`, once on a container's project; the function's commands against their parsers.

23 CPU seconds, of which the emulator and the commands that it answers take nearly all.
"""

import json
import os
import re
import shlex
import shutil
from pathlib import Path

import click
import pytest
from baking import borrow_packages, make, run

from cognises.manifest import Group
from cognises.provisioning.cli import cli
from local_aws.rehearse import steps

# Settings that would lead out of the emulator.
REAL = {
    "AWS_ENDPOINT_URL_IAM": "https://192.0.2.1",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_PROFILE": "production",
    "COGNISES_PUBLIC_URL": "https://real.example.org",
    "COGNITO_CLIENT_ID": "real",
    "COGNITO_USER_POOL_ID": "us-east-1_RealRealR",
}
ADMINS = Group("admins", (), policy={"Version": "2012-10-17", "Statement": []})


def commands(deployment):
    """What the pages call them, the stack's name aside."""
    return [each.command for each in steps(deployment, ADMINS, "PREFIXcognito")]


def on_page(project):
    """The commands of docs/production.md, one a line."""
    text = (project / "docs" / "production.md").read_text().replace("\\\n", " ")
    return {" ".join(line[2:].split()) for line in re.findall(r"(?m)^\$ .*", text)}


def test_the_commands_of_the_page_run_from_bootstrap_to_destroy(bakes, tmp_path):
    """In an environment, and beside files, that name a real account."""
    project = shutil.copytree(bakes["container", ""], tmp_path / "cognises-service")
    borrow_packages(project)
    groups = json.loads((project / "groups.json").read_text())
    groups.append({"group_name": "büro", "allowed_functions": ["protected"]})  # without a role
    (project / "groups.json").write_text(json.dumps(groups))
    env_file = "".join(f"{name}={text}\n" for name, text in REAL.items())
    for name in (".env", "production.env"):
        (project / name).write_text(env_file)
    clean = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}

    printed = make(project, "rehearse", env={**clean, **REAL})

    stack = "cognises-service-cognito"
    expected = [each.replace("PREFIXcognito", stack) for each in commands("container")]
    assert re.findall(r"(?m)^\$ (.*)", printed) == expected
    assert "\n- permissions: it checks no IAM policy" in printed
    assert "Entering directory" not in printed
    assert "real" not in printed.lower().replace("rehearsal", "")
    assert [(project / name).read_text() for name in (".env", "production.env")] == [env_file] * 2
    assert list((project / "build").iterdir()) == []


@pytest.mark.parametrize("deployment", ["container", "lambda"])
def test_each_rehearsed_command_is_on_the_page_of_production(bakes, deployment):
    named = {each.replace(" --dry-run", "") for each in commands(deployment)}
    assert named - on_page(bakes[deployment, ""]) == set()


def test_each_rehearsed_command_of_the_function_fits_its_parser(bakes, tmp_path, monkeypatch):
    project = bakes["lambda", ""]
    monkeypatch.chdir(tmp_path)
    Path("people.csv").touch()
    for command in dict.fromkeys(commands("lambda")):
        first, *words = shlex.split(command)
        if first == "make":
            done = run(["make", "--dry-run", "VENV=v", "--old-file=v/.dev", *words], cwd=project)
            (line,) = re.findall(r"(?m)^v/bin/python provision\.py .*", done.stdout)
            words = shlex.split(line)[1:]
        script, *words = words
        assert script == "provision.py"
        parser = cli
        while isinstance(parser, click.Group):
            name, *words = words
            parser = parser.get_command(None, name)
        parser.make_context(name, words).close()


def test_a_project_without_deployment_rehearses_all_but_that():
    assert [each for each in commands("container") if each not in commands("")] == [
        each for each in commands("container") if " deploy " in each
    ]


def test_groups_without_a_role_have_nothing_to_verify_and_no_drift():
    without = [each.command for each in steps("lambda", Group("admins", ()), "PREFIXcognito")]
    missing = [each for each in commands("lambda") if each not in without]
    assert [each.split()[2] for each in missing] == ["verify"]
    assert sum("make plan" in each for each in without) == 2
