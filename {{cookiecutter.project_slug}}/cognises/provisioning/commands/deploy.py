"""`deploy`: the stack of `infra/service.yaml`, or of another template beside it.

Looks up what the template asks for, shows which parameters and resources would change, asks, and
does it. A package is uploaded once that is confirmed, under a key that holds its digest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from cognises.errors import SettingsError
from cognises.provisioning.aws import error_code
from cognises.provisioning.bootstrap.request import Request, read_request
from cognises.provisioning.delivery.package_store import Package, PackageStore, read_package
from cognises.provisioning.names import stack_name, stack_tags
from cognises.provisioning.options import confirm
from cognises.provisioning.stacks.client import StackClient
from cognises.provisioning.stacks.engine import StackSpec, bring_up, refuse_foreign, say
from cognises.provisioning.stacks.parameters import (
    Declared,
    differences,
    from_settings,
    gather,
    read_pairs,
    told,
)
from cognises.provisioning.target import Options, settings_values
from cognises.settings import sources

DELIVERY = "delivery"  # what is there before the service: where its images or packages lie
LONGEST_STAGE = 32  # more, and CloudFormation cuts the names of roles that policies know by prefix


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
    _refuse_contradictions(choices, given)
    package = read_package(choices.package) if choices.package else None
    template = _template(choices.stack)
    request = read_request(options)
    _refuse_long_stage(request)
    aws = _Aws(request)
    declared, kinds = aws.read(template)
    stack = aws.stacks.describe(stack_name(request.role_prefix, choices.stack))
    tags = stack_tags(request.role_prefix)
    refuse_foreign(stack, tags)
    sources = [
        from_settings(declared, _settings(options)),
        {"Stage": request.stage, **aws.delivered(request)},
        told(declared, stack.parameters),
    ]
    given |= aws.found(declared, choices, package, given, sources)
    chosen = gather(declared, given, *sources)
    for line in differences(declared, stack.parameters, chosen):
        say(f"  {line}")
    if choices.dry_run and not stack.exists:
        # A change set would begin a stack, which not everybody who may look may delete again.
        say(f"stack {stack.name} is not there; it will be made, with {', '.join(kinds)}")
        return 0
    spec = StackSpec(
        name=stack.name,
        template=template,
        parameters=chosen,
        tags=tags,
        capabilities=("CAPABILITY_IAM",),
    )
    ask = partial(confirm, yes=choices.yes, command="deploy --yes")
    agreed = _then(ask, lambda: aws.upload(package, chosen))
    result = bring_up(aws.stacks, spec, agreed, dry_run=choices.dry_run)
    for name, text in sorted(result.outputs.items()):
        say(f"{name}: {text}")
    return 0


def _refuse_contradictions(choices: Choices, given: Mapping[str, str]) -> None:
    """Raise SettingsError where a parameter is typed that an option finds out."""
    found_out = {
        "--image-tag": ("ImageDigest",) if choices.image_tag else (),
        "--package": ("CodeKey", "Architecture", "CognitoJwksFile") if choices.package else (),
    }
    problems = [
        f"error: {option} finds {name} out; leave out one of --parameter {name} and {option}"
        for option, names in found_out.items()
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


def _template(stack: str) -> str:
    path = sources.PROJECT_FOLDER / "infra" / f"{stack}.yaml"
    if not path.is_file():
        raise click.ClickException(
            f"there is no infra/{path.name}: this service brings a deployment of its own"
        )
    return path.read_text(encoding="utf-8")


def _settings(options: Options) -> dict[str, str]:
    """Settings by name, and the service's own that its stacks have a parameter for."""
    own = sources.read_values(sources.PROJECT_FOLDER, names=["PROJECT_NAME"])
    return own | settings_values(options)


def _then(ask: Callable[[str], None], do: Callable[[], None]) -> Callable[[str], None]:
    """Asks, and does something once the answer is yes."""

    def asked(question: str) -> None:
        ask(question)
        do()

    return asked


class _Aws:
    """The clients, and what is looked up in AWS."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._cloudformation = self._client("cloudformation")
        self.stacks = StackClient(self._cloudformation)

    def read(self, template: str) -> tuple[list[Declared], list[str]]:
        """A template's parameters and its types of resources.

        Raises botocore's errors, if it is no template, too.
        """
        said = self._cloudformation.get_template_summary(TemplateBody=template)
        declared = [
            Declared(each["ParameterKey"], each.get("DefaultValue"), bool(each.get("NoEcho")))
            for each in said.get("Parameters", ())
        ]
        return declared, sorted(set(said.get("ResourceTypes", ())))

    def delivered(self, request: Request) -> Mapping[str, str]:
        """The outputs of the stack that was there before: its names are the service's."""
        return self.stacks.describe(stack_name(request.role_prefix, DELIVERY)).outputs

    def found(
        self,
        declared: Sequence[Declared],
        choices: Choices,
        package: Package | None,
        given: Mapping[str, str],
        sources: Sequence[Mapping[str, str]],
    ) -> dict[str, str]:
        """The parameters that name what is to run."""
        if choices.image_tag:
            repository = _first("ImageRepository", given, *sources)
            return {"ImageDigest": self._digest(repository, choices.image_tag)}
        if package:
            return package.parameters
        if "CodeKey" in given and any(each.name == "CodeKey" for each in declared):
            bucket = _first("CodeBucket", given, *sources)
            about = PackageStore(self._client("s3"), bucket).about(given["CodeKey"])
            return _with_code(about, given)
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

    def upload(self, package: Package | None, chosen: Mapping[str, str]) -> None:
        """Put a package where the stack will look for it, unless these very bytes are there."""
        if package is None:
            return
        store = PackageStore(self._client("s3"), chosen["CodeBucket"])
        if not store.holds(package):
            say(f"uploading {package.path} to s3://{chosen['CodeBucket']}/{chosen['CodeKey']}")
            store.put(package)

    def _client(self, service: str) -> Any:
        return self._request.aws.client(service)


def _first(name: str, *sources: Mapping[str, str]) -> str:
    for source in sources:
        if name in source:
            return source[name]
    raise SettingsError([f"error: {name} is not known yet; give it once: --parameter {name}=..."])


def _with_code(about: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """What goes with an older package that is named by its key, never what the newer one left."""
    missing = [
        f"error: {given['CodeKey']} does not say its {name}; add --parameter {name}={example}"
        for name, example in (("Architecture", "..."), ("CognitoJwksFile", " or =jwks.json"))
        if name not in about and name not in given
    ]
    if missing:
        raise SettingsError(missing)
    return {name: text for name, text in about.items() if name not in given}
