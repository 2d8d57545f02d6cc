"""The commands as they are typed: what they print, what they exit with, what they change."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from accounts import PREFIX, Account, Ran, group, make_identity_pool, policy, statement
from botocore.exceptions import ClientError, EndpointConnectionError

from cognises.provisioning import main
from cognises.provisioning.aws import FIRST_CALL_ATTEMPTS
from cognises.settings.sources import PROJECT_FOLDER

PROJECT = PROJECT_FOLDER
Run = Callable[..., Ran]
Manifest = Callable[..., Path]
CALLER = "account 123456789012, region us-east-1, caller arn:aws:sts::123456789012:user/moto\n"
EXTRA = policy(statement("sqs:*", "*"))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Somebody sits at a terminal and types."""

    def types(text: str) -> None:
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt="": text)

    return types


def test_validate_is_offline_and_counts_the_groups(run: Run, manifest: Manifest) -> None:
    manifest(group("a"), group("b"))
    assert run("validate") == Ran(0, "groups.json: 2 groups, no errors\n", "")


def test_validate_reports_every_problem_and_exits_1(run: Run, manifest: Manifest) -> None:
    manifest(group("a b", {"Version": 1}), group("ok", precedence=-1))
    ran = run("validate")
    assert (ran.code, ran.out) == (1, "")
    assert len(ran.err.splitlines()) == 4 + 1
    assert ran.err.endswith("groups.json: 4 errors\n")
    assert "Traceback" not in ran.err


def test_plan_apply_plan_is_pending_done_and_empty(
    run: Run, manifest: Manifest, account: Account
) -> None:
    manifest(group("a"), group("b"))
    assert run("plan", "--detailed-exitcode").code == 2
    assert run("plan").code == 0
    assert account.groups() == {}
    assert run("apply", "--yes").code == 0
    after = account.state()
    assert set(after["roles"]) == {"svc-a", "svc-b"}
    ran = run("plan", "--detailed-exitcode")
    assert (ran.code, "plan: nothing to do" in ran.out) == (0, True)
    assert run("apply", "--yes").code == 0
    assert account.state() == after


def test_the_role_has_trust_policy_boundary_and_tags_and_the_group_names_it(
    run: Run, manifest: Manifest, account: Account
) -> None:
    manifest(group("a", description="People", precedence=3))
    boundary = "arn:aws:iam::123456789012:policy/edge"
    assert run("apply", "--yes", "--permissions-boundary", boundary).code == 0
    role = account.role("svc-a")
    assert role["boundary"] == boundary
    assert role["policies"] == {"a_policy": policy()}
    hashes = ("cognises:hash", "cognises:access")
    assert {k: v for k, v in role["tags"].items() if k not in hashes} == {
        "cognises:owner": "cognises",
        "cognises:pool": account.pool_id,
        "cognises:group": "a",
    }
    assert account.groups()["a"] == {
        "GroupName": "a",
        "Description": "People",
        "Precedence": 3,
        "RoleArn": "arn:aws:iam::123456789012:role/svc-a",
    }


def test_an_identity_pool_set_later_opens_the_trust(
    run: Run, manifest: Manifest, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest(group("a"))
    assert "closed trust" in run("apply", "--yes").out
    closed = account.role("svc-a")["trust"]["Statement"][0]["Condition"]["StringEquals"]
    assert closed == {"cognito-identity.amazonaws.com:aud": "no-identity-pool-configured"}
    identity_pool = make_identity_pool(account)
    monkeypatch.setenv("COGNITO_IDENTITY_POOL_ID", identity_pool)
    ran = run("apply", "--yes")
    assert (ran.code, "closed trust" in ran.out) == (0, False)
    (trust,) = account.role("svc-a")["trust"]["Statement"]
    assert trust["Condition"] == {
        "StringEquals": {"cognito-identity.amazonaws.com:aud": identity_pool},
        "ForAnyValue:StringLike": {"cognito-identity.amazonaws.com:amr": "authenticated"},
    }


def test_plan_json_is_one_object_in_terraforms_words(
    run: Run, manifest: Manifest, account: Account
) -> None:
    manifest(group("a"))
    found = run("plan", "--json").json
    assert found["format_version"] == "1.0"
    assert [each["address"] for each in found["resource_changes"]] == [
        "aws_iam_role.svc-a",
        "aws_cognito_user_group.a",
    ]
    change = found["resource_changes"][1]["change"]
    assert (change["actions"], change["before"]) == (["create"], None)
    assert change["after"]["role_arn"] == "arn:aws:iam::123456789012:role/svc-a"
    assert found["resource_drift"] == []
    assert len(found["digest"]) == 64


def attach(account: Account) -> None:
    document = json.dumps(EXTRA)
    arn = account.iam.create_policy(PolicyName="all", PolicyDocument=document)["Policy"]["Arn"]
    account.iam.attach_role_policy(RoleName="svc-a", PolicyArn=arn)


DRIFTS: dict[str, tuple[Callable[[Account], Any], str]] = {
    "an inline policy added": (
        lambda on: on.iam.put_role_policy(
            RoleName="svc-a", PolicyName="more", PolicyDocument=json.dumps(EXTRA)
        ),
        "aws_iam_role.svc-a",
    ),
    "a policy attached": (attach, "aws_iam_role.svc-a"),
    "the trust edited": (
        lambda on: on.iam.update_assume_role_policy(
            RoleName="svc-a",
            PolicyDocument=json.dumps(policy({"Effect": "Allow", "Action": "sts:AssumeRole"})),
        ),
        "aws_iam_role.svc-a",
    ),
    "the precedence changed": (
        lambda on: on.cognito.update_group(GroupName="a", UserPoolId=on.pool_id, Precedence=9),
        "aws_cognito_user_group.a",
    ),
    "the group deleted": (
        lambda on: on.cognito.delete_group(GroupName="a", UserPoolId=on.pool_id),
        "aws_cognito_user_group.a",
    ),
}


# The planner has all kinds of drift in a table; here one runs fast, the others run slow.
FAST, *SLOW = DRIFTS


@pytest.mark.parametrize("name", [FAST, *SLOW])
def test_drift_is_shown_counts_as_pending_and_is_repaired(
    run: Run, manifest: Manifest, account: Account, name: str
) -> None:
    spoil, address = DRIFTS[name]
    manifest(group("a"))
    run("apply", "--yes")
    before = account.state()
    spoil(account)
    ran = run("plan", "--json", "--detailed-exitcode")
    assert ran.code == 2
    assert [each["address"] for each in ran.json["resource_drift"]] == [address]
    assert "drift: " in run("plan").out
    assert run("apply", "--yes").code == 0
    assert account.state() == before
    assert run("plan", "--detailed-exitcode").code == 0


def test_prune_deletes_and_nothing_else_does(
    run: Run, manifest: Manifest, account: Account
) -> None:
    manifest(group("a"), group("b"))
    run("apply", "--yes")
    manifest(group("a"))
    assert run("apply", "--yes").code == 0
    assert set(account.groups()) == {"a", "b"}
    assert run("plan", "--prune", "--detailed-exitcode").code == 2
    assert run("apply", "--yes", "--prune").code == 0
    assert set(account.state()["roles"]) == {"svc-a"}
    assert set(account.groups()) == {"a"}


def test_prune_asks_aws_whether_a_group_has_members(
    run: Run, manifest: Manifest, account: Account
) -> None:
    manifest(group("a"))
    run("apply", "--yes")
    account.cognito.admin_create_user(UserPoolId=account.pool_id, Username="u")
    account.cognito.admin_add_user_to_group(UserPoolId=account.pool_id, Username="u", GroupName="a")
    manifest()
    ran = run("apply", "--yes", "--prune")
    assert (ran.code, "group a has members" in ran.err) == (3, True)
    assert run("apply", "--yes", "--prune", "--force").code == 0
    assert account.groups() == {}


def test_expect_takes_exactly_the_plan_that_was_shown(
    run: Run, manifest: Manifest, account: Account
) -> None:
    manifest(group("a"))
    digest = run("plan", "--json").json["digest"]
    assert f"digest: {digest}" in run("plan").out
    assert run("apply", "--yes", "--expect", digest).code == 0
    before = account.state()
    manifest(group("a", EXTRA))
    ran = run("apply", "--yes", "--expect", digest)
    assert (ran.code, "blocked: --expect" in ran.err) == (3, True)
    assert account.state() == before


def test_apply_off_a_terminal_needs_yes(run: Run, manifest: Manifest, account: Account) -> None:
    manifest(group("a"))
    ran = run("apply")
    assert (ran.code, ran.err) == (
        1,
        f"{CALLER}error: there is no terminal to ask on; add --yes\n",
    )
    assert account.groups() == {}


@pytest.mark.parametrize(("answer", "code", "groups"), [("y", 0, {"a"}), ("n", 1, set())])
def test_apply_on_a_terminal_shows_the_plan_and_asks(
    run: Run,
    manifest: Manifest,
    account: Account,
    terminal: Callable[[str], None],
    answer: str,
    code: int,
    groups: set[str],
) -> None:
    manifest(group("a"))
    terminal(answer)
    ran = run("apply")
    assert (ran.code, "create role svc-a" in ran.out) == (code, True)
    assert set(account.groups()) == groups


def test_apply_json_is_one_object_and_says_what_was_done(
    run: Run, manifest: Manifest, account: Account
) -> None:
    manifest(group("a"))
    found = run("apply", "--yes", "--json").json
    assert (found["applied"], found["complete"]) == (2, True)


def test_destroy_takes_the_pools_id_and_leaves_what_is_not_ours(
    run: Run, manifest: Manifest, account: Account
) -> None:
    account.make_foreign_role("somebody-elses")
    account.cognito.create_group(GroupName="by-hand", UserPoolId=account.pool_id)
    before = account.state()
    manifest(group("a"), group("b"))
    run("apply", "--yes")
    assert run("destroy").code == 1
    assert run("destroy", "--confirm", "us-east-1_Other").code == 3
    assert set(account.groups()) == {"a", "b", "by-hand"}
    assert run("destroy", "--confirm", account.pool_id).code == 0
    assert account.state() == before
    assert run("destroy").code == 0


def test_destroy_on_a_terminal_asks_for_the_id(
    run: Run, manifest: Manifest, account: Account, terminal: Callable[[str], None]
) -> None:
    manifest(group("a"))
    run("apply", "--yes")
    terminal("yes")
    assert run("destroy").code == 3
    terminal(account.pool_id)
    assert run("destroy").code == 0
    assert account.groups() == {}


def test_policy_is_printed_offline_as_json(run: Run, account: Account) -> None:
    ran = run("policy", "--account", "123456789012")
    assert ran.code == 0
    resources = {each["Resource"] for each in ran.json["Statement"]}
    assert f"arn:aws:iam::123456789012:role/{PREFIX}*" in resources


USAGE = [
    ["pln"],
    ["plan", "--jsn"],
    ["apply", "now"],
    ["apply", "--force"],
    ["apply", "--json"],
    [],
    ["apply", "--expect"],
    ["policy", "--account", "123"],
]


@pytest.mark.parametrize("argv", USAGE)
def test_a_typo_on_the_command_line_exits_64(run: Run, argv: list[str]) -> None:
    assert run(*argv).code == 64


SETTINGS: dict[str, tuple[dict[str, str], str]] = {
    "no pool": ({"COGNITO_USER_POOL_ID": ""}, "COGNITO_USER_POOL_ID is not set; put"),
    "a bad pool": ({"COGNITO_USER_POOL_ID": "people"}, "COGNITO_USER_POOL_ID: user pool id: not"),
    "another region": ({"AWS_REGION": "eu-west-1"}, "AWS_REGION is eu-west-1 and user pool"),
    "a bad identity pool": ({"COGNITO_IDENTITY_POOL_ID": "x"}, "COGNITO_IDENTITY_POOL_ID: 'x'"),
    "a bad boundary": ({"COGNISES_PERMISSIONS_BOUNDARY": "edge"}, "PERMISSIONS_BOUNDARY: 'edge'"),
    "a bad prefix": ({"COGNISES_ROLE_PREFIX": "a/b"}, "COGNISES_ROLE_PREFIX: 'a/b'"),
    "another pool": ({"COGNITO_USER_POOL_ID": "us-east-1_Nowhere"}, "check COGNITO_USER_POOL_ID"),
    "no credentials": (
        {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
        "no AWS credentials; run `aws configure`",
    ),
    "half the credentials": ({"AWS_SECRET_ACCESS_KEY": ""}, "AWS_SECRET_ACCESS_KEY"),
    "no such profile": ({"AWS_PROFILE": "nobody"}, "no such AWS profile"),
    "no such identity pool": (
        {"COGNITO_IDENTITY_POOL_ID": "us-east-1:00000000-0000-0000-0000-000000000000"},
        "check COGNITO_IDENTITY_POOL_ID",
    ),
}


COMMANDS = [["plan"], ["apply", "--yes"], ["plan", "--json"], ["destroy"]]


@pytest.mark.parametrize(
    ("name", "command"),
    [(name, COMMANDS[index % len(COMMANDS)]) for index, name in enumerate(SETTINGS)],
)
def test_what_is_wrong_around_us_is_one_line_with_its_remedy(
    run: Run,
    manifest: Manifest,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    command: list[str],
) -> None:
    changes, expected = SETTINGS[name]
    manifest(group("a"))
    for key, value in changes.items():
        monkeypatch.setenv(key, value)
    ran = run(*command)
    assert ran.code == 1
    assert ran.err.count("\n") == 1
    assert ran.err.startswith("error: ")
    assert expected in ran.err
    assert ran.out == ""


def test_access_denied_names_the_policy_to_ask_for(
    run: Run, manifest: Manifest, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest(group("a"))
    refusal = ClientError({"Error": {"Code": "AccessDenied", "Message": "no\x1b[2J"}}, "CreateRole")
    monkeypatch.setattr("cognises.provisioning.groups.apply.resilient", raising(refusal))
    ran = run("apply", "--yes")
    assert ran.code == 1
    assert "`provision.py policy` prints" in ran.err
    assert "2 of 2 changes are left: run it again" in ran.err
    assert len([line for line in ran.err.splitlines() if line.startswith("error")]) == 1
    assert "\x1b" not in ran.err


def test_no_network_is_one_line(
    run: Run, manifest: Manifest, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest(group("a"))
    broken = EndpointConnectionError(endpoint_url="https://iam.amazonaws.com")
    monkeypatch.setattr("cognises.provisioning.groups.read.account_and_partition", raising(broken))
    ran = run("plan")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "AWS cannot be reached" in ran.err


def test_an_address_that_leads_nowhere_is_reported_after_a_few_tries(
    run: Run, manifest: Manifest, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest(group("a"))
    slept: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time.sleep", slept.append)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    ran = run("plan")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "AWS cannot be reached" in ran.err
    assert len(slept) == FIRST_CALL_ATTEMPTS - 1


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def test_ctrl_c_is_reported_and_exits_1(
    run: Run, manifest: Manifest, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest(group("a"))
    monkeypatch.setattr(
        "cognises.provisioning.groups.apply.calls_for", raising(KeyboardInterrupt())
    )
    ran = run("apply", "--yes")
    assert ran.code == 1
    assert "interrupted; run the same command again to finish" in ran.err


def test_a_missing_or_broken_manifest_is_reported_before_aws_is_asked(
    run: Run, account: Account, tmp_path: Path
) -> None:
    assert "cannot read" in run("plan").err
    (tmp_path / "groups.json").write_text("[")
    ran = run("apply", "--yes")
    assert (ran.code, "not JSON" in ran.err) == (1, True)


def test_an_env_file_stands_between_the_environment_and_dotenv(
    run: Run, manifest: Manifest, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest(group("a"))
    monkeypatch.delenv("COGNISES_ROLE_PREFIX")
    (tmp_path / ".env").write_text("COGNISES_ROLE_PREFIX=dotenv-\n")
    stage = tmp_path / "staging.env"
    stage.write_text("COGNISES_ROLE_PREFIX=staging-\nAWS_REGION=eu-west-1\n")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert "staging-a" in run("plan", "--env-file", str(stage)).out
    assert "dotenv-a" in run("plan").out
    assert run("plan", "--env-file", str(tmp_path / "none")).code == 1


def test_validate_and_help_load_no_aws_library() -> None:
    code = (
        "import sys; from cognises.provisioning import main; "
        "main(['validate', '--groups-file', 'groups.json']); main(['plan', '--help']); "
        "sys.exit(any(name.split('.')[0] in ('boto3', 'botocore') for name in sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, check=False
    )
    assert ran.returncode == 0


def test_the_script_is_a_door_to_the_command_line() -> None:
    ran = subprocess.run(
        [sys.executable, "provision.py", "--help"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0
    assert "Usage: provision.py" in ran.stdout
    assert main(["--help"]) == 0
