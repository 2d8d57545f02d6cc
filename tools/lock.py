"""Writes every lock file anew, the template's own and the generated project's.

Run by `make lock`. Needs `uv`; versions already locked stay unless `--upgrade` is given.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ROOT / "{{cookiecutter.project_slug}}"

# (name, the lock whose versions it must agree with): each file is complete by itself.
CHAIN = [
    ("requirements", None),
    ("requirements-test", "requirements"),
    ("requirements-dev", "requirements-test"),
    ("requirements-container", "requirements"),
    ("requirements-lambda", "requirements"),
]


def compile_lock(folder, name, agrees_with, options):
    constraint = ["-c", f"{agrees_with}.txt"] if agrees_with else []
    command = ["uv", "pip", "compile", "--quiet", "--no-config", "--universal"]
    command += ["--python-version", "3.10", "--generate-hashes", "--annotation-style", "line"]
    command += ["--custom-compile-command", "make lock", f"{name}.in", "-o", f"{name}.txt"]
    subprocess.run([*command, *constraint, *options], cwd=folder, check=True)


def plain_name(path):
    """The file's name once generated: without the condition on the deployment."""
    return re.sub(r"{%.*?%}", "", path.name)


def lock_project(options):
    """Locks in a temporary folder, where the files have the names they get when generated."""
    sources = {plain_name(path): path for path in PROJECT.glob("*requirements*")}
    with tempfile.TemporaryDirectory() as folder:
        for name, path in sources.items():
            shutil.copy(path, Path(folder, name))
        for name, agrees_with in CHAIN:
            compile_lock(folder, name, agrees_with, options)
            source = sources[f"{name}.in"]
            target = source.with_name(source.name.replace(".in", ".txt"))
            shutil.copy(Path(folder, f"{name}.txt"), target)


if __name__ == "__main__":
    lock_project(sys.argv[1:])
    compile_lock(ROOT, "requirements", f"{PROJECT.name}/requirements-dev", sys.argv[1:])
    compile_lock(ROOT, "requirements-dev", f"{PROJECT.name}/requirements-dev", sys.argv[1:])
