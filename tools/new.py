"""Asks the questions, generates a project, and puts it under git: `make new`.

The project gets a first commit and .cruft.json, the link that `cruft update` needs.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPLAY = ROOT / "build" / "replay" / f"{ROOT.name}.json"  # where cookiecutter leaves the answers


def main(answer):
    folder = Path(answer or "..").expanduser()
    done = subprocess.run([sys.executable, "-m", "cookiecutter", ".", "-o", folder], check=False)
    if done.returncode:
        return done.returncode
    context = json.loads(REPLAY.read_text(encoding="utf-8"))
    project = folder / context["cookiecutter"]["project_slug"]
    linked = link(project, context)
    print("Updates: cruft update" if linked else "Updates: cruft link ADDRESS_OF_THE_TEMPLATE")
    print(f"Git:     {commit(project)}")
    return 0


def link(project, context):
    """Writes .cruft.json as `cruft create` does; False where this template is not a git clone."""
    commit = git(ROOT, "rev-parse", "HEAD")
    if not commit:
        return False
    published = git(ROOT, "branch", "--remotes", "--contains", commit)
    address = (published and git(ROOT, "remote", "get-url", "origin")) or str(ROOT)
    answers = {**context["cookiecutter"], "_template": address, "_commit": commit}
    answers.pop("_output_dir", None)
    link = {"template": address, "commit": commit, "checkout": None}
    link |= {"context": {"cookiecutter": answers}, "directory": None}
    (project / ".cruft.json").write_text(json.dumps(link, indent=2) + "\n", encoding="utf-8")
    return True


def commit(project):
    """Makes a repository with one commit, unless the folder is part of one; says what was done."""
    if not shutil.which("git"):
        return "not installed; install it and run: git init && git add . && git commit"
    if git(project, "rev-parse", "--is-inside-work-tree"):
        return "the folder is part of a repository; commit the new files there"
    git(project, "-c", "init.defaultBranch=main", "init", "--quiet")
    git(project, "add", ".")
    message = ["commit", "--quiet", "--message", "Generate the project from cognises-template"]
    if git(project, *message) is None:  # git knows no name and address for the author
        author = os.environ.get("USER") or "author"
        identity = ["-c", f"user.name={author}", "-c", f"user.email={author}@localhost"]
        if git(project, *identity, *message) is None:
            return "nothing is committed yet; run: git commit"
    return "a new repository with a first commit"


def git(folder, *arguments):
    """What a git command prints, or None where it fails."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
