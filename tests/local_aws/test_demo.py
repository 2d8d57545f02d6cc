"""The road once, over HTTP: `python -m local_aws demo` in a copy of the project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from cognises import login_check, permission_required, public
from cognises.manifest import parse_groups
from cognises.settings.sources import PROJECT_FOLDER
from cognises.web.routes import routes
from local_aws import demo
from local_aws.demo import Cell, table

POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}],
}
MANAGED = [
    "arn:${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaRole",
    "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/team/data",
]
FEED = """
from cognises import login_check


@bp.get("/feed", websocket=True)
@login_check
def feed() -> str:
    return ""
"""


def run_demo(folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", "-m", "local_aws", "demo"],
        cwd=folder, env={**os.environ, **environ}, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip


def cells(output: str) -> dict[str, list[str]]:
    """The table's rows: what was called, and the statuses it gave."""
    methods = ("GET ", "POST ", "PUT ")
    rows = [line.split() for line in output.splitlines() if line.startswith(methods)]
    return {f"{method} {path}": statuses for method, path, *statuses in rows}


@pytest.fixture(scope="module")
def done(shared: Path) -> subprocess.CompletedProcess[str]:
    """The demo of the project as it is generated."""
    return run_demo(shared)


def test_the_demo_prints_who_got_what_and_agrees_with_the_manifest(done):
    assert done.returncode == 0, done.stderr
    assert cells(done.stdout) == {
        "GET /": ["200", "200", "200", "200"],
        "GET /access": ["401", "200", "200", "200"],
        "GET /access/matrix": ["401", "200", "403", "403"],
        "GET /admin": ["401", "200", "403", "403"],
        "GET /admin/audit": ["401", "200", "403", "403"],
        "POST /admin/change": ["401", "400", "403", "403"],
        "GET /admin/person": ["401", "400", "403", "403"],
        "GET /data": ["401", "200", "200", "200"],
        "POST /data": ["401", "400", "400", "403"],
        "PUT /data": ["401", "400", "400", "403"],
        "GET /health": ["200", "200", "200", "200"],
        "GET /openapi.json": ["401", "200", "200", "200"],
        "GET /protected": ["401", "200", "200", "200"],
        "GET /ready": ["200", "200", "200", "200"],
    }
    assert "All 68 answers agree with groups.json." in done.stdout
    assert done.stdout.split("AWS refuses):")[1].splitlines()[2:7] == [
        "call                       admins  editors  viewers",
        "read a shared file         200     200      200",
        "write a shared file        200     403      403",
        "write to the own folder    200     200      403",
        "write to another's folder  403     403      403",
    ]
    assert "Not proved here: trust policies," in done.stdout


def test_a_function_taken_from_a_group_changes_exactly_that_cell(done, copy: Path):
    before = cells(done.stdout)
    manifest = copy / "groups.json"
    groups = json.loads(manifest.read_text())
    viewers = next(group for group in groups if group["group_name"] == "viewers")
    viewers["allowed_functions"].remove("view_data")
    viewers["managed_policies"] = MANAGED  # which moto does not know
    groups.append({"group_name": "without-role", "allowed_functions": ["view_data"]})
    manifest.write_text(json.dumps(groups))

    done = run_demo(copy)

    assert done.returncode == 0
    after = cells(done.stdout)
    changed = [(row, i) for row in before for i in range(4) if before[row][i] != after[row][i]]
    assert changed == [("GET /data", 3)]
    assert after["GET /data"][3:] == ["403", "403", "(AWS)"]
    assert after["GET /admin"][4:] == ["403"]
    assert "(AWS): the route is open to the group" in done.stdout


def test_a_websocket_which_plain_http_cannot_open_is_not_called(copy: Path):
    with (copy / "app/data.py").open("a") as module:
        module.write(FEED)

    done = run_demo(copy)

    assert "not called, it is a WebSocket: GET /feed" in done.stdout
    assert "All 68 answers agree with groups.json." in done.stdout


def test_settings_of_a_real_account_change_nothing(copy: Path):
    (copy / ".env").write_text("COGNITO_USER_POOL_ID=eu-west-1_Real12345\nCOGNITO_AUDIENCE=a,,b\n")

    done = run_demo(
        copy,
        AWS_PROFILE="production",
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
        COGNITO_CLIENT_ID="real",
        COGNISES_PERMISSIONS_BOUNDARY="arn:aws:iam::1:policy/real",
        FLASK_DEBUG="1",
    )

    assert done.returncode == 0, done.stderr


def test_a_broken_manifest_is_one_clear_message(copy: Path):
    (copy / "groups.json").write_text("[{]")

    done = run_demo(copy)

    assert done.returncode != 0
    assert "groups.json" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_an_unknown_word_is_bad_usage():
    done = subprocess.run(
        [sys.executable, "-B", "-m", "local_aws", "dmeo"],
        cwd=PROJECT_FOLDER, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 64
    assert "usage:" in done.stderr


@pytest.fixture
def app() -> Flask:
    app = Flask("demo")
    app.add_url_rule("/open", "open", public(lambda: ""))
    app.add_url_rule("/any", "any", login_check(lambda response: ""))
    app.add_url_rule("/maybe", "maybe", login_check(optional=True)(lambda response: ""))
    app.add_url_rule("/named", "named", permission_required(name="edit")(lambda response: ""))
    app.add_url_rule("/both", "both", permission_required(name="edit")(
        permission_required(name="print")(lambda response: "")))  # fmt: skip
    app.add_url_rule("/forgotten", "forgotten", lambda: "")
    return app


@pytest.mark.parametrize(
    ("path", "anonymous", "editor", "stranger"),
    [
        ("/open", "open", "open", "open"),
        ("/any", "401", "open", "open"),
        ("/maybe", "open", "open", "open"),
        ("/named", "401", "open", "403"),
        ("/both", "401", "403", "403"),
        ("/forgotten", "401", "403", "403"),
    ],
)
def test_what_the_manifest_says_is_reported_without_asking_the_guards(
    app, path, anonymous, editor, stranger
):
    route = next(route for route in routes(app) if route.path == path)
    editors, strangers = parse_groups(
        [
            {"group_name": "editors", "group_policy": POLICY, "allowed_functions": ["edit"]},
            {"group_name": "strangers", "group_policy": POLICY, "allowed_functions": ["x"]},
        ]
    )

    said = [demo.expectation(app, route, group) for group in (None, editors, strangers)]

    assert said == [anonymous, editor, stranger]


def test_the_table_marks_what_does_not_agree_and_what_aws_refuses():
    found = [
        Cell("GET /", "anonymous", 200, "open", True),
        Cell("GET /", "admins", 200, "open", True),
        Cell("PUT /data", "anonymous", 200, "401", False),
        Cell("PUT /data", "admins", 403, "open", True, of_aws=True),
    ]

    assert table(found).splitlines() == [
        "route      anonymous  admins",
        "GET /      200        200",
        "PUT /data  200 !      403 (AWS)",
    ]
