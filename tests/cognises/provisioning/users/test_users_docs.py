"""docs/people.md: every command on it runs, every command is on it, every call is named."""

from __future__ import annotations

import io
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from accounts import Account, Ran
from botocore import xform_name

from cognises.provisioning.policies import READ_USERS, WRITE_USERS
from cognises.provisioning.users import directory as users_directory
from cognises.provisioning.users.commands import users
from cognises.settings.sources import PROJECT_FOLDER

PROJECT = PROJECT_FOLDER
PAGE = (PROJECT / "docs" / "people.md").read_text()
PROVISIONING = Path(users_directory.__file__).parents[1]
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
LINES = "".join(text for language, text in BLOCKS if not language).splitlines()
COMMANDS = [
    shlex.split(line.rpartition("python provision.py ")[2])
    for line in LINES
    if "python provision.py " in line
]


def test_the_page_shows_every_command_there_is() -> None:
    shown = {argv[1] for argv in COMMANDS if argv[0] == "users"}
    assert shown == set(users.commands)
    assert all("python provision.py " in line for line in LINES)


def test_every_line_of_the_page_runs_as_it_stands(
    account: Account,
    run: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """On a pool where people sign in by e-mail, with the groups of groups.json applied."""
    made = account.cognito.create_user_pool(PoolName="p", UsernameAttributes=["email"])
    pool_id = made["UserPool"]["Id"]
    monkeypatch.setenv("COGNITO_USER_POOL_ID", pool_id)
    monkeypatch.setenv("AWS_REGION", pool_id.partition("_")[0])  # .flaskenv names the owner's
    manifest = PROJECT / "groups.json"
    monkeypatch.setattr("cognises.provisioning.target.PROJECT_FOLDER", manifest.parent)
    for group in json.loads(manifest.read_text()):
        account.cognito.create_group(UserPoolId=pool_id, GroupName=group["group_name"])
    monkeypatch.chdir(tmp_path)
    (table,) = [text for language, text in BLOCKS if language == "csv"]
    (tmp_path / "people.csv").write_text(table)
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda prompt="": "Tr0ub4dor&3x")
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt="": "y")
    deleted = next(argv for argv in COMMANDS if argv[:2] == ["users", "delete"])
    for argv in [*(each for each in COMMANDS if each != deleted), deleted]:
        if argv[0] == "verify":
            continue  # `test_verify.py` is about it
        stdin = io.TextIOWrapper(io.BytesIO(b"Tr0ub4dor&3x\n"))
        monkeypatch.setattr("sys.stdin", stdin)
        monkeypatch.setattr(stdin, "isatty", lambda now="--password-stdin" not in argv: now)
        ran = run(*argv)
        assert (ran.code, argv) == (0, argv), ran.err
        assert ran.out


def test_the_page_names_every_call_and_no_other() -> None:
    code = "".join(path.read_text() for path in PROVISIONING.rglob("*.py"))
    called = set(re.findall(r"`((?:Admin|Describe|List|Get)[A-Z]\w+)`", PAGE))
    assert called >= {*READ_USERS, *WRITE_USERS}
    assert {name for name in called if xform_name(name) not in code} == set()


def test_every_option_the_page_names_exists() -> None:
    known = {
        option
        for command in users.commands.values()
        for parameter in command.params
        for option in parameter.opts
    } | {"--users", "--users-only", "--account", "--token-file"}
    named = set(re.findall(r"--[a-z-]+[a-z]", PAGE))
    assert named - known == set()
    assert {name for name in known if name.startswith("--password")} <= named
