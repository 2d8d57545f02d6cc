"""The deploy workflow: what its steps do, run as GitHub's runner would run them."""

import os
import re
import subprocess

import pytest
import yaml
from baking import ROOT, TEMPLATE_FOLDER

DEPLOYED = ("container", "lambda")
PLAN = """user pool eu-west-1_AbCdEfGhI, account 123456789012 (aws)

group editors
  ~ update role svc-editors
      drift: digest: something
warning: digest: none of this
plan: 0 to create, 1 to change, 0 to delete; 1 drifted; 0 widen rights
digest: 0123abc
"""


def workflow(deployment):
    condition = f"{{% if cookiecutter.deployment == '{deployment}' %}}"
    path = ROOT / TEMPLATE_FOLDER / ".github/workflows" / f"{condition}deploy.yml{{% endif %}}"
    return yaml.safe_load(re.sub(r"\{%-? (end)?raw -?%\}", "", path.read_text()))


def run_plan_step(deployment, folder, plan):
    """The step that shows the plan, with a make that prints this one, and none but this once."""
    (step,) = [each for each in workflow(deployment)["jobs"]["plan"]["steps"] if "id" in each]
    (folder / "plan-to-print").write_text(plan)
    make = folder / "make"
    make.write_text('#!/bin/sh\n[ "$1" = plan ] && cat plan-to-print && rm plan-to-print\n')
    make.chmod(0o755)
    env = {
        "PATH": f"{folder}{os.pathsep}/usr/bin:/bin",
        "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        "GITHUB_OUTPUT": str(folder / "output"),
    }
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_the_digest_that_is_applied_is_that_of_the_plan_that_was_shown(deployment, tmp_path):
    done = run_plan_step(deployment, tmp_path, PLAN)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "output").read_text() == "digest=0123abc\n"
    assert (tmp_path / "summary").read_text() == done.stdout == PLAN


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_without_a_digest_there_is_nothing_to_apply(deployment, tmp_path):
    assert run_plan_step(deployment, tmp_path, "error: no pool\n").returncode != 0
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_a_run_that_waits_for_approval_blocks_no_later_run(deployment):
    """Only deployments queue; on the main branch each run is a group of its own."""
    found = workflow(deployment)
    group = found["concurrency"]["group"]
    pull_request, others = re.fullmatch(
        r"deploy-\$\{\{ github\.event_name == 'pull_request' && (\S+) \|\| (\S+) \}\}", group
    ).groups()
    assert (pull_request, others) == ("github.ref", "github.run_id")
    queued = [name for name, job in found["jobs"].items() if "concurrency" in job]
    assert queued == ["deploy"]
    assert found["jobs"]["deploy"]["concurrency"]["cancel-in-progress"] is False
