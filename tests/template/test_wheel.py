"""The module as a wheel: its files, its requirements, and the five lines of the README."""

import re
import shutil
import sys
import zipfile

import pytest
from baking import PARSERS, ROOT, TEMPLATE_FOLDER, borrow_packages, contents, make, run

APP = """
from flask import Flask

app = Flask(__name__)


@app.get("/report")
def report():
    return "the report"


@app.get("/other")
def other():
    return "other"


{lines}
"""
ASK = """
from app import app
from cognises.testing import FakePool

app.testing = True
pool = FakePool("us-east-1_AbCdEfGhI", "1h57kf5cpq17m0eml12EXAMPLE")
pool.attach(app)
client = app.test_client()
for path, headers in (("/report", {}), ("/report", pool.bearer([])), ("/other", pool.bearer([]))):
    print(client.get(path, headers=headers).status_code)
"""


@pytest.fixture(scope="module")
def built(template, tmp_path_factory):
    """What `make wheel` builds in a clone."""
    clone = shutil.copytree(template, tmp_path_factory.mktemp("wheel") / "template")
    borrow_packages(clone)
    make(clone, "wheel")
    (wheel,) = (clone / "build").glob("*.whl")
    return wheel


def files(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_files_of_the_wheel_are_those_of_a_project(built, bakes):
    found = {name: data for name, data in files(built).items() if ".dist-info/" not in name}
    vendored = contents(bakes["container", ""] / "cognises")
    assert found == {f"cognises/{name}": data for name, data in vendored.items()}


def test_the_wheel_names_its_version_licence_and_requirements(built):
    module = (ROOT / TEMPLATE_FOLDER / "cognises/__init__.py").read_text()
    (version,) = re.findall(r'(?m)^__version__ = "(.+)"$', module)
    assert built.name == f"cognises_flask-{version}-py3-none-any.whl"
    (metadata,) = (data for name, data in files(built).items() if name.endswith("/METADATA"))
    lines = metadata.decode().splitlines()
    assert {"Name: cognises-flask", f"Version: {version}", "Requires-Python: >=3.10"} <= set(lines)
    needed = [line.partition(": ")[2] for line in lines if line.startswith("Requires-Dist")]
    service = {line for line in needed if "extra ==" not in line}
    named = PARSERS[".toml"]((ROOT / TEMPLATE_FOLDER / "pyproject.toml").read_bytes())
    servers = ("gunicorn", "prometheus-client", "apig-wsgi")
    wanted = [line for line in named["project"]["dependencies"] if not line.startswith(servers)]
    assert service == set(wanted)
    assert any(line.startswith("boto3") and "provision" in line for line in needed)


def test_an_app_is_guarded_by_the_five_lines_of_the_readme(built, tmp_path):
    text = (ROOT / "README.md").read_text()
    assert f"pip install build/{built.name}\n" in text
    (lines,) = re.findall(r"(?ms)^```python\n(.*?)^```", text)
    assert len([line for line in lines.splitlines() if line]) == 5
    (tmp_path / "app.py").write_text(APP.format(lines=lines))
    for command in (
        ["uv", "venv", "-q", "-p", sys.executable, str(tmp_path / "venv")],
        ["uv", "pip", "install", "-q", "-p", str(tmp_path / "venv"), str(built)],
    ):
        done = run(command, cwd=tmp_path)
        assert done.returncode == 0, done.stdout
    done = run([str(tmp_path / "venv/bin/python"), "-B", "-c", ASK], cwd=tmp_path)
    assert done.stdout.split() == ["401", "200", "403"], done.stdout
