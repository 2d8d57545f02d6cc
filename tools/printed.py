"""What the pages show of a program, written by that program: `make docs`, through cog."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import cog
from comparison import ROWS

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ROOT / "{{cookiecutter.project_slug}}"


def demo():
    """`make demo` as it prints, but for installing and for the counts and times of the suite."""
    next_steps = _hook("post_gen_project")["NEXT"].format(".../cognises-service")
    table = _output([sys.executable, "-m", "local_aws", "demo"], PROJECT)
    _console("make demo", SUITE, next_steps, table)


def verbs():
    """`make help`."""
    _console("make help", _output(["make", "--no-print-directory", "help"], ROOT, trim=False))


def peers():
    """Where other Python libraries fall short."""
    _table(("who", "what they do", "here"), [row[:3] for row in ROWS[:6]])


def peers_with_tests():
    """The same, with the name of the test of each."""
    _table(("who", "what they do", "here", "test"), [(*row[:3], f"`{row.test}`") for row in ROWS])


def benchmark(*names):
    """The recorded overheads of guards: all of them, or those named, in their order."""
    found = _recorded()["overheads"]
    _ratios("guard", "overhead", {name: found[name] for name in names or found})


def loops():
    """The recorded costs of the verifiers alone."""
    _ratios("verifier alone, in a loop", "cost", _recorded()["loops"])


def measured():
    """When and on what the recorded figures were measured."""
    found = _recorded()
    machine = f"{found['date']}, {found['machine']}, Python {found['python']}"
    cog.out(f"Measured {machine}; one verification takes {found['verification_us']} µs.\n")


def questions():
    """What is asked, what is answered by just pressing Enter, and what is accepted."""
    asked = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    rows = []
    for key, (_, remedy) in _hook("pre_gen_project")["RULES"].items():
        default = asked[key]
        default = default[0] if isinstance(default, list) else default
        default = "from the name" if "{%" in default else default or "empty"
        rows.append((f"`{key}`", asked["__prompts__"][key], default, remedy))
    rows[-1] = (rows[-1][0], asked["__prompts__"]["deployment"]["__prompt__"], *rows[-1][2:])
    _table(("key", "question", "default", "the answer"), rows)


def layers(package):
    """The import layers of a package, as import-linter checks them."""
    contract = re.search(
        rf'containers = \["{re.escape(package)}"\].*?layers = \[(.*?)\]',
        (PROJECT / "import-contracts.toml").read_text(encoding="utf-8"),
        re.DOTALL,
    )[1]
    cog.out("\n".join(["```text", *re.findall('"(.*?)"', contract), "```", ""]))


def _recorded():
    return json.loads((ROOT / "docs" / "benchmark.json").read_text(encoding="utf-8"))


def _ratios(what, unit, ratios):
    _table((what, unit), [(name, f"{ratio:.2f}") for name, ratio in ratios.items()])


def _table(head, rows):
    for cells in (head, ["---"] * len(head), *rows):
        cog.out("| " + " | ".join(re.sub(r"[|<]", r"\\\g<0>", cell) for cell in cells) + " |\n")


SUITE = """Running the test suite of the new project, 120 seconds at most.
... passed in ..."""


def _hook(name):
    """What is defined in a hook; it runs only as a program."""
    return runpy.run_path(str(ROOT / "hooks" / f"{name}.py"), run_name="hook")


def _console(command, *outputs):
    cog.out("\n".join(["```console", f"$ {command}", *outputs, "```", ""]))


def _output(command, folder, trim=True):
    """What a command prints. Raises SystemExit, with its messages, where it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{done.stdout}\n{done.stderr}")
    return done.stdout.strip() if trim else done.stdout.rstrip()
