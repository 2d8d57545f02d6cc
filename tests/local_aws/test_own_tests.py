"""What the tests of a project say about routes and groups that their owner adds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cognises.settings.sources import PROJECT_FOLDER

MANAGED = [
    "arn:${AWS::Partition}:iam::aws:policy/ReadOnlyAccess",
    "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/team/data",
]
ROUTES = """
from cognises import login_check, public


@bp.get("/buckets")
@permission_required
def buckets() -> dict[str, object]:
    return {"buckets": [each["Name"] for each in user_client("s3").list_buckets()["Buckets"]]}


@bp.get("/feed", websocket=True)
@login_check
def feed() -> str:
    return ""


@bp.get("/mine")
@login_check
def mine() -> str:
    return ""
"""
INTENT = """INTENT = [
    ("GET", "/buckets", {"admins"}),
    ("GET", "/mine", {"admins", "editors", "viewers", NO_GROUP}),
"""


@pytest.fixture
def project(copy: Path) -> Path:
    """With managed policies, a WebSocket, a view that acts in AWS, and one for any user."""
    shutil.copytree(PROJECT_FOLDER / "tests", copy / "tests")
    shutil.copy(PROJECT_FOLDER / "pyproject.toml", copy)
    manifest = copy / "groups.json"
    groups = json.loads(manifest.read_text())
    groups[0]["managed_policies"] = MANAGED
    groups[0]["allowed_functions"].append("buckets")
    manifest.write_text(json.dumps(groups))
    with (copy / "app/data.py").open("a") as module:
        module.write(ROUTES)
    intent = copy / "tests/app/test_intent.py"
    intent.write_text(intent.read_text().replace("INTENT = [\n", INTENT))
    return copy


def outcome(project: Path, *files: str) -> subprocess.CompletedProcess[str]:
    owners = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", *files],
        cwd=project, env=owners, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_what_the_pages_describe_passes_the_tests_that_nobody_edits(project: Path):
    done = outcome(project, "tests/test_provisioning.py", "tests/app/test_routes.py",
                  "tests/app/test_intent.py")  # fmt: skip

    assert done.returncode == 0, done.stdout


def test_a_page_at_the_path_of_a_websocket_is_tested_as_any_other(project: Path):
    with (project / "app/data.py").open("a") as module:
        module.write('\n\n@bp.get("/feed")\n@login_check\ndef page() -> str:\n    return 1 / 0\n')

    done = outcome(project, "tests/app/test_routes.py")

    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stdout


@pytest.mark.parametrize("opened", ["@public", "@login_check(optional=True)"])
def test_intent_notices_a_route_that_opens_to_requests_without_a_token(project: Path, opened: str):
    module = project / "app/data.py"
    guarded = '@bp.get("/mine")\n@login_check'
    module.write_text(module.read_text().replace(guarded, f'@bp.get("/mine")\n{opened}'))

    done = outcome(project, "tests/app/test_intent.py")

    assert done.returncode == 1
    assert "all_others[GET-/mine-" in done.stdout
