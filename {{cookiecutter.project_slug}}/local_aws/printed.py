"""What the pages show of a program, written by that program: `make docs`, through cog."""

import subprocess
import sys

import cog


def demo() -> None:
    """`make demo`, and all that it prints."""
    cog.out(f"```console\n$ make demo\n{_output('local_aws', 'demo')}\n```\n")


def access() -> None:
    """Who may call what, as a table."""
    cog.out(_output("flask", "cognises", "access", "--format", "markdown") + "\n")


def _output(*module: str) -> str:
    """What a module prints. Raises SystemExit, with its messages, where it fails."""
    done = subprocess.run([sys.executable, "-m", *module], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{done.stdout}\n{done.stderr}")
    return done.stdout.strip()
