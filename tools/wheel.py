"""Builds the vendored module as a wheel, cognises-flask, into build/: `make wheel`.

The files of the wheel are those of the generated project, byte by byte. Its requirements are those
of the project's pyproject.toml, without the server.
"""

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from flit_core import buildapi

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ROOT / "{{cookiecutter.project_slug}}"
METADATA = """[build-system]
requires = ["flit_core"]
build-backend = "flit_core.buildapi"

[project]
name = "cognises-flask"
description = "Amazon Cognito for Flask: token verification, group guards, browser sign-in"
dynamic = ["version"]
requires-python = ">=3.10"
license = "MIT"
license-files = ["LICENSE"]
dependencies = {dependencies}

[project.optional-dependencies]
provision = {provision}
metrics = ["prometheus-client>=0.22,<1"]

[tool.flit.module]
name = "cognises"
"""


def main(target):
    target.mkdir(parents=True, exist_ok=True)
    for old in target.glob("cognises_flask-*.whl"):
        old.unlink()
    os.environ["SOURCE_DATE_EPOCH"] = "315532800"  # 1980: the same files make the same wheel
    with tempfile.TemporaryDirectory() as folder:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / "cognises", Path(folder, "cognises"), ignore=ignored)
        shutil.copy(PROJECT / "cognises" / "LICENSE", folder)
        Path(folder, "pyproject.toml").write_text(metadata(), encoding="utf-8")
        os.chdir(folder)
        name = buildapi.build_wheel(str(target))
        os.chdir(ROOT)
    print(target / name)


def metadata():
    """pyproject.toml of the wheel."""
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    common = re.search(r"(?ms)^dependencies = \[$(.*?)\{%", text)[1]
    provision = re.search(r"(?ms)^provision = \[$(.*?)^\]", text)[1]
    dependencies, extra = (re.findall(r'(?m)^ +"([^"]+)"', part) for part in (common, provision))
    return METADATA.format(dependencies=dependencies, provision=extra)


if __name__ == "__main__":
    main(Path(*sys.argv[1:] or [ROOT / "build"]).resolve())
