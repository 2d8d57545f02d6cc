"""The edge to AWS: what is retried, what is settled, how errors read, what text is let through."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from accounts import PREFIX, Account, group
from botocore.exceptions import (
    ClientError,
    ConfigParseError,
    EndpointConnectionError,
    NoCredentialsError,
    TokenRetrievalError,
)
from worlds import ADMINS, SCOPE, plan

from cognises.errors import ProvisionBlocked, SettingsError, printable
from cognises.provisioning.aws import TRIES, Clients, resilient
from cognises.provisioning.aws_errors import explain, is_aws_error
from cognises.provisioning.groups.apply import Call, accept_existing, apply_plan
from cognises.provisioning.groups.read import account_and_partition, role_of
from cognises.provisioning.names import group_of, ownership_tags, role_name
from cognises.provisioning.target import Options, read_target


def refusal(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "PutRolePolicy")


class Flaky:
    """Fails so many times, then works."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.left, self.error, self.calls = failures, error, 0

    def __call__(self) -> str:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise self.error
        return "done"


RETRIED = [
    ("ConcurrentModification", False),
    ("ConcurrentModificationException", False),
    ("EntityTemporarilyUnmodifiable", False),
    ("NoSuchEntity", True),
]


@pytest.mark.parametrize(("code", "just_created"), RETRIED)
def test_what_passes_by_itself_is_tried_again_with_longer_pauses(
    code: str, just_created: bool
) -> None:
    slept: list[float] = []
    flaky = Flaky(3, refusal(code))
    assert resilient(flaky, just_created=just_created, sleep=slept.append) == "done"
    assert slept == [0.25, 0.5, 1.0]


def test_a_group_is_tried_again_while_cognito_cannot_see_its_role() -> None:
    flaky = Flaky(1, refusal("InvalidParameterException", "Role is not authorized"))
    assert resilient(flaky, just_created=True, sleep=lambda seconds: None) == "done"


NOT_RETRIED = [
    ("AccessDenied", True),
    ("NoSuchEntity", False),
    ("InvalidParameterException", True),
    ("MalformedPolicyDocument", True),
]


@pytest.mark.parametrize(("code", "just_created"), NOT_RETRIED)
def test_what_does_not_pass_is_raised_at_once(code: str, just_created: bool) -> None:
    flaky = Flaky(1, refusal(code))
    with pytest.raises(ClientError):
        resilient(flaky, just_created=just_created, sleep=lambda seconds: None)
    assert flaky.calls == 1


def test_retries_come_to_an_end() -> None:
    flaky = Flaky(100, refusal("ConcurrentModification"))
    with pytest.raises(ClientError):
        resilient(flaky, sleep=lambda seconds: None)
    assert flaky.calls == TRIES


def test_a_role_that_somebody_made_meanwhile_is_refused(account: Account) -> None:
    account.make_foreign_role(f"{PREFIX}a", **{"cognises:owner": "cognises"})
    tags = [{"Key": "cognises:owner", "Value": "cognises"}, {"Key": "cognises:pool", "Value": "x"}]
    call = Call("iam", "create_role", {"RoleName": f"{PREFIX}a", "Tags": tags})
    with pytest.raises(ProvisionBlocked, match="made by others"):
        accept_existing(call, Clients(account.iam, account.cognito))


def test_a_group_that_somebody_made_meanwhile_is_refused(account: Account) -> None:
    account.cognito.create_group(GroupName="a", UserPoolId=account.pool_id)
    arguments = {
        "GroupName": "a",
        "UserPoolId": account.pool_id,
        "RoleArn": "arn:aws:iam::1:role/a",
    }
    with pytest.raises(ProvisionBlocked, match="group a was made by others"):
        accept_existing(
            Call("cognito-idp", "create_group", arguments), Clients(account.iam, account.cognito)
        )


def test_what_is_there_as_wanted_is_settled(account: Account) -> None:
    tags = {"cognises:owner": "cognises", "cognises:pool": "x"}
    account.make_foreign_role("r", **tags)
    wanted = [{"Key": key, "Value": value} for key, value in reversed(tags.items())]
    call = Call("iam", "create_role", {"RoleName": "r", "Tags": wanted})
    accept_existing(call, Clients(account.iam, account.cognito))


def test_after_a_failure_no_other_group_is_begun(account: Account) -> None:
    class Broken:
        def __init__(self) -> None:
            self.calls = 0

        def create_role(self, **_: Any) -> None:
            self.calls += 1
            raise refusal("AccessDenied")

    broken = Broken()
    found = plan(*(group(f"g{index}") for index in range(20)))
    done, failed = apply_plan(found, Clients(broken, account.cognito), workers=1)
    assert broken.calls == 1
    assert (done, len(failed)) == ([], 1)


def test_a_blocked_plan_sends_nothing() -> None:
    blocked = plan(ADMINS, adopt=["somebody-elses"])
    with pytest.raises(ProvisionBlocked):
        apply_plan(blocked, Clients(None, None))


EXPLAINED: list[tuple[Exception, str]] = [
    (NoCredentialsError(), "no AWS credentials; run `aws configure`"),
    # Without the profile's name, `aws sso login` signs in to the default profile, or to none.
    (TokenRetrievalError(provider="sso", error_msg="x"), "run `aws sso login --profile NAME`"),
    (refusal("ExpiredToken"), "expired; run `aws sso login --profile NAME`, `aws login`, or"),
    (refusal("InvalidClientTokenId"), "AWS does not know these credentials"),
    (refusal("AccessDenied"), "prints to the caller (PutRolePolicy: AccessDenied: no)"),
    (refusal("Throttling"), "wait a minute"),
    (refusal("LimitExceeded"), "Service Quotas"),
    (refusal("DeleteConflict"), "run the command again"),
    (refusal("InternalFailure"), "AWS failed"),
    (ConfigParseError(path="x"), "fix ~/.aws/config"),
    (refusal("SomethingNew", "what?"), "(PutRolePolicy: SomethingNew: what?)"),
]


@pytest.mark.parametrize("index", range(len(EXPLAINED)))
def test_an_error_of_aws_says_what_to_do(index: int) -> None:
    error, expected = EXPLAINED[index]
    assert is_aws_error(error)
    assert expected in explain(error)
    assert "\n" not in explain(error)


SECRETS = [
    refusal("SignatureDoesNotMatch", "x-amz-security-token:SECRET"),
    refusal("IncompleteSignature", "Authorization=AWS4 SECRET"),
    refusal("SomethingNew", "no\nx-amz-security-token:SECRET"),
    EndpointConnectionError(endpoint_url="http://me:SECRET@127.0.0.1:1"),
]


@pytest.mark.parametrize("index", range(len(SECRETS)))
def test_what_aws_quotes_of_a_request_is_not_repeated(index: int) -> None:
    assert "SECRET" not in explain(SECRETS[index])


def test_what_aws_says_at_length_is_cut() -> None:
    assert len(explain(refusal("SomethingNew", "a" * 10_000))) < 400


def test_a_mistake_of_ours_is_not_taken_for_an_error_of_aws() -> None:
    assert not is_aws_error(KeyError("x"))


ESCAPED = [
    ("plain, with ümläuts and 漢字", "plain, with ümläuts and 漢字"),
    ("a\nb\tc", "a\\nb\\tc"),
    ("\x1b[31m", "\\x1b[31m"),
    ("\x9b2J", "\\x9b2J"),
    ("\u202eabc\u2066", "\\u202eabc\\u2066"),
    ("\u2028", "\\u2028"),
    ("\u200b", "\\u200b"),
]


@pytest.mark.parametrize(("text", "expected"), ESCAPED)
def test_text_of_others_is_printed_harmlessly(text: str, expected: str) -> None:
    assert printable(text) == expected


@pytest.mark.parametrize("name", ["a", "a,b", "a_+=,.@-Z9"])
def test_a_groups_name_survives_its_tag(name: str) -> None:
    tags = ownership_tags("us-east-1_Pool", name)
    assert group_of(tags) == name
    assert "," not in tags["cognises:group"]
    assert role_name(SCOPE.role_prefix, name) == f"svc-{name}"


def test_a_percent_encoded_document_is_read() -> None:
    detail = {
        "RoleName": "r",
        "Arn": "arn:aws:iam::1:role/r",
        "AssumeRolePolicyDocument": "%7B%22Version%22%3A%22x%22%7D",
    }
    assert role_of(detail).trust == {"Version": "x"}


def test_all_settings_that_are_wrong_are_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COGNITO_USER_POOL_ID", "people")
    monkeypatch.setenv("COGNITO_IDENTITY_POOL_ID", "x")
    monkeypatch.setenv("COGNISES_PERMISSIONS_BOUNDARY", "y")
    with pytest.raises(SettingsError) as raised:
        read_target(Options())
    assert len(raised.value.problems) == 3


def test_a_pool_that_is_not_set_belongs_in_the_env_file_in_use(tmp_path: Path) -> None:
    stage = tmp_path / "staging.env"
    stage.touch()
    written = f"put it into {stage}, or run `provision.py bootstrap --env-file {stage}`"
    for options, expected in (
        (Options(), "put it into .env, or run `provision.py bootstrap`"),
        (Options(env_file=stage), written),
    ):
        with pytest.raises(SettingsError) as raised:
            read_target(options)
        assert expected in str(raised.value)


@pytest.mark.parametrize("address", ["garbage", "http://", "http://127.0.0.1:99999", "http://a b"])
def test_an_address_that_is_none_is_reported(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("COGNITO_USER_POOL_ID", "us-east-1_Pool")
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    with pytest.raises(SettingsError, match="AWS_ENDPOINT_URL: is not of the form"):
        read_target(Options())


ENV_FILES = {
    "not UTF-8": (b"COGNISES_ROLE_PREFIX=\xff\n", "must be UTF-8"),
    "a line that is no setting": (b"AWS_REGION=us-east-1\nstaging\n=x\n", "line 3: write NAME"),
    "a quote left open": (b"COGNISES_ROLE_PREFIX='staging-\n", "line 1: write NAME=value"),
}


@pytest.mark.parametrize("name", ENV_FILES)
def test_an_env_file_that_cannot_be_read_stops_the_run(tmp_path: Path, name: str) -> None:
    content, expected = ENV_FILES[name]
    stage = tmp_path / "staging.env"
    stage.write_bytes(content)
    with pytest.raises(SettingsError, match=expected):
        read_target(Options(env_file=stage))


def test_a_private_env_file_that_is_no_text_is_reported(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="must be UTF-8"):
        read_target(Options())


def test_an_answer_that_is_not_from_aws_is_reported() -> None:
    class Portal:
        def describe_user_pool(self, **_: Any) -> dict[str, Any]:
            return {}

    with pytest.raises(SettingsError, match="the endpoint is not AWS"):
        account_and_partition(Portal(), SCOPE.pool_id)


def test_the_manifest_is_looked_for_beside_wsgi_not_in_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, manifest: Callable[..., Path]
) -> None:
    monkeypatch.setenv("COGNITO_USER_POOL_ID", "us-east-1_Pool")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert read_target(Options()).groups_file == manifest()
