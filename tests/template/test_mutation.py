"""`flask cognises mutate` finds what a suite does not test, and writes no file."""

import re
import subprocess
from pathlib import Path

import pytest
from baking import ROOT, TEMPLATE_FOLDER, contents, owners_environment
from flask import Flask

from cognises import Cognises

PROJECT = ROOT / TEMPLATE_FOLDER
APP = """
from flask import Blueprint, Flask
from cognises import Cognises, login_check, permission_required, protect, public

bp = Blueprint("shop", __name__)


@bp.get("/")
@public
def home():
    return "home"


@bp.get("/read")
@login_check(token_use=["id", "access"])
@permission_required
def read(response):
    return dict(response)


@bp.put("/write")
@login_check(token_use="access", scopes=["shop/write"])
def write(response):
    return dict(response)


def create_app(config):
    app = Flask(__name__)
    app.config.update(config)
    app.register_blueprint(bp)
    area = Blueprint("area", __name__, url_prefix="/area")
    area.add_url_rule("/page", "page", lambda: "page")
    app.register_blueprint(protect(area, permission_required))
    Cognises(app)
    return app
"""
GROUPS = """[
  {"group_name": "readers", "allowed_functions": ["read"]},
  {"group_name": "owners", "allowed_functions": ["read", "area.*"], "scopes": ["shop/own"]}
]"""
CONFTEST = """
import pytest
from shop import create_app
from cognises.testing import isolated

pytest_plugins = ["cognises.testing.fixtures"]


@pytest.fixture
def status(pool):
    app = create_app(isolated())
    pool.attach(app)

    def status_of(path, groups=(), method="GET", **claims):
        headers = {} if groups is None else pool.bearer(groups, **claims)
        return app.test_client().open(path, method=method, headers=headers).status_code

    return status_of


@pytest.fixture
def app():
    return create_app(isolated())
"""
TESTS = """
def test_no_token(status):
    assert status("/read", None) == 401
    assert status("/write", None, "PUT") == 401
    assert status("/area/page", None) == 401


def test_groups(status):
    assert status("/read", ["readers"]) == 200
    assert status("/read", ["owners"]) == 200
    assert status("/area/page", ["owners"]) == 200
    assert status("/area/page", ["owners"], token_use="access") == 401
    assert status("/area/page", ["readers"]) == 403  # a star
    assert status("/read") == 403  # permission
    assert status("/area/page") == 403


def test_tokens(status):
    assert status("/write", (), "PUT") == 401
    assert status("/write", (), "PUT", token_use="access", scope="shop/write") == 200
    assert status("/write", (), "PUT", token_use="access", scope="shop/read") == 403  # scope


def test_machines(status):
    machine = {"token_use": "access", "sub": "fakeclient0123456789", "username": None}
    assert status("/read", (), scope="shop/own", **machine) == 200  # machine
    assert status("/read", (), scope="shop/read", **machine) == 403  # permission
"""
# What survives without the lines that end with a comment.
HOLES = [
    "shop.py:14 GET /read: login_check removed",
    "shop.py:14 GET /read: permission_required removed",
    "shop.py:21 PUT /write: login_check with shop/write not in scopes",
    "groups.json readers: '*' added in allowed_functions",
    "groups.json readers: 'area.*' added in allowed_functions",
    "groups.json owners: 'shop/own' removed in scopes",
]


def mutate(folder: Path, app: str) -> tuple[int, str]:
    """Exit code and output; no file below the folder changes."""
    before = contents(folder)
    python = ROOT / "build/venv/bin/python"
    command = [python, "-m", "flask", "--app", app, "cognises", "mutate"]
    path = {"PYTHONPATH": f"{PROJECT}:{folder}", "PYTHONDONTWRITEBYTECODE": "1"}
    env = {**owners_environment(), **path}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    assert contents(folder) == before
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "tests/app").mkdir(parents=True)
    (folder / "shop.py").write_text(APP)
    (folder / "groups.json").write_text(GROUPS)
    (folder / "tests/app/conftest.py").write_text(CONFTEST)
    return folder


def suite(folder: Path, text: str = TESTS) -> tuple[int, str]:
    (folder / "tests/app/test_shop.py").write_text(text)
    return mutate(folder, "shop:create_app({})")


def test_a_suite_that_checks_every_guard_and_group_leaves_none(project: Path) -> None:
    code, output = suite(project)

    assert re.fullmatch(r"\d\d mutants, 0 survived tests/app\n", output), output
    assert code == 0


def test_every_hole_in_a_suite_is_found_and_nothing_else(project: Path) -> None:
    code, output = suite(project, re.sub(r"(?m)^.*  # .*\n", "", TESTS))

    assert re.findall(r"(?m)^survived: (.*)$", output) == HOLES, output
    assert "    missing test: call GET /area/page as readers: expect 403\n" in output
    assert output.endswith(" mutants, 6 survived tests/app\n")
    assert code == 1


def test_the_shipped_suite_leaves_none() -> None:
    code, output = mutate(PROJECT, "wsgi")

    assert re.fullmatch(r"\d\d mutants, 0 survived tests/app\n", output), output
    assert code == 0


def test_a_suite_that_fails_by_itself_is_reported(project: Path) -> None:
    code, output = suite(project, "def test_wrong():\n    assert 1 == 2\n")

    assert code == 1
    assert output.startswith("Error: tests/app fails without any change; correct it first:\n")
    assert "assert 1 == 2" in output


MISSING = {
    "fork": (lambda patch: patch.delattr("os.fork"), "mutate needs fork(): run it on Linux"),
    "pytest": (
        lambda patch: patch.setattr("cognises.testing.mutate.find_spec", lambda name: None),
        "pytest is not installed; run: make install",
    ),
}


@pytest.mark.parametrize(("remove", "said"), MISSING.values(), ids=MISSING.keys())
def test_what_is_missing_is_reported(remove, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = Flask("service")
    Cognises(app)
    remove(monkeypatch)

    result = app.test_cli_runner().invoke(args=["cognises", "mutate"])

    assert result.exit_code == 1
    assert said in result.output
