"""The deploy workflow: its order of jobs, and its steps, run as GitHub's runner would run them."""

import itertools
import os
import re
import subprocess
from types import SimpleNamespace

import pytest
import yaml
from baking import of_deployment

DEPLOYED = ("container", "lambda")
PLAN = """user pool eu-west-1_AbCdEfGhI, account 123456789012 (aws)

group editors
  ~ update role svc-editors
      drift: digest: something
warning: digest: none of this
plan: 0 to create, 1 to change, 0 to delete; 1 drifted; 0 changes grant new permissions
digest: 0123abc
"""


def workflow(deployment):
    text = of_deployment(".github/workflows/deploy.yml", deployment).read_text()
    return yaml.safe_load(re.sub(r"\{%-? (end)?raw -?%\}", "", text))


def run_plan_step(deployment, folder, plan):
    """The step that shows the plan, with a make that prints this one, once."""
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


RESULTS = ("success", "failure", "cancelled", "skipped")


def runs(job, results, names):
    """Whether GitHub would run a job, by what became of the jobs it needs (expressions, `needs`).

    https://docs.github.com/actions/reference/workflows-and-actions/expressions#status-check-functions
    """
    condition = job.get("if", "success()")
    needed = job.get("needs", [])
    needed = [needed] if isinstance(needed, str) else needed
    python = re.sub(r"!(?!=)", " not ", condition.replace("&&", " and ").replace("||", " or "))
    is_implicit = re.search(r"\b(always|cancelled|failure)\(\)", condition) is None
    is_met = eval(  # our own file
        " ".join(python.split()),
        {
            "success": lambda: True,
            "cancelled": lambda: "cancelled" in results.values(),
            "needs": SimpleNamespace(
                **{name: SimpleNamespace(result=results[name]) for name in needed}
            ),
            **names,
        },
    )
    succeeded = all(results[name] == "success" for name in needed)
    return is_met and (succeeded or not is_implicit)


def context(event, **variables):
    known = {"AWS_PLAN_ROLE": "a", "AWS_DEPLOY_ROLE": "b", "AWS_STAGING_ROLE": "c"}
    repository = SimpleNamespace(full_name="o/r")
    head = SimpleNamespace(repo=repository)
    github = SimpleNamespace(
        event_name=event, repository="o/r",
        event=SimpleNamespace(pull_request=SimpleNamespace(head=head)),
    )  # fmt: skip
    return {"vars": SimpleNamespace(**(known | variables)), "github": github}


def outcomes(jobs, names):
    """Every way that a run can end: each job that runs may succeed, fail or be cancelled."""
    order = list(jobs)
    for ended in itertools.product(RESULTS[:3], repeat=len(order)):
        results = {}
        for name, result in zip(order, ended, strict=True):
            needed = jobs[name].get("needs", [])
            assert set([needed] if isinstance(needed, str) else needed) <= set(results)
            results[name] = result if runs(jobs[name], results, names) else "skipped"
        yield results


@pytest.mark.parametrize("deployment", DEPLOYED)
@pytest.mark.parametrize("staging", ["", "c"])
def test_no_path_leads_to_a_deployment_without_the_tests(deployment, staging):
    jobs = workflow(deployment)["jobs"]
    built = {"container": "image", "lambda": "package"}[deployment]
    seen = list(outcomes(jobs, context("push", AWS_STAGING_ROLE=staging)))

    assert any(each["deploy"] == "success" for each in seen)
    for each in seen:
        if each["deploy"] != "skipped":
            assert (each["test"], each[built], each["plan"]) == ("success",) * 3
            assert each["staging"] == ("success" if staging else "skipped")
        if each["staging"] != "skipped" or each["plan"] != "skipped":
            assert (each["test"], each[built]) == ("success",) * 2
        assert each[built] == "skipped" or each["test"] == "success"


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_a_pull_request_deploys_nothing(deployment):
    jobs = workflow(deployment)["jobs"]
    for each in outcomes(jobs, context("pull_request")):
        assert (each["deploy"], each["staging"]) == ("skipped", "skipped")


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_every_stage_gets_the_one_build_and_every_action_is_pinned_by_commit(deployment):
    jobs = workflow(deployment)["jobs"]
    built = {"container": "image", "lambda": "package"}[deployment]
    for name in ("plan", "staging", "deploy"):
        text = str(jobs[name]["steps"])
        assert f"needs.{built}.outputs.digest" in text
        assert "docker build" not in text
        assert "make package" not in text
        assert "make deploy" not in text
    used = [step["uses"] for job in jobs.values() for step in job["steps"] if "uses" in step]
    assert used
    assert [each for each in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", each)] == []


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
    assert queued == ["staging", "deploy"]
    groups = [found["jobs"][name]["concurrency"] for name in queued]
    assert groups[0]["group"] != groups[1]["group"]
    assert {each["cancel-in-progress"] for each in groups} == {False}
