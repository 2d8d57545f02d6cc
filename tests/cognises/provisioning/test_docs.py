"""docs/groups.md names every call, every tag and the trust as they are."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from botocore import xform_name
from worlds import SCOPE

from cognises.provisioning import cli, names
from cognises.provisioning.groups.model import CLOSED_AUDIENCE
from cognises.provisioning.policies import runner_policy as printed
from cognises.provisioning.target import Options, read_target
from cognises.settings.sources import PROJECT_FOLDER

PAGE = (PROJECT_FOLDER / "docs" / "groups.md").read_text()
PROVISIONING = Path(cli.__file__).parent


def test_the_page_names_every_call_that_the_runner_may_make(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COGNITO_USER_POOL_ID", "us-east-1_Pool")
    monkeypatch.setenv("COGNITO_IDENTITY_POOL_ID", "us-east-1:0d1c")
    allowed = {
        action.partition(":")[2]
        for each in printed(read_target(Options()), "*")["Statement"]
        if each["Effect"] == "Allow"
        for action in each["Action"]
    }
    assert {name for name in allowed - {"PassRole"} if f"`{name}`" not in PAGE} == set()


def test_the_page_names_no_call_that_is_not_in_the_code() -> None:
    folders = (PROVISIONING, PROJECT_FOLDER / "infra")
    code = "".join(path.read_text() for folder in folders for path in folder.rglob("*.py"))
    called = re.findall(r"`((?:Create|Put|Update|Delete|Detach|Tag|Describe|List|Get)\w+)`", PAGE)
    assert len(called) > 15
    assert {name for name in called if xform_name(name) not in code} == set()


def test_the_page_names_every_tag_and_the_closed_trust() -> None:
    for tag in (*names.OWNERSHIP_TAGS, names.HASH_TAG, names.ACCESS_TAG):
        assert f"`{tag}`" in PAGE
    assert CLOSED_AUDIENCE in PAGE


def test_the_page_shows_the_trust_policy_as_it_is_made() -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    (made,) = replace(SCOPE, identity_pool_id="<COGNITO_IDENTITY_POOL_ID>").trust()["Statement"]
    assert json.loads(shown) == made


def test_every_option_the_page_names_exists() -> None:
    commands = [cli.cli.get_command(None, name) for name in cli.cli.list_commands(None)]
    for command in commands:  # those of a group are added as it is met
        commands += getattr(command, "commands", {}).values()
    options = {
        option for command in commands for parameter in command.params for option in parameter.opts
    }
    assert {name for name in re.findall(r"--[a-z-]+[a-z]", PAGE) if name not in options} == set()
