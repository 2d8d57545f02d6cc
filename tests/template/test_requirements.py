"""The requirements: one source, locks that agree with it, and every way to install them."""

import re
import shutil
import subprocess
import sys

import pytest
from baking import (
    DEPLOYMENTS,
    PARSERS,
    POOL,
    ROOT,
    TEMPLATE_FOLDER,
    contents,
    files_of_a_clone,
    owners_environment,
    run,
    without_uv,
)

LOCKS = [name for name in files_of_a_clone() if re.search(r"requirements[-a-z]*\.txt", name)]
AWS = {"boto3", "botocore", "s3transfer", "jmespath"}  # for views that act in AWS, and provisioning
TESTS = {"pytest", "moto", "ruff", "mypy"}
SERVERS = {"container": {"gunicorn", "prometheus-client"}, "lambda": {"apig-wsgi"}, "none": set()}


@pytest.mark.parametrize("name", LOCKS, ids=ascii)
def test_a_lock_file_holds_versions_and_hashes_but_no_address(name):
    text = (ROOT / name).read_text()
    text = re.sub(r"\A-r requirements(-test)?\.txt\n", "", text)
    assert not re.search(r"https?:|file:|(?m:^-)|index|find-links|@ ", text)
    entries = re.split(r"(?m)^(?=[a-z0-9])", text)[1:]
    assert entries
    for entry in entries:
        line = r"[a-z0-9.-]+==\S+( ; .+?)?( --hash=sha256:[0-9a-f]{64})+\n"
        assert re.match(line, entry), entry


def test_lock_files_agree_on_every_version():
    """A service is tested with the packages that it is deployed with."""
    versions = {}
    for name in set(LOCKS) - {"requirements-audit.txt"}:  # an environment of its own
        text = (ROOT / name).read_text()
        for package, version in re.findall(r"(?m)^([a-z0-9.-]+)==(\S+)", text):
            versions.setdefault(package, {}).setdefault(name, set()).add(version)
    differing = {
        package: pins
        for package, pins in versions.items()
        if len({frozenset(pin) for pin in pins.values()}) > 1
    }
    assert differing == {}


def locked(lock):
    """The names of the packages that a lock file installs, those of the file it includes too."""
    text = lock.read_text()
    included = re.match(r"-r (\S+)", text)
    names = re.findall(r"(?m)^([a-z0-9.-]+)==", text)
    return {*names, *(locked(lock.with_name(included[1])) if included else ())}


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_what_is_deployed_is_the_service_and_its_server(bakes, deployment):
    """Provisioning and tests need more, which their own lock holds."""
    deployed = locked(bakes[deployment, ""] / "requirements.txt")
    assert AWS | {"flask", "python-jose", "requests", "oauthlib", "flask-cors"} <= deployed
    assert deployed & set().union(*SERVERS.values()) == SERVERS[deployment]
    assert not deployed & TESTS
    tested = locked(bakes[deployment, ""] / "requirements-test.txt")
    assert deployed <= tested
    assert tested <= locked(bakes[deployment, ""] / "requirements-dev.txt")


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_every_requirement_that_is_named_is_locked(bakes, deployment):
    project = bakes[deployment, ""]
    named = PARSERS[".toml"]((project / "pyproject.toml").read_bytes())
    groups = named["dependency-groups"]
    assert [*groups] == ["provision", "test", "dev"]
    assert named["tool"]["uv"] == {"package": False}
    wanted = {"requirements": named["project"]["dependencies"]}
    wanted["requirements-test"] = [*wanted["requirements"], *groups["provision"], *groups["test"]]
    wanted["requirements-dev"] = [*wanted["requirements-test"], *groups["dev"]]
    for lock, lines in wanted.items():
        names = {re.match(r"[a-z0-9-]+", line)[0] for line in lines if isinstance(line, str)}
        assert names <= locked(project / f"{lock}.txt")


def test_a_locked_cookie_parser_keeps_the_host_prefix(bakes):
    """Older releases read eight spellings with control characters as the same cookie."""
    named = PARSERS[".toml"]((bakes["none", ""] / "pyproject.toml").read_bytes())
    assert "werkzeug>=3.1.9,<4" in named["project"]["dependencies"]


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_a_lock_names_nothing_that_the_one_it_includes_names(bakes, deployment):
    seen = []
    for name in ("requirements", "requirements-test", "requirements-dev"):
        text = (bakes[deployment, ""] / f"{name}.txt").read_text()
        seen += re.findall(r"(?m)^[a-z0-9.-]+==.*", text)
    assert len(seen) == len(set(seen))


def test_the_locks_hold_what_their_sources_ask_for(template, tmp_path):
    """Locking again, without looking for newer versions, changes nothing."""
    copy = tmp_path / "template"
    shutil.copytree(template, copy)
    before = contents(copy)
    done = run([sys.executable, "tools/lock.py"], cwd=copy)
    assert done.returncode == 0, done.stdout
    after = contents(copy)
    assert [name for name in after if after[name] != before.get(name)] == []


@pytest.fixture(scope="module", params=[*DEPLOYMENTS, "unrendered"])
def fresh(request, bakes, template, tmp_path_factory):
    """A copy of a new project, or of the template's own, in which nothing is installed."""
    folder = tmp_path_factory.mktemp("fresh")
    if request.param == "unrendered":
        return shutil.copytree(template / TEMPLATE_FOLDER, folder / TEMPLATE_FOLDER)
    return shutil.copytree(bakes[request.param, POOL], folder / "cognises-service")


def environment(**more):
    """The caller's, without the environment of this test run.

    pip compiles nothing: it reads the variables of its negative options as falsehoods.
    """
    owners = owners_environment().items()
    kept = {name: value for name, value in owners if not name.startswith("UV_")}
    return {**kept, "PIP_NO_COMPILE": "0", **more}


def succeed(*command, cwd, env=None):
    done = run(command, cwd=cwd, env=env or environment())
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def synced(tmp_path_factory):
    """One folder for the packages of all projects, in turn: `uv sync` removes what is not asked."""
    return environment(UV_PROJECT_ENVIRONMENT=str(tmp_path_factory.mktemp("synced") / "venv"))


def test_uv_syncs_and_runs_the_suite(fresh, synced):
    succeed("uv", "sync", "-q", "-p", sys.executable, cwd=fresh, env=synced)
    assert re.search(r"\d+ passed", succeed("uv", "run", "pytest", "-q", cwd=fresh, env=synced))
    access = succeed("uv", "run", "flask", "cognises", "access", cwd=fresh, env=synced)
    assert re.search(r"(?m)^GET +/admin +admin_panel +admins$", access), access


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """What `python -m venv` makes."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    succeed(sys.executable, "-m", "venv", str(folder), cwd=folder.parent)
    return folder


def test_pip_installs_what_is_deployed(fresh, bare, tmp_path):
    """By its hashes, and the app starts on nothing else."""
    shutil.copytree(bare, tmp_path / "venv", symlinks=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    install = ["-q", "install", "--require-hashes", "-r", "requirements.txt"]
    succeed(python, "-m", "pip", *install, cwd=fresh)
    start = "import sys, wsgi; print(wsgi.app.name, [m for m in sys.modules if 'boto' in m])"
    assert succeed(python, "-B", "-c", start, cwd=fresh) == "app []\n"


def test_make_installs_everything_for_development(fresh, tmp_path):
    assert_installs(fresh, tmp_path, environment())


def test_make_installs_everything_without_uv(bakes, tmp_path):
    assert_installs(bakes["none", ""], tmp_path, without_uv(environment()))


def assert_installs(project, tmp_path, env):
    venv = f"VENV={tmp_path}/venv"
    succeed("make", "install", venv, f"PYTHON={sys.executable}", cwd=project, env=env)
    names = subprocess.run(
        ["ls", f"{tmp_path}/venv/bin"], check=True, capture_output=True, text=True
    )
    assert {"pytest", "ruff", "mypy", "flask", "pre-commit"} <= set(names.stdout.split())


def test_packages_of_the_unrendered_project_stay_out_of_what_is_generated(template):
    said = succeed("make", "--dry-run", "install", cwd=template / TEMPLATE_FOLDER)
    assert "../build/venv" in said
    assert "into .venv" not in said
