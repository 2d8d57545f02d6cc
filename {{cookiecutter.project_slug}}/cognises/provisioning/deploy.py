"""`deploy`: the stack of `infra/service.yaml`, or of another template beside it.

Resolves the template's parameters, prints which parameters and resources change, asks, and deploys.
A package is uploaded after the answer, under a key that contains its digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cognises.errors import SettingsError
from cognises.provisioning.aws import error_code
from cognises.provisioning.bootstrap_request import Request, read_request
from cognises.provisioning.names import stack_name, stack_tags
from cognises.provisioning.package import Package, parameters_of, stored_checksum
from cognises.provisioning.service_file import merge, read_service_file
from cognises.provisioning.stack_parameters import (
    Declared,
    differences,
    from_settings,
    previous_values,
    read_pairs,
    resolve,
)
from cognises.provisioning.stack_state import read_stack, require_owned, say
from cognises.provisioning.stacks import StackInput, deploy_stack
from cognises.provisioning.target import Options, announce, confirm, settings_values
from cognises.settings import sources

DELIVERY = "delivery"  # the stack that comes first: where images or packages are stored
LONGEST_STAGE = 32  # beyond it, CloudFormation shortens role names that policies know by prefix


@dataclass(frozen=True)
class Choices:
    """The command's own options."""

    stack: str = "service"
    parameters: tuple[str, ...] = ()
    image_tag: str | None = None
    package: Path | None = None
    yes: bool = False
    dry_run: bool = False


def run(options: Options, choices: Choices) -> int:
    """Deploy the stack. Returns 0; refusals and failures are raised."""
    given = read_pairs(choices.parameters)
    _refuse_contradictions(choices, given)
    package = Package.read(choices.package) if choices.package else None
    request = read_request(options)
    _refuse_long_stage(request)
    template = _template(choices.stack, request.stage)
    aws = _Aws(request)
    declared, kinds = aws.read_template(template)
    stack = read_stack(aws.cloudformation, stack_name(request.role_prefix, choices.stack))
    require_owned(stack, stack_tags(request.role_prefix))
    own = sources.read_values(sources.PROJECT_FOLDER, names=["PROJECT_NAME"])
    delivery = read_stack(aws.cloudformation, stack_name(request.role_prefix, DELIVERY))
    known = [
        from_settings(declared, own | settings_values(options)),
        {"Stage": request.stage, **delivery.outputs},
        previous_values(declared, stack.parameters),
    ]
    if choices.image_tag:
        given["ImageDigest"] = aws.image_digest(choices.image_tag, given, *known)
    elif package:
        given |= parameters_of(package.key)
    elif "CodeKey" in given:
        given = aws.stored_package(declared, given, *known)
    chosen = resolve(declared, given, *known)
    for line in differences(declared, stack.parameters, chosen):
        say(f"  {line}")
    if choices.dry_run and not stack.exists:
        # A change set would begin a stack, which a read-only role could not delete again.
        say(f"stack {stack.name} does not exist; it will be created with {', '.join(kinds)}")
        return 0
    desired = StackInput(stack.name, template, chosen, stack_tags(request.role_prefix))

    def ask(question: str) -> None:
        announce(request.aws)
        confirm(question, yes=choices.yes, command="deploy --yes")
        if package and package.upload(aws.client("s3"), chosen["CodeBucket"]):
            say(f"uploaded {package.path} to s3://{chosen['CodeBucket']}/{package.key}")

    outputs = deploy_stack(aws.cloudformation, desired, ask, dry_run=choices.dry_run)
    for name, text in sorted(outputs.items()):
        say(f"{name}: {text}")
    return 0


class _Aws:
    """The clients, and what is read from AWS."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.cloudformation = self.client("cloudformation")

    def read_template(self, template: str) -> tuple[list[Declared], list[str]]:
        """A template's parameters and its resource types. Raises botocore's errors."""
        found = self.cloudformation.get_template_summary(TemplateBody=template)
        declared = [
            Declared(each["ParameterKey"], each.get("DefaultValue"), bool(each.get("NoEcho")))
            for each in found.get("Parameters", ())
        ]
        return declared, sorted(set(found.get("ResourceTypes", ())))

    def image_digest(self, tag: str, *sources: Mapping[str, str]) -> str:
        """The digest of a tag in ECR. Raises SettingsError if there is none."""
        repository = _first("ImageRepository", *sources)
        try:
            found = self.client("ecr").describe_images(
                repositoryName=repository, imageIds=[{"imageTag": tag}]
            )
        except Exception as error:
            if error_code(error) not in ("ImageNotFoundException", "RepositoryNotFoundException"):
                raise
            raise SettingsError(
                [f"error: repository {repository} has no image {tag}; push it first"]
            ) from None
        return str(found["imageDetails"][0]["imageDigest"])

    def stored_package(
        self, declared: Sequence[Declared], given: Mapping[str, str], *sources: Mapping[str, str]
    ) -> dict[str, str]:
        """The parameters of an older package, never what a newer one left in the stack.

        Raises SettingsError if the bucket has no such package, or its key does not tell.
        """
        if all(each.name != "CodeKey" for each in declared):
            return dict(given)  # resolve() names the unknown parameter
        key, bucket = given["CodeKey"], _first("CodeBucket", given, *sources)
        if stored_checksum(self.client("s3"), bucket, key) is None:
            raise SettingsError([f"error: bucket {bucket} has no package {key}"])
        found = {**parameters_of(key), **given}
        missing = [
            f"error: {key} does not tell its {name}; add --parameter {name}={example}"
            for name, example in (("Architecture", "..."), ("CognitoJwksFile", " or =jwks.json"))
            if name not in found
        ]
        if missing:
            raise SettingsError(missing)
        return found

    def client(self, service: str) -> Any:
        return self._request.aws.client(service)


def _first(name: str, *sources: Mapping[str, str]) -> str:
    for source in sources:
        if name in source:
            return source[name]
    raise SettingsError([f"error: {name} is not known yet; give it once: --parameter {name}=..."])


def _refuse_contradictions(choices: Choices, given: Mapping[str, str]) -> None:
    """Raise SettingsError where an option determines a parameter that is given as well."""
    determined = {
        "--image-tag": ("ImageDigest",) if choices.image_tag else (),
        "--package": ("CodeKey", "Architecture", "CognitoJwksFile") if choices.package else (),
    }
    problems = [
        f"error: {option} determines {name}; omit one of --parameter {name} and {option}"
        for option, names in determined.items()
        for name in names
        if name in given
    ]
    if problems:
        raise SettingsError(problems)


def _refuse_long_stage(request: Request) -> None:
    if len(request.stage) > LONGEST_STAGE:
        raise SettingsError(
            [
                f"error: COGNISES_ROLE_PREFIX names the stage {request.stage}, and a stage that is "
                f"deployed has {LONGEST_STAGE} characters at most; choose a shorter one"
            ]
        )


def _template(stack: str, stage: str) -> str:
    path = sources.PROJECT_FOLDER / "infra" / f"{stack}.yaml"
    if not path.is_file():
        raise click.ClickException(
            f"there is no infra/{path.name}: this project has no deployment of its own"
        )
    return merge(path.read_text(encoding="utf-8"), read_service_file(), stage)
