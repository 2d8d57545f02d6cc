"""`provision.py bootstrap`: the stack, the ids in .env, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from accounts import Ran
from answering import Refused
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from fake_cloudformation import OUTPUTS, REGION, FakeCloudFormation, change, event, stand_in

from cognises.provisioning.names import stage_name
from infra import bootstrap as command_bootstrap
from infra.bootstrap import deployment_steps
from infra.bootstrap_settings import default_domain_prefix
from infra.stack_state import Stack, stack_tags

Run = Callable[..., Ran]
STACK = "svc-cognito"
URL = "https://svc.example.org"
OWN_POOL = OUTPUTS["UserPoolId"]
GIVEN_POOL = f"{REGION}_Given123"
WRITTEN = {
    "COGNITO_USER_POOL_ID": OWN_POOL,
    "COGNITO_CLIENT_ID": OUTPUTS["UserPoolClientId"],
    "COGNITO_IDENTITY_POOL_ID": OUTPUTS["IdentityPoolId"],
    "COGNISES_PERMISSIONS_BOUNDARY": OUTPUTS["PermissionsBoundaryArn"],
    "COGNISES_FILES_BUCKET": OUTPUTS["FilesBucket"],
}


class Account:
    """What else bootstrap asks AWS: whose account it is, and of a pool and a domain."""

    def __init__(self) -> None:
        self.pools: dict[str, dict[str, Any]] = {OWN_POOL: {"Id": OWN_POOL}}
        self.domains: dict[str, str] = {}
        self.clients: list[str] = []
        self.asked: list[str] = []

    def get_caller_identity(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append("account")
        return {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/ada"}

    def describe_user_pool(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append("pool")
        if asked["UserPoolId"] not in self.pools:
            raise Refused("ResourceNotFoundException", "User pool does not exist.")
        return {"UserPool": self.pools[asked["UserPoolId"]]}

    def list_user_pool_clients(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append("clients")
        start = int(asked.get("NextToken", 0))
        page = [{"ClientId": each} for each in self.clients[start : start + 1]]
        more = start + 1 < len(self.clients)
        return {"UserPoolClients": page, **({"NextToken": str(start + 1)} if more else {})}

    def describe_user_pool_domain(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append("domain")
        pool = self.domains.get(asked["Domain"])
        return {"DomainDescription": {"UserPoolId": pool} if pool else {}}


@pytest.fixture
def fake() -> FakeCloudFormation:
    return FakeCloudFormation()


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture(autouse=True)
def aws(fake: FakeCloudFormation, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, fake, account)
    monkeypatch.setenv("AWS_REGION", REGION)


@pytest.fixture
def env(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def parameters(fake: FakeCloudFormation) -> dict[str, str]:
    found: dict[str, str] = fake.stacks[STACK]["Parameters"]
    return found


def settings(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)  # type: ignore[misc]


def test_from_nothing_the_stack_is_made_and_its_ids_are_written(
    run: Run, fake: FakeCloudFormation, env: Path
) -> None:
    ran = run("bootstrap", "--yes", "--public-url", URL)
    assert (ran.code, ran.out) == (0, "")
    assert f"stack {STACK} will be created:" in ran.err
    assert parameters(fake) == {
        "ProjectSlug": "svc",
        "ExistingUserPoolId": "",
        "PublicUrl": URL,
        "DomainPrefix": "svc-123456789012",
        "ManagedLogin": "true",
        "DeletionProtection": "ACTIVE",
        "UserPoolTier": "",
        "CustomAttribute": "",
        "Files": "true",
        "AdminGroup": "admins",
        "SesIdentityArn": "",
        "EmailFrom": "",
        "CustomDomain": "",
        "CustomDomainCertificateArn": "",
    }
    assert fake.stacks[STACK]["Tags"] == stack_tags("svc-")
    assert settings(env) == {
        **WRITTEN,
        "COGNISES_PUBLIC_URL": URL,
        "COGNITO_DOMAIN": OUTPUTS["ManagedLoginUrl"],
    }


def test_a_second_run_says_that_nothing_changes_and_changes_nothing(
    run: Run, fake: FakeCloudFormation, env: Path
) -> None:
    run("bootstrap", "--yes", "--public-url", URL)
    before = (env.read_bytes(), env.stat().st_ino, env.stat().st_mtime_ns)
    ran = run("bootstrap")  # asks nothing, so it needs no --yes either
    assert ran == Ran(0, "", f"stack {STACK}: nothing to change\n.env: nothing to change\n")
    assert (env.read_bytes(), env.stat().st_ino, env.stat().st_mtime_ns) == before
    assert fake.calls.count("execute_change_set") == 1


@pytest.mark.parametrize("prefix", [[], ["--domain-prefix", "mine"]])
def test_an_emulator_that_returns_no_parameters_has_nothing_to_change_either(
    run: Run,
    fake: FakeCloudFormation,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    prefix: list[str],
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    fake.changes, fake.hides_parameters = [], True
    run("bootstrap", "--yes", "--public-url", "http://127.0.0.1:8000", *prefix)
    account.domains[parameters(fake)["DomainPrefix"]] = OWN_POOL
    ran = run("bootstrap", *prefix)
    assert ran == Ran(0, "", f"stack {STACK}: nothing to change\n.env: nothing to change\n")


def test_the_rest_of_the_env_file_stays(run: Run, env: Path) -> None:
    env.write_text("# mine\nexport COGNITO_CLIENT_ID=\nA='b'  # c\n")
    run("bootstrap", "--yes")
    text = env.read_text()
    assert text.startswith(
        f"# mine\nexport COGNITO_CLIENT_ID={OUTPUTS['UserPoolClientId']}\nA='b'  # c\n"
    )


def test_without_an_address_nobody_can_sign_in_yet_and_that_is_said(
    run: Run, fake: FakeCloudFormation, env: Path
) -> None:
    ran = run("bootstrap", "--yes")
    assert ran.code == 0
    assert "sign-in with a browser does not work yet" in ran.err
    chosen = parameters(fake)
    assert (chosen["PublicUrl"], chosen["DomainPrefix"], chosen["ManagedLogin"]) == (
        *("", ""),
        "false",
    )
    assert settings(env) == WRITTEN


def test_an_address_given_later_is_an_update_and_is_remembered(
    run: Run, fake: FakeCloudFormation, env: Path
) -> None:
    run("bootstrap", "--yes")
    assert "will be updated" in run("bootstrap", "--yes", "--public-url", URL).err
    env.unlink()
    assert run("bootstrap", "--yes").code == 0
    assert parameters(fake)["PublicUrl"] == URL
    assert settings(env)["COGNISES_PUBLIC_URL"] == URL


def test_a_dry_run_shows_and_leaves_neither_stack_nor_file(
    run: Run, fake: FakeCloudFormation, env: Path
) -> None:
    ran = run("bootstrap", "--dry-run", "--public-url", URL)
    assert ran.code == 0
    assert "+ add Client" in ran.err
    assert (fake.stacks, env.exists()) == ({}, False)


def test_off_a_terminal_yes_is_needed_and_nothing_is_left(
    run: Run, fake: FakeCloudFormation, env: Path
) -> None:
    ran = run("bootstrap")
    assert ran.code == 1
    assert "error: there is no terminal to ask on; add --yes" in ran.err
    assert f"account 123456789012, region {REGION}, caller arn:aws:iam::123456789012:user/ada" in (
        ran.err
    )
    assert (fake.stacks, env.exists()) == ({}, False)


@pytest.mark.parametrize(("typed", "code", "made"), [("y", 0, True), ("n", 1, False)])
def test_on_a_terminal_the_answer_decides(
    run: Run,
    fake: FakeCloudFormation,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    code: int,
    made: bool,
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt="": typed)
    assert run("bootstrap").code == code
    assert (STACK in fake.stacks) is made


def test_upon_a_given_pool_only_what_goes_with_it_is_made(
    run: Run, fake: FakeCloudFormation, account: Account, env: Path
) -> None:
    account.pools[GIVEN_POOL] = {"Id": GIVEN_POOL, "Domain": "people", "UserPoolTier": "LITE"}
    env.write_text(f"COGNITO_USER_POOL_ID={GIVEN_POOL}\n")
    fake.outputs = {**OUTPUTS, "UserPoolId": GIVEN_POOL, "ManagedLoginUrl": ""}
    ran = run("bootstrap", "--yes", "--public-url", URL)
    assert ran.code == 0
    assert f"user pool {GIVEN_POOL} exists already and is not altered" in ran.err
    chosen = parameters(fake)
    assert chosen["ExistingUserPoolId"] == GIVEN_POOL
    assert (chosen["DomainPrefix"], chosen["ManagedLogin"]) == ("", "false")
    assert settings(env)["COGNITO_DOMAIN"] == f"https://people.auth.{REGION}.amazoncognito.com"
    again = run("bootstrap")
    assert "nothing to change\n.env: nothing to change" in again.err


@pytest.mark.parametrize(
    ("pool", "option", "code", "prefix"),
    [
        ({}, ["--domain-prefix", "mine"], 0, "mine"),
        ({}, [], 0, ""),
        ({"Domain": "people"}, ["--domain-prefix", "mine"], 1, None),
        ({"CustomDomain": "in.example.org"}, [], 0, ""),
    ],
)
def test_a_given_pool_gets_a_domain_only_if_asked_and_if_it_has_none(
    run: Run,
    fake: FakeCloudFormation,
    account: Account,
    env: Path,
    pool: dict[str, str],
    option: list[str],
    code: int,
    prefix: str | None,
) -> None:
    account.pools[GIVEN_POOL] = {"Id": GIVEN_POOL, **pool}
    env.write_text(f"COGNITO_USER_POOL_ID={GIVEN_POOL}\n")
    fake.outputs = {**OUTPUTS, "UserPoolId": GIVEN_POOL, "ManagedLoginUrl": ""}
    ran = run("bootstrap", "--yes", "--public-url", URL, *option)
    assert ran.code == code
    assert ("has no sign-in domain" in ran.err) == (not pool and not option)
    if prefix is None:
        assert fake.stacks == {}
    else:
        assert parameters(fake)["DomainPrefix"] == prefix
        assert parameters(fake)["ManagedLogin"] == "true"
    if "CustomDomain" in pool:
        assert settings(env)["COGNITO_DOMAIN"] == "https://in.example.org"


def test_a_given_pool_that_is_not_there_is_said_before_anything_is_made(
    run: Run, fake: FakeCloudFormation, env: Path
) -> None:
    env.write_text(f"COGNITO_USER_POOL_ID={GIVEN_POOL}\n")
    ran = run("bootstrap", "--yes")
    assert (ran.code, fake.stacks) == (1, {})
    assert "check COGNITO_USER_POOL_ID" in ran.err


@pytest.mark.parametrize("where", [".flaskenv", ".env", "the environment", "stage.env"])
def test_another_pool_than_the_stacks_is_a_clear_error_that_says_where_it_is_named(
    run: Run,
    fake: FakeCloudFormation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    run("bootstrap", "--yes")
    (tmp_path / ".env").unlink()
    option: list[str] = []
    if where == "the environment":
        monkeypatch.setenv("COGNITO_USER_POOL_ID", GIVEN_POOL)
    else:
        (tmp_path / where).write_text(f"COGNITO_USER_POOL_ID={GIVEN_POOL}\n")
        option = ["--env-file", str(tmp_path / where)] if where == "stage.env" else []
    ran = run("bootstrap", "--yes", *option)
    assert ran.code == 1
    assert ran.err.splitlines() == [
        f"error: COGNITO_USER_POOL_ID is {GIVEN_POOL} ({where}) and stack {STACK} has "
        f"{OWN_POOL}; correct the setting, or give this stage a COGNISES_ROLE_PREFIX of its own"
    ]
    assert fake.calls.count("execute_change_set") == 1


def test_another_projects_stack_is_refused(run: Run, fake: FakeCloudFormation, env: Path) -> None:
    fake.put(STACK, "CREATE_COMPLETE")
    ran = run("bootstrap", "--yes")
    assert (ran.code, env.exists()) == (3, False)
    assert ran.err.startswith(f"blocked: stack {STACK} exists and was not created by this project")


def test_a_stage_whose_name_comes_out_the_same_is_another_stage(
    run: Run, fake: FakeCloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("bootstrap", "--yes")
    monkeypatch.setenv("COGNISES_ROLE_PREFIX", "svc_")
    ran = run("bootstrap", "--yes", "--public-url", URL)
    assert ran.code == 3
    assert f"stack {STACK} belongs to svc-, not to svc_" in ran.err


def test_the_pool_is_never_replaced(run: Run, fake: FakeCloudFormation) -> None:
    run("bootstrap", "--yes")
    fake.changes = [change("Modify", "UserPool", "AWS::Cognito::UserPool", "True")]
    ran = run("bootstrap", "--yes")
    assert ran.code == 3
    assert "would be replaced and its data lost" in ran.err


def test_a_rollback_is_reported_plainly_and_writes_no_ids(
    run: Run, fake: FakeCloudFormation, env: Path
) -> None:
    denied = "User is not authorized to perform: iam:CreatePolicy"
    fake.plays["CREATE"] = [
        (
            "ROLLBACK_IN_PROGRESS",
            (event("CREATE_FAILED", "PermissionsBoundary", "AWS::IAM::ManagedPolicy", denied),),
        ),
        ("ROLLBACK_COMPLETE", ()),
    ]
    ran = run("bootstrap", "--yes")
    assert (ran.code, env.exists()) == (1, False)
    assert f"error: CREATE_FAILED PermissionsBoundary (AWS::IAM::ManagedPolicy): {denied}" in (
        ran.err
    )
    assert "Traceback" not in ran.err


def test_a_domain_that_is_somebodys_is_refused_before_there_is_a_pool_to_take_back(
    run: Run, fake: FakeCloudFormation, account: Account
) -> None:
    account.domains["taken"] = "eu-west-1_Theirs"
    ran = run("bootstrap", "--yes", "--public-url", URL, "--domain-prefix", "taken")
    assert (ran.code, fake.stacks) == (1, {})
    assert "belongs to another user pool; choose one with --domain-prefix" in ran.err


def test_an_env_file_that_cannot_be_written_is_refused_before_anything_is_made(
    run: Run, fake: FakeCloudFormation, env: Path, tmp_path: Path
) -> None:
    env.symlink_to(tmp_path / "elsewhere")
    ran = run("bootstrap", "--yes")
    assert (ran.code, fake.stacks) == (1, {})
    assert ran.err == "error: .env is a link; put a regular file in its place\n"


def test_a_file_that_fails_at_the_end_has_its_lines_told(
    run: Run, env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    ran = run("bootstrap", "--yes")
    assert (ran.code, env.exists()) == (1, False)
    assert "error: .env: Read-only file system" in ran.err
    for name, value in WRITTEN.items():
        assert f"  {name}={value}\n" in ran.err


def test_an_id_that_would_need_quotes_is_not_written(
    run: Run, fake: FakeCloudFormation, env: Path
) -> None:
    fake.outputs = {**OUTPUTS, "UserPoolClientId": "a b"}
    ran = run("bootstrap", "--yes")
    assert (ran.code, env.exists()) == (1, False)
    assert "COGNITO_CLIENT_ID: 'a b' is not an id or address of AWS; nothing written" in ran.err


def test_ids_go_into_the_named_env_file_and_nowhere_else(run: Run, tmp_path: Path) -> None:
    stage = tmp_path / "stage.env"
    stage.write_text("COGNISES_ROLE_PREFIX=svc-\n")
    assert run("bootstrap", "--yes", "--env-file", str(stage)).code == 0
    assert settings(stage) == {"COGNISES_ROLE_PREFIX": "svc-", **WRITTEN}
    assert not (tmp_path / ".env").exists()


def test_a_second_stages_file_takes_nothing_of_the_first_stage(
    run: Run, fake: FakeCloudFormation, env: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COGNISES_ROLE_PREFIX")
    env.write_text(
        f"COGNITO_USER_POOL_ID={GIVEN_POOL}\nCOGNITO_CLIENT_ID=firsts\n"
        "COGNISES_PUBLIC_URL=https://first.example.org\nCOGNITO_DOMAIN=https://x.example.org\n"
    )
    stage = tmp_path / "dev.env"
    stage.write_text("COGNISES_ROLE_PREFIX=dev-\n")

    assert run("bootstrap", "--yes", "--env-file", str(stage)).code == 0

    given = fake.stacks["dev-cognito"]["Parameters"]
    assert (given["ExistingUserPoolId"], given["PublicUrl"]) == ("", "")
    assert settings(stage)["COGNITO_USER_POOL_ID"] == OWN_POOL
    assert settings(stage)["COGNITO_CLIENT_ID"] == WRITTEN["COGNITO_CLIENT_ID"]


def test_what_somebody_writes_into_the_file_meanwhile_is_not_lost(
    run: Run, env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env.write_text("ONE=1\n")
    deploy_stack = command_bootstrap.deploy_stack

    def slowly(*arguments: Any, **options: Any) -> Any:
        result = deploy_stack(*arguments, **options)
        env.write_text("ONE=1\nTWO=2\n")
        return result

    monkeypatch.setattr(command_bootstrap, "deploy_stack", slowly)

    assert run("bootstrap", "--yes").code == 0
    assert settings(env) == {"ONE": "1", "TWO": "2", **WRITTEN}


@pytest.mark.parametrize("address", ["nonsense", "http://127.0.0.1:99999", "ftp://127.0.0.1"])
def test_an_address_that_is_none_is_one_clear_line(
    run: Run, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    ran = run("bootstrap", "--yes")

    assert (ran.code, "AWS_ENDPOINT_URL: is not of the form" in ran.err) == (1, True)


def test_a_variable_that_hides_what_was_written_is_warned_of(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COGNITO_CLIENT_ID", "another")
    monkeypatch.setenv("COGNITO_IDENTITY_POOL_ID", WRITTEN["COGNITO_IDENTITY_POOL_ID"])
    ran = run("bootstrap", "--yes")
    (warned,) = [line for line in ran.err.splitlines() if line.startswith("warning")]
    assert "COGNITO_CLIENT_ID hides" in warned


@pytest.mark.parametrize(
    ("known", "after"),
    [
        ("", "1client2"),
        ("1client2", "1client2"),
        ("other,1client2", "other,1client2"),
        ("other", "1client2,other"),
        ("a, b", "1client2,a,b"),
    ],
)
def test_other_clients_of_the_pool_are_kept(
    run: Run, env: Path, account: Account, known: str, after: str
) -> None:
    run("bootstrap", "--yes")
    account.clients = ["a", "1client2", "b", "other"]
    env.write_text(f"COGNITO_USER_POOL_ID={OWN_POOL}\nCOGNITO_CLIENT_ID={known}\n")
    run("bootstrap", "--yes")
    assert settings(env)["COGNITO_CLIENT_ID"] == after


def test_clients_of_nobody_knows_which_pool_are_not_kept(run: Run, env: Path) -> None:
    env.write_text("COGNITO_CLIENT_ID=stale\n")
    run("bootstrap", "--yes")
    assert settings(env)["COGNITO_CLIENT_ID"] == "1client2"


def test_what_makes_no_cognito_resource_is_found_out(
    run: Run, fake: FakeCloudFormation, env: Path
) -> None:
    fake.outputs = {"UserPoolClientId": "x"}
    ran = run("bootstrap", "--yes")
    assert (ran.code, env.exists()) == (1, False)
    assert "has no output UserPoolId, IdentityPoolId, PermissionsBoundaryArn" in ran.err


EMULATOR = "http://127.0.0.1:4566"


def test_an_emulator_takes_plain_http_and_serves_sign_in_at_its_own_address(
    run: Run, fake: FakeCloudFormation, env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", EMULATOR)
    assert run("bootstrap", "--yes", "--public-url", "http://127.0.0.1:5000").code == 0
    assert parameters(fake)["ManagedLogin"] == "false"
    assert settings(env)["COGNITO_DOMAIN"] == EMULATOR
    env.write_text(env.read_text().replace(f"={EMULATOR}", "=http://localhost:9000"))
    assert run("bootstrap", "--yes").code == 0
    assert settings(env)["COGNITO_DOMAIN"] == "http://localhost:9000"


@pytest.mark.parametrize(
    ("setup", "options", "problems"),
    [
        ({"AWS_REGION": ""}, [], ["no region: name one with --region or AWS_REGION"]),
        ({}, ["--region", "nowhere"], ["AWS_REGION: 'nowhere' is not the name of a region"]),
        (
            {"COGNITO_USER_POOL_ID": "us-east-1_Abc"},
            [],
            [f"AWS_REGION is {REGION} and user pool us-east-1_Abc is in us-east-1"],
        ),
        ({"COGNITO_USER_POOL_ID": "nonsense"}, [], ["COGNITO_USER_POOL_ID: user pool id: not of"]),
        ({}, ["--public-url", "http://a.example"], ["COGNISES_PUBLIC_URL: must start with https"]),
        (
            {},
            ["--public-url", "https://a.example/x?y"],
            ["COGNISES_PUBLIC_URL: must be scheme and"],
        ),
        ({}, ["--public-url", "https://a.example/x%2f"], ["COGNISES_PUBLIC_URL: has a path with"]),
        ({}, ["--public-url", "https://localhost:5000"], ["COGNISES_PUBLIC_URL: is this machine"]),
        ({}, ["--public-url", "https://127.0.0.1"], ["COGNISES_PUBLIC_URL: is this machine"]),
        ({}, ["--public-url", "ftp://a"], ["COGNISES_PUBLIC_URL: must start with https"]),
        (
            {},
            ["--public-url", URL, "--domain-prefix", "My_App"],
            ["--domain-prefix: 'My_App': use 1 to 63 lower-case letters"],
        ),
        (
            {},
            ["--public-url", URL, "--domain-prefix", "my-cognito-aws"],
            [
                "--domain-prefix: 'my-cognito-aws' contains 'aws'",
                "--domain-prefix: 'my-cognito-aws' contains 'cognito'",
            ],
        ),
        ({}, ["--domain-prefix", "mine"], ["--domain-prefix: needs --public-url"]),
        ({"COGNISES_ROLE_PREFIX": "a b"}, [], ["COGNISES_ROLE_PREFIX: 'a b' is not of the form"]),
        ({"COGNISES_ROLE_PREFIX": "___"}, [], ["COGNISES_ROLE_PREFIX: has no letter"]),
        (
            {"AWS_REGION": "", "COGNISES_ROLE_PREFIX": "a b"},
            ["--public-url", "http://a.example", "--domain-prefix", "A"],
            [
                "COGNISES_ROLE_PREFIX:",
                "no region",
                "COGNISES_PUBLIC_URL:",
                "--domain-prefix: 'A'",
                "--domain-prefix: needs --public-url",
            ],
        ),
    ],
)
def test_every_problem_is_reported_at_once_and_aws_is_not_asked(
    run: Run,
    fake: FakeCloudFormation,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    setup: dict[str, str],
    options: list[str],
    problems: list[str],
) -> None:
    for name, value in setup.items():
        monkeypatch.setenv(name, value)
    ran = run("bootstrap", "--yes", *options)
    told = ran.err.splitlines()
    assert ran.code == 1
    assert len(told) == len(problems)
    for line, problem in zip(told, problems, strict=True):
        assert line.startswith(f"error: {problem}")
    assert (fake.calls, account.asked) == ([], [])


@pytest.mark.parametrize(
    ("prefix", "stage"),
    [
        ("svc-", "svc"),
        ("role_", "role"),
        ("My.Service@Prod-", "my-service-prod"),
        ("9lives-", "stage-9lives"),
        ("x" * 63, "x" * 48),
        ("-", ""),
    ],
)
def test_a_stage_is_named_after_its_role_prefix(prefix: str, stage: str) -> None:
    assert stage_name(prefix) == stage


@pytest.mark.parametrize(
    ("stage", "prefix"),
    [
        ("svc", "svc-123456789012"),
        ("my-aws-service", "my-service-123456789012"),
        ("cognito", "service-123456789012"),
        ("cognises-service", "cognises-service-123456789012"),
        ("x" * 60, "x" * 50 + "-123456789012"),
    ],
)
def test_the_default_domain_is_the_accounts_own_and_has_no_word_kept_for_aws(
    stage: str, prefix: str
) -> None:
    assert default_domain_prefix(stage, "123456789012") == prefix
    assert len(prefix) <= 63


# Manual changes


ROLES = "AWS::Cognito::IdentityPoolRoleAttachment"


def test_a_role_map_emptied_by_hand_is_repaired_by_revert_drift_alone(
    run: Run, fake: FakeCloudFormation
) -> None:
    run("bootstrap", "--yes")
    fake.drift = [change("Modify", "IdentityPoolRoles", ROLES, ResourceDriftStatus="MODIFIED")]
    assert "nothing to change" in run("bootstrap", "--yes").err
    shown = run("bootstrap", "--revert-drift", "--dry-run")
    assert (shown.code, "reverts a manual change (MODIFIED)" in shown.err) == (0, True)
    assert run("bootstrap", "--revert-drift").code == 1  # no terminal: asks first
    assert fake.drift
    assert run("bootstrap", "--revert-drift", "--yes").code == 0
    assert fake.drift == []


# Domains


def test_a_new_prefix_removes_the_old_domain_first(
    run: Run, fake: FakeCloudFormation, env: Path
) -> None:
    run("bootstrap", "--yes", "--public-url", URL)
    seen: list[str] = []
    create = fake.create_change_set

    def kept(asked: Mapping[str, Any]) -> Any:
        given = {each["ParameterKey"]: each["ParameterValue"] for each in asked["Parameters"]}
        seen.append(given["DomainPrefix"])
        return create(asked)

    fake.create_change_set = kept  # type: ignore[method-assign]
    shown = run("bootstrap", "--dry-run", "--domain-prefix", "mine")
    assert (shown.code, seen, "two updates" in shown.err) == (0, [""], True)
    fake.outputs = {**OUTPUTS, "ManagedLoginUrl": "https://mine.auth.x"}
    assert run("bootstrap", "--yes", "--domain-prefix", "mine").code == 0
    assert seen == ["", "", "mine"]
    assert settings(env)["COGNITO_DOMAIN"] == "https://mine.auth.x"
    assert run("bootstrap").code == 0  # remembered
    assert seen[3:] == ["mine"]


def test_a_prefix_change_that_was_interrupted_is_finished_by_running_again(
    run: Run, fake: FakeCloudFormation
) -> None:
    run("bootstrap", "--yes", "--public-url", URL)
    fake.stacks[STACK]["Parameters"]["DomainPrefix"] = ""
    assert run("bootstrap", "--yes", "--domain-prefix", "mine").code == 0
    assert parameters(fake)["DomainPrefix"] == "mine"


def test_a_taken_prefix_is_refused_before_the_old_domain_is_removed(
    run: Run, fake: FakeCloudFormation, account: Account
) -> None:
    run("bootstrap", "--yes", "--public-url", URL)
    account.domains["taken"] = "eu-west-1_Theirs"
    assert run("bootstrap", "--yes", "--domain-prefix", "taken").code == 1
    assert parameters(fake)["DomainPrefix"] == "svc-123456789012"


CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/1"
CUSTOM = (
    *("--parameter", "CustomDomain=auth.example.org"),
    *("--parameter", f"CustomDomainCertificateArn={CERTIFICATE}"),
)


def test_a_custom_domain_is_a_parameter_that_is_given_once(
    run: Run, fake: FakeCloudFormation, env: Path
) -> None:
    run("bootstrap", "--yes", "--public-url", URL)
    fake.outputs = {**OUTPUTS, "ManagedLoginUrl": "https://auth.example.org"}
    assert run("bootstrap", "--yes", *CUSTOM).code == 0
    assert settings(env)["COGNITO_DOMAIN"] == "https://auth.example.org"
    assert run("bootstrap").code == 0
    assert parameters(fake)["CustomDomain"] == "auth.example.org"
    assert parameters(fake)["DomainPrefix"] == "svc-123456789012"


def test_another_custom_domain_removes_the_old_one_first() -> None:
    chosen = {
        "DomainPrefix": "a",
        "CustomDomain": "new.example.org",
        "CustomDomainCertificateArn": CERTIFICATE,
    }
    before = Stack("s", "UPDATE_COMPLETE", parameters={**chosen, "CustomDomain": "old.example.org"})
    first, last = deployment_steps(before, chosen)
    assert first == {
        "DomainPrefix": "a",
        "CustomDomain": "",
        "CustomDomainCertificateArn": "",
    }
    assert last == chosen
    assert deployment_steps(before, {**chosen, "CustomDomain": ""}) == [
        {**chosen, "CustomDomain": ""}
    ]


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize(
    ("pool", "kept"),
    [
        ({"CustomDomain": "auth.example.org"}, True),
        ({"CustomDomain": "other.example.org"}, False),
        ({}, False),
    ],
)
def test_a_domain_in_the_file_is_kept_if_it_is_this_pools(
    run: Run,
    fake: FakeCloudFormation,
    account: Account,
    env: Path,
    given: bool,
    pool: dict[str, str],
    kept: bool,
) -> None:
    pool_id = GIVEN_POOL if given else OWN_POOL
    account.pools[pool_id] = {"Id": pool_id, "Domain": "people", **pool}
    fake.outputs = {**OUTPUTS, "UserPoolId": pool_id}
    if given:
        env.write_text(f"COGNITO_USER_POOL_ID={GIVEN_POOL}\n")
    run("bootstrap", "--yes", "--public-url", URL)
    before = env.read_text()
    custom = "https://auth.example.org"
    env.write_text(before.replace(settings(env)["COGNITO_DOMAIN"], custom))
    ran = run("bootstrap")
    assert ran.code == 0, ran.err
    assert (settings(env)["COGNITO_DOMAIN"] == custom) is kept


# What else is a parameter


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (["Nonsense=1"], "--parameter Nonsense: bootstrap takes DeletionProtection, UserPoolTier"),
        (["PublicUrl=x"], "--parameter PublicUrl: bootstrap takes"),
        (["UserPoolTier"], "--parameter 'UserPoolTier': write NAME=VALUE"),
        (["CustomDomain=a.example.org"], "CustomDomainCertificateArn go together"),
        (
            [
                "CustomDomain=a.example.org",
                "CustomDomainCertificateArn=arn:aws:acm:eu-west-1:123456789012:certificate/1",
            ],
            "an ACM certificate in us-east-1",
        ),
        (["EmailFrom=a@example.org"], "EmailFrom: needs SesIdentityArn"),
        (
            ["CustomDomain=a.example.org", f"CustomDomainCertificateArn={CERTIFICATE}"],
            "CustomDomain: needs --public-url",
        ),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused_before_anything_is_made(
    run: Run, fake: FakeCloudFormation, given: list[str], problem: str
) -> None:
    options = [text for each in given for text in ("--parameter", each)]
    ran = run("bootstrap", "--yes", *options)
    assert (ran.code, fake.stacks) == (1, {})
    assert problem in ran.err


@pytest.mark.parametrize(
    ("tier", "managed"), [("LITE", "false"), ("ESSENTIALS", "true"), ("PLUS", "true")]
)
def test_sender_and_tier_are_kept_once_given(
    run: Run, fake: FakeCloudFormation, tier: str, managed: str
) -> None:
    ses = "arn:aws:ses:eu-west-1:123456789012:identity/example.org"
    run(
        *("bootstrap", "--yes", "--public-url", URL, "--parameter", f"UserPoolTier={tier}"),
        *("--parameter", f"SesIdentityArn={ses}", "--parameter", "EmailFrom=me@example.org"),
    )
    assert run("bootstrap").code == 0
    chosen = parameters(fake)
    assert (chosen["UserPoolTier"], chosen["ManagedLogin"]) == (tier, managed)
    assert (chosen["SesIdentityArn"], chosen["EmailFrom"]) == (ses, "me@example.org")


def test_the_settings_of_a_given_pool_are_not_bootstraps(
    run: Run, fake: FakeCloudFormation, account: Account, env: Path
) -> None:
    account.pools[GIVEN_POOL] = {"Id": GIVEN_POOL, "CustomDomain": "in.example.org"}
    env.write_text(f"COGNITO_USER_POOL_ID={GIVEN_POOL}\n")
    ran = run(
        *("bootstrap", "--yes", "--public-url", URL, "--parameter", "UserPoolTier=PLUS"), *CUSTOM
    )
    assert (ran.code, fake.stacks) == (1, {})
    assert "--parameter UserPoolTier: user pool" in ran.err
    assert "has the domain in.example.org; omit the option" in ran.err


# Clients


def test_a_client_that_the_pool_no_longer_has_is_removed_from_the_file(
    run: Run, account: Account, env: Path
) -> None:
    run("bootstrap", "--yes")
    account.clients = ["1client2", "other"]
    env.write_text(f"COGNITO_USER_POOL_ID={OWN_POOL}\nCOGNITO_CLIENT_ID=gone,1client2,other\n")
    ran = run("bootstrap")
    assert settings(env)["COGNITO_CLIENT_ID"] == "1client2,other"
    assert "app client gone does not exist any more and is removed" in ran.err


# The network


@pytest.mark.parametrize(
    "error", [ReadTimeoutError(endpoint_url="https://x"), ConnectionClosedError(endpoint_url="x")]
)
@pytest.mark.parametrize(
    "operation", ["describe_stacks", "create_change_set", "describe_stack_events"]
)
def test_a_lost_connection_in_a_second_run_is_one_line_with_its_remedy(
    run: Run,
    fake: FakeCloudFormation,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    error: Exception,
) -> None:
    run("bootstrap", "--yes")

    def lose(asked: Any) -> Any:
        raise error

    monkeypatch.setattr(fake, operation, lose)
    ran = run("bootstrap", "--yes", "--public-url", URL)
    assert (ran.code, ran.out) == (1, "")
    (line,) = [each for each in ran.err.splitlines() if each.startswith("error")]
    assert "run the command again" in line


def test_a_stage_too_long_to_name_a_bucket_is_refused_unless_it_has_none(
    run: Run, fake: FakeCloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COGNISES_ROLE_PREFIX", f"{'s' * 36}-")
    ran = run("bootstrap", "--yes")
    assert (ran.code, fake.stacks) == (1, {})
    assert f"COGNISES_ROLE_PREFIX names the stage {'s' * 36}, and the name of a bucket" in ran.err
    assert (
        "has room for 35 characters of it; choose a shorter one, or pass --parameter Files=false"
        in ran.err
    )

    assert run("bootstrap", "--yes", "--parameter", "Files=false").code == 0
