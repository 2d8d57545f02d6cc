"""Generates projects the way users do: cookiecutter's command line, in a process of its own."""

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE_FOLDER = "{{cookiecutter.project_slug}}"
DEPLOYMENTS = ("container", "lambda", "none")
POOL = "us-east-1_AbCdEfGhI"
MYPY_CACHE = ROOT / "build/cache" / f"mypy-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
COMBINATIONS = [(deployment, pool) for deployment in DEPLOYMENTS for pool in ("", POOL)]


def of_deployment(name, deployment):
    """A file of the unrendered project that only one deployment has."""
    condition = f"{{% if cookiecutter.deployment == '{deployment}' %}}"
    path = ROOT / TEMPLATE_FOLDER / name
    return path.with_name(f"{condition}{path.name}{{% endif %}}")


def run(command, *, cwd=None, env=None, typed=()):
    """A finished process, its two outputs in one; `typed` are lines that it is given to read."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=env,
        input="".join(f"{line}\n" for line in typed),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def files_of_a_clone():
    """What a clone of the repository contains: no caches, nothing that git ignores."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def contents(folder):
    """Every file below a folder, by relative path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def unparsable(folder):
    """Every JSON, TOML or YAML file that is none, with what its parser says."""
    errors = {}
    for name, data in contents(folder).items():
        parse = PARSERS.get(Path(name).suffix)
        try:
            parse and parse(data)
        except ValueError as error:
            errors[name] = str(error)
    return errors


class CloudFormation(yaml.SafeLoader):
    """YAML with CloudFormation's own tags, such as !Ref."""


CloudFormation.add_multi_constructor("!", lambda loader, tag, node: tag)


def parse_yaml(data):
    try:
        yaml.load(data, CloudFormation)
    except yaml.YAMLError as error:
        raise ValueError(error) from error


PARSERS = {
    ".json": json.loads,
    ".toml": lambda data: tomllib.loads(data.decode()),
    ".yaml": parse_yaml,
    ".yml": parse_yaml,
}


@dataclass
class Bake:
    """One run of cookiecutter: how it ended, what it said, where it wrote."""

    code: int
    output: str
    folder: Path

    @property
    def project(self):
        (project,) = self.folder.iterdir()
        return project


# A server that has imported cookiecutter forks a process for each bake: the import costs more
# than the bake.
BAKERY = multiprocessing.get_context("forkserver")
BAKERY.set_forkserver_preload(["cookiecutter.cli"])


def cookiecutter(template, folder, *options, env, python=None):
    """One bake; by another Python than that of this test run, it takes half a second more."""
    folder.mkdir(exist_ok=True)  # the process runs in it: what an answer ran would show there
    arguments = [str(template), "-o", str(folder), *options]
    if python:
        done = run([str(python), "-m", "cookiecutter", *arguments], cwd=folder, env=env)
        return Bake(done.returncode, done.stdout, folder)
    with tempfile.TemporaryDirectory() as elsewhere:
        output = Path(elsewhere, "output")
        process = BAKERY.Process(target=_cookiecutter, args=(arguments, folder, env, output))
        process.start()
        process.join()
        return Bake(process.exitcode, output.read_text(), folder)


def _cookiecutter(arguments, folder, env, output):
    """What `python -m cookiecutter` does, in this process."""
    from cookiecutter.cli import main

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    file = os.open(output, os.O_WRONLY | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(file, stream)
    main(arguments, prog_name="cookiecutter")


def without_uv(env):
    """The environment of a machine that has no uv."""
    folders = [
        folder for folder in env["PATH"].split(os.pathsep) if not Path(folder, "uv").exists()
    ]
    kept = {name: value for name, value in env.items() if name != "UV"}
    return {**kept, "PATH": os.pathsep.join(folders)}


def owners_environment():
    """That of a project's owner: free of the settings of this test run.

    mypy knows files by their content: what it found in one project is true in the next, so all
    projects of a process share one cache.
    """
    ours = ("MAKE", "MFLAGS", "PYTEST_", "RUFF_", "MYPY_", "HYPOTHESIS_", "PYTHON", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "MYPY_CACHE_DIR": str(MYPY_CACHE)}


def make(folder, *verbs, env=None):
    """Runs make in a project as its owner would."""
    done = run(["make", *verbs], cwd=folder, env=env or owners_environment())
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def assert_nothing_was_made(folder):
    """Neither where it should be nor where a hostile answer wanted it."""
    assert list(folder.iterdir()) == []
    for above in (*folder.parents[:2], Path("/etc"), Path.home()):
        assert not any((above / name).exists() for name in ("evil", "x", "y", "cognises"))


def is_running(pid):
    """Whether a process still does anything; one that has ended but is not yet buried does not."""
    state = run(["ps", "-o", "stat=", "-p", str(pid)]).stdout.strip()
    return state and not state.startswith("Z")


def borrow_packages(folder, packages=None):
    """A .venv as if `make install` had made it, with those packages.

    By default a project gets what projects install (`make packages`). A clone of the template gets
    what this test run has, and those of projects for its own.
    """
    if (folder / "cookiecutter.json").exists():
        _lend(Path(sys.prefix), folder / ".venv")
        _lend(ROOT / "build/venv", folder / "build/venv")
        (folder / "build/cache").mkdir()
        MYPY_CACHE.mkdir(parents=True, exist_ok=True)
        (folder / "build/cache/mypy").symlink_to(MYPY_CACHE)
    else:
        _lend(packages or ROOT / "build/venv", folder / ".venv")


def _lend(packages, venv):
    assert packages.is_dir(), "run: make packages"
    venv.mkdir(parents=True)
    for part in packages.glob("[!.]*"):
        (venv / part.name).symlink_to(part)
    for stamp in (".dev", ".test", ".new"):
        (venv / stamp).touch()


def under_git(folder):
    """Everything in the folder becomes part of a new repository."""
    for command in (["init", "-q"], ["add", "."]):
        assert run(["git", *command], cwd=folder).returncode == 0
