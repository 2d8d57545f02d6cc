"""docs/make-it-yours.md, followed word by word in a new project."""

import json
import re
import shutil
import subprocess
import sys

import pytest
from baking import borrow_packages, make, run

READ = "from app import create_app; print(create_app().config['REPORT_LIMIT'])"
CLIENT = """
from app import create_app
from cognises.testing import FakePool
app = create_app({"TESTING": True})
FakePool().attach(app)
client = app.test_client()
"""


@pytest.fixture(params=["container", "lambda"])
def deployed(request, bakes, tmp_path):
    return copied(bakes[request.param, ""], tmp_path)


@pytest.fixture
def project(bakes, tmp_path):
    return copied(bakes["container", ""], tmp_path)


def copied(source, folder):
    """A project with the packages of this test run."""
    project = shutil.copytree(source, folder / "cognises-service")
    borrow_packages(project)
    return project


def block(project, heading, language):
    """The lines of the code under a heading of the page."""
    page = (project / "docs/make-it-yours.md").read_text()
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    (found,) = re.findall(rf"(?ms)^```{language}\n(.*?)^```", section)
    return found.splitlines()


def edit(path, *replacements):
    text = path.read_text()
    for old, new in replacements:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text)


def python(project, code):
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def suite_passes(project, files=""):
    assert re.search(r"\d+ passed", make(project, "test", f"ARGS=-q {files}"))


def test_a_setting_and_a_response_header_are_added(project):
    """The setting has its default until a file names it."""
    (line,) = block(project, "Add a setting", "python")
    last = '    "PROJECT_CONTACT": "",\n'
    edit(project / "app/settings.py", (last, f"{last}    {line}\n"))
    assert python(project, READ) == "100\n"
    with (project / ".flaskenv").open("a") as file:
        file.write("REPORT_LIMIT=20\n")
    assert python(project, READ) == "20\n"
    first, second = block(project, "Add a response header", "python")
    edit(project / "app/security_headers.py", (first, f"{first}\n{second}"))
    told = python(project, f"{CLIENT}\nprint(client.get('/').headers['X-Service'])")
    assert told == "reports\n"
    suite_passes(project)


def test_a_dependency_is_locked_and_installed(project):
    shutil.rmtree(project / ".venv")
    edit(project / "pyproject.toml", ('    "flask>=', '    "humanize>=4,<5",\n    "flask>='))
    for command in block(project, "Add a dependency", "sh"):
        make(project, *command.split()[1:])
    locks = [lock for lock in project.glob("requirements*.txt") if "humanize" in lock.read_text()]
    assert [lock.name for lock in locks] == ["requirements.txt"]
    assert run([".venv/bin/python", "-c", "import humanize"], cwd=project).returncode == 0


def remove_pages(project):
    """The access page, the OpenAPI document and user administration, which have no code block."""
    for name in ("user_admin", "cognises.access"):
        remove(project / "app/__init__.py", rf"from {name} import .*\n")
    remove(project / "app/__init__.py", r"    init_(access_pages|openapi|admin_pages)\(app\).*\n")
    remove(project / "tests/app/test_intent.py", r'    \("\w+", "/(access|openapi|admin).*\n')
    remove(project / "tests/app/test_account.py", r"def test_the_page_for_admin(.*\n)*?\n\n")
    remove(project / "app/templates/layout.html", r" *(\{% if .*)?<a .*>(My access|People)</a>.*\n")
    remove(project / "app/templates/home.html", r"  \{% if can_sign_in(.*\n)*?  \{% endif %\}\n")
    groups = json.loads((project / "groups.json").read_text())
    for group in groups:
        names = group["allowed_functions"]
        group["allowed_functions"] = [n for n in names if not re.match("access|openapi|admin", n)]
    del groups[0]["group_policy"]["Statement"][0]  # ManageUsers
    (project / "groups.json").write_text(json.dumps(groups))


def remove(path, pattern):
    text, number = re.subn(f"(?m)^{pattern}", "", path.read_text())
    assert number, pattern
    path.write_text(text)


def test_the_access_page_and_user_administration_and_then_sign_in_can_be_removed(project):
    remove_pages(project)
    suite_passes(project, "tests/app/test_responses.py tests/app/test_pages.py")  # no link is left
    lines = block(project, "Remove browser sign-in", "python")
    edit(project / "app/__init__.py", *((f"{line}\n", "") for line in lines))
    told = python(project, f"{CLIENT}\nprint(client.get('/login').status, client.get('/').status)")
    assert told == "404 NOT FOUND 200 OK\n"
    make(project, "docs")
    suite_passes(project)


def test_metrics_can_be_left_out_of_the_deployment(project):
    text = (project / "pyproject.toml").read_text()
    (line,) = re.findall(r'(?m)^    "prometheus-client.*COGNISES_METRICS_ADDRESS.*\n', text)
    (project / "pyproject.toml").write_text(text.replace(line, ""))
    make(project, "lock")
    assert "prometheus" not in (project / "requirements.txt").read_text()
    assert "\nprometheus-client==" in (project / "requirements-test.txt").read_text()


def test_a_deployment_can_be_removed(deployed):
    for command in block(deployed, "Remove the deployment", "sh"):
        assert run(command.split(), cwd=deployed).returncode == 0
    text = (deployed / "pyproject.toml").read_text()
    servers = r'(?m)^    "(gunicorn|prometheus-client|apig-wsgi)[^"]*",  +#.*\n'
    kept = re.sub(servers, "", text.partition("[dependency-groups]")[0])
    (deployed / "pyproject.toml").write_text(
        kept + "".join(text.partition("[dependency-groups]")[1:])
    )
    make(deployed, "lock")
    assert not re.search("gunicorn|apig-wsgi", (deployed / "requirements.txt").read_text())
    names = (path.relative_to(deployed).as_posix() for path in deployed.rglob("*"))
    ours = (".venv", "cognises/", "infra/deploy.py")
    left = " ".join(name for name in names if not name.startswith(ours))
    assert not re.search(r"Dockerfile|lambda_entry|gunicorn\.conf|deploy\.|server/[a-z]", left)
    contracts = ["--no-cache", "--config", "import-contracts.toml"]
    linted = run([f"{sys.prefix}/bin/lint-imports", *contracts], cwd=deployed)
    assert linted.returncode == 0, linted.stdout
    suite_passes(deployed)
