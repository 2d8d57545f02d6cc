"""Whatever a message advises is real, and following it makes the command that failed succeed.

A remedy is a command in back quotes, a command of the AWS CLI, or an option of a command.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import boto3
import pytest
from accounts import Account, Ran, group, policy
from botocore import xform_name
from fake_cloudformation import REGION, FakeCloudFormation
from staff import PASSWORD, Terminal, pipe

import infra
from cognises.provisioning import cli
from cognises.provisioning.aws import make_client
from cognises.settings.sources import PROJECT_FOLDER
from infra.stack_state import stack_tags

Run = Callable[..., Ran]
Manifest = Callable[..., Path]
HERE = Path(__file__).parent
SOURCES = [*Path(cli.__file__).parent.rglob("*.py"), *Path(infra.__file__).parent.glob("*.py")]


def texts(path: Path) -> Iterator[str]:
    """The texts of a module that can be printed, `{}` for what is filled in; no docstrings."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    hidden = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for joined in (node for node in nodes if isinstance(node, ast.JoinedStr)):
        hidden.update(map(id, joined.values))
    for node in nodes:
        if isinstance(node, ast.keyword) and node.arg == "help":
            hidden.add(id(node.value))
        elif isinstance(node, (ast.Constant, ast.JoinedStr)) and id(node) not in hidden:
            yield flat(node)


def flat(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(map(flat, node.values))
    return str(node.value) if isinstance(node, ast.Constant) else "{}"


@cache
def advised() -> frozenset[str]:
    """Every remedy that the messages of provisioning name."""
    said = [text for path in SOURCES for text in texts(path) if " " in text]
    quoted = {each for text in said for each in re.findall(r"`([^`\n]+)`", text)}
    of_aws = {each for text in said for each in re.findall(r"\baws [a-z-]+ [a-z]+-[a-z-]+", text)}
    options = {each for text in said for each in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)}
    return frozenset(
        quoted | {f"{each}" for each in of_aws if not any(each in q for q in quoted)} | options
    )


# What the AWS CLI has beyond the services' own operations. Source: AWS CLI command reference.
SIGN_IN = {"aws login", "aws login --profile NAME", "aws sso login",
           "aws sso login --profile NAME"}  # fmt: skip
CLI_ONLY = {"aws configure", "aws configure list-profiles", *SIGN_IN}
OF_AWS = sorted(each for each in advised() if each.startswith("aws ") and each not in CLI_ONLY)


def parsed(command: str) -> tuple[str, str, dict[str, str]]:
    """Service, method and arguments of a command of the AWS CLI, as boto3 takes them.

    Fails where the service, the operation or a parameter does not exist.
    """
    _, service, operation, *rest = shlex.split(command)
    client = boto3.client(service, "us-east-1")
    model = client.meta.service_model
    (name,) = (each for each in model.operation_names if xform_name(each, "-") == operation)
    members = model.operation_model(name).input_shape.members
    known = {f"--{xform_name(each, '-')}": each for each in members} | {
        "--region": "",
        "--query": "",
    }
    given = dict(zip(rest[::2], rest[1::2], strict=True))
    assert given.keys() <= known.keys(), given
    arguments = {known[option]: value for option, value in given.items() if known[option]}
    return service, xform_name(name), arguments


@pytest.mark.parametrize("command", OF_AWS)
def test_an_advised_command_of_the_aws_cli_exists_with_its_parameters(command: str) -> None:
    assert parsed(command)


# The first where uv made the environment, which then has no pip.
CRT = ("uv pip install 'botocore[crt]'", "python -m pip install 'botocore[crt]'")


def test_every_other_advised_command_exists() -> None:
    makefiles = [PROJECT_FOLDER / "Makefile", *PROJECT_FOLDER.glob("*deploy.mk*")]
    verbs = "".join(path.read_text(encoding="utf-8") for path in makefiles)
    makes = [each for each in advised() if each.startswith("make ")]
    assert [each for each in makes if f"\n{each[5:]}:" not in verbs] == []
    assert any("extra == 'crt'" in each.replace('"', "'") for each in requires("botocore") or [])
    kinds = ("make ", "aws ", "provision.py ", "--", *CRT)
    assert {each for each in advised() if not each.startswith(kinds)} == {"plan --json"}


def test_every_advised_option_exists() -> None:
    def options(command: Any) -> set[str]:
        below = []
        if hasattr(command, "list_commands"):
            below = [command.get_command(None, name) for name in command.list_commands(None)]
        own = {name for parameter in command.params for name in parameter.opts}
        return own.union(*map(options, below))

    of_aws = {"--region-name", "--query", "--deletion-protection", "--user-pool-id",
              "--stack-name", "--role-name", "--instance-profile-name"}  # fmt: skip
    named = {each for each in advised() if each.startswith("--")}
    assert named - options(cli.cli) - of_aws == set()


SHOWN: dict[str, str] = {}  # the test that follows a remedy, by the remedy


def shows(*remedies: str) -> Callable[[Any], Any]:
    def remember(test: Any) -> Any:
        SHOWN.update(dict.fromkeys(remedies, f"{HERE.name}/{test.__name__}"))
        return test

    return remember


def command_in(said: str, pattern: str) -> list[str]:
    """The arguments of the one provisioning command in a message that fits a pattern."""
    (found,) = set(re.findall(pattern, said))
    return shlex.split(found.removeprefix("provision.py "))


def on_aws(account: Account, command: str) -> Any:
    """Runs a command of the AWS CLI."""
    service, method, arguments = parsed(command)
    typed = boto3.client(service, "us-east-1")
    return getattr(typed, method)(**arguments)


@shows("provision.py apply --prune", "--prune", "--yes")
def test_what_plan_says_of_leftovers_deletes_them(
    run: Run, manifest: Manifest, account: Account
) -> None:
    manifest(group("a"))
    yes = command_in(run("apply").err, "(?<=; add )--yes")
    assert run("apply", *yes).code == 0
    manifest()
    prune = command_in(run("plan").out, "provision.py apply --prune")
    assert run(*prune, "--yes").code == 0
    assert run("plan", "--json").json["leftovers"] == []


@shows("--force")
def test_a_group_with_members_is_deleted_as_advised(
    run: Run, manifest: Manifest, staff: Account
) -> None:
    manifest(group("admins"), group("editors"))
    run("apply", "--yes")
    manifest(group("admins"))
    ran = run("plan", "--prune")
    assert ran.code == 3
    options = command_in(ran.out, "(?<=delete it with )--force")
    assert options == command_in(run("destroy").out, r"(?<=delete it with ).+")
    assert run("apply", "--yes", "--prune", *options).code == 0
    assert "editors" not in staff.groups()


@shows("--max-destroy")
def test_a_limit_on_deletions_is_raised_as_advised(
    run: Run, manifest: Manifest, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cognises.provisioning.aws.RateLimiter.wait", lambda self: None)
    manifest(*(group(f"g{number}") for number in range(12)))
    applied = run("apply", "--yes")
    assert applied.code == 0, applied.err
    manifest()
    refused = run("apply", "--prune", "--yes")
    assert refused.code == 3
    assert (
        run("apply", "--prune", "--yes", *command_in(refused.err, r"--max-destroy \d+")).code == 0
    )
    assert account.groups() == {}


@shows("--adopt")
def test_a_role_of_others_is_taken_over_as_advised(
    run: Run, manifest: Manifest, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.make_foreign_role("svc-a")
    manifest(group("a"))
    adopt = command_in(run("plan").out, r"apply --adopt [\w-]+")
    Terminal(monkeypatch).types("y")
    assert run(*adopt).code == 0
    assert run("plan", "--detailed-exitcode").code == 0


def test_another_prefix_leaves_the_roles_of_others_alone_as_advised(
    run: Run, manifest: Manifest, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.make_foreign_role("svc-a")
    manifest(group("a"))
    (setting,) = set(re.findall("another (COGNISES_[A-Z_]+)", run("plan").out))
    monkeypatch.setenv(setting, "mine-")
    assert run("apply", "--yes").code == 0


@shows("provision.py plan", "--expect")
def test_a_plan_that_changed_is_read_again_as_advised(
    run: Run, manifest: Manifest, account: Account
) -> None:
    manifest(group("a"))
    refused = run("apply", "--yes", "--expect", "0" * 64)
    assert refused.code == 3
    again = run(*command_in(refused.err, "provision.py plan"), "--json").json["digest"]
    assert run("apply", "--yes", "--expect", again).code == 0


@shows("plan --json", "--json")
def test_a_list_that_was_cut_is_whole_in_json(
    run: Run, manifest: Manifest, account: Account
) -> None:
    manifest()
    for number in range(41):
        account.cognito.create_group(GroupName=f"g{number}", UserPoolId=account.pool_id)
    whole = command_in(run("plan").out, "plan --json")
    assert len(run(*whole).json["leftovers"]) == 41


@shows("--confirm")
def test_off_a_terminal_destroy_runs_as_advised(
    run: Run, manifest: Manifest, account: Account
) -> None:
    manifest(group("a"))
    run("apply", "--yes")
    confirm = command_in(run("destroy").err, r"(?<=; add )--confirm [\w-]+")
    assert run("destroy", *confirm).code == 0
    assert account.groups() == {}


@shows("--output")
def test_a_file_that_exists_is_kept_by_naming_another_as_advised(
    run: Run, manifest: Manifest, account: Account, tmp_path: Path
) -> None:
    manifest()
    option = command_in(run("import").err, "--output")
    assert run("import", *option, str(tmp_path / "other.json")).code == 0


@shows("provision.py apply", "provision.py validate")
def test_a_group_of_the_manifest_is_created_and_a_wrong_manifest_found_as_advised(
    run: Run, manifest: Manifest, staff: Account
) -> None:
    add = ("users", "add-to-group", "ada", "planned")
    apply = command_in(run(*add).err, "provision.py apply")
    assert run(*apply, "--yes").code == 0
    manifest({"group_name": "planned"})
    warned = run(*add)
    checked = run(*command_in(warned.err, "provision.py validate"))
    assert (checked.code, "[0].allowed_functions: missing" in checked.err) == (1, True)
    manifest(group("planned"))
    assert run(*add).err == ""


@shows("provision.py users list")
def test_a_wrong_name_is_found_in_the_list_that_is_advised(run: Run, staff: Account) -> None:
    wrong = run("users", "disable", "adda")
    listed = run(*command_in(wrong.err, "provision.py users list"), "--json").json
    assert run("users", "disable", listed["users"][0]["username"]).code == 0


@shows("provision.py users set-attributes", "provision.py users set-password", "--password-stdin")
def test_a_user_that_exists_is_changed_as_advised(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = ("users", "create", "ada", "--email", "new@example.org")
    change = command_in(run(*create).err, "provision.py users set-attributes")
    assert run(*change, "ada", "email=new@example.org").code == 0
    assert run(*create).code == 0
    pipe(monkeypatch, PASSWORD)
    set_password = command_in(
        run(*create, "--password-stdin").err, "provision.py users set-password"
    )
    off_a_terminal = run(*set_password, "ada")
    (option,) = set(re.findall("--password-stdin", off_a_terminal.err))
    pipe(monkeypatch, PASSWORD)
    assert run(*set_password, "ada", option).code == 0


@shows("--password-file")
def test_off_a_terminal_a_generated_password_goes_to_a_file_as_advised(
    run: Run, staff: Account, tmp_path: Path
) -> None:
    generate = ("users", "set-password", "ada", "--password-generate")
    option = command_in(run(*generate).err, "--password-file(?= FILE)")
    assert run(*generate, *option, str(tmp_path / "password")).code == 0


@shows("aws iam remove-role-from-instance-profile", "--role-name", "--instance-profile-name")
def test_a_role_in_an_instance_profile_is_deleted_as_advised(
    run: Run, manifest: Manifest, account: Account
) -> None:
    manifest(group("a"))
    run("apply", "--yes")
    account.iam.create_instance_profile(InstanceProfileName="box")
    account.iam.add_role_to_instance_profile(InstanceProfileName="box", RoleName="svc-a")
    destroy = ("destroy", "--confirm", account.pool_id)
    refused = run(*destroy)
    assert refused.code == 1
    (command,) = re.findall("`(aws iam remove-[^`]+)`", refused.err)
    on_aws(account, command.replace(" NAME ", " box ").replace(" ROLE", " svc-a"))
    assert run(*destroy).code == 0


@shows("aws iam list-policies --query Policies[].Arn", "--query")
def test_a_managed_policy_that_does_not_exist_is_corrected_as_advised(
    run: Run, manifest: Manifest, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cognises.provisioning.aws.FIRST_PAUSE", 0)
    account.iam.create_policy(PolicyName="data", PolicyDocument=json.dumps(policy()))
    entry = {"group_name": "a", "allowed_functions": []}
    manifest({**entry, "managed_policies": ["arn:aws:iam::123456789012:policy/dota"]})
    refused = run("apply", "--yes")
    assert refused.code == 1
    (command,) = re.findall("`(aws [^`]+)`", refused.err)
    found = [each["Arn"] for each in on_aws(account, command)["Policies"]]
    manifest({**entry, "managed_policies": found})
    assert run("apply", "--yes").code == 0


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> FakeCloudFormation:
    made = FakeCloudFormation()

    def client(session: Any, service: str, *rest: Any) -> Any:
        if service == "cloudformation":
            return made.client()
        return make_client(session, service, *rest)

    monkeypatch.setattr("cognises.provisioning.aws.make_client", client)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return made


@shows("aws cognito-idp update-user-pool", "aws cognito-idp delete-user-pool", "--stack",
       "--user-pool-id", "--deletion-protection")  # fmt: skip
def test_a_pool_that_its_stack_left_is_deleted_as_advised(
    run: Run, account: Account, stack: FakeCloudFormation
) -> None:
    stack.put("svc-cognito", "CREATE_COMPLETE", tags=stack_tags("svc-"))
    other = run("destroy", "--confirm", account.pool_id, "--stack", "x")
    (name,) = re.findall(r"this stage's stack is ([\w-]+)", other.err)
    ran = run("destroy", "--confirm", account.pool_id, "--stack", name)
    unprotect, delete = (line.strip() for line in re.findall(r"^  aws .*$", ran.err, re.M))
    assert account.pools() == [account.pool_id]
    for command in (unprotect, delete):
        on_aws(account, command.replace(REGION, "us-east-1"))
    assert account.pools() == []


@shows("aws cloudformation delete-stack", "aws cloudformation rollback-stack",
       "aws cloudformation continue-update-rollback", "--stack-name", "--region")  # fmt: skip
@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        ("CREATE_FAILED", "delete_stack", "DELETE_COMPLETE"),
        ("ROLLBACK_FAILED", "delete_stack", "DELETE_COMPLETE"),
        ("DELETE_FAILED", "delete_stack", "DELETE_COMPLETE"),
        ("UPDATE_FAILED", "rollback_stack", "UPDATE_ROLLBACK_COMPLETE"),
        ("UPDATE_ROLLBACK_FAILED", "continue_update_rollback", "UPDATE_ROLLBACK_COMPLETE"),
    ],
)
def test_a_stack_that_is_stuck_is_repaired_as_advised(
    run: Run, account: Account, stack: FakeCloudFormation, monkeypatch: pytest.MonkeyPatch,
    status: str, method: str, then: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setattr("infra.bootstrap._write", lambda path, values: None)
    stack.put("svc-cognito", status, tags=stack_tags("svc-"))
    refused = run("bootstrap", "--yes")
    assert refused.code == 3
    (command,) = re.findall(r"aws cloudformation [^;]+", refused.err)
    service, asked, arguments = parsed(command)
    assert (service, asked, arguments) == ("cloudformation", method, {"StackName": "svc-cognito"})
    assert f"--region {REGION}" in command
    stack.stacks["svc-cognito"]["StackStatus"] = then
    assert run("bootstrap", "--yes").code == 0


# Shown where their subject is tested: each of these follows the advice or its command succeeds.
ELSEWHERE = {
    "bootstrap/test_bootstrap.py": {
        "provision.py bootstrap --revert-drift": "role_map_emptied_by_hand_is_repaired",
        "provision.py bootstrap --env-file {}": "ids_go_into_the_named_env_file_and_nowhere_else",
        "--revert-drift": "role_map_emptied_by_hand_is_repaired",
        "--domain-prefix": "a_given_pool_gets_a_domain_only_if_asked",
        "--public-url": "an_address_given_later_is_an_update",
        "--parameter": "a_custom_domain_is_a_parameter_that_is_given_once",
        "make dev": "what_makes_no_cognito_resource_is_found_out",
    },
    "test_sequence.py": {
        "provision.py bootstrap": "what_is_denied_is_allowed_by_the_policy_that_is_advised",
        "provision.py policy": "what_is_denied_is_allowed_by_the_policy_that_is_advised",
        "provision.py policy --users": "what_is_denied_is_allowed_by_the_policy_that_is_advised",
        "provision.py policy --bootstrap": "what_is_denied_is_allowed_by_the_policy",
        "provision.py destroy": "the_whole_life_of_a_service",
    },
    "test_session.py": {
        "--profile": "a_profile_in_the_env_file_is_used",
        **dict.fromkeys(CRT, "who_signs_in_by_aws_login"),
    },
    "groups/test_routes_in_a_plan.py": {
        "provision.py access-diff --against REV": "a_revision_is_compared_with_its_code",
        "--against": "a_revision_is_compared_with_its_code",
    },
    "users/test_users_actions.py": {
        "provision.py users enable": "a_command_that_ran_twice_did_it_once",
        "provision.py users add-to-group": "a_command_that_ran_twice_did_it_once",
    },
    "users/test_users_create.py": {
        "--email": "a_user_with_an_email_is_invited",
        "--password-prompt": "a_permanent_password_lets_the_user_in_at_once",
        "--permanent": "a_permanent_password_lets_the_user_in_at_once",
    },
}
# The subject of a message and no remedy, or nothing that a test can follow without AWS or network.
NOT_FOLLOWED = {
    *("--env-file", "--email-verified", "--phone", "--token-file", "--password-generate"),
    *("--no-broadening", "--bootstrap", "--users", "--users-only", "--region-name"),
    *CLI_ONLY,
    "aws account enable-region --region-name REGION",
    "aws account get-region-opt-status --region-name REGION",
    *("make install", "make package"),
}


def plain(remedy: str) -> str:
    """A remedy without the arguments of a command of the AWS CLI."""
    return " ".join(remedy.split()[:3]) if remedy.startswith("aws ") else remedy


def test_every_remedy_is_followed_by_a_test() -> None:
    elsewhere = {remedy for named in ELSEWHERE.values() for remedy in named}
    followed = {plain(each) for each in (*SHOWN, *elsewhere, *NOT_FOLLOWED)}
    assert {plain(each) for each in advised()} == followed
    for file, named in ELSEWHERE.items():
        text = (HERE / file).read_text(encoding="utf-8")
        assert [
            test for test in named.values() if not re.search(rf"def test_\w*{test}", text)
        ] == []
