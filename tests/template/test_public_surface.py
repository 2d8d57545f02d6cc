"""`app/` and `tests/` of a generated project use public names only, and import contracts say so."""

import ast
import importlib
import sys

import pytest
from baking import ROOT, TEMPLATE_FOLDER, run
from renaming import PUBLIC

PROJECT = ROOT / TEMPLATE_FOLDER
VENDORED = ("cognises", "infra", "server", "user_admin")
FILES = sorted(
    path
    for folder in ("app", "tests")
    for path in (PROJECT / folder).rglob("*.py*")
    if path.name.endswith((".py", "%}"))
)


def published(module):
    """The names that a public package offers: `__all__`, or those imported `as` themselves."""
    package = importlib.import_module(module)
    tree = ast.parse((PROJECT / "/".join(module.split(".")) / "__init__.py").read_text())
    aliases = {
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    }
    return aliases | set(getattr(package, "__all__", ()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_a_users_file_imports_public_names_only(path):
    imported = [
        (node.module, alias.name)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(VENDORED)
        for alias in node.names
    ]
    plain = [
        alias.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name.startswith(VENDORED)
    ]
    assert plain == []
    assert {module for module, _ in imported} <= PUBLIC
    assert [name for name in imported if name[1] not in published(name[0])] == []


IMPORTS = {
    "from cognises.web.state import state_of": False,
    "from cognises.web import state": False,
    "from cognises.settings.model import Settings": False,
    "from cognises.provisioning import main": False,
    "from cognises.manifest import Group": False,
    "from cognises.testing import FakePool": False,
    "from local_aws import demo": False,
    "from infra import deploy": False,
    "from server import worker": False,
    "import moto": False,
    "from cognises import load_groups, settings_of": True,
    "from cognises.web import prefers_html": True,
    "from cognises.access import report": True,
    "from user_admin import changes": False,
    "from user_admin import init_admin_pages": True,
    "from cognises.operation import request_id": True,
    "import boto3, requests, oauthlib": True,
}


@pytest.mark.parametrize(("line", "is_allowed"), IMPORTS.items())
def test_an_import_contract_keeps_private_parts_out_of_app(line, is_allowed, bakes, tmp_path):
    """And lets it import any other package."""
    for name in ("cognises", "infra", "local_aws", "server", "user_admin"):
        (tmp_path / name).symlink_to(bakes["none", ""] / name)
    (tmp_path / "app").mkdir()
    (tmp_path / "app/__init__.py").write_text(f"{line}\n")
    lint = f"{sys.prefix}/bin/lint-imports"
    contracts = str(bakes["none", ""] / "import-contracts.toml")
    done = run([lint, "--no-cache", "--config", contracts], cwd=tmp_path)
    assert (done.returncode == 0) is is_allowed, done.stdout
    broken = [text for text in done.stdout.splitlines() if text.endswith("BROKEN")]
    assert broken == ([] if is_allowed else ["app uses the public parts of cognises BROKEN"])
