"""Runs checkov, zizmor and hadolint over a project of each deployment: part of `make check`.

Their findings have to be those that the generated project's docs/security.md lists with reasons.
Exits 1 with every finding that the page does not list, and every listed one that is not found.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "{{cookiecutter.project_slug}}" / "docs" / "security.md"
BIN = ROOT / "build" / "audit" / "bin"
ROW = re.compile(r"(?m)^\| ([\w-]+) \| `([\w.-]+)`, `([\w-]+)` \| (.+) \|$")


def main():
    with tempfile.TemporaryDirectory() as folder:
        for deployment in ("container", "lambda"):
            bake(Path(folder), deployment)
        found = {*checkov(folder), *zizmor(folder), *hadolint(folder)}
    listed = {row[:3] for row in ROW.findall(PAGE.read_text())}
    problems = compare(found, listed)
    print(*problems or [f"scanners: {len(found)} findings, each listed in {PAGE.name}"], sep="\n")
    return 1 if problems else 0


def compare(found, listed):
    """A line for each finding that is not listed, and for each listed one that is not found."""
    lines = [(each, f"is not listed in {PAGE.name}; fix it") for each in found - listed]
    lines += [(each, f"is no longer found; remove it from {PAGE.name}") for each in listed - found]
    return [f"{rule} {file} {resource}: {text}" for (rule, file, resource), text in sorted(lines)]


def bake(folder, deployment):
    command = [sys.executable, "-m", "cookiecutter", str(ROOT), "--no-input"]
    command += ["-o", str(folder / deployment), f"deployment={deployment}"]
    env = os.environ | {"COGNISES_VERIFY": "skip"}
    done = subprocess.run(command, env=env, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"cookiecutter failed; run make tidy:\n{done.stderr[-2000:]}")


def output_of(*command, cwd, codes):
    """What a scanner prints as JSON; an error if it ends with another code than these."""
    command = [str(BIN / command[0]), *command[1:]]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode not in codes or not done.stdout.strip():
        sys.exit(f"{command[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return json.loads(done.stdout)


def checkov(folder):
    """(check, file, resource) of each failed check."""
    frameworks = ["cloudformation", "dockerfile", "github_actions", "secrets"]
    command = ["checkov", "-d", ".", "--framework", *frameworks, "--skip-download"]
    for report in output_of(*command, "--compact", "-o", "json", cwd=folder, codes=(0, 1)):
        if report["results"]["parsing_errors"]:
            sys.exit(f"checkov cannot read {report['results']['parsing_errors']}")
        for each in report["results"]["failed_checks"]:
            yield each["check_id"], Path(each["file_path"]).name, each["resource"].split(".")[-1]


def zizmor(folder):
    """(audit, file, job or other key) of each finding about workflows, the template's included."""
    command = ["zizmor", "--offline", "--persona", "auditor", "--format", "json"]
    paths = [str(ROOT / ".github"), *map(str, Path(folder).glob("*/*/.github"))]
    for each in output_of(*command, "--no-exit-codes", *paths, cwd=folder, codes=(0,)):
        (place, *_) = each["locations"]
        keys = [str(part.get("Key", "")) for part in place["symbolic"]["route"]["route"]]
        file = place["symbolic"]["key"]["Local"]["verbatim_path"]
        yield each["ident"], Path(file).name, (keys[1:2] or keys or [""])[0]


def hadolint(folder):
    """(rule, file, line) of each finding about the Dockerfile."""
    (file,) = Path(folder).glob("*/*/Dockerfile")
    for each in output_of("hadolint", "-f", "json", str(file), cwd=folder, codes=(0, 1)):
        yield each["code"], "Dockerfile", str(each["line"])


if __name__ == "__main__":
    sys.exit(main())
