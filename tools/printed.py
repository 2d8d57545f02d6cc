"""What the pages show of a program, written by that program: `make docs`, through cog."""

import subprocess
import sys
from pathlib import Path

import cog

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ROOT / "{{cookiecutter.project_slug}}"


def demo():
    """`make demo` as it prints, but for installing and for the counts and times of the suite."""
    next_steps = _next_steps().format("cognises-service")
    table = _output([sys.executable, "-m", "local_aws", "demo"], PROJECT)
    _console("make demo", SUITE, next_steps, table)


def verbs():
    """`make help`."""
    _console("make help", _output(["make", "--no-print-directory", "help"], ROOT, trim=False))


SUITE = """Running the test suite of the new project, 120 seconds at most.
... passed, ... deselected in ..."""


def _next_steps():
    """What the post hook says last; read as text, because a hook is no module."""
    text = (ROOT / "hooks" / "post_gen_project.py").read_text(encoding="utf-8")
    return text.partition('NEXT = """')[2].partition('"""')[0]


def _console(command, *outputs):
    cog.out("\n".join(["```console", f"$ {command}", *outputs, "```", ""]))


def _output(command, folder, trim=True):
    """What a command prints. Raises SystemExit, with its messages, where it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{done.stdout}\n{done.stderr}")
    return done.stdout.strip() if trim else done.stdout.rstrip()
