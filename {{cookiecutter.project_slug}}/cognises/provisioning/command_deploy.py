"""`deploy`: the stack of `infra/service.yaml`, or of another template beside it.

Looks up what the template asks for, shows which parameters and resources would change, asks, and
does it. A package is uploaded once that is confirmed, under a key that holds its digest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cognises import settings
from cognises.errors import SettingsError
from cognises.provisioning import function_package
from cognises.provisioning.bootstrap_request import Request, read_request
from cognises.provisioning.clients import make_client, make_session
from cognises.provisioning.confirmation import confirm_by
from cognises.provisioning.names import stack_name, stack_tags
from cognises.provisioning.retry import error_code
from cognises.provisioning.stack import StackSpec, bring_up, refuse_foreign, say
from cognises.provisioning.stack_client import StackClient
from cognises.provisioning.stack_parameters import (
    Declared,
    differences,
    from_settings,
    gather,
    read_pairs,
    told,
)
from cognises.provisioning.target import Options, settings_values

DELIVERY = "delivery"  # what is there before the service: where its images or packages lie
KEYS = "jwks.json"


@dataclass(frozen=True)
class Choices:
    """What the person who deploys has decided."""

    stack: str = "service"
    parameters: tuple[str, ...] = ()
    image_tag: str | None = None
    package: Path | None = None
    yes: bool = False
    dry_run: bool = False


def run(options: Options, choices: Choices) -> int:
    """Bring the stack up. Returns 0; refusals and failures are raised."""
    given = read_pairs(choices.parameters)
    template = _template(choices.stack)
    request = read_request(options)
    aws = _Aws(request)
    declared = aws.declared(template)
    stack = aws.stacks.describe(stack_name(request.role_prefix, choices.stack))
    tags = stack_tags(request.role_prefix)
    refuse_foreign(stack, tags)
    sources = [
        from_settings(declared, _settings(options)),
        {"Stage": request.stage, **aws.delivered(request)},
        told(declared, stack.parameters),
    ]
    given |= aws.found(choices, given, sources)
    chosen = gather(declared, given, *sources)
    for line in differences(declared, stack.parameters, chosen):
        say(f"  {line}")
    spec = StackSpec(
        name=stack.name,
        template=template,
        parameters=chosen,
        tags=tags,
        capabilities=("CAPABILITY_IAM",),
    )
    confirm = _then(confirm_by(choices.yes, "deploy"), lambda: aws.upload(choices.package, chosen))
    result = bring_up(aws.stacks, spec, confirm, dry_run=choices.dry_run)
    for name, text in sorted(result.outputs.items()):
        say(f"{name}: {text}")
    return 0


def _template(stack: str) -> str:
    path = settings.PROJECT_FOLDER / "infra" / f"{stack}.yaml"
    if not path.is_file():
        raise click.ClickException(
            f"there is no infra/{path.name}: this service brings a deployment of its own"
        )
    return path.read_text(encoding="utf-8")


def _settings(options: Options) -> dict[str, str]:
    """Settings by name, and the service's own that its stacks have a parameter for."""
    own = settings.read_values(settings.PROJECT_FOLDER, names=["PROJECT_NAME"])
    return own | settings_values(options)


def _then(ask: Callable[[str], None], do: Callable[[], None]) -> Callable[[str], None]:
    """Asks, and does something once the answer is yes."""

    def confirm(question: str) -> None:
        ask(question)
        do()

    return confirm


class _Aws:
    """The clients, and what is looked up in AWS."""

    def __init__(self, request: Request) -> None:
        self._session = make_session(request.profile)
        self._request = request
        self._cloudformation = self._client("cloudformation")
        self.stacks = StackClient(self._cloudformation)

    def declared(self, template: str) -> list[Declared]:
        """The parameters of a template. Raises botocore's errors, if it is none, too."""
        said = self._cloudformation.get_template_summary(TemplateBody=template)
        return [
            Declared(each["ParameterKey"], each.get("DefaultValue"), bool(each.get("NoEcho")))
            for each in said.get("Parameters", ())
        ]

    def delivered(self, request: Request) -> Mapping[str, str]:
        """The outputs of the stack that was there before: its names are the service's."""
        return self.stacks.describe(stack_name(request.role_prefix, DELIVERY)).outputs

    def found(
        self, choices: Choices, given: Mapping[str, str], sources: Sequence[Mapping[str, str]]
    ) -> dict[str, str]:
        """The parameters that name what is to run."""
        if choices.image_tag:
            repository = _first("ImageRepository", given, *sources)
            return {"ImageDigest": self._digest(repository, choices.image_tag)}
        if choices.package:
            return _about(choices.package)
        return {}

    def _digest(self, repository: str, tag: str) -> str:
        try:
            said = self._client("ecr").describe_images(
                repositoryName=repository, imageIds=[{"imageTag": tag}]
            )
        except Exception as error:
            if error_code(error) not in ("ImageNotFoundException", "RepositoryNotFoundException"):
                raise
            raise SettingsError(
                [f"error: repository {repository} holds no image {tag}; push it first"]
            ) from None
        return str(said["imageDetails"][0]["imageDigest"])

    def upload(self, package: Path | None, chosen: Mapping[str, str]) -> None:
        """Put a package where the stack will look for it, unless it is there already."""
        if package is None:
            return
        bucket, key = chosen["CodeBucket"], chosen["CodeKey"]
        s3 = self._client("s3")
        try:
            s3.head_object(Bucket=bucket, Key=key)
        except Exception as error:
            if error_code(error) not in ("404", "NoSuchKey", "NotFound"):
                raise
            say(f"uploading {package} to s3://{bucket}/{key}")
            s3.put_object(
                Bucket=bucket, Key=key, Body=package.read_bytes(), ChecksumAlgorithm="SHA256"
            )

    def _client(self, service: str) -> Any:
        return make_client(self._session, service, self._request.region, self._request.endpoint_url)


def _first(name: str, *sources: Mapping[str, str]) -> str:
    for source in sources:
        if name in source:
            return source[name]
    raise SettingsError([f"error: {name} is not known yet; give it once: --parameter {name}=..."])


def _about(package: Path) -> dict[str, str]:
    """What a package says of itself: other code, another key."""
    if not package.is_file():
        raise click.ClickException(f"there is no {package}; make package builds it")
    return {
        "CodeKey": f"function/{function_package.digest(package)}.zip",
        "Architecture": function_package.architecture(package),
        "CognitoJwksFile": KEYS if function_package.holds(package, KEYS) else "",
    }
