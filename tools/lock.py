"""Writes every lock file, the generated project's and the template's own: `make lock`.

The project's locks are those that `make lock` in a generated project writes, for every deployment.
What a deployment adds stands first, under a condition that reads as a comment: so the lock files of
the unrendered project can be installed, too, and hold everything.

Versions that are locked already stay unless `--upgrade` is given. Needs uv and jinja2.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from jinja2 import Template

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ROOT / "{{cookiecutter.project_slug}}"
NAMES = ("requirements.txt", "requirements-test.txt", "requirements-dev.txt")
DEPLOYMENTS = ("container", "lambda")


def main(options):
    held = {name: unconditional((PROJECT / name).read_text()) for name in NAMES}
    everything = lock((PROJECT / "pyproject.toml").read_text(), held, options)
    # These need nothing that the line above has not read from the package index.
    projects = map(rendered, (*DEPLOYMENTS, "none"))
    locked = [lock(each, everything, UV_OFFLINE="1") for each in projects]
    found = {name: conditional(*(each[name] for each in locked)) for name in NAMES}
    if every(found) != every(everything):
        sys.exit("the deployments need versions that cannot be installed together")
    for name in NAMES:
        (PROJECT / name).write_text(found[name])
    lock_own("dev", "requirements-dev.txt", options, PROJECT.name + "/pyproject.toml")
    lock_own("new", "requirements.txt", ["--offline"])
    run_compile(options, ROOT, "requirements-audit.txt", "--group=pyproject.toml:audit")
    run_compile(options, PROJECT / "local_aws", "emulator.lock", "emulator.py")


def rendered(deployment):
    """The project's pyproject.toml for a deployment."""
    text = (PROJECT / "pyproject.toml").read_text()
    answers = {"project_slug": "a-service", "deployment": deployment}
    return Template(text, keep_trailing_newline=True).render(cookiecutter=answers)


def lock(pyproject, held, options=(), **variables):
    """The text of each lock of a project, from the versions that the locks hold."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**held, "pyproject.toml": pyproject}.items():
            Path(folder, name).write_text(text)
        command = ["make", "lock", f"VENV={sys.prefix}", f"--old-file={sys.prefix}/.dev"]
        makefile = ["-f", str(PROJECT / "Makefile"), "-C", folder]
        command += [*makefile, f"UPGRADE={' '.join(options)}"]
        done = subprocess.run(command, env=os.environ | variables, check=False)
        if done.returncode:
            sys.exit(f"make lock failed with exit code {done.returncode}")
        return {name: Path(folder, name).read_text() for name in NAMES}


def lock_own(group, name, options, *sources):
    """A lock of the template's own, in agreement with the generated project's."""
    groups = [f"--group=pyproject.toml:{group}", *(f"--group={each}:dev" for each in sources)]
    held = [f"-c={PROJECT.name}/{each}" for each in NAMES]
    run_compile(options, ROOT, name, *held, *groups, *sources)


def run_compile(options, folder, name, *sources):
    """Write one lock file by `uv pip compile`."""
    command = ["uv", "pip", "compile", "--quiet", "--no-config", "--universal", "--no-annotate"]
    command += ["--python-version", "3.10", "--generate-hashes", "-o", name, *options]
    command += ["--custom-compile-command", "make lock"]
    subprocess.run([*command, *sources], cwd=folder, check=True)
    lock = folder / name
    lock.write_text(re.sub(r" *\\\n +", " ", lock.read_text()))  # one line for a package


def entries(text):
    """The packages of a lock, each with its version and hashes."""
    return [entry for entry in re.split(r"(?m)^(?=[a-z0-9])|^(?:#|-r).*\n", text) if entry]


def every(locks):
    """What the locks hold together."""
    return {entry for text in locks.values() for entry in entries(text)}


def unconditional(text):
    """A lock file without the conditions on the deployment."""
    return re.sub(r"\{%.*?%\}", "", text)


def conditional(*texts):
    """One lock file for every deployment, in the order of DEPLOYMENTS and without any."""
    held = [entries(text) for text in texts]
    common = [entry for entry in held[-1] if all(entry in one for one in held)]
    added = ["".join(entry for entry in one if entry not in common) for one in held]
    container, function, none = added
    head = "".join(line for line in texts[-1].splitlines(True) if line[0] in "#-").rstrip()
    end = "# The packages above are what this deployment adds."
    return (
        f"{head}{{% if cookiecutter.deployment == 'container' %}}\n{container}{end}"
        f"{{% elif cookiecutter.deployment == 'lambda' %}}\n{function}{end}"
        f"{{% else %}}\n{none}{end}{{% endif %}}\n{''.join(common)}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
