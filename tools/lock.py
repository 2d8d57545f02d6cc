"""Writes every lock file, the generated project's and the template's own: `make lock`.

The project's locks are those that `make lock` in a generated project writes, for every deployment.
What a deployment adds stands first, under a condition that reads as a comment: so the lock files of
the unrendered project can be installed, too, and hold everything.

Versions that are locked already stay unless `--upgrade` is given. Needs uv and jinja2.
"""

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
    with tempfile.TemporaryDirectory() as folder:
        for name in NAMES:
            Path(folder, name).write_text(unconditional((PROJECT / name).read_text()))
        everything = lock((PROJECT / "pyproject.toml").read_text(), folder, options)
        locked = {each: lock(rendered(each), folder) for each in (*DEPLOYMENTS, "none")}
    for name in NAMES:
        text = conditional(*(locked[each][name] for each in (*DEPLOYMENTS, "none")))
        if set(entries(text)) != set(entries(everything[name])):
            sys.exit(f"{name}: the deployments need versions that cannot be installed together")
        (PROJECT / name).write_text(text)
    lock_own("new", "requirements.txt", options)
    lock_own("dev", "requirements-dev.txt", options, PROJECT.name + "/pyproject.toml")


def rendered(deployment):
    """The project's pyproject.toml for a deployment."""
    text = (PROJECT / "pyproject.toml").read_text()
    answers = {"project_slug": "a-service", "deployment": deployment}
    return Template(text, keep_trailing_newline=True).render(cookiecutter=answers)


def lock(pyproject, folder, options=()):
    """The text of each lock of a project, from the versions that the folder's locks hold."""
    Path(folder, "pyproject.toml").write_text(pyproject)
    command = ["make", "lock", f"VENV={sys.prefix}", f"--old-file={sys.prefix}/.dev"]
    makefile = ["-f", str(PROJECT / "Makefile"), "-C", folder]
    done = subprocess.run([*command, *makefile, f"UPGRADE={' '.join(options)}"], check=False)
    if done.returncode:
        sys.exit(done.returncode)
    return {name: Path(folder, name).read_text() for name in NAMES}


def lock_own(group, name, options, *sources):
    """A lock of the template's own, in agreement with the generated project's."""
    groups = [f"--group=pyproject.toml:{group}", *(f"--group={each}:dev" for each in sources)]
    command = ["uv", "pip", "compile", "--quiet", "--no-config", "--universal", "--no-annotate"]
    command += ["--python-version", "3.10", "--generate-hashes", "-o", name, *options]
    command += ["--custom-compile-command", "make lock"]
    command += ["-c", f"{PROJECT.name}/requirements-dev.txt", *groups, *sources]
    subprocess.run(command, cwd=ROOT, check=True)


def entries(text):
    """The packages of a lock, each with its version and hashes."""
    return [entry for entry in re.split(r"(?m)^(?=[a-z0-9])|^#.*\n", text) if entry]


def unconditional(text):
    """A lock file without the conditions on the deployment."""
    return re.sub(r"\{%.*?%\}", "", text)


def conditional(container, function, none):
    """One lock file for every deployment."""
    head = "".join(line for line in none.splitlines(True) if line.startswith("#")).rstrip()
    common = entries(none)
    added = [
        [each for each in entries(text) if each not in common] for text in (container, function)
    ]
    end = "# The packages above are what this deployment adds."
    return (
        f"{head}{{% if cookiecutter.deployment == 'container' %}}\n{''.join(added[0])}{end}"
        f"{{% elif cookiecutter.deployment == 'lambda' %}}\n{''.join(added[1])}{end}"
        f"{{% endif %}}\n{''.join(common)}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
