"""The whole life of a service at an emulator that enforces IAM: `make emulator`.

ministack checks every request against the caller's policies, and CloudFormation's requests too. Of
the condition keys in them it does not set two: `iam:PermissionsBoundary` and `iam:PolicyARN`. What
they forbid is judged in tests/cognises/provisioning/test_sequence.py.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from botocore.exceptions import ClientError
from dotenv import dotenv_values
from other_emulator import running

from cognises.provisioning import main as provision
from cognises.settings.sources import NAMES
from local_aws.environment import isolate

pytestmark = pytest.mark.emulator

STACK, USER = "svc-cognito", "ada@example.org"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
UNSET = {"iam:PermissionsBoundary", "iam:PolicyARN"}
EVERYTHING = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
)
EDITORS = {
    "group_name": "editors",
    "allowed_functions": [],
    "managed_policies": [READ_ONLY],
    "group_policy": {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
    },
}
Capture = pytest.CaptureFixture[str]


def as_far_as_enforced(statement: dict[str, Any]) -> dict[str, Any]:
    """A statement without the condition keys that the emulator does not set."""
    found = {
        operator: {key: value for key, value in keys.items() if key not in UNSET}
        for operator, keys in statement.get("Condition", {}).items()
    }
    return {**statement, "Condition": {name: keys for name, keys in found.items() if keys}}


class Aws:
    """The emulated account: its root, and people with the policies that are printed for them."""

    def __init__(self, endpoint: str, folder: Path, capture: Capture) -> None:
        self.endpoint, self.file, self.capture = endpoint, folder / "env", capture
        root = boto3.session.Session()  # boto3's own may have the keys of another test
        self.iam = root.client("iam", endpoint_url=endpoint)
        sts = root.client("sts", endpoint_url=endpoint)
        self.number = sts.get_caller_identity()["Account"]
        (folder / "groups.json").write_text(json.dumps([EDITORS]))
        self.file.write_text(
            "AWS_REGION=us-east-1\nCOGNISES_ROLE_PREFIX=svc-\n"
            f"COGNISES_GROUPS_FILE={folder / 'groups.json'}\n"
        )

    def person(self, name: str, *options: str) -> dict[str, str]:
        """The keys of a new user with the policy that is printed now, and nothing else."""
        self.capture.readouterr()
        argv = ["policy", "--env-file", str(self.file), "--account", self.number, *options]
        assert provision(argv) == 0
        printed = json.loads(self.capture.readouterr().out)
        statements = [
            as_far_as_enforced(each)
            for each in printed["Statement"]
            if each["Sid"] != "NeverAttachOtherPolicies"
        ]
        document = json.dumps({**printed, "Statement": statements})
        self.iam.create_user(UserName=name)
        self.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }

    def run(self, keys: dict[str, str], *argv: str) -> str:
        with patch.dict(os.environ, keys):
            code = provision([*argv, "--env-file", str(self.file)])
        out, err = self.capture.readouterr()
        assert code == 0, err
        return out + err

    def refuses(self, keys: dict[str, str], method: str, **arguments: Any) -> bool:
        with patch.dict(os.environ, keys):
            client = boto3.session.Session().client("iam", endpoint_url=self.endpoint)
        try:
            getattr(client, method)(**arguments)
        except ClientError as error:
            return error.response["Error"]["Code"] == "AccessDenied"
        return False

    @property
    def settings(self) -> dict[str, str | None]:
        return dotenv_values(self.file)


@pytest.fixture
def aws(tmp_path: Path, capsys: Capture) -> Iterator[Callable[[], Aws]]:
    with patch.dict(os.environ):
        isolate()
        for name in NAMES:
            os.environ.pop(name, None)  # the file has them
        os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")  # the root
        with running(tmp_path, AUTH="true") as endpoint:
            os.environ["AWS_ENDPOINT_URL"] = endpoint
            yield lambda: Aws(endpoint, tmp_path, capsys)


def spoil(iam: Any) -> None:
    """Changes by hand."""
    role = {"RoleName": "svc-editors"}
    iam.put_role_policy(**role, PolicyName="x", PolicyDocument=EVERYTHING)
    iam.delete_role_permissions_boundary(**role)
    iam.detach_role_policy(**role, PolicyArn=READ_ONLY)


def test_the_whole_life_of_a_service_where_iam_is_enforced(aws: Callable[[], Aws]) -> None:
    account = aws()
    operator = account.person("operator", "--bootstrap")
    account.run(operator, "bootstrap", "--yes", "--public-url", "http://localhost")
    assert "nothing to change" in account.run(operator, "bootstrap")
    pool, boundary = (
        str(account.settings[name])
        for name in ("COGNITO_USER_POOL_ID", "COGNISES_PERMISSIONS_BOUNDARY")
    )

    runner, people = account.person("runner"), account.person("people", "--users-only")
    account.run(runner, "apply", "--yes")
    assert "nothing to do" in account.run(runner, "plan", "--detailed-exitcode")
    account.run(people, "users", "create", USER, "--group", "editors")
    assert USER in account.run(people, "users", "list")

    spoil(account.iam)
    assert account.run(runner, "plan").count("drift: ") == 3
    account.run(runner, "apply", "--yes")
    assert "nothing to do" in account.run(runner, "plan", "--detailed-exitcode")

    editors = {"RoleName": "svc-editors"}
    new = {"RoleName": "svc-new", "AssumeRolePolicyDocument": EVERYTHING}
    assert account.refuses(runner, "delete_role_permissions_boundary", **editors)
    assert account.refuses(runner, "untag_role", **editors, TagKeys=["cognises:pool"])
    assert account.refuses(runner, "create_role", **new)
    assert account.refuses(
        runner, "create_policy_version", PolicyArn=boundary, PolicyDocument=EVERYTHING
    )
    assert account.refuses(people, "create_role", **new)
    assert account.refuses(operator, "delete_role", **editors)

    account.run(runner, "destroy", "--confirm", pool, "--force")
    operator = account.person("operator-2", "--bootstrap")  # whose policy names the pool
    account.run(operator, "destroy", "--confirm", pool, "--stack", STACK)
    account.run(operator, "bootstrap", "--yes")
    assert account.settings["COGNITO_USER_POOL_ID"] == pool
