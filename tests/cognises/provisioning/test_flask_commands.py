"""`flask cognises …` offers the commands of provision.py, with the same exits and messages."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cognises.provisioning import cli
from cognises.settings.sources import PROJECT_FOLDER
from cognises.web.extension import COMMANDS


def flask(*argv: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-B", "-m", "flask", *argv],
        cwd=PROJECT_FOLDER,
        env={**kept, "FLASK_APP": "wsgi", **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_command_is_offered() -> None:
    assert set(cli.cli.commands) <= set(COMMANDS)
    assert {name for name, at in COMMANDS.items() if "provisioning" in at} == set(cli.cli.commands)


def test_options_messages_and_exit_codes_are_those_of_the_script() -> None:
    settings = {"COGNITO_USER_POOL_ID": "us-east-1_Pool", "COGNITO_CLIENT_ID": "client"}
    shown = flask("cognises", "plan", "--help", **settings)
    assert shown.returncode == 0
    assert "Usage: flask cognises plan [OPTIONS]" in shown.stdout
    assert flask("cognises", "plan", "--jsn", **settings).returncode == 64
    refused = flask("cognises", "plan", **{**settings, "COGNITO_USER_POOL_ID": "people"})
    assert refused.returncode == 1
    assert "COGNITO_USER_POOL_ID" in refused.stderr
    assert "Traceback" not in refused.stderr
    checked = flask("cognises", "validate", **settings)
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
