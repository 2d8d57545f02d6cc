"""What a generated project holds, and what its make verbs do."""

import json
import re
import shutil

import pytest
from baking import DEPLOYMENTS, contents, make, run


def test_the_answers_arrive_in_the_settings(bakes):
    with_pool = (bakes["container", "us-east-1_AbCdEfGhI"] / ".flaskenv").read_text()
    without = (bakes["container", ""] / ".flaskenv").read_text()
    assert "\nCOGNITO_USER_POOL_ID=us-east-1_AbCdEfGhI\n" in with_pool
    assert "\nCOGNITO_USER_POOL_ID=" not in without
    for line in (
        "PROJECT_NAME='Cognises Service'",
        "AWS_REGION=us-east-1",
        "COGNITO_TOKEN_USE=id",
        "COGNITO_COOKIE_NAME=__Host-token",
        "COGNISES_GROUPS_FILE=groups.json",
        "COGNISES_ROLE_PREFIX=cognises-service-",
    ):
        assert line in without.splitlines()


def test_two_bakes_are_byte_identical(bake, bakes):
    assert contents(bake().project) == contents(bakes["container", ""])


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_a_project_is_small_enough_to_be_taken_in(bakes, deployment):
    lines = {name: data.count(b"\n") for name, data in contents(bakes[deployment, ""]).items()}
    assert len(lines) <= 200
    assert sum(lines.values()) <= 24_000
    assert sum(lines[name] for name in lines if name.startswith("cognises/")) <= 11_500
    assert {name: n for name, n in lines.items() if name.endswith(".py") and n > 300} == {}


def test_hooks_change_nothing(bake, bakes):
    result = bake("--accept-hooks", "no")
    assert result.code == 0, result.output
    assert contents(result.project) == contents(bakes["container", ""])


def test_an_odd_name_is_text_in_the_readme(replay):
    name = "<img src=x> *not bold* [no](link) `no code` # & \\"
    readme = (replay(project_name=name).project / "README.md").read_text()
    title = readme.splitlines()[0]
    assert re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", title) == f"# {name}"
    assert not re.search(r"(?<!\\)[<*\[`&]", title)


def test_the_demo_of_a_new_project_agrees_with_its_manifest(developed):
    assert "answers agree with groups.json" in make(developed, "demo")


def test_the_route_that_the_readme_teaches_answers_who_it_says(developed, tmp_path):
    """README.md's own view, pasted, listed for two groups, and called over HTTP as every user."""
    project = tmp_path / "project"
    shutil.copytree(developed, project, ignore=shutil.ignore_patterns(".venv", ".git"))
    (snippet,) = re.findall(r"```python\n(.*?)```", (project / "README.md").read_text(), re.DOTALL)
    with (project / "app/data.py").open("a") as module:
        module.write(f"\n\n{snippet}")
    groups = json.loads((project / "groups.json").read_text())
    for group in groups[:2]:
        group["allowed_functions"].append("report")
    (project / "groups.json").write_text(json.dumps(groups))

    python = str(developed / ".venv/bin/python")
    done = run([python, "-B", "-m", "local_aws", "demo"], cwd=project)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^GET /report +401 +200 +200 +403$", done.stdout, re.MULTILINE), done.stdout
    cog = [python, "-B", "-m", "cogapp"]
    pages = ["README.md", "docs/access.md"]
    stale = run([*cog, "--check", *pages], cwd=project)
    assert stale.returncode == 5, stale.stdout
    assert run([*cog, "-r", *pages], cwd=project).returncode == 0
    written = "\n".join((project / page).read_text() for page in pages)
    assert "| GET | /report | report | admins, editors |" in written
    assert "\nGET /report         401        200     200      403\n" in written


def test_help_lists_every_verb(developed):
    listed = make(developed, "help")
    for verb in ("help", "install", "test", "check", "dev", "demo", "plan", "apply"):
        assert re.search(rf"^  make {verb} +\S", listed, re.MULTILINE), verb


def test_plan_without_a_pool_names_the_remedy_and_shows_no_traceback(developed):
    nowhere = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null"}
    nowhere |= {"AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "PATH": "/usr/bin:/bin"}
    done = run([".venv/bin/python", "provision.py", "plan"], cwd=developed, env=nowhere)
    assert done.returncode == 1
    assert "COGNITO_USER_POOL_ID" in done.stdout
    assert "Traceback" not in done.stdout
