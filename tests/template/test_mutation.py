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
from flask.views import MethodView
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


class Part(MethodView):
    @login_check
    def get(self, response):
        return "part"

    @login_check(token_use="access")
    def head(self, response):
        return ""


@bp.get("/partner")
@login_check(client_ids=["partner"])
def partner(response):
    return dict(response)


def create_app(config):
    app = Flask(__name__)
    app.config.update(config)
    app.register_blueprint(bp)
    app.add_url_rule("/part", view_func=Part.as_view("part"))
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
def test_methods(status):
    assert status("/", None) == 200  # public
    assert status("/part", None) == 401
    assert status("/part") == 200
    assert status("/part", token_use="access") == 401
    assert status("/part", method="HEAD", token_use="access") == 200
    assert status("/part", None, "HEAD") == 401  # head
    assert status("/part", method="HEAD") == 401


def test_partner(status):
    assert status("/partner", None) == 401
    assert status("/partner", aud="partner") == 200
    assert status("/partner") == 401  # client
    access = {"token_use": "access", "client_id": "partner"}
    assert status("/partner", **access) == 401


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
    "shop.py:9 GET /: @public removed",
    "shop.py:28 HEAD /part: login_check with optional=True",
    "shop.py:38 GET /partner: login_check with the app's own client in client_ids",
    "shop.py:15 GET /read: login_check removed",
    "shop.py:15 GET /read: permission_required removed",
    "shop.py:22 PUT /write: login_check with shop/write not in scopes",
    "groups.json readers: '*' added to allowed_functions",
    "groups.json readers: 'area.*' added to allowed_functions",
    "groups.json owners: 'shop/own' removed from scopes",
]


def mutate(folder: Path, app: str) -> tuple[int, str, str]:
    """Exit code, output and progress; no file below the folder changes."""
    before = contents(folder)
    python = ROOT / "build/venv/bin/python"
    command = [python, "-m", "flask", "--app", app, "cognises", "mutate"]
    path = {"PYTHONPATH": f"{PROJECT}:{folder}", "PYTHONDONTWRITEBYTECODE": "1"}
    env = {**owners_environment(), **path}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    assert contents(folder) == before
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "tests/app").mkdir(parents=True)
    (folder / "shop.py").write_text(APP)
    (folder / "groups.json").write_text(GROUPS)
    (folder / "tests/app/conftest.py").write_text(CONFTEST)
    return folder


def suite(folder: Path, text: str = TESTS) -> tuple[int, str, str]:
    (folder / "tests/app/test_shop.py").write_text(text)
    return mutate(folder, "shop:create_app({})")


def test_a_suite_that_checks_every_guard_and_group_leaves_none(project: Path) -> None:
    code, output, progress = suite(project)

    assert re.fullmatch(r"\d\d mutants, 0 survived \(tests: tests/app\)\n", output), output
    assert progress.startswith("first tests/app without any change, then with each mutant\n")
    assert code == 0


def test_every_hole_in_a_suite_is_found_and_nothing_else(project: Path) -> None:
    code, output, _ = suite(project, re.sub(r"(?m)^.*  # .*\n", "", TESTS))

    assert re.findall(r"(?m)^survived: (.*)$", output) == HOLES, output
    assert "    missing test: call GET /area/page as readers: expect 403\n" in output
    assert output.endswith(" mutants, 9 survived (tests: tests/app)\n")
    assert code == 1


def test_the_shipped_suite_leaves_none() -> None:
    code, output, _ = mutate(PROJECT, "wsgi")

    assert re.fullmatch(r"\d\d mutants, 0 survived \(tests: tests/app\)\n", output), output
    assert code == 0


UNUSABLE = {
    "a failing test": ("def test_wrong():\n    assert 1 == 2\n", "assert 1 == 2"),
    "no folder": (None, "file or directory not found: tests/app"),
}


@pytest.mark.parametrize(("text", "said"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_a_suite_that_fails_by_itself_is_reported(text, said: str, project: Path) -> None:
    if text is None:
        (project / "tests/app").rename(project / "tests/other")
        code, _, errors = mutate(project, "shop:create_app({})")
    else:
        code, _, errors = suite(project, text)

    assert code == 1
    assert "\nError: tests/app fails without any change; correct it first:\n" in errors
    assert said in errors
    assert errors.endswith("\nOther tests: flask cognises mutate PATH\n")


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


def test_an_app_in_which_nothing_can_be_changed_is_an_error(tmp_path: Path) -> None:
    app = Flask("service", root_path=str(tmp_path), static_folder=None)
    Cognises(app)

    result = app.test_cli_runner().invoke(args=["cognises", "mutate"])

    assert result.exit_code == 1
    assert "no route has a guard or @public; name your app: --app …" in result.output
