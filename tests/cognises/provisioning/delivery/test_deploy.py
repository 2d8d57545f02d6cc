"""`provision.py deploy`: where parameters come from, what is shown, and what is uploaded when."""

from __future__ import annotations

import base64
import hashlib
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from accounts import Ran
from answering import Refused
from fake_cloudformation import REGION, FakeCloudFormation, stand_in
from moto import mock_aws

from infra import package as function_package
from infra.stack_state import stack_tags

Run = Callable[..., Ran]
STACK = "svc-service"
POOL = f"{REGION}_AbCdEfGhI"
DIGEST = "sha256:" + "0123456789abcdef" * 4
TEMPLATE = "Resources: {}\n"
IMAGE = {
    "ImageRepository": None,
    "ImageDigest": None,
    "VpcId": None,
    "MinTasks": "2",
    "CognitoUserPoolId": None,
    "CognitoDomain": "",
    "ProjectName": "Cognises Service",
}
FUNCTION = {"CodeBucket": None, "CodeKey": None, "Architecture": "x86_64", "CognitoJwksFile": ""}


class Cloud(FakeCloudFormation):
    """CloudFormation that also reads templates: `declared` is what any of them asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.declared: Mapping[str, str | None] = IMAGE
        self.secret: tuple[str, ...] = ()
        self.outputs = {"BalancerAddress": "svc.elb.example.org"}

    def get_template_summary(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        assert asked["TemplateBody"] == TEMPLATE
        return {"Parameters": [
            {"ParameterKey": name, "NoEcho": name in self.secret}
            | ({} if default is None else {"DefaultValue": default})
            for name, default in self.declared.items()
        ], "ResourceTypes": ["AWS::ECS::Service", "AWS::ECS::Cluster"]}  # fmt: skip


class Stores:
    """A registry with one tag, and buckets; `put` is what was uploaded."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.put: dict[tuple[str, str], bytes] = {}

    def get_caller_identity(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/ada"}

    def describe_images(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        if asked["repositoryName"] != "images":
            raise Refused("RepositoryNotFoundException", "no such repository")
        if asked["imageIds"] != [{"imageTag": "v1"}]:
            raise Refused("ImageNotFoundException", "no such image")
        return {"imageDetails": [{"imageDigest": DIGEST}]}

    def head_object(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        place = (asked["Bucket"], asked["Key"])
        if place not in self.put:
            raise Refused("404", "Not Found")
        assert asked["ChecksumMode"] == "ENABLED"
        return {"ChecksumSHA256": checksum(self.put[place])}

    def put_object(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        assert "execute_change_set" not in self.cloud.calls  # the code is there before the stack
        assert asked["ChecksumSHA256"] == checksum(asked["Body"])
        self.put[asked["Bucket"], asked["Key"]] = asked["Body"]
        return {}


def checksum(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def stores(cloud: Cloud) -> Stores:
    return Stores(cloud)


@pytest.fixture(autouse=True)
def project(cloud: Cloud, stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two templates, in an account with nothing in it."""
    stand_in(monkeypatch, cloud, stores)
    monkeypatch.setattr("cognises.settings.sources.PROJECT_FOLDER", tmp_path)
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("COGNITO_USER_POOL_ID", POOL)
    monkeypatch.setenv("COGNISES_ROLE_PREFIX", "svc-")
    (tmp_path / "infra").mkdir()
    for name in ("service", "delivery"):
        (tmp_path / "infra" / f"{name}.yaml").write_text(TEMPLATE)
    return tmp_path


FIRST = (
    "--parameter", "ImageRepository=images", "--parameter", "VpcId=vpc-1", "--image-tag", "v1",
)  # fmt: skip


def parameters(cloud: Cloud) -> dict[str, str]:
    found: dict[str, str] = cloud.stacks[STACK]["Parameters"]
    return found


def test_the_first_time_the_stack_is_made_from_options_settings_and_defaults(
    run: Run, cloud: Cloud
) -> None:
    ran = run("deploy", "--yes", *FIRST)

    assert (ran.code, ran.out) == (0, "")
    assert parameters(cloud) == {
        "ImageRepository": "images",
        "ImageDigest": DIGEST,
        "VpcId": "vpc-1",
        "MinTasks": "2",
        "CognitoUserPoolId": POOL,
        "CognitoDomain": "",
        "ProjectName": "Cognises Service",
    }
    assert cloud.stacks[STACK]["Tags"] == stack_tags("svc-")
    assert f"CognitoUserPoolId: '{POOL}'" in ran.err
    assert "BalancerAddress: svc.elb.example.org" in ran.err
    assert "MinTasks" not in ran.err  # as it always is


def test_what_was_given_once_stays(run: Run, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    run("deploy", "--yes", *FIRST, "--parameter", "MinTasks=4")
    monkeypatch.setenv("COGNITO_DOMAIN", "https://login.example.org")
    ran = run("deploy", "--yes")

    assert ran.code == 0
    assert "CognitoDomain: '' -> 'https://login.example.org'" in ran.err
    kept = {"VpcId": "vpc-1", "MinTasks": "4", "ImageDigest": DIGEST}
    assert kept.items() <= parameters(cloud).items()


def test_a_setting_that_is_taken_away_is_gone_from_the_service(
    run: Run, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An origin that may no longer read answers must not stay because a stack remembers it."""
    cloud.declared = {"CognisesCorsOrigins": "", "CognitoAudience": "", "VpcId": None}
    monkeypatch.setenv("COGNISES_CORS_ORIGINS", "https://evil.example")
    run("deploy", "--yes", "--parameter", "VpcId=vpc-1", "--parameter", "CognitoAudience=https://a")
    assert parameters(cloud)["CognisesCorsOrigins"] == "https://evil.example"
    monkeypatch.delenv("COGNISES_CORS_ORIGINS")
    ran = run("deploy", "--yes")

    assert parameters(cloud) == {"CognisesCorsOrigins": "", "CognitoAudience": "", "VpcId": "vpc-1"}
    assert "CognisesCorsOrigins: 'https://evil.example' -> ''" in ran.err
    assert "CognitoAudience: 'https://a' -> ''" in ran.err


def test_a_required_setting_that_is_taken_away_is_asked_for(
    run: Run, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.declared = {"CognitoClientId": None}
    monkeypatch.setenv("COGNITO_CLIENT_ID", "client1")
    assert run("deploy", "--yes").code == 0
    monkeypatch.delenv("COGNITO_CLIENT_ID")
    ran = run("deploy", "--yes")

    assert ran.code == 1
    assert "CognitoClientId is not known yet; set COGNITO_CLIENT_ID" in ran.err


def test_a_stage_too_long_for_the_names_of_roles_is_refused(
    run: Run, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COGNISES_ROLE_PREFIX", "s" * 33 + "-")
    ran = run("deploy", "--yes", *FIRST)

    assert ran.code == 1
    assert "32 characters at most" in ran.err
    assert cloud.calls == []
    monkeypatch.setenv("COGNISES_ROLE_PREFIX", "s" * 32 + "-")
    assert run("deploy", "--yes", *FIRST).code == 0


def test_a_second_run_changes_nothing_and_asks_nothing(run: Run, cloud: Cloud) -> None:
    run("deploy", "--yes", *FIRST)
    ran = run("deploy", "--image-tag", "v1")

    assert ran.code == 0
    assert f"stack {STACK}: nothing to change" in ran.err
    assert cloud.calls.count("execute_change_set") == 1


def test_what_delivery_made_is_found(run: Run, cloud: Cloud) -> None:
    cloud.put("svc-delivery", "CREATE_COMPLETE", Outputs={"ImageRepository": "images"},
              tags=stack_tags("svc-"))  # fmt: skip
    ran = run("deploy", "--yes", "--image-tag", "v1", "--parameter", "VpcId=vpc-1")

    assert ran.code == 0, ran.err
    assert parameters(cloud)["ImageRepository"] == "images"


@pytest.mark.parametrize("name", ["WebAclArn", "KmsKeyArn", "ServiceBoundaryArn"])
def test_an_arn_of_your_own_stays_and_that_of_delivery_is_named(
    run: Run, cloud: Cloud, name: str
) -> None:
    cloud.declared = {**IMAGE, name: ""}
    cloud.put("svc-delivery", "CREATE_COMPLETE", Outputs={name: "arn:delivery"},
              tags=stack_tags("svc-"))  # fmt: skip
    first = run("deploy", "--yes", *FIRST)
    assert (first.code, parameters(cloud)[name]) == (0, "arn:delivery")
    assert "is kept" not in run("deploy", "--yes").err
    run("deploy", "--yes", "--parameter", f"{name}=arn:own")
    ran = run("deploy", "--yes", "--parameter", "MinTasks=4")

    assert (ran.code, parameters(cloud)[name]) == (0, "arn:own")
    assert f"{name} is kept; for that of delivery: --parameter {name}=arn:delivery" in ran.err
    run("deploy", "--yes", "--parameter", f"{name}=")
    run("deploy", "--yes")
    assert parameters(cloud)[name] == "arn:delivery"


def test_the_delivery_stack_gets_the_stage_as_parameter(run: Run, cloud: Cloud) -> None:
    cloud.declared = {"Stage": None, "CognitoUserPoolId": None, "GitHubRepository": ""}
    ran = run("deploy", "delivery", "--yes")

    assert ran.code == 0, ran.err
    assert cloud.stacks["svc-delivery"]["Parameters"]["Stage"] == "svc"


def test_a_dry_run_before_the_stack_is_there_begins_none(run: Run, cloud: Cloud) -> None:
    """Whoever may only look may not delete what a change set of a new stack leaves."""
    ran = run("deploy", "--dry-run", *FIRST)

    assert ran.code == 0
    assert "it will be created with AWS::ECS::Cluster, AWS::ECS::Service" in ran.err
    assert "VpcId: 'vpc-1'" in ran.err
    assert "create_change_set" not in cloud.calls
    assert (cloud.stacks, cloud.change_sets, cloud.deleted) == ({}, {}, [])


def test_a_dry_run_shows_and_leaves_nothing(run: Run, cloud: Cloud, stores: Stores) -> None:
    run("deploy", "--yes", *FIRST)
    cloud.calls.clear()
    ran = run("deploy", "--dry-run", "--parameter", "MinTasks=4")

    assert ran.code == 0
    assert "~ modify Client" in ran.err
    assert "execute_change_set" not in cloud.calls
    assert cloud.change_sets == {}
    assert parameters(cloud)["MinTasks"] == "2"


def test_off_a_terminal_nothing_happens_without_yes(run: Run, cloud: Cloud) -> None:
    ran = run("deploy", *FIRST)

    assert ran.code == 1
    assert "add --yes" in ran.err
    assert "execute_change_set" not in cloud.calls


def test_account_region_and_caller_are_printed_before_anything_changes(run: Run) -> None:
    line = f"account 123456789012, region {REGION}, caller arn:aws:iam::123456789012:user/ada"
    assert line in run("deploy", *FIRST).err
    assert line not in run("deploy", "--dry-run", *FIRST).err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--parameter", "VpcId"), ["--parameter 'VpcId': write NAME=VALUE"]),
        (("--parameter", "VpcId=1", "--parameter", "VpcId=2"), ["VpcId: given twice"]),
        (("--parameter", "Vpc=1"), ["Vpc: the template has no such parameter",
                                    "VpcId is not known yet; give it once: --parameter VpcId=...",
                                    "ImageDigest is not known yet"]),
        (("--image-tag", "v1"), ["ImageRepository is not known yet"]),
        (("--image-tag", "v9", "--parameter", "ImageRepository=images"),
         ["repository images has no image v9; push it first"]),
        (("--image-tag", "v1", "--parameter", "ImageRepository=nowhere"),
         ["repository nowhere has no image v1; push it first"]),
        (("--package", "nowhere.zip"), ["nowhere.zip does not exist; `make package` builds it"]),
        (("--package", __file__), ["test_deploy.py is not a zip; `make package` builds one"]),
        (("--image-tag", "v1", "--parameter", "ImageDigest=sha256:1"),
         ["--image-tag determines ImageDigest; omit one of"]),
        (("--package", "a.zip", "--parameter", "CodeKey=k", "--parameter", "Architecture=arm64"),
         ["--package determines CodeKey; omit one of", "--package determines Architecture"]),
    ],
)  # fmt: skip
def test_what_is_wrong_or_missing_is_reported_at_once(
    run: Run, cloud: Cloud, argv: tuple[str, ...], said: list[str]
) -> None:
    ran = run("deploy", "--yes", *argv)

    assert ran.code == 1
    for line in said:
        assert line in ran.err
    assert "create_change_set" not in cloud.calls


def test_a_missing_setting_is_named_by_its_own_name(
    run: Run, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.declared = {"CognitoClientId": None}
    ran = run("deploy", "--yes")

    assert "error: CognitoClientId is not known yet; set COGNITO_CLIENT_ID" in ran.err


def test_without_a_template_there_is_nothing_to_deploy(run: Run, project: Path) -> None:
    (project / "infra" / "service.yaml").unlink()
    ran = run("deploy", "--yes")

    assert ran == Ran(
        1,
        "",
        "error: there is no infra/service.yaml: this project has no deployment of its own\n",
    )


def test_a_stack_of_somebody_else_is_left_alone(run: Run, cloud: Cloud) -> None:
    cloud.put(STACK, "CREATE_COMPLETE", tags={"owner": "somebody"})
    ran = run("deploy", "--yes", *FIRST)

    assert ran.code == 3
    assert "was not created by this project" in ran.err
    assert "create_change_set" not in cloud.calls


def test_a_secret_is_neither_shown_nor_taken_from_the_asterisks_that_aws_tells(
    run: Run, cloud: Cloud
) -> None:
    cloud.declared, cloud.secret = {"ApiKey": None}, ("ApiKey",)
    ran = run("deploy", "--yes", "--parameter", "ApiKey=very-secret")
    again = run("deploy", "--yes")

    assert ran.code == 0
    assert "very-secret" not in ran.err
    assert again.code == 1
    assert "ApiKey is not known yet" in again.err


# A function's package


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return make_package(tmp_path / "function", {"wsgi.py": "1", "x.cpython-313-aarch64.so": ""})


def make_package(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    target = folder.with_suffix(".zip")
    function_package.write_zip(folder, target)
    return target


def test_a_package_is_uploaded_under_its_digest_before_the_stack_asks_for_it(
    run: Run, cloud: Cloud, stores: Stores, package: Path
) -> None:
    cloud.declared = FUNCTION
    ran = run("deploy", "--yes", "--package", str(package), "--parameter", "CodeBucket=b")

    key = f"function/{hashlib.sha256(package.read_bytes()).hexdigest()}.arm64.zip"
    assert ran.code == 0, ran.err
    assert stores.put == {("b", key): package.read_bytes()}
    assert parameters(cloud) == {
        "CodeBucket": "b", "CodeKey": key, "Architecture": "arm64", "CognitoJwksFile": ""
    }  # fmt: skip


def test_a_package_is_not_uploaded_before_anybody_agreed_nor_twice(
    run: Run, cloud: Cloud, stores: Stores, package: Path
) -> None:
    cloud.declared = FUNCTION
    given = ("--package", str(package), "--parameter", "CodeBucket=b")

    assert run("deploy", *given).code == 1  # no terminal, no --yes
    assert run("deploy", "--dry-run", *given).code == 0
    assert stores.put == {}
    assert "uploaded" in run("deploy", "--yes", *given).err
    cloud.calls.clear()
    assert "uploaded" not in run("deploy", "--yes", *given).err


def test_what_lies_at_the_packages_key_is_compared_and_replaced(
    run: Run, cloud: Cloud, stores: Stores, package: Path
) -> None:
    """A key is a name that anybody who writes to the bucket may choose."""
    cloud.declared = FUNCTION
    place = ("b", function_package.Package.read(package).key)
    stores.put[place] = b"somebody else's code"
    ran = run("deploy", "--yes", "--package", str(package), "--parameter", "CodeBucket=b")

    assert ran.code == 0, ran.err
    assert "uploaded" in ran.err
    assert stores.put[place] == package.read_bytes()


def test_an_older_package_brings_its_own_architecture_and_keys(
    run: Run, cloud: Cloud, stores: Stores, tmp_path: Path
) -> None:
    cloud.declared = FUNCTION
    older = make_package(tmp_path / "older", {"wsgi.py": "1"})
    newer = make_package(tmp_path / "newer", {"x.cpython-313-aarch64.so": "", "jwks.json": "{}"})
    run("deploy", "--yes", "--package", str(older), "--parameter", "CodeBucket=b")
    first = dict(parameters(cloud))
    cloud.calls.clear()
    run("deploy", "--yes", "--package", str(newer))
    assert (parameters(cloud)["Architecture"], parameters(cloud)["CognitoJwksFile"]) == (
        "arm64",
        "jwks.json",
    )
    ran = run("deploy", "--yes", "--parameter", f"CodeKey={first['CodeKey']}")

    assert ran.code == 0, ran.err
    assert parameters(cloud) == first


def test_without_a_package_the_one_that_runs_keeps_its_keys(
    run: Run, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting of this machine names a file of this machine."""
    cloud.declared = FUNCTION
    package = make_package(tmp_path / "function", {"jwks.json": "{}"})
    run("deploy", "--yes", "--package", str(package), "--parameter", "CodeBucket=b")
    monkeypatch.setenv("COGNITO_JWKS_FILE", "my-keys.json")
    ran = run("deploy", "--yes")

    assert ran.code == 0, ran.err
    assert parameters(cloud)["CognitoJwksFile"] == "jwks.json"


def test_an_older_package_that_is_gone_or_says_nothing_is_not_guessed_about(
    run: Run, cloud: Cloud, stores: Stores
) -> None:
    cloud.declared = FUNCTION
    named = (
        "deploy",
        "--yes",
        "--parameter",
        "CodeBucket=b",
        "--parameter",
        "CodeKey=function/1.zip",
    )
    assert "bucket b has no package function/1.zip" in run(*named).err

    stores.put["b", "function/1.zip"] = b"a package"
    silent = run(*named)
    assert silent.code == 1
    assert "add --parameter Architecture=..." in silent.err
    assert "add --parameter CognitoJwksFile= or =jwks.json" in silent.err
    assert "create_change_set" not in cloud.calls
    typed = run(*named, "--parameter", "Architecture=arm64", "--parameter", "CognitoJwksFile=")
    assert typed.code == 0, typed.err


def test_keys_in_the_package_are_named_to_the_function(
    run: Run, cloud: Cloud, tmp_path: Path
) -> None:
    cloud.declared = FUNCTION
    package = make_package(tmp_path / "function", {"jwks.json": "{}"})
    run("deploy", "--yes", "--package", str(package), "--parameter", "CodeBucket=b")

    assert parameters(cloud)["CognitoJwksFile"] == "jwks.json"
    assert parameters(cloud)["Architecture"] == "x86_64"


def test_an_object_without_a_checksum_is_not_the_package(tmp_path: Path) -> None:
    """Whoever uploads by other means may leave the checksum out."""
    with mock_aws():
        s3 = boto3.session.Session("t", "t", region_name="us-east-1").client("s3")
        s3.create_bucket(Bucket="packages")
        package = function_package.Package.read(
            make_package(tmp_path / "function", {"wsgi.py": ""})
        )
        s3.put_object(Bucket="packages", Key=package.key, Body=b"other code")
        assert package.upload(s3, "packages")
        assert s3.get_object(Bucket="packages", Key=package.key)["Body"].read() == (
            package.path.read_bytes()
        )
        assert not package.upload(s3, "packages")


def test_what_does_not_belong_into_a_package_goes(tmp_path: Path) -> None:
    kept = {"wsgi.py", "cognises/keys.py", "cognises/testing_ground.py", "a/b.so",
            "flask-3.dist-info/METADATA", "binary.py"}  # fmt: skip
    goes = {"cognises/testing/fake_pool.py", "cognises/testing.py", "cognises/provisioning/cli.py",
            "bin/flask", "app/__pycache__/x.pyc", "__pycache__/x.pyc", "a/b.pyi", ".env",
            "app/.env", "app/deep/.git/config",
            "flask-3.dist-info/RECORD", "flask-3.dist-info/direct_url.json"}  # fmt: skip
    make_package(tmp_path / "function", dict.fromkeys(kept | goes, ""))
    function_package.prune(tmp_path / "function")
    function_package.write_zip(tmp_path / "function", tmp_path / "function.zip")

    with zipfile.ZipFile(tmp_path / "function.zip") as archive:
        assert archive.namelist() == sorted(kept)
    assert not (tmp_path / "function" / "bin").exists()


def test_bytecode_is_made_by_a_python_of_the_functions_version_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "function"
    folder.mkdir()
    (folder / "wsgi.py").write_text("x = 1\n")
    monkeypatch.setenv("PATH", str(tmp_path))  # no uv, so only the one that runs this
    assert not function_package.add_bytecode(folder, "2.7")
    assert [path.name for path in folder.iterdir()] == ["wsgi.py"]

    own = ".".join(map(str, sys.version_info[:2]))
    assert function_package.add_bytecode(folder, own)
    (compiled,) = (folder / "__pycache__").iterdir()
    # PEP 552: bits 0 and 1 say that a hash stands for the time, and that nobody checks it.
    assert int.from_bytes(compiled.read_bytes()[4:8], "little") == 0b01
    assert str(tmp_path).encode() not in compiled.read_bytes()
