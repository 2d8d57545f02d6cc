"""`flask cognises …` offers the commands of provision.py, with the same exits and messages."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from click.testing import CliRunner, Result

from cognises.provisioning import cli
from cognises.settings.sources import PROJECT_FOLDER
from cognises.web.extension import COMMANDS, commands


def test_every_command_is_offered() -> None:
    offered = set(cli.cli.list_commands(None))
    assert {name for name, at in COMMANDS.items() if "provisioning" in at} == offered


def flask(*argv: str) -> Result:
    """What `flask cognises …` comes to, in this process."""
    return CliRunner().invoke(commands, argv)


def test_options_messages_and_exit_codes_are_those_of_the_script(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COGNITO_USER_POOL_ID", "us-east-1_Pool")
    shown = flask("plan", "--help")
    assert shown.exit_code == 0
    assert "Usage: flask cognises plan [OPTIONS]" in shown.stdout
    assert flask("plan", "--jsn").exit_code == 64
    monkeypatch.setenv("COGNITO_USER_POOL_ID", "people")
    refused = flask("plan")
    assert refused.exit_code == 1
    assert "COGNITO_USER_POOL_ID" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("argv", [("bootstrap",), ("deploy", "--help"), ("policy", "--bootstrap"),
                                  ("destroy", "--stack", "svc-cognito")], ids=" ".join)  # fmt: skip
def test_an_app_without_infra_hears_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...]
) -> None:
    for name in [*(name for name in sys.modules if name.startswith("infra."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "infra", None)  # Python's own mark for "not found"
    monkeypatch.setenv("COGNITO_USER_POOL_ID", "us-east-1_Pool")
    refused = flask(*argv)
    assert refused.exit_code == 1
    problem = (
        r"error: there is no infra/\w+\.py; copy the folder infra/ of a generated project .*\n"
    )
    assert re.fullmatch(problem, refused.stderr)
    helped = flask("--help")
    assert helped.exit_code == 0
    assert helped.stdout.count("there is no infra/") == 2


def test_a_process_of_flask_runs_a_command_of_the_script() -> None:
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    settings = {"COGNITO_USER_POOL_ID": "us-east-1_Pool", "COGNITO_CLIENT_ID": "client"}
    checked = subprocess.run(
        [sys.executable, "-B", "-m", "flask", "cognises", "validate"],
        cwd=PROJECT_FOLDER,
        env={**kept, "FLASK_APP": "wsgi", **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (checked.returncode, "no errors" in checked.stdout) == (0, True)


@pytest.mark.parametrize("name", [".env", ".flaskenv"])
def test_what_flask_read_from_env_files_does_not_stand_above_the_named_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, name: str
) -> None:
    from cognises.provisioning import target

    folder = target.PROJECT_FOLDER
    (folder / name).write_text("COGNISES_ROLE_PREFIX=dev-\nCOGNITO_USER_POOL_ID=us-east-1_Dev\n")
    monkeypatch.setenv("COGNISES_ROLE_PREFIX", "dev-")
    monkeypatch.setenv("COGNITO_USER_POOL_ID", "us-east-1_Exported")
    target.forget_env_files()
    assert "COGNISES_ROLE_PREFIX" not in os.environ
    assert os.environ["COGNITO_USER_POOL_ID"] == "us-east-1_Exported"
