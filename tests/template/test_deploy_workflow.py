"""The deploy workflow: its order of jobs, and its steps, run as GitHub's runner would run them."""

import itertools
import os
import re
import subprocess
from types import SimpleNamespace

import pytest
import yaml
from baking import ROOT, TEMPLATE_FOLDER, of_deployment

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


# What GitHub would run, by https://docs.github.com/actions/reference/workflows-and-actions/expressions

RESULTS = ("success", "failure", "cancelled")
BUILT = {"container": "image", "lambda": "package"}
STATUS = re.compile(r"\b(always|cancelled|failure)\(\)")


def needed_by(job):
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else needs


def runs(job, results, names):
    """Whether GitHub would run a job, by what became of the jobs it needs."""
    condition = re.sub(r"\$\{\{(.*)\}\}", r"\1", str(job.get("if", "success()")).strip())
    python = re.sub(r"!(?!=)", " not ", condition.replace("&&", " and ").replace("||", " or "))
    found = {name: results[name] for name in needed_by(job)}
    has_succeeded = all(result == "success" for result in found.values())
    is_met = eval(  # our own file
        " ".join(python.split()),
        {
            "true": True,
            "always": lambda: True,
            "success": lambda: has_succeeded,
            "failure": lambda: "failure" in results.values(),
            "cancelled": lambda: "cancelled" in results.values(),
            "needs": SimpleNamespace(
                **{name: SimpleNamespace(result=result) for name, result in found.items()}
            ),
            **names,
        },
    )
    return bool(is_met) and (has_succeeded or STATUS.search(condition) is not None)


def context(event, ref="refs/heads/main", **variables):
    known = {"AWS_PLAN_ROLE": "a", "AWS_DEPLOY_ROLE": "b", "AWS_STAGING_ROLE": "c"}
    head = SimpleNamespace(repo=SimpleNamespace(full_name="o/r"))
    pull_request = SimpleNamespace(head=head)
    github = SimpleNamespace(
        event_name=event,
        repository="o/r",
        ref=ref,
        event=SimpleNamespace(pull_request=pull_request),
    )
    return {"vars": SimpleNamespace(**(known | variables)), "github": github}


def outcomes(jobs, names, results=None):
    """Every way that a run can end: each job that runs may succeed, fail or be cancelled."""
    results = results or {}
    if len(results) == len(jobs):
        yield results
        return
    name = list(jobs)[len(results)]
    assert set(needed_by(jobs[name])) <= set(results)
    for result in RESULTS if runs(jobs[name], results, names) else ("skipped",):
        yield from outcomes(jobs, names, {**results, name: result})


def reaches_aws(job, workflow):
    """Whether a job can get a role: by its token, an environment, or a workflow that it calls."""
    granted = job.get("permissions", workflow.get("permissions", "write-all"))
    has_identity = granted == "write-all" or "id-token" in granted
    return has_identity or "environment" in job or "uses" in job


def hides_failure(job):
    steps = [job, *job.get("steps", ())]
    return any("continue-on-error" in each or "|| true" in each.get("run", "") for each in steps)


def violations(workflow, built):
    """Every way in which a job reaches AWS without tests or build, or by another event than a push.

    `plan` alone, whose role reads, also runs for a pull request.
    """
    jobs, events = workflow["jobs"], workflow[True]  # `on` is a boolean of YAML 1.1
    found = {f"{name} hides a failure" for name, job in jobs.items() if hides_failure(job)}
    found |= {f"{name} is in another file" for name, job in jobs.items() if "uses" in job}
    commands = {step.get("run") for step in jobs["test"]["steps"] if "if" not in step}
    if "if" in jobs["test"] or not {"make check", "make test"} <= commands:
        found.add("test does not run all tests")
    if "push" in events and events["push"] != {"branches": ["main"]}:
        found.add("a push to another branch starts it")
    for event, staging in itertools.product(events, ("", "c")):
        for each in outcomes(jobs, context(event, AWS_STAGING_ROLE=staging)):
            running = [name for name in jobs if each[name] != "skipped"]
            for name in running:
                if not reaches_aws(jobs[name], workflow):
                    continue
                if (each["test"], each[built]) != ("success", "success"):
                    found.add(f"{name} runs without {built} or tests")
                if event not in ({"push", "pull_request"} if name == "plan" else {"push"}):
                    found.add(f"{name} runs for {event}")
            before = (each["plan"], each["staging"])
            if "deploy" in running and before != ("success", "success" if staging else "skipped"):
                found.add("deploy runs without plan or staging")
    return found


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_no_path_leads_to_a_deployment_without_the_tests(deployment):
    found = workflow(deployment)
    assert violations(found, BUILT[deployment]) == set()
    for staging in ("", "c"):
        names = context("push", AWS_STAGING_ROLE=staging)
        assert any(each["deploy"] == "success" for each in outcomes(found["jobs"], names))


def test_the_other_workflow_reaches_nothing():
    ci = yaml.safe_load((ROOT / TEMPLATE_FOLDER / ".github/workflows/ci.yml").read_text())
    assert [name for name, job in ci["jobs"].items() if reaches_aws(job, ci)] == []


def changed(job, **values):
    return lambda found: found["jobs"][job].update(values)


OPENINGS = {
    "a job that always runs": (changed("deploy", **{"if": "always()"}), "deploy runs without"),
    "always, in an expression": (
        changed("deploy", **{"if": "${{ always() && github.event_name == 'push' }}"}),
        "deploy runs without",
    ),
    "a job that runs after failures": (
        changed("staging", **{"if": "failure()"}),
        "staging runs without",
    ),
    "a job that needs nothing": (changed("staging", needs=[]), "staging runs without"),
    "a job that does not need the tests": (
        changed("deploy", needs=["staging", "plan"], **{"if": "!cancelled()"}),
        "deploy runs without",
    ),
    "a job without a condition": (
        lambda found: found["jobs"].update(
            deploy={"environment": "production", "needs": ["test", "image", "plan"], "steps": []}
        ),
        "deploy runs for pull_request",
    ),
    "a button": (lambda found: found[True].update(workflow_dispatch=None), "plan runs for"),
    "a button for a deployment": (
        lambda found: (
            found[True].update(workflow_dispatch=None),
            changed("deploy", **{"if": "!failure() && github.event_name != 'push'"})(found),
        ),
        "deploy runs for workflow_dispatch",
    ),
    "a clock": (lambda found: found[True].update(schedule=[]), "plan runs for schedule"),
    "a call by another workflow": (
        lambda found: found[True].update(workflow_call=None),
        "plan runs for workflow_call",
    ),
    "a call of another workflow": (
        lambda found: found["jobs"].update(more={"uses": "./.github/workflows/more.yml"}),
        "more is in another file",
    ),
    "a new job with an identity": (
        lambda found: found["jobs"].update(
            more={"permissions": {"id-token": "write"}, "steps": []}
        ),
        "more runs without",
    ),
    "an identity for every job": (
        lambda found: found.update(permissions={"id-token": "write"}),
        "test runs without",
    ),
    "another branch": (lambda found: found[True].update(push=None), "another branch"),
    "tests that may fail": (changed("test", **{"continue-on-error": True}), "hides a failure"),
    "a step that may fail": (
        lambda found: found["jobs"]["test"]["steps"][-2].update({"continue-on-error": True}),
        "hides a failure",
    ),
    "tests that are skipped": (changed("test", **{"if": "true"}), "does not run all tests"),
    "a step that is gone": (
        lambda found: found["jobs"]["test"]["steps"].pop(-2),
        "does not run all tests",
    ),
}


@pytest.mark.parametrize(("change", "problem"), OPENINGS.values(), ids=OPENINGS)
def test_each_way_around_the_tests_is_seen(change, problem):
    """What the test above reports where somebody changes the workflow."""
    found = workflow("container")
    change(found)
    assert [each for each in violations(found, "image") if problem in each]


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_every_stage_gets_the_one_build_and_every_action_is_pinned_by_commit(deployment):
    jobs = workflow(deployment)["jobs"]
    built = BUILT[deployment]
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


@pytest.mark.parametrize("deployment", DEPLOYED)
@pytest.mark.parametrize("job", ["staging", "deploy"])
def test_a_database_is_migrated_with_the_new_code_before_that_starts(deployment, job):
    """By the program of docs/database.md, where a project has it."""
    steps = workflow(deployment)["jobs"][job]["steps"]
    (number,) = [n for n, each in enumerate(steps) if "migrate.py" in each.get("run", "")]
    assert steps[number]["if"] == "hashFiles('migrate.py') != ''"
    brings, deploys = steps[number - 1]["run"], steps[number + 1]["run"]
    assert "gh run download" in brings
    assert "provision.py deploy --yes" in deploys
    built = {"container": "$DIGEST", "lambda": "build/function.zip"}[deployment]
    assert built in steps[number]["run"]
    assert built in deploys


def ci():
    return yaml.safe_load((ROOT / TEMPLATE_FOLDER / ".github/workflows/ci.yml").read_text())


def run_step(run, folder, **env):
    """A step as GitHub's runner runs it, with the programs of a folder before all others."""
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", run],
        cwd=folder,
        env={"PATH": f"{folder}{os.pathsep}/usr/bin:/bin", **env},
        capture_output=True,
        text=True,
        check=True,
    )


def test_who_may_write_a_comment_runs_no_code_of_the_pull_request():
    jobs = ci()["jobs"]
    assert ci()["permissions"] == {"contents": "read"}
    assert {name: job["permissions"] for name, job in jobs.items() if "permissions" in job} == {
        "comment": {"pull-requests": "write"}
    }
    assert [step for step in jobs["comment"]["steps"] if "uses" in step] == []
    assert "full_name == github.repository" in jobs["comment"]["if"]


def test_the_table_of_a_pull_request_is_one_output_whatever_is_in_it(tmp_path):
    (step,) = [each for each in ci()["jobs"]["routes"]["steps"] if each.get("id") == "compare"]
    table = "| gains |\ntable<<EOF\nEOF\nother=1\n"
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    (tmp_path / "printed").write_text(table)
    python.write_text('#!/bin/sh\n[ "$4" = "HEAD^" ] && cat printed\n')
    python.chmod(0o755)
    output, summary = tmp_path / "output", tmp_path / "summary"
    run_step(step["run"], tmp_path, GITHUB_OUTPUT=str(output), GITHUB_STEP_SUMMARY=str(summary))
    start, *found, end = output.read_text().splitlines()
    assert start == f"table<<{end}"
    assert "\n".join(found).strip() == table.strip()
    assert summary.read_text() == table


COMMENTS = {
    "the first": ("| gains |", "", ["o/issues/7/comments --field body=@comment.md"]),
    "a later one": (
        "none",
        "12\n15\n",
        ["--method PATCH o/issues/comments/12 --field body=@comment.md"],
    ),
    "nothing to say": ("none", "", []),
    "not all compared": (
        "**Routes, compared with HEAD^ (1a): 0 gained, 0 lost; partly not compared**",
        "",
        ["o/issues/7/comments --field body=@comment.md"],
    ),
}


@pytest.mark.parametrize(("table", "known", "calls"), COMMENTS.values(), ids=COMMENTS)
def test_a_pull_request_has_one_comment_and_none_where_no_route_changes(
    table, known, calls, tmp_path
):
    (step,) = ci()["jobs"]["comment"]["steps"]
    (tmp_path / "known").write_text(known)
    (tmp_path / "gh").write_text(
        '#!/bin/sh\nshift\nif [ "$1" = --paginate ]; then cat known; else echo "$*" >>calls; fi\n'
    )
    (tmp_path / "gh").chmod(0o755)
    run_step(step["run"], tmp_path, ISSUES="o/issues", NUMBER="7", TABLE=table)
    found = tmp_path / "calls"
    assert (found.read_text().splitlines() if found.exists() else []) == calls
    assert (tmp_path / "comment.md").read_text().endswith(f"-->\n{table}\n")


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_jobs_that_plan_and_apply_see_the_same_history(deployment):
    """The digest of a plan contains routes, which are compared with a manifest in git's history."""
    jobs = workflow(deployment)["jobs"]
    for name in ("plan", "staging", "deploy"):
        (given,) = [s["with"] for s in jobs[name]["steps"] if "checkout" in s.get("uses", "")]
        assert given == {"persist-credentials": False, "fetch-depth": 0}
